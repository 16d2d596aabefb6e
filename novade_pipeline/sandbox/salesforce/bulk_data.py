"""Very many records of an object that are not held: each is made from its number when it is read.

They are those of a pool, one after the other, each with an id and times of its own, a second apart;
only what was changed since is held.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import cycle, islice, repeat
from random import Random

from novade_pipeline.sandbox.salesforce.fields import Field, SObject
from novade_pipeline.sandbox.salesforce.ids import BLOCK, block_of_ids, number_of, record_id
from novade_pipeline.sandbox.salesforce.rows import Record
from novade_pipeline.sandbox.salesforce.tables import Bounds, Found, Records, is_plainly_found
from novade_pipeline.sandbox.salesforce.wire import Csv, csv_line, csv_text

_TIMES = ("CreatedDate", "LastModifiedDate", "SystemModstamp")


@dataclass(frozen=True)
class _Maker:
    """Makes the records as they were at first.

    Attributes:
        prefix: of their ids.
        pool: the records that they are like.
        first: the time of the first; each is a second after the one before.
    """

    prefix: str
    pool: tuple[Record, ...]
    first: datetime

    def row(self, number: int) -> Record:
        """The record with that number, as it was at first."""
        moment = self.first + timedelta(seconds=number)
        own = {"Id": record_id(self.prefix, number), **dict.fromkeys(_TIMES, moment)}
        return {**self.pool[number % len(self.pool)], **own}

    def lines(self, numbers: range, fields: Sequence[Field], form: Csv) -> list[str]:
        """The records with these numbers, as they were at first, as lines of CSV; made quickly."""
        own = [field.name for field in fields if field.name in ("Id", *_TIMES)]
        templates = [
            csv_line({**_escaped(row), **dict.fromkeys(own, "%s")}, fields, form)
            for row in self.pool
        ]
        shapes = islice(cycle(templates), numbers.start % len(templates), None)
        blocks = range(numbers.start // BLOCK, -(-numbers.stop // BLOCK))
        ids = [one for block in blocks for one in block_of_ids(self.prefix, block)]
        shift = numbers.start % BLOCK
        moments = _clock(self.first + timedelta(seconds=numbers.start), len(numbers))
        columns = dict.fromkeys(_TIMES, moments) | {"Id": ids[shift : shift + len(numbers)]}
        # What is in no column of its own is told by the template alone.
        told = zip(*(columns[name] for name in own), strict=True) if own else repeat(())
        return [shape % values for shape, values, _ in zip(shapes, told, numbers, strict=False)]


class ManyRecords(Records):
    """So many records of one object."""

    def __init__(self, of: SObject, pool: Sequence[Record], rows: int, until: datetime) -> None:
        """Make them from a pool.

        Args:
            of: the object.
            pool: the records that they are like; at least one.
            rows: how many.
            until: all of them are older.
        """
        if not pool:
            raise ValueError(f"{of.name} has no record that others could be like")
        first = until.replace(microsecond=0) - timedelta(seconds=rows + 1)
        self._maker = _Maker(of.prefix, tuple(pool), first)
        self._count = self._next = rows
        self._changed: dict[int, Record | None] = {}

    def get(self, record: str) -> Record:
        """One record.

        Raises:
            KeyError: there is none with that id.
        """
        number = number_of(record)
        row = self._changed.get(number)
        if row is not None and row["Id"] == record:
            return row
        made = number < self._count and number not in self._changed
        if not made or record_id(self._maker.prefix, number) != record:
            raise KeyError(record)
        return self._maker.row(number)

    def all(self) -> Iterator[Record]:
        """All records."""
        return self.between(Bounds())

    def any_living(self, rng: Random) -> Record | None:
        """A record that is not in the recycle bin; none where ten draws find none."""
        for _ in range(10):
            row = self.find(record_id(self._maker.prefix, rng.randrange(self._count)))
            if row is not None and not row.get("IsDeleted"):
                return row
        return None

    def between(self, bounds: Bounds) -> Iterator[Record]:
        """All records whose `SystemModstamp` lies between two times."""
        found = self.found_between(bounds, bin_too=True)
        return found.rows(0, len(found))

    def found_between(self, bounds: Bounds, bin_too: bool) -> Found:
        """The same as what a query finds, those in the recycle bin or without them."""
        begin, end = self._place(bounds.earliest, 0), self._place(bounds.before, self._count)
        changed = [
            row
            for _, row in sorted(self._changed.items())
            if row is not None
            and bounds.hold(row["SystemModstamp"])
            and (bin_too or is_plainly_found(row))
        ]
        skipped = sorted(number for number in self._changed if begin <= number < end)
        return _FoundAmongMany(self._maker, range(begin, max(begin, end)), skipped, changed)

    def put(self, row: Record) -> None:
        """Add a record, or put it in the place of the one with its id."""
        self._changed[number_of(row["Id"])] = row

    def remove(self, record: str) -> None:
        """Take a record away for good."""
        self._changed[number_of(record)] = None

    def rewrite(self, change: Callable[[Record], Record]) -> None:
        """Change the shape of all records."""
        pool = tuple(change(row) for row in self._maker.pool)
        self._maker = replace(self._maker, pool=pool)
        self._changed = {n: row and change(row) for n, row in self._changed.items()}

    def _place(self, moment: datetime | None, otherwise: int) -> int:
        """The number of the first record that is not older."""
        if moment is None:
            return otherwise
        seconds = (moment - self._maker.first) / timedelta(seconds=1)
        return min(self._count, max(0, int(seconds) + (seconds > int(seconds))))


class _FoundAmongMany:
    """A range of such records as they were at first, and after them those that have changed."""

    def __init__(
        self, maker: _Maker, numbers: range, skipped: list[int], changed: list[Record]
    ) -> None:
        self._maker = maker
        self._numbers = numbers
        self._skipped = skipped
        self._changed = changed
        self._unchanged = len(numbers) - len(skipped)

    def __len__(self) -> int:
        return self._unchanged + len(self._changed)

    def rows(self, begin: int, end: int) -> Iterator[Record]:
        """Some of them, by their places."""
        first, last = self._between(begin, end)
        left_out = set(self._skipped)
        for number in range(first, last):
            if number not in left_out:
                yield self._maker.row(number)
        yield from self._after(begin, end)

    def text(self, begin: int, end: int, fields: Sequence[Field], form: Csv) -> str:
        """Some of them as lines of CSV, without the header."""
        first, last = self._between(begin, end)
        lines = self._maker.lines(range(first, last), fields, form)
        at, until = bisect_left(self._skipped, first), bisect_left(self._skipped, last)
        for number in reversed(self._skipped[at:until]):
            del lines[number - first]
        lines += [csv_line(row, fields, form) for row in self._after(begin, end)]
        return "".join(lines)

    def _between(self, begin: int, end: int) -> tuple[int, int]:
        """The numbers of the unchanged records at these places, those left out among them."""
        first = self._number(min(begin, self._unchanged))
        last = self._number(min(end, self._unchanged) - 1) + 1 if end > begin else first
        return first, max(first, last)

    def _number(self, place: int) -> int:
        """The number of the unchanged record at a place."""
        number = self._numbers.start + place
        passed = 0
        while (now := bisect_right(self._skipped, number)) != passed:
            number += now - passed
            passed = now
        return number

    def _after(self, begin: int, end: int) -> list[Record]:
        return self._changed[max(0, begin - self._unchanged) : max(0, end - self._unchanged)]


def _escaped(row: Record) -> Record:
    """A record whose texts stand in a template."""
    return {name: v.replace("%", "%%") if isinstance(v, str) else v for name, v in row.items()}


def _clock(first: datetime, seconds: int) -> list[str]:
    """The text of so many seconds, one after the other."""
    told: list[str] = []
    minute = first.replace(second=0)
    while len(told) < seconds + first.second:
        head = csv_text(minute)[:-7]
        told += [f"{head}{second:02}.000Z" for second in range(60)]
        minute += timedelta(minutes=1)
    return told[first.second : first.second + seconds]
