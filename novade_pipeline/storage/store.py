"""What a place that holds objects must do, whatever its kind: the contract `Store`.

delta-rs, DuckDB and the Azure SDK each take their credentials in their own way; they all get them
from a `Store`.
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
"""How many objects a page of a listing has; the most that Azure gives."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of one object.

    Attributes:
        file: its path below the root of the store.
        etag: names this version of its content.
        size: bytes.
        modified: when it was last changed, UTC.
    """

    file: str
    etag: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Page:
    """A part of a listing, in the order of names.

    Attributes:
        entries: the objects.
        following: where the next part begins; None where there is no more.
    """

    entries: Sequence[Entry]
    following: str | None


class NewObject(Protocol):
    """An object while it is written, piece by piece; a file of Python's for libraries."""

    def write(self, piece: Any, /) -> int | None:
        """Put bytes behind those that are there."""

    def tell(self) -> int:
        """How many bytes there are so far."""

    def finish(self) -> None:
        """Leave the object whole."""

    def discard(self) -> None:
        """Leave nothing."""


@dataclass(frozen=True)
class Store(ABC):
    """A root URL and the ways to reach it.

    Attributes:
        url: absolute, without a trailing slash; as people and other engines name the place.
    """

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
        """It is a place on Azure."""
        return self.url.startswith(f"{AZURE_SCHEME}://")

    @abstractmethod
    def path(self, *parts: str) -> str:
        """The same as `child`, as the disk or the container names it."""

    @abstractmethod
    def table_url(self, *parts: str) -> str:
        """The URL of a table, as delta-rs takes it."""

    @abstractmethod
    def options(self) -> dict[str, str]:
        """delta-rs's `storage_options`; may hold secrets and are never shown."""

    @abstractmethod
    def duckdb_path(self, *parts: str) -> str:
        """A place as DuckDB's `delta_scan` takes it, after `duckdb_setup`."""

    @abstractmethod
    def duckdb_setup(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Extensions that DuckDB needs, and SQL to run after they are loaded; holds secrets."""

    @abstractmethod
    def pages(self, prefix: str = "", following: str | None = None) -> Iterator[Page]:
        """What lies below the root under names that begin with `prefix`, in order of names.

        Args:
            following: where an earlier listing of the same prefix stopped.
        """

    @abstractmethod
    def open_version(self, file: str, etag: str) -> AbstractContextManager[IO[bytes]]:
        """Read the version of an object that was listed.

        Raises:
            TransientFailure: the object is another one, or gone, by the time that it is read.
        """

    @abstractmethod
    def read(self, *parts: str) -> bytes:
        """A whole object.

        Raises:
            FileNotFoundError: there is none.
        """

    @abstractmethod
    def open(self, *parts: str) -> IO[bytes]:
        """An object of which only what is asked for is read, from any place on.

        Raises:
            FileNotFoundError: there is none.
        """

    @abstractmethod
    def write(self, content: bytes, *parts: str) -> None:
        """Put a whole object in its place: readers see the old one or the new one."""

    @abstractmethod
    def create(self, *parts: str) -> NewObject:
        """Begin an object under a name that nobody looks for before it is finished.

        What stands there goes: it is left of one that was cut off.
        """

    @abstractmethod
    def delete(self, *parts: str) -> None:
        """Take an object away; nothing happens where there is none."""

    @abstractmethod
    def exists(self) -> bool:
        """The root exists and may be listed.

        Raises:
            UserError: it could not be looked at, with the reason.
        """

    @abstractmethod
    def translate_error(self, error: Exception, doing: str) -> Exception | None:
        """What an error of a library means for people; None where it says nothing of storage.

        Args:
            error: from delta-rs, DuckDB or the Azure SDK.
            doing: `read`, `write`, `list` or `delete`.
        """

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """All pages of a listing, as one."""
        for page in self.pages(prefix):
            yield from page.entries

    def any_entry(self) -> Entry | None:
        """Some object below the root, found without listing all; None where there is none."""
        return next(self.entries(), None)

    def failing_fast(self) -> "Store":
        """The same place for a look: where nobody answers, it gives up within seconds."""
        return self


def changed_during_read(file: str) -> TransientFailure:
    """The failure of a read whose file is another one by now."""
    return TransientFailure(f"{file} changed while it was read; it is read again.")
