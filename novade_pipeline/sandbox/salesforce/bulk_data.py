"""Very many records of an object, each generated from its number when it is read.

They repeat the records of a pool, each with its own id and times, a second apart. Only changed
records are stored.
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
from novade_pipeline.sandbox.salesforce.tables import Bounds, QueryResult, Records, in_plain_queries
from novade_pipeline.sandbox.salesforce.wire import Csv, csv_line, csv_text

_TIMES = ("CreatedDate", "LastModifiedDate", "SystemModstamp")


@dataclass(frozen=True)
class _RecordFactory:
    """Generates the unchanged records.

    Attributes:
        prefix: key prefix of their ids.
        pool: the records to repeat.
        first: time of the first record; each is a second later than the previous.
    """

    prefix: str
    pool: tuple[Record, ...]
    first: datetime

    def row(self, number: int) -> Record:
        """The unchanged record with a number."""
        moment = self.first + timedelta(seconds=number)
        own = {"Id": record_id(self.prefix, number), **dict.fromkeys(_TIMES, moment)}
        return {**self.pool[number % len(self.pool)], **own}

    def lines(self, numbers: range, fields: Sequence[Field], dialect: Csv) -> list[str]:
        """The unchanged records with these numbers as lines of CSV, from templates."""
        own = [field.name for field in fields if field.name in ("Id", *_TIMES)]
        templates = [
            csv_line({**_escaped(row), **dict.fromkeys(own, "%s")}, fields, dialect)
            for row in self.pool
        ]
        shapes = islice(cycle(templates), numbers.start % len(templates), None)
        blocks = range(numbers.start // BLOCK, -(-numbers.stop // BLOCK))
        ids = [id_ for block in blocks for id_ in block_of_ids(self.prefix, block)]
        shift = numbers.start % BLOCK
        moments = _clock(self.first + timedelta(seconds=numbers.start), len(numbers))
        columns = dict.fromkeys(_TIMES, moments) | {"Id": ids[shift : shift + len(numbers)]}
        texts = zip(*(columns[name] for name in own), strict=True) if own else repeat(())
        return [shape % values for shape, values, _ in zip(shapes, texts, numbers, strict=False)]


class GeneratedRecords(Records):
    """Many records of one object."""

    def __init__(
        self, sobject: SObject, pool: Sequence[Record], rows: int, until: datetime
    ) -> None:
        """Repeat a pool.

        Args:
            sobject: the object.
            pool: the records to repeat, at least one.
            rows: number of records.
            until: all records are older.
        """
        if not pool:
            raise ValueError(f"{sobject.name} has no record to repeat")
        first = until.replace(microsecond=0) - timedelta(seconds=rows + 1)
        self._factory = _RecordFactory(sobject.prefix, tuple(pool), first)
        self._count = self._next = rows
        self._changed: dict[int, Record | None] = {}

    def get(self, record: str) -> Record:
        """The record with an id.

        Raises:
            KeyError: no record has the id.
        """
        number = number_of(record)
        row = self._changed.get(number)
        if row is not None and row["Id"] == record:
            return row
        made = number < self._count and number not in self._changed
        if not made or record_id(self._factory.prefix, number) != record:
            raise KeyError(record)
        return self._factory.row(number)

    def all(self) -> Iterator[Record]:
        """All records."""
        return self.between(Bounds())

    def random_living(self, rng: Random) -> Record | None:
        """A record outside the recycle bin; None after ten draws without one."""
        for _ in range(10):
            row = self.find(record_id(self._factory.prefix, rng.randrange(self._count)))
            if row is not None and not row.get("IsDeleted"):
                return row
        return None

    def between(self, bounds: Bounds) -> Iterator[Record]:
        """All records whose `SystemModstamp` is within bounds."""
        result = self.select(bounds, include_deleted=True)
        return result.rows(0, len(result))

    def select(self, bounds: Bounds, include_deleted: bool) -> QueryResult:
        """The same as a query's result, with or without the recycle bin."""
        begin, end = self._place(bounds.earliest, 0), self._place(bounds.before, self._count)
        changed = [
            row
            for _, row in sorted(self._changed.items())
            if row is not None
            and bounds.contains(row["SystemModstamp"])
            and (include_deleted or in_plain_queries(row))
        ]
        skipped = sorted(number for number in self._changed if begin <= number < end)
        return _GeneratedResult(self._factory, range(begin, max(begin, end)), skipped, changed)

    def store(self, row: Record) -> None:
        """Add a record, or replace the record with its id."""
        self._changed[number_of(row["Id"])] = row

    def remove(self, record: str) -> None:
        """Remove a record permanently."""
        self._changed[number_of(record)] = None

    def rewrite(self, change: Callable[[Record], Record]) -> None:
        """Change the shape of all records."""
        pool = tuple(change(row) for row in self._factory.pool)
        self._factory = replace(self._factory, pool=pool)
        self._changed = {n: row and change(row) for n, row in self._changed.items()}

    def _place(self, moment: datetime | None, otherwise: int) -> int:
        """The number of the first record that is not older than a time."""
        if moment is None:
            return otherwise
        seconds = (moment - self._factory.first) / timedelta(seconds=1)
        return min(self._count, max(0, int(seconds) + (seconds > int(seconds))))


