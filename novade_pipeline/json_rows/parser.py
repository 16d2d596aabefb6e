"""From lines of JSON to typed rows: the fastest parser that accepts a line reads it.

JSON is RFC 8259. Plain lines, nearly all, are read by `plain_lines` as they are. The others go to
`irregular_lines`, which refuses what is not JSON, rewrites the other lines in one form, and has
them read again. Only lines with a value that still needs care are read `field_by_field`. Each way
accepts what the faster ones accept and gives the same values, so what becomes of a line never
depends on its neighbours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.json_rows.irregular_lines import IrregularLines
from novade_pipeline.json_rows.plain_lines import Plain, PlainLines
from novade_pipeline.json_rows.strict_lines import rewritten
from novade_pipeline.json_rows.text import Text
from novade_pipeline.lake.table import Column

Positions = np.ndarray[Any, np.dtype[np.int64]]

_NO_POSITIONS: Positions = np.empty(0, np.int64)
# Outside are the values for "infinity" and for times that could not be read.
_EARLIEST = datetime(1900, 1, 2, tzinfo=UTC)
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)
# Of the time that says what day a row is of: marts have a row for each day up to the newest.
_NEWEST = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ParsedLines:
    """What lines became: each is a row, bad, or blank.

    Attributes:
        rows: the fields' columns and the one for other fields, in the order of the lines.
        numbers: for each row the number of its line, from 0.
        bad: number of a line -> why it is not a row, and its bytes.
        blank: numbers of the lines without content.
        repaired: numbers of the rows in which a lone surrogate was replaced.
    """

    rows: pa.Table
    numbers: Positions
    bad: Mapping[int, tuple[str, bytes]] = field(default_factory=dict)
    blank: Positions = field(default_factory=lambda: _NO_POSITIONS)
    repaired: Positions = field(default_factory=lambda: _NO_POSITIONS)


class LineParser:
    """Parses lines of known fields; each thread needs its own."""

    def __init__(
        self, fields: Sequence[Column], other_fields: str | None, data_time: str | None
    ) -> None:
        """Create a parser.

        Args:
            fields: the columns of known fields.
            other_fields: the column of all other fields; None to drop them.
            data_time: the column of the time that says what day a row is of.
        """
        self._fields = fields
        self._data_time = data_time
        self._are_rewritten = False
        self._connection = _database().cursor()
        self._connection.execute("SET TimeZone = 'UTC'")
        self._plain = PlainLines(fields, other_fields)
        self._irregular = IrregularLines(self._plain, self._connection, fields, other_fields)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def parse(self, text: Text, size: int) -> ParsedLines:
        """Parse lines.

        Args:
            text: whole lines, each ended by a newline, and `PADDING`.
            size: of the lines.
        """
        repaired = _NO_POSITIONS
        if self._are_rewritten:
            plain, repaired = self._read_rewritten(text, size)
        else:
            plain = self._plain.read(text, size)
            # White space between tokens is a producer's habit: its next lines have some as well.
            self._are_rewritten = len(plain.rest) > len(plain.numbers)
        if not plain.rest:
            return ParsedLines(plain.rows, plain.numbers, repaired=repaired)
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
        repaired = np.intersect1d(numbers, np.concatenate([repaired, irregular.repaired]))
        return ParsedLines(rows, numbers, bad, irregular.blank, repaired)

    def _read_rewritten(self, text: Text, size: int) -> tuple[Plain, Positions]:
        """Read lines after they were rewritten in one form.

        Returns:
            The rows, with the other lines as they were; the numbers of repaired lines.
        """
        ends = np.flatnonzero(text[:size] == ord("\n"))
        strict = rewritten(text, size, len(ends))
        plain = self._plain.read(strict.text, strict.size)
        starts = np.concatenate([[0], ends + 1])
        rest = {n: text[starts[n] : ends[n]].tobytes() for n in plain.rest}
        repaired = np.setdiff1d(np.flatnonzero(strict.repaired), list(rest))
        return replace(plain, rest=rest), repaired

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
                newest = _NEWEST if name == self._data_time else _LATEST
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
