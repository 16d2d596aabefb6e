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
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_ESCAPED_BYTE = re.compile("\ufffd([89a-f][0-9a-f])")


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
        # A prefix may end within a name, so its folder is walked.
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
            yield Page([*_existing(root, page)], None if is_last else page[-1])

    @override
    def any_entry(self) -> Entry | None:
        root = Path(self.path())
        unreadable = None
        for folder, _, names in os.walk(root, onerror=_refused):
            for name in names:
                path = Path(folder, name)
                with suppress(FileNotFoundError):
                    entry = _entry(_as_text(path.relative_to(root).as_posix()), path)
                    # Another file may be readable.
                    if not entry.etag.endswith(UNREADABLE):
                        return entry
                    unreadable = entry
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
            # A parent folder is a file, so nothing is below it.
            raise FileNotFoundError(self.path(*parts)) from None

    @override
    def open(self, *parts: str) -> IO[bytes]:
        return Path(self.path(*parts)).open("rb")

    @override
    def write(self, content: bytes, *parts: str) -> None:
        path = Path(self.path(*parts))
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
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
    def translate_error(self, error: Exception, operation: str) -> Exception | None:
        return None


class _NewFile(io.BufferedWriter):
    """A file of the disk; a process that is killed leaves what it has so far."""

    def __init__(self, path: Path) -> None:
        # Unbuffered, a write to a full disk is cut short silently.
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
    """Ignores a missing folder; raises for one that cannot be listed."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _unlisted(error: OSError) -> None:
    """Ignores a missing folder; a folder that cannot be listed is a `UserError`."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise _unlisted_error(error)


def _unlisted_error(error: OSError) -> UserError:
    return UserError(
        f"{_as_text(str(error.filename))}: expected to list what is there, found: "
        f"{error.strerror}; give the user of this process the right to read and enter the folder."
    )


def _existing(root: str, files: Sequence[str]) -> Iterator[Entry]:
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
        # The folder may be listed, but not entered.
        raise _unlisted_error(error) from None
    except OSError:
        # A link to itself exists, but cannot be read.
        info = path.lstat()
    etag = f"{info.st_mtime:.6f}-{info.st_size}"
    # A file that becomes readable is a new version.
    etag += "" if os.access(path, os.R_OK) else UNREADABLE
    return Entry(file, etag, info.st_size, datetime.fromtimestamp(info.st_mtime, UTC))


def _as_text(path: str) -> str:
    """A printable path: bytes that are not UTF-8, in Python lone surrogates, as U+FFFD and hex."""
    return _UNDECODABLE.sub(lambda match: f"\ufffd{ord(match[0]) - 0xDC00:02x}", path)


def _as_on_disk(path: str) -> str:
    """The inverse of `_as_text`."""
    if "\ufffd" not in path or os.path.lexists(path):
        return path
    return _ESCAPED_BYTE.sub(lambda match: chr(0xDC00 + int(match[1], 16)), path)
