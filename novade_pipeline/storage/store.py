"""The contract `Store` of an object storage.

delta-rs, DuckDB and the Azure SDK each get their credentials from it, in their own form.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Protocol
from urllib.parse import quote

from novade_pipeline.errors import TransientFailure

AZURE_SCHEME = "abfss"
PAGE_ENTRIES = 5_000
"""Objects of one page of a listing; Azure's maximum."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of one object.

    Attributes:
        file: its path below the root of the store.
        size: bytes.
        modified: UTC.
    """

    file: str
    etag: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Page:
    """A page of a listing in order of names; `following` is where the next begins, or None."""

    entries: Sequence[Entry]
    following: str | None


class NewObject(Protocol):
    """An object that is being written; libraries use it as a file."""

    def write(self, data: Any, /) -> int | None:
        """Append bytes."""

    def tell(self) -> int:
        """How many bytes have been written."""

    def finish(self) -> None:
        """Make the object visible to readers."""

    def discard(self) -> None:
        """Drop the object."""


@dataclass(frozen=True)
class Store(ABC):
    """A root URL, absolute and without a trailing slash, and the ways to reach it."""

    url: str

    def child(self, *parts: str) -> str:
        """The URL of something below the root.

        Raises:
            ValueError: a part is empty, absolute or climbs out of the root.
        """
        return "/".join((self.url, *map(quote, self._checked(parts))))

    def _checked(self, parts: Sequence[str]) -> Sequence[str]:
        for part in parts:
            if not part or part.startswith("/") or ".." in part.split("/"):
                raise ValueError(f"{part!r} is not a path below {self.url}")
        return parts

    @property
    def is_azure(self) -> bool:
        """Whether the store is on Azure."""
        return self.url.startswith(f"{AZURE_SCHEME}://")

    @abstractmethod
    def path(self, *parts: str) -> str:
        """The path on the disk, or in the account with its container."""

    @abstractmethod
    def table_url(self, *parts: str) -> str:
        """The URL of a table, as delta-rs takes it."""

    @abstractmethod
    def options(self) -> dict[str, str]:
        """delta-rs's `storage_options`; may hold secrets and are never shown."""

    @abstractmethod
    def duckdb_path(self, *parts: str) -> str:
        """The path that DuckDB's `delta_scan` expects, after `duckdb_setup`."""

    @abstractmethod
    def duckdb_setup(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Extensions that DuckDB needs, and SQL to run after they are loaded; holds secrets."""

    @abstractmethod
    def pages(self, prefix: str = "", following: str | None = None) -> Iterator[Page]:
        """Lists the objects whose names begin with `prefix`, from an earlier page's end on."""

    @abstractmethod
    def open_version(self, file: str, etag: str) -> AbstractContextManager[IO[bytes]]:
        """Read the version of an object that was listed.

        Raises:
            TransientFailure: the object was replaced or deleted meanwhile.
        """

    @abstractmethod
    def read(self, *parts: str) -> bytes:
        """A whole object.

        Raises:
            FileNotFoundError: there is none.
        """

    @abstractmethod
    def open(self, *parts: str) -> IO[bytes]:
        """Open an object for random access; only the requested ranges are read.

        Raises:
            FileNotFoundError: there is none.
        """

    @abstractmethod
    def write(self, content: bytes, *parts: str) -> None:
        """Write an object atomically: readers see the old one or the new one."""

    @abstractmethod
    def create(self, *parts: str) -> NewObject:
        """Begin an object, in the place of one that was left unfinished."""

    @abstractmethod
    def delete(self, *parts: str) -> None:
        """Delete an object, if it exists."""

    @abstractmethod
    def exists(self) -> bool:
        """The root exists and may be listed.

        Raises:
            UserError: it cannot be listed, with the reason.
        """

    @abstractmethod
    def translate_error(self, error: Exception, operation: str) -> Exception | None:
        """Translates an error of delta-rs, DuckDB or the Azure SDK; None for other errors.

        Args:
            operation: `read`, `write`, `list` or `delete`.
        """

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """All pages of a listing, as one."""
        for page in self.pages(prefix):
            yield from page.entries

    def any_entry(self) -> Entry | None:
        """Any object below the root, without listing all; None where there is none."""
        return next(self.entries(), None)

    def failing_fast(self) -> "Store":
        """The same store with short timeouts, for checks."""
        return self


def changed_during_read(file: str) -> TransientFailure:
    """The failure of a read whose file was replaced meanwhile."""
    return TransientFailure(f"{file} changed while it was read; it is read again.")
