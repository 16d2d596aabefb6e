"""Where the organisation's records are held, and what a query has found among them.

A record is never changed in place: who holds one has it as it was.
"""

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
    """Between which times `SystemModstamp` lies; None where there is no bound.

    Attributes:
        earliest: the first of them.
        before: they are all earlier than this.
    """

    earliest: datetime | None = None
    before: datetime | None = None

    def hold(self, stamp: datetime) -> bool:
        """Whether a time lies between them."""
        return (self.earliest is None or stamp >= self.earliest) and (
            self.before is None or stamp < self.before
        )


class Found(Protocol):
    """What a query has found, as it was then."""

    def __len__(self) -> int:
        """How many records."""
        ...

    def rows(self, begin: int, end: int) -> Iterator[Record]:
        """Some of them, by their places."""
        ...

    def text(self, begin: int, end: int, fields: Sequence[Field], form: Csv) -> str:
        """Some of them as lines of CSV, without the header."""
        ...


def is_plainly_found(row: Record) -> bool:
    """Whether a plain query finds a record, not only `queryAll`.

    Those in the recycle bin are left out, and archived activities. Source: SOAP API Developer
    Guide, "Archived Activities" (sforce_api_guidelines_archive.htm).
    """
    return not row.get("IsDeleted") and not row.get("IsArchived")


class FoundRows:
    """Records that a query has found, all of them held."""

    def __init__(self, rows: list[Record]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self, begin: int, end: int) -> Iterator[Record]:
        """Some of them, by their places."""
        return iter(self._rows[begin:end])

    def text(self, begin: int, end: int, fields: Sequence[Field], form: Csv) -> str:
        """Some of them as lines of CSV, without the header."""
        return "".join(csv_line(row, fields, form) for row in self._rows[begin:end])


class Records:
    """The records of one object, by their ids, in the order in which they were made."""

    def __init__(self, rows: Sequence[Record]) -> None:
        self._rows = {row["Id"]: row for row in rows}
        self._next = len(rows)

    def get(self, record: str) -> Record:
        """One record.

        Raises:
            KeyError: there is none with that id.
        """
        return self._rows[record]

    def find(self, record: str) -> Record | None:
        """One record, if it is there."""
        try:
            return self.get(record)
        except KeyError:
            return None

    def all(self) -> Iterator[Record]:
        """All records."""
        return iter(self._rows.values())

    def any_living(self, rng: Random) -> Record | None:
        """A record that is not in the recycle bin, if there is one."""
        living = [row for row in self._rows.values() if not row.get("IsDeleted")]
        return rng.choice(living) if living else None

    def between(self, bounds: Bounds) -> Iterator[Record]:
        """All records whose `SystemModstamp` lies between two times."""
        return (row for row in self._rows.values() if bounds.hold(row["SystemModstamp"]))

    def found_between(self, bounds: Bounds, bin_too: bool) -> Found:
        """The same as what a query finds, those in the recycle bin or without them."""
        return FoundRows([row for row in self.between(bounds) if bin_too or is_plainly_found(row)])

    def put(self, row: Record) -> None:
        """Add a record, or put it in the place of the one with its id."""
        self._rows[row["Id"]] = row

    def remove(self, record: str) -> None:
        """Take a record away for good."""
        del self._rows[record]

    def rewrite(self, change: Callable[[Record], Record]) -> None:
        """Change the shape of all records."""
        self._rows = {key: change(row) for key, row in self._rows.items()}

    def next_number(self) -> int:
        """The number for the id of a new record, each once."""
        self._next += 1
        return self._next - 1
