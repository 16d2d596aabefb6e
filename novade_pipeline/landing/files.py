"""Landed files: listing them, and reading the version that was listed."""

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

from novade_pipeline.errors import TransientFailure
from novade_pipeline.storage.store import Entry, Store

_OF_THE_FILE = {
    *(errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR),
}
"""Errors that last until the file or its permissions are changed."""
HourOf = Callable[[str], datetime | None]
"""From a file's name to its hour; None where the name has none."""


@dataclass(frozen=True, slots=True)
class LandedFile:
    """One version of a file.

    Attributes:
        file: the path below the landing zone.
        etag: of this version.
        size: bytes, as landed.
        modified: the last change, UTC.
        hour: from the name, UTC; None where it has none.
    """

    file: str
    etag: str
    size: int
    modified: datetime
    hour: datetime | None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.file.rsplit("/", 1)[-1]


class DamagedFile(Exception):
    """A file that cannot be trusted as a whole; it is never loaded in part."""

    def __init__(self, file: LandedFile, reason: str) -> None:
        super().__init__(reason)
        self.file = file
        self.reason = reason


def list_files(landing: Store, prefixes: Iterable[str], hour_of: HourOf) -> list[LandedFile]:
    """The files whose paths begin with one of the prefixes, ordered by hour and name."""
    files = [file for prefix in prefixes for file in landed_files(landing.entries(prefix), hour_of)]
    never = datetime.min.replace(tzinfo=UTC)
    return sorted(files, key=lambda f: (f.hour or never, f.file))


def landed_files(entries: Iterable[Entry], hour_of: HourOf) -> list[LandedFile]:
    """The objects that are landed files.

    Names that begin with a dot or an underscore are uploads in progress and are ignored.
    """
    return [
        LandedFile(entry.file, entry.etag, entry.size, entry.modified, hour_of(name))
        for entry in entries
        if not (name := entry.file.rsplit("/", 1)[-1]).startswith((".", "_"))
    ]


@contextmanager
def open_landed(landing: Store, file: LandedFile) -> Iterator[IO[bytes]]:
    """Open the version that was listed.

    Raises:
        DamagedFile: the file cannot be opened until it is changed.
        TransientFailure: it cannot be opened now, or changed while it was read.
    """
    with ExitStack() as opened:
        try:
            stream = opened.enter_context(landing.open_version(file.file, file.etag))
        except OSError as error:
            if error.errno in _OF_THE_FILE:
                raise DamagedFile(file, f"cannot be opened ({error.strerror})") from None
            raise TransientFailure(
                f"{file.file}: expected to open it, found: {error.strerror}; try again."
            ) from None
        yield stream
