"""From lines of JSON to typed rows: trusted fast, explained slowly.

A chunk is first read whole by DuckDB's typed reader, which refuses it for any line that is not
JSON, has a wrong type, or has a field that the reader was not told of. Only a refused chunk is
looked at line by line, by rules that accept whatever the fast way accepts and give the same
values, so what becomes of a line never depends on its neighbours.
"""

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.lake.query import identifier, literal
from novade_pipeline.lake.table import Table
from novade_pipeline.landing.chunks import Chunk, Piece
from novade_pipeline.landing.line_by_line import read_line_by_line

Positions = np.ndarray[Any, np.dtype[np.int64]]

RAW_BYTES = 64 * 2**10
OTHER_FIELDS = "other_fields"
LANDED = ("upload_date", "upload_hour", "file", "line")

# The line of the template: DuckDB takes every field's type from it, and refuses fields that it does
# not have. Null stands for "any JSON". Times come as text: Arrow reads them faster.
_EXAMPLES: dict[pa.DataType, Any] = {
    pa.string(): "a text",
    pa.int64(): 1,
    pa.float64(): 1.5,
    pa.bool_(): True,
    pa.timestamp("us", tz="UTC"): "a text",
}
# As Amplitude writes them: with seconds, six digits of their fraction at most, and no zone.
_TIME = r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?$"
_TIME_LENGTHS = (len("2019-11-12 14:43:52"), len("2019-11-12 14:43:52.137000"))
# DuckDB reads by twice this many bytes, a thread each; longer lines are read slowly.
_FAST_LINE_BYTES = 2**21
_FEW_LINES = 64
_MANY_LINES = 4096
_MOST_EXTRA_FIELDS = 200
_LINE = re.compile(rb"in line (\d+)")
# Outside lie the values that stand for "infinity" and for times that could not be read.
_EARLIEST = datetime(1900, 1, 2, tzinfo=UTC)
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)


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


@dataclass(frozen=True)
class _Refused:
    """DuckDB refused the lines; `line` is about where, from 0, if it told."""

    line: int | None


