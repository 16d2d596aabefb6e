"""The records of an object, and the results of queries. Records are never changed in place."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Protocol

from novade_pipeline.sandbox.salesforce.fields import Field
from novade_pipeline.sandbox.salesforce.rows import Record
from novade_pipeline.sandbox.salesforce.wire import Csv, csv_line


@dataclass(frozen=True)
class Bounds:
    """A half-open range of `SystemModstamp`; None for no bound."""

    earliest: datetime | None = None
    before: datetime | None = None

    def contains(self, stamp: datetime) -> bool:
        """Whether a time is within the bounds."""
        return (self.earliest is None or stamp >= self.earliest) and (
            self.before is None or stamp < self.before
        )


class QueryResult(Protocol):
    """The records of a query, as they were then."""

    def __len__(self) -> int:
        """Number of records."""
        ...

    def rows(self, begin: int, end: int) -> Iterator[Record]:
        """Some of them, by their places."""
        ...

    def text(self, begin: int, end: int, fields: Sequence[Field], dialect: Csv) -> str:
        """Some of them as lines of CSV, without the header."""
        ...


def in_plain_queries(row: Record) -> bool:
    """Whether `query` returns a record, and not only `queryAll`.

    It skips the recycle bin and archived activities. Source: SOAP API Developer Guide, "Archived
    Activities" (sforce_api_guidelines_archive.htm).
    """
    return not row.get("IsDeleted") and not row.get("IsArchived")


class MaterializedResult:
    """A result that is a list of records."""

    def __init__(self, rows: list[Record]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self, begin: int, end: int) -> Iterator[Record]:
        """Some of them, by their places."""
        return iter(self._rows[begin:end])

    def text(self, begin: int, end: int, fields: Sequence[Field], dialect: Csv) -> str:
        """Some of them as lines of CSV, without the header."""
        return "".join(csv_line(row, fields, dialect) for row in self._rows[begin:end])


class Records:
    """The records of one object by id, in the order of creation."""

    def __init__(self, rows: Sequence[Record]) -> None:
        self._rows = {row["Id"]: row for row in rows}
        self._next = len(rows)

    def get(self, record: str) -> Record:
        """The record with an id.

        Raises:
            KeyError: no record has the id.
        """
        return self._rows[record]

    def find(self, record: str) -> Record | None:
        """The record with an id, or None."""
        try:
            return self.get(record)
        except KeyError:
            return None

    def all(self) -> Iterator[Record]:
        """All records."""
        return iter(self._rows.values())

    def random_living(self, rng: Random) -> Record | None:
        """A record outside the recycle bin, or None."""
        living = [row for row in self._rows.values() if not row.get("IsDeleted")]
        return rng.choice(living) if living else None

    def between(self, bounds: Bounds) -> Iterator[Record]:
        """All records whose `SystemModstamp` is within bounds."""
        return (row for row in self._rows.values() if bounds.contains(row["SystemModstamp"]))

    def select(self, bounds: Bounds, include_deleted: bool) -> QueryResult:
        """The same as a query's result, with or without the recycle bin."""
        return MaterializedResult(
            [row for row in self.between(bounds) if include_deleted or in_plain_queries(row)]
        )

    def store(self, row: Record) -> None:
        """Add a record, or replace the record with its id."""
        self._rows[row["Id"]] = row

    def remove(self, record: str) -> None:
        """Remove a record permanently."""
        del self._rows[record]

    def rewrite(self, change: Callable[[Record], Record]) -> None:
        """Change the shape of all records."""
        self._rows = {key: change(row) for key, row in self._rows.items()}

    def next_number(self) -> int:
        """The number for the id of a new record."""
        self._next += 1
        return self._next - 1
