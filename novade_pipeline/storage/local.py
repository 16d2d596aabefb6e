"""A folder of the local disk as a store."""

import io
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from typing_extensions import override

from novade_pipeline.errors import UserError
from novade_pipeline.storage import store as storage
from novade_pipeline.storage.store import Entry, NewObject, Page, Store, changed_during_read

WRITE_BYTES = 2**20
UNREADABLE = "-unreadable"
_NO_TEXT = re.compile("[\udc80-\udcff]")
_TOLD_BYTE = re.compile("\ufffd([89a-f][0-9a-f])")


class LocalStore(Store):
    """A folder of the local disk."""

    @override
    def path(self, *parts: str) -> str:
        return unquote((self.child(*parts) if parts else self.url).removeprefix("file://"))

    @override
    def table_url(self, *parts: str) -> str:
        return self.child(*parts)

    @override
    def options(self) -> dict[str, str]:
        return {}

    @override
    def duckdb_path(self, *parts: str) -> str:
        return self.path(*parts)

    @override
    def duckdb_setup(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return ("delta",), ()

    @override
    def pages(self, prefix: str = "", following: str | None = None) -> Iterator[Page]:
        # A prefix may end within a name; the folder that it lies in is walked.
        root = self.path()
        start = len(root.rstrip("/")) + 1
        top = _as_on_disk(os.path.join(root, prefix.rpartition("/")[0]))
        files = sorted(
            file
            for folder, _, names in os.walk(top, onerror=_unlisted)
            for name in names
            if (file := _as_text(os.path.join(folder, name)[start:])).startswith(prefix)
            and file > (following or "")
        )
        for first in range(0, len(files), storage.PAGE_ENTRIES):
            page = files[first : first + storage.PAGE_ENTRIES]
            is_last = first + storage.PAGE_ENTRIES >= len(files)
            yield Page([*_there(root, page)], None if is_last else page[-1])

    @override
    def any_entry(self) -> Entry | None:
        root = Path(self.path())
        unreadable = None
        for folder, _, names in os.walk(root, onerror=_refused):
            for name in names:
                path = Path(folder, name)
                with suppress(FileNotFoundError):
                    found = _entry(_as_text(path.relative_to(root).as_posix()), path)
                    # One file that may not be read says nothing of the others.
                    if not found.etag.endswith(UNREADABLE):
                        return found
                    unreadable = found
        return unreadable

    @override
    @contextmanager
    def open_version(self, file: str, etag: str) -> Iterator[IO[bytes]]:
        path = Path(_as_on_disk(self.path(file)))
        try:
            with path.open("rb") as stream:
                yield stream
            now = _entry(file, path).etag
        except FileNotFoundError:
            now = "gone"
        if now != etag:
            raise changed_during_read(file)

    @override
    def read(self, *parts: str) -> bytes:
        try:
            return Path(self.path(*parts)).read_bytes()
        except NotADirectoryError:
            # A file stands where a folder would: nothing is below it.
            raise FileNotFoundError(self.path(*parts)) from None

    @override
    def open(self, *parts: str) -> IO[bytes]:
        return Path(self.path(*parts)).open("rb")

    @override
    def write(self, content: bytes, *parts: str) -> None:
        path = Path(self.path(*parts))
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            beside.write_bytes(content)
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise

    @override
    def create(self, *parts: str) -> NewObject:
        path = Path(self.path(*parts))
        path.parent.mkdir(parents=True, exist_ok=True)
        return _NewFile(path)

    @override
    def delete(self, *parts: str) -> None:
        Path(self.path(*parts)).unlink(missing_ok=True)

    @override
    def exists(self) -> bool:
        return Path(self.path()).is_dir()

    @override
    def translate_error(self, error: Exception, doing: str) -> Exception | None:
        return None


class _NewFile(io.BufferedWriter):
    """A file of the disk; a process that is killed leaves what it has so far."""

    def __init__(self, path: Path) -> None:
        # Unbuffered, a disk that is full takes a part of a piece without a word.
        super().__init__(io.FileIO(path, "wb"), WRITE_BYTES)
        self._path = path

    def finish(self) -> None:
        """As `NewObject` says."""
        self.close()

    def discard(self) -> None:
        """As `NewObject` says."""
        with suppress(OSError):
            self.close()
        self._path.unlink(missing_ok=True)


def _refused(error: OSError) -> None:
    """A folder that may not be listed is not an empty one; one that is gone is."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _unlisted(error: OSError) -> None:
    """What is in a folder that may not be listed is not gone."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise _unlisted_error(error)


def _unlisted_error(error: OSError) -> UserError:
    return UserError(
        f"{_as_text(str(error.filename))}: expected to list what is there, found: "
        f"{error.strerror}; give the user of this process the right to read and enter the folder."
    )


def _there(root: str, files: Sequence[str]) -> Iterator[Entry]:
    for file in files:
        # A file may vanish while its folder is listed.
        with suppress(FileNotFoundError):
            yield _entry(file, Path(_as_on_disk(os.path.join(root, file))))


def _entry(file: str, path: Path) -> Entry:
    try:
        info = path.stat()
    except FileNotFoundError:
        raise
    except PermissionError as error:
        # Of the folder: the names in it may be listed, and no more.
        raise _unlisted_error(error) from None
    except OSError:
        # A link to itself: there, but not to be read.
        info = path.lstat()
    etag = f"{info.st_mtime:.6f}-{info.st_size}"
    # One that may be read from now on is another version.
    etag += "" if os.access(path, os.R_OK) else UNREADABLE
    return Entry(file, etag, info.st_size, datetime.fromtimestamp(info.st_mtime, UTC))


def _as_text(path: str) -> str:
    """A path that all may print and write down: bytes that are no UTF-8 as U+FFFD and their digits.

    Args:
        path: as Python has it, with lone surrogates for such bytes.
    """
    return _NO_TEXT.sub(lambda found: f"\ufffd{ord(found[0]) - 0xDC00:02x}", path)


def _as_on_disk(path: str) -> str:
    """The path that `_as_text` made this of."""
    if "\ufffd" not in path or os.path.lexists(path):
        return path
    return _TOLD_BYTE.sub(lambda found: chr(0xDC00 + int(found[1], 16)), path)