class JsonLines:
    """Reads chunks of one table's rows; one object serves one thread."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._fields = tuple(c for c in table.columns if c.name not in (*LANDED, OTHER_FIELDS))
        self._known = {c.source for c in self._fields}
        self._extra: list[str] = []
        self._keeps_others = OTHER_FIELDS in table.schema.names
        self._connection = _database().cursor()
        self._connection.execute("SET TimeZone = 'UTC'")
        self._folder = tempfile.TemporaryDirectory(prefix="novade-spool-")
        self._template = Path(self._folder.name, "template.json")
        self._lines = Path(self._folder.name, "lines.json")
        self._lines.touch()

    def close(self) -> None:
        """Give the spool and the connection back."""
        self._connection.close()
        self._folder.cleanup()

    def parse(self, chunk: Chunk) -> Parsed:
        """The rows of a chunk, its bad lines and its blank ones."""
        self._learn_from(chunk.first_line())
        fields = self._fast(chunk.parts)
        if not isinstance(fields, _Refused) and len(fields) == chunk.lines:
            return self._parsed(chunk, fields, np.arange(len(fields)), {})
        lines = chunk.text().split(b"\n")[:-1]
        filled = np.array([i for i, text in enumerate(lines) if text.strip()], np.int64)
        if not isinstance(fields, _Refused) and len(fields) == len(filled):
            return self._parsed(chunk, fields, filled, {}, filled)
        return self._slow(chunk, lines, filled)

    def _fast(self, parts: Sequence[bytes | memoryview]) -> "pa.Table | _Refused":
        """The fields of all lines, or about where one needs a closer look."""
        template = {c.source: None if c.json else _EXAMPLES[c.type] for c in self._fields}
        template |= dict.fromkeys(self._extra)
        self._template.write_text(json.dumps(template))
        # Written over and over: to empty it first takes twice as long.
        with open(self._lines, "r+b", buffering=0) as spool:
            # DuckDB skips a byte order mark at the beginning.
            spool.write(b"\n")
            for part in parts:
                spool.write(part)
            spool.truncate()
        columns = [f"{identifier(c.source)} AS {identifier(c.name)}" for c in self._fields]
        if self._keeps_others:
            columns.append(f"{_object_of(self._extra)} AS {OTHER_FIELDS}")
        try:
            # `execute` would convert to Arrow in one thread, and hold the interpreter's lock.
            # A sample has 2,048 lines at least: of the template it is one.
            found = self._connection.sql(
                f"SELECT {', '.join(columns)} FROM read_json("
                f"[{literal(str(self._template))}, {literal(str(self._lines))}], "
                "format = 'newline_delimited', compression = 'uncompressed', "
                "maximum_sample_files = 1, sample_size = 1, maximum_depth = 2, "
                f"maximum_object_size = {_FAST_LINE_BYTES})"
            ).to_arrow_table()
        except (duckdb.InvalidInputException, UnicodeDecodeError) as error:
            # The message quotes the line, and may cut it in the middle of a character.
            told = _LINE.search(error.object if isinstance(error, UnicodeDecodeError) else b"")
            told = told or _LINE.search(str(error).encode())
            return _Refused(int(told[1]) - 1 if told else None)
        fields = found.slice(1)
        try:
            rows = self._typed(fields)
        except pa.ArrowInvalid:
            return _Refused(self._odd_time(fields))
        problems = self._problems(rows)
        return rows if problems is None else _Refused(problems[0][0])

    def _learn_from(self, line: bytes) -> None:
        """Take the unknown fields of a line into the template of the lines to come."""
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return
        if isinstance(value, dict):
            self._learn(value)

    def _learn(self, fields: Iterable[str]) -> None:
        """DuckDB names columns without regard to case: fields that it would mix up stay out."""
        taken = {name.lower() for name in (*self._known, *self._extra)}
        for name in sorted(set(fields) - self._known - set(self._extra)):
            # A name with a zero in it cannot be written in SQL.
            usable = name and "\0" not in name and name.lower() not in taken
            if usable and len(self._extra) < _MOST_EXTRA_FIELDS:
                self._extra.append(name)
                taken.add(name.lower())
        self._extra.sort()

    def _slow(self, chunk: Chunk, lines: list[bytes], filled: Positions) -> Parsed:
        """Find the lines that need a closer look, and look at those one by one."""
        reasons: dict[int, str] = {}
        good: list[int] = []
        for i in filled.tolist():
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
        fields = pa.concat_tables(tables) if tables else self._line_by_line([])[0]
        bad = {i: (reason, lines[i]) for i, reason in reasons.items()}
        return self._parsed(chunk, fields, np.array(numbers, np.int64), bad, filled)

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
            if not isinstance(rows, _Refused) and len(rows) == len(part):
                yield part, rows, {}
                continue
            at = (
                rows.line
                if isinstance(rows, _Refused) and rows.line is not None
                else len(part) // 2
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
        others = OTHER_FIELDS if self._keeps_others else None
        found, wrong = read_line_by_line(self._connection, self._fields, texts, others)
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
        """DuckDB's columns in the table's types.

        Raises:
            pa.ArrowInvalid: a text does not tell a time as Amplitude does.
        """
        names = [c.name for c in self._fields] + [OTHER_FIELDS] * self._keeps_others
        return pa.table(
            [_cast(found[name], self._table.schema.field(name).type) for name in names],
            names=names,
        )

    def _odd_time(self, found: pa.Table) -> int | None:
        """A row with a time of an unusual form."""
        for column in self._fields:
            if pa.types.is_timestamp(column.type):
                usual = pc.match_substring_regex(found[column.name], _TIME)
                if (row := pc.index(usual, False).as_py()) >= 0:
                    return int(row)
        return None

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
                first, last = pa.scalar(_EARLIEST, column.type), pa.scalar(_LATEST, column.type)
                bounds = pc.min_max(values)
                if pc.or_(pc.less(bounds["min"], first), pc.greater(bounds["max"], last)).as_py():
                    outside = pc.or_(pc.less(values, first), pc.greater(values, last))
                    found += _at(outside, f"{column.name}: expected a time, found none near ours")
        return found or None


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One for all readers, two at a time: each reads in its thread; to open another takes 14 ms."""
    limits = {"threads": "1", "memory_limit": "2GB"}
    return duckdb.connect(config={"autoinstall_known_extensions": "false", **limits})


def _cast(values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if not (pa.types.is_timestamp(wanted) and pa.types.is_string(values.type)):
        return values.cast(wanted)
    shortest, longest = pc.min_max(pc.binary_length(values)).as_py().values()
    if shortest is not None and (shortest < _TIME_LENGTHS[0] or longest > _TIME_LENGTHS[1]):
        raise pa.ArrowInvalid("a time of an unusual length")
    return values.cast(pa.timestamp(wanted.unit)).cast(wanted)


def _at(mask: pa.ChunkedArray, reason: str) -> list[tuple[int, str]]:
    if not pc.any(mask).as_py():
        return []
    return [(int(i), reason) for i in np.flatnonzero(pc.fill_null(mask, False).to_numpy())]


def _object_of(fields: Sequence[str]) -> str:
    """SQL for a JSON object of the fields that are not null; null where none is."""
    if not fields:
        return "NULL::VARCHAR"
    parts = ", ".join(
        f"CASE WHEN {identifier(f)}::VARCHAR <> 'null' "
        f"THEN {literal(json.dumps(f, ensure_ascii=False) + ':')} || {identifier(f)}::VARCHAR END"
        for f in fields
    )
    return f"'{{' || nullif(concat_ws(',', {parts}), '') || '}}'"
