"""From lines of JSON to typed rows: trusted fast, explained slowly.

Plain lines, nearly all, are read by `plain_lines`. The rest of a chunk is read by DuckDB's typed
reader, which refuses it for any line that is not JSON, has a wrong type, or has a field that the
reader was not told of. Only what is refused is looked at line by line. Each way accepts whatever
the faster ones accept and gives the same values, so what becomes of a line never depends on its
neighbours.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.lake.table import Table
from novade_pipeline.landing.chunks import Chunk, Piece
from novade_pipeline.landing.fast_lines import FastLines, Refused
from novade_pipeline.landing.line_by_line import read_line_by_line

if TYPE_CHECKING:
    from novade_pipeline.landing.plain_lines import Plain

Positions = np.ndarray[Any, np.dtype[np.int64]]

RAW_BYTES = 64 * 2**10
OTHER_FIELDS = "other_fields"
LANDED = ("upload_date", "upload_hour", "file", "line")

_FEW_LINES = 64
_MANY_LINES = 4096
# Outside lie the values that stand for "infinity" and for times that could not be read.
_EARLIEST = datetime(1900, 1, 2, tzinfo=UTC)
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)
# Of the time that says what day a row is of: marts have a row for each day up to the newest.
_NEWEST = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class BadLine:
    """A line that cannot become a row.

    Attributes:
        piece: the part of a file that it is in.
        line: its number in the file, from 1.
        reason: what was expected and what was found, without the values.
        raw: its bytes, `RAW_BYTES` at most.
        raw_bytes: how many it has.
    """

    piece: Piece
    line: int
    reason: str
    raw: bytes
    raw_bytes: int


@dataclass(frozen=True)
class Parsed:
    """What became of a chunk: every line is a row, bad, or blank.

    Attributes:
        pieces: those of the chunk.
        rows: the table's columns, in the order of the lines.
        index: for each row the position of its piece in the chunk.
        bad: the lines for quarantine.
        blank: for each piece, how many lines have no content.
        completed: for each piece, how many lines only completed a row; none where it is empty.
    """

    pieces: tuple[Piece, ...]
    rows: pa.Table
    index: Positions
    bad: tuple[BadLine, ...]
    blank: tuple[int, ...]
    completed: tuple[int, ...] = ()


class JsonLines:
    """Reads chunks of one table's rows; one object serves one thread."""

    def __init__(self, table: Table) -> None:
        # Numba takes 0.4 s to import, which nobody should wait for who only loads the graph.
        from novade_pipeline.landing.plain_lines import PlainLines

        self._table = table
        self._fields = tuple(c for c in table.columns if c.name not in (*LANDED, OTHER_FIELDS))
        self._connection = _database().cursor()
        self._connection.execute("SET TimeZone = 'UTC'")
        self._others = OTHER_FIELDS if OTHER_FIELDS in table.schema.names else None
        self._plain = PlainLines(self._fields)
        self._reader = FastLines(self._connection, self._fields, self._others)

    def close(self) -> None:
        """Give the spool and the connection back."""
        self._connection.close()
        self._reader.close()

    def parse(self, chunk: Chunk) -> Parsed:
        """The rows of a chunk, its bad lines and its blank ones."""
        plain = self._plain.read(chunk.text, chunk.size)
        rows = self._with_others(plain)
        if not plain.rest:
            return self._parsed(chunk, rows, plain.numbers, {})
        places, lines = np.array(list(plain.rest)), list(plain.rest.values())
        filled = [i for i, text in enumerate(lines) if text.strip()]
        more, good, reasons = self._closer(lines, filled)
        rows = pa.concat_tables([rows, more])
        numbers = np.concatenate([plain.numbers, places[good]])
        if (np.diff(numbers) < 0).any():
            order = np.argsort(numbers)
            rows, numbers = rows.take(pa.array(order)), numbers[order]
        return self._parsed(
            chunk,
            rows,
            numbers,
            {int(places[i]): (reason, lines[i]) for i, reason in reasons.items()},
            np.sort(np.concatenate([plain.numbers, places[filled]])),
        )

    def _with_others(self, plain: "Plain") -> pa.Table:
        """The fields of plain lines, and what is not among them."""
        if self._others is None:
            return plain.rows
        return plain.rows.append_column(self._others, self._reader.objects_of(plain.extra))

    def _fast(self, parts: Sequence[bytes | memoryview]) -> pa.Table | Refused:
        """The fields of all lines, or about where one needs a closer look."""
        found = self._reader.read(parts)
        if isinstance(found, Refused):
            return found
        rows = self._typed(found)
        problems = self._problems(rows)
        return rows if problems is None else Refused(problems[0][0])

    def _learn(self, fields: Iterable[str]) -> None:
        """Take unknown fields into the template of the lines to come."""
        if self._reader.learn(fields):
            self._plain.know(self._reader.extra)

    def _closer(
        self, lines: Sequence[bytes], filled: list[int]
    ) -> tuple[pa.Table, list[int], dict[int, str]]:
        """Look at lines that are not plain.

        Args:
            filled: those that are not blank.

        Returns:
            (rows, for each of them the position of its line, position -> why it is no row).
        """
        self._learn(_keys(lines[filled[0]]) if filled else ())
        rows = self._fast([b"\n".join([lines[i] for i in filled]) + b"\n"])
        if not isinstance(rows, Refused) and len(rows) == len(filled):
            return rows, filled, {}
        return self._slow(lines, filled)

    def _slow(
        self, lines: Sequence[bytes], filled: list[int]
    ) -> tuple[pa.Table, list[int], dict[int, str]]:
        """Find the lines that need a look at each, as `_closer` says."""
        reasons: dict[int, str] = {}
        good: list[int] = []
        for i in filled:
            try:
                lines[i].decode()
                good.append(i)
            except UnicodeDecodeError as error:
                reasons[i] = f"expected UTF-8, found another byte at position {error.start + 1}"
        self._learn(self._fields_of([lines[i] for i in good]))
        numbers: list[int] = []
        tables: list[pa.Table] = []
        for part, rows, wrong in self._split(lines, good):
            kept = [at for at in range(len(part)) if at not in wrong]
            reasons |= {part[at]: reason for at, reason in wrong.items()}
            numbers += [part[at] for at in kept]
            tables.append(rows.take(pa.array(kept, pa.int64())) if wrong else rows)
        rows = pa.concat_tables(tables) if tables else self._line_by_line([])[0]
        return rows, numbers, reasons

    def _split(
        self, lines: Sequence[bytes], part: list[int]
    ) -> Iterator[tuple[list[int], pa.Table, dict[int, str]]]:
        """Read what can be read fast, and the few lines around each that cannot one by one.

        Yields:
            Positions of lines in their order, their rows, and place in both -> why it is no row.
        """
        pending, few = [part], _FEW_LINES
        while pending:
            part = pending.pop()
            if len(part) <= few:
                if part:
                    # DuckDB's reader skips more kinds of space around an object than JSON has.
                    texts = [lines[i].strip().decode() for i in part]
                    yield (part, *self._line_by_line(texts))
                continue
            rows = self._fast([b"\n".join([lines[i] for i in part]) + b"\n"])
            if not isinstance(rows, Refused) and len(rows) == len(part):
                yield part, rows, {}
                continue
            at = (
                rows.line if isinstance(rows, Refused) and rows.line is not None else len(part) // 2
            )
            at = min(max(at, 0), len(part) - 1)
            first, last = max(at - few // 2, 0), at + max(few // 2, 1)
            pending += [part[last:], part[first:last], part[:first]]
            # The more lines need it, the less is gained by reading fast what lies between them.
            few = min(few * 5 // 4 + 1, _MANY_LINES)

    def _fields_of(self, lines: Sequence[bytes]) -> list[str]:
        texts = pa.table({"text": pa.array(lines, pa.binary()).cast(pa.string())})
        found = self._connection.execute(
            "SELECT DISTINCT unnest(json_keys(text)) FROM texts "
            "WHERE json_valid(text) AND json_type(text) = 'OBJECT'"
        ).fetchall()
        del texts
        return [name for (name,) in found]

    def _line_by_line(self, texts: Sequence[str]) -> tuple[pa.Table, dict[int, str]]:
        """(a row a text, row -> why it is none)."""
        found, wrong = read_line_by_line(self._connection, self._fields, texts, self._others)
        rows = self._typed(found)
        for i, reason in self._problems(rows) or ():
            wrong.setdefault(i, reason)
        return rows, wrong

    def _parsed(
        self,
        chunk: Chunk,
        fields: pa.Table,
        numbers: Positions,
        bad: Mapping[int, tuple[str, bytes]],
        filled: Positions | None = None,
    ) -> Parsed:
        """Put the landed columns before the fields.

        Args:
            numbers: for each row the position of its line in the chunk.
            bad: position of a line -> why it is no row, and its bytes.
            filled: the positions of lines with content; None where all have.
        """
        pieces = chunk.pieces
        starts = np.cumsum([0, *(piece.lines for piece in pieces)])
        index = np.searchsorted(starts, numbers, "right") - 1
        blank = np.diff(starts)
        blank -= (
            blank
            if filled is None
            else np.bincount(
                np.searchsorted(starts, filled, "right") - 1, minlength=len(chunk.pieces)
            )[: len(chunk.pieces)]
        )
        firsts = np.array([piece.first_line for piece in pieces], np.int64)
        hours = pa.array([piece.file.hour for piece in pieces], pa.timestamp("us", tz="UTC"))
        taken = pa.array(index)
        landed = {
            "upload_date": hours.cast(pa.date32()).take(taken),
            "upload_hour": hours.take(taken),
            "file": pa.array([piece.file.file for piece in pieces], pa.string()).take(taken),
            "line": pa.array(firsts[index] + numbers - starts[index]),
        }
        columns = [
            landed[name] if name in landed else fields[name] for name in self._table.schema.names
        ]
        rows = pa.table(columns, schema=self._table.schema)
        bad_lines = []
        for i, (reason, raw) in sorted(bad.items()):
            at = int(np.searchsorted(starts, i, "right")) - 1
            number = pieces[at].first_line + i - int(starts[at])
            bad_lines.append(BadLine(pieces[at], number, reason, raw[:RAW_BYTES], len(raw)))
        return Parsed(pieces, rows, index, tuple(bad_lines), tuple(int(n) for n in blank))

    def _typed(self, found: pa.Table) -> pa.Table:
        """DuckDB's columns in the table's types."""
        names = [c.name for c in self._fields] + ([self._others] if self._others else [])
        return pa.table(
            [found[name].cast(self._table.schema.field(name).type) for name in names], names=names
        )

    def _problems(self, rows: pa.Table) -> list[tuple[int, str]] | None:
        """(row, reason) for what types alone do not tell; None where all is well."""
        found: list[tuple[int, str]] = []
        for column in self._fields:
            values = rows[column.name]
            if column.required and values.null_count:
                found += _at(pc.is_null(values), f"{column.name}: expected a value, found none")
            if column.required and column.type == pa.string():
                found += _at(pc.equal(values, ""), f"{column.name}: expected a text, found none")
            if pa.types.is_timestamp(column.type) and len(values) > values.null_count:
                # Compared in Arrow: Python has no datetime for the year 99999.
                newest = _NEWEST if column.name == self._table.data_time else _LATEST
                first, last = pa.scalar(_EARLIEST, column.type), pa.scalar(newest, column.type)
                bounds = pc.min_max(values)
                if pc.or_(
                    pc.less(bounds["min"], first), pc.greater_equal(bounds["max"], last)
                ).as_py():
                    outside = pc.or_(pc.less(values, first), pc.greater_equal(values, last))
                    found += _at(outside, f"{column.name}: expected a time, found none near ours")
        return found or None


def _keys(line: bytes) -> Iterable[str]:
    """The fields of a line, if it is an object."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return ()
    return value if isinstance(value, dict) else ()


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One for all readers, two at a time: each reads in its thread; to open another takes 14 ms."""
    limits = {"threads": "1", "memory_limit": "2GB"}
    return duckdb.connect(config={"autoinstall_known_extensions": "false", **limits})


def _at(mask: pa.ChunkedArray, reason: str) -> list[tuple[int, str]]:
    if not pc.any(mask).as_py():
        return []
    return [(int(i), reason) for i in np.flatnonzero(pc.fill_null(mask, False).to_numpy())]
