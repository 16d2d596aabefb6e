"""From lines of JSON to typed rows: the fastest parser that accepts a line reads it.

JSON is RFC 8259. Plain lines, nearly all, are read by `plain_lines` as they are. The rest of a
chunk goes to `irregular_lines`, which refuses what is not JSON, rewrites the other lines in one
form, and has them read again. Only lines with a value that still needs care are read
`field_by_field`. Each way accepts what the faster ones accept and gives the same values, so what
becomes of a line never depends on its neighbours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.lake.table import Table
from novade_pipeline.landing.chunks import Chunk, FileSlice
from novade_pipeline.privacy.json_text import LONE_SURROGATE

Positions = np.ndarray[Any, np.dtype[np.int64]]

RAW_BYTES = 64 * 2**10
OTHER_FIELDS = "other_fields"
LANDED = ("upload_date", "upload_hour", "file", "line")

_NO_POSITIONS: Positions = np.empty(0, np.int64)
# Outside are the values for "infinity" and for times that could not be read.
_EARLIEST = datetime(1900, 1, 2, tzinfo=UTC)
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)
# Of the time that says what day a row is of: marts have a row for each day up to the newest.
_NEWEST = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class BadLine:
    """A line that cannot become a row.

    Attributes:
        file_slice: the part of the file that it is in.
        line: its number in the file, from 1.
        reason: what was expected and what was found, without the values.
        raw: its bytes, truncated to `RAW_BYTES`.
        raw_bytes: the size of the line.
    """

    file_slice: FileSlice
    line: int
    reason: str
    raw: bytes
    raw_bytes: int


@dataclass(frozen=True)
class Parsed:
    """What the lines of a chunk became: each is a row, bad, or blank.

    Attributes:
        slices: those of the chunk.
        rows: the table's columns, in the order of the lines.
        index: for each row the position of its file slice in the chunk.
        bad: the lines for quarantine.
        blank: for each slice, how many lines have no content.
        completed: for each slice, how many lines only completed a row; empty for none.
        mended: for each slice, kind of repair -> how many rows have it.
    """

    slices: tuple[FileSlice, ...]
    rows: pa.Table
    index: Positions
    bad: tuple[BadLine, ...]
    blank: tuple[int, ...]
    completed: tuple[int, ...] = ()
    mended: tuple[Mapping[str, int], ...] = ()


class JsonLines:
    """Parses chunks of a table's rows; each thread needs its own."""

    def __init__(self, table: Table) -> None:
        # Numba takes 0.4 s to import, which loading the graph should not wait for.
        from novade_pipeline.landing.irregular_lines import IrregularLines
        from novade_pipeline.landing.plain_lines import PlainLines

        self._table = table
        self._fields = tuple(c for c in table.columns if c.name not in (*LANDED, OTHER_FIELDS))
        self._connection = _database().cursor()
        self._connection.execute("SET TimeZone = 'UTC'")
        other_fields = OTHER_FIELDS if OTHER_FIELDS in table.schema.names else None
        self._plain = PlainLines(self._fields, other_fields)
        self._irregular = IrregularLines(self._plain, self._connection, self._fields, other_fields)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def parse(self, chunk: Chunk) -> Parsed:
        """Parse the lines of a chunk."""
        plain = self._plain.read(chunk.text, chunk.size)
        if not plain.rest:
            return self._parsed(chunk, plain.rows, plain.numbers)
        irregular = self._irregular.read(plain.rest)
        for row, reason in self._problems(irregular.rows):
            irregular.wrong.setdefault(int(irregular.numbers[row]), reason)
        is_good = ~np.isin(irregular.numbers, list(irregular.wrong))
        rows = pa.concat_tables([plain.rows, irregular.rows.filter(pa.array(is_good))])
        numbers = np.concatenate([plain.numbers, irregular.numbers[is_good]])
        if (np.diff(numbers) < 0).any():
            order = np.argsort(numbers)
            rows, numbers = rows.take(pa.array(order)), numbers[order]
        bad = {number: (reason, plain.rest[number]) for number, reason in irregular.wrong.items()}
        repaired = np.intersect1d(numbers, irregular.repaired)
        return self._parsed(chunk, rows, numbers, bad, irregular.blank, repaired)

    def _parsed(
        self,
        chunk: Chunk,
        fields: pa.Table,
        numbers: Positions,
        bad: Mapping[int, tuple[str, bytes]] | None = None,
        blank: Positions = _NO_POSITIONS,
        repaired: Positions = _NO_POSITIONS,
    ) -> Parsed:
        """Add the landed columns to the fields.

        Args:
            numbers: for each row the position of its line in the chunk.
            bad: position of a line -> why it is not a row, and its bytes.
            blank: the positions of lines without content.
            repaired: the positions of rows in which a lone surrogate was replaced.
        """
        slices = chunk.slices
        starts = np.cumsum([0, *(part.lines for part in slices)])

        def slices_of(positions: Positions) -> Positions:
            return np.searchsorted(starts, positions, "right") - 1

        def by_slice(positions: Positions) -> tuple[int, ...]:
            return tuple(np.bincount(slices_of(positions), minlength=len(slices)).tolist())

        index = slices_of(numbers)
        firsts = np.array([part.first_line for part in slices], np.int64)
        hours = pa.array([part.file.hour for part in slices], pa.timestamp("us", tz="UTC"))
        taken = pa.array(index)
        landed = {
            "upload_date": hours.cast(pa.date32()).take(taken),
            "upload_hour": hours.take(taken),
            "file": pa.array([part.file.file for part in slices], pa.string()).take(taken),
            "line": pa.array(firsts[index] + numbers - starts[index]),
        }
        columns = [
            landed[name] if name in landed else fields[name] for name in self._table.schema.names
        ]
        rows = pa.table(columns, schema=self._table.schema)
        bad_lines = []
        for i, (reason, raw) in sorted((bad or {}).items()):
            at = int(slices_of(np.array(i)))
            number = slices[at].first_line + i - int(starts[at])
            bad_lines.append(BadLine(slices[at], number, reason, raw[:RAW_BYTES], len(raw)))
        mended = tuple({LONE_SURROGATE: n} if n else {} for n in by_slice(repaired))
        return Parsed(slices, rows, index, tuple(bad_lines), by_slice(blank), mended=mended)

    def _problems(self, rows: pa.Table) -> list[tuple[int, str]]:
        """(row, reason) for missing values and times out of range."""
        problems: list[tuple[int, str]] = []
        for column in self._fields:
            name, values = column.name, rows[column.name]
            if column.required and values.null_count:
                problems += _where(pc.is_null(values), f"{name}: expected a value, found none")
            if column.required and column.type == pa.string():
                problems += _where(pc.equal(values, ""), f"{name}: expected a text, found none")
            if pa.types.is_timestamp(column.type) and len(values) > values.null_count:
                # Compared in Arrow: Python has no datetime for the year 99999.
                newest = _NEWEST if name == self._table.data_time else _LATEST
                first, last = pa.scalar(_EARLIEST, column.type), pa.scalar(newest, column.type)
                bounds = pc.min_max(values)
                if pc.or_(
                    pc.less(bounds["min"], first), pc.greater_equal(bounds["max"], last)
                ).as_py():
                    outside = pc.or_(pc.less(values, first), pc.greater_equal(values, last))
                    problems += _where(outside, f"{name}: expected a time, found none near ours")
        return problems


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One database for all parsers: opening another takes 14 ms."""
    limits = {"threads": "1", "memory_limit": "2GB"}
    return duckdb.connect(config={"autoinstall_known_extensions": "false", **limits})


def _where(mask: pa.ChunkedArray, reason: str) -> list[tuple[int, str]]:
    if not pc.any(mask).as_py():
        return []
    return [(int(i), reason) for i in np.flatnonzero(pc.fill_null(mask, False).to_numpy())]
