"""The keys of what changed in a table since a position, by the database's own feed.

A feed says which rows changed and not into what: the rows are read by their keys afterwards, by the
reader that reads all others. A row that changes again meanwhile comes again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from novade_pipeline.databases.declaration import DatabaseTable
from novade_pipeline.databases.kinds import parse_kind

Key = tuple[Any, ...]
MOST_KEYS = 500_000
"""Of a table, that are read one by one; where more rows changed, the whole table is read."""


@dataclass(frozen=True)
class Changes:
    """What a feed has after a position.

    Attributes:
        keys: of the rows that were inserted, updated or deleted.
        position: up to which the feed was read.
        lost: why the feed does not have all changes since, as a sentence: all rows are to be read;
            None where it has.
    """

    keys: frozenset[Key]
    position: int
    lost: str | None = None


class Feed(Protocol):
    """The changes of a database's tables."""

    def check(self, table: DatabaseTable) -> None:
        """Whether the feed could be read; nothing is made.

        Raises:
            PermanentFailure: as `start`.
        """

    def start(self, table: DatabaseTable) -> int:
        """A position from which on all changes will be there, for a read of all rows.

        Raises:
            PermanentFailure: the database does not record changes of the table, or may not say.
        """

    def changes(self, table: DatabaseTable, since: int) -> Changes:
        """What changed since a position that `start` or `changes` returned.

        Raises:
            PermanentFailure: as `start`.
        """

    def release(self, position: int) -> None:
        """Say that no table needs what is before a position."""


def typed_keys(table: DatabaseTable, values: Iterable[tuple[str | None, ...]]) -> frozenset[Key]:
    """Keys in the types of the lake, from the texts of a feed."""
    kinds = [parse_kind(table.of_name(name).type).name for name in table.key]
    return frozenset(
        tuple(_typed(kind, value) for kind, value in zip(kinds, row, strict=True)) for row in values
    )


def _typed(kind: str, value: str | None) -> Any:
    if value is None:
        return None
    if kind == "integer":
        return int(value)
    if kind == "date":
        return date.fromisoformat(value[:10])
    return value.lower() if kind == "uuid" else value