class _GeneratedResult:
    """A range of unchanged records, followed by changed ones."""

    def __init__(
        self, factory: _RecordFactory, numbers: range, skipped: list[int], changed: list[Record]
    ) -> None:
        self._factory = factory
        self._numbers = numbers
        self._skipped = skipped
        self._changed = changed
        self._unchanged = len(numbers) - len(skipped)

    def __len__(self) -> int:
        return self._unchanged + len(self._changed)

    def rows(self, begin: int, end: int) -> Iterator[Record]:
        """The records at these positions."""
        first, last = self._between(begin, end)
        left_out = set(self._skipped)
        for number in range(first, last):
            if number not in left_out:
                yield self._factory.row(number)
        yield from self._after(begin, end)

    def text(self, begin: int, end: int, fields: Sequence[Field], dialect: Csv) -> str:
        """The records at these positions as lines of CSV, without the header."""
        first, last = self._between(begin, end)
        lines = self._factory.lines(range(first, last), fields, dialect)
        at, until = bisect_left(self._skipped, first), bisect_left(self._skipped, last)
        for number in reversed(self._skipped[at:until]):
            del lines[number - first]
        lines += [csv_line(row, fields, dialect) for row in self._after(begin, end)]
        return "".join(lines)

    def _between(self, begin: int, end: int) -> tuple[int, int]:
        """The range of numbers of the unchanged records at these positions, with skipped ones."""
        first = self._number(min(begin, self._unchanged))
        last = self._number(min(end, self._unchanged) - 1) + 1 if end > begin else first
        return first, max(first, last)

    def _number(self, place: int) -> int:
        """The number of the unchanged record at a position."""
        number = self._numbers.start + place
        passed = 0
        while (now := bisect_right(self._skipped, number)) != passed:
            number += now - passed
            passed = now
        return number

    def _after(self, begin: int, end: int) -> list[Record]:
        return self._changed[max(0, begin - self._unchanged) : max(0, end - self._unchanged)]


def _escaped(row: Record) -> Record:
    """A record whose texts are escaped for a template."""
    return {name: v.replace("%", "%%") if isinstance(v, str) else v for name, v in row.items()}


def _clock(first: datetime, seconds: int) -> list[str]:
    """The texts of consecutive seconds."""
    texts: list[str] = []
    minute = first.replace(second=0)
    while len(texts) < seconds + first.second:
        head = csv_text(minute)[:-7]
        texts += [f"{head}{second:02}.000Z" for second in range(60)]
        minute += timedelta(minutes=1)
    return texts[first.second : first.second + seconds]
