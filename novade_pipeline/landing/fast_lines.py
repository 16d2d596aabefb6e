"""Lines of JSON many at once: DuckDB's typed reader, told to refuse what needs a closer look.

The fast way of `json_lines`. What it refuses, whole: a line that is not JSON, a value of another
type, a field that the reader was not told of, a time that is not written as Amplitude writes it.
"""

import json
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.lake.query import identifier, literal
from novade_pipeline.lake.table import Column

# DuckDB takes every field's type from the template, and refuses fields that it does not have. Null
# stands for "any JSON". Times come as text: Arrow reads them faster.
_EXAMPLES: dict[pa.DataType, Any] = {
    pa.string(): "a text",
    pa.int64(): 1,
    pa.float64(): 1.5,
    pa.bool_(): True,
    pa.timestamp("us", tz="UTC"): "a text",
}
# With seconds, six digits of their fraction at most, and no zone.
_TIME = r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?$"
_SHORTEST_TIME = len("2019-11-12 14:43:52")
# DuckDB reads by twice this many bytes, a thread each; longer lines are read slowly.
_FAST_LINE_BYTES = 2**21
_MOST_EXTRA_FIELDS = 200
_LINE = re.compile(rb"in line (\d+)")
_NOT_IN_SQL = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True)
class Refused:
    """The lines need a closer look; `line` is about where, from 0, if that is known."""

    line: int | None


class FastLines:
    """Reads lines of the fields that it knows, whole or not at all; learns fields on the way."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, fields: Sequence[Column], others: str | None
    ) -> None:
        """Make room for the lines.

        Args:
            connection: with UTC as its time zone.
            fields: the columns that a line has values for.
            others: the column for the fields that are not among `fields`; None where none keeps
                them.
        """
        self._connection = connection
        self._fields = fields
        self._others = others
        self._known = {c.source for c in fields}
        self.extra: list[str] = []
        self._folder = tempfile.TemporaryDirectory(prefix="novade-spool-")
        self._template = Path(self._folder.name, "template.json")
        self._lines = Path(self._folder.name, "lines.json")
        self._lines.touch()
        self._spooled = self._read_spool()

    def close(self) -> None:
        """Give the room back."""
        self._folder.cleanup()

    def learn(self, fields: Iterable[str]) -> bool:
        """Know fields from now on; those that DuckDB cannot tell apart, by case alone, stay out.

        Returns:
            Whether there are others than before.
        """
        known = len(self.extra)
        taken = {name.lower() for name in (*self._known, *self.extra)}
        for name in sorted(set(fields) - self._known - set(self.extra)):
            # A name with a zero in it, or with half of a pair, cannot be written in SQL.
            usable = name and not _NOT_IN_SQL.search(name) and name.lower() not in taken
            if usable and len(self.extra) < _MOST_EXTRA_FIELDS:
                self.extra.append(name)
                taken.add(name.lower())
        if len(self.extra) == known:
            return False
        self.extra.sort()
        self._spooled = self._read_spool()
        return True

    def read(self, parts: Sequence[bytes | memoryview]) -> pa.Table | Refused:
        """A row a line that has content, in DuckDB's types, or about where one is refused."""
        # Written over and over: to empty it first takes twice as long.
        with open(self._lines, "r+b", buffering=0) as spool:
            # DuckDB skips a byte order mark at the beginning.
            spool.write(b"\n")
            for part in parts:
                spool.write(part)
            spool.truncate()
        try:
            rows = self._spooled.to_arrow_table().slice(1)
        except (duckdb.InvalidInputException, UnicodeDecodeError) as error:
            # The message quotes the line, and may cut it in the middle of a character.
            told = _LINE.search(error.object if isinstance(error, UnicodeDecodeError) else b"")
            told = told or _LINE.search(str(error).encode())
            return Refused(int(told[1]) - 1 if told else None)
        for place, column in enumerate(self._fields):
            if pa.types.is_timestamp(column.type):
                times = _times(rows[column.name])
                if isinstance(times, Refused):
                    return times
                rows = rows.set_column(place, column.name, times)
        return rows

    def objects_of(self, extra: pa.Table) -> pa.ChunkedArray:
        """A JSON object a row, of the fields that are not null; null where none is."""
        if not extra.num_columns:
            return pa.chunked_array([pa.nulls(len(extra), pa.string())])
        found = self._connection.sql(f"SELECT {_object_of(extra.column_names)} AS o FROM extra")
        return found.to_arrow_table()["o"]

    def _read_spool(self) -> duckdb.DuckDBPyRelation:
        """The template's line and those that the spool has whenever they are asked for."""
        template = {c.source: None if c.json else _EXAMPLES[c.type] for c in self._fields}
        template |= dict.fromkeys(self.extra)
        self._template.write_text(json.dumps(template))
        columns = [f"{identifier(c.source)} AS {identifier(c.name)}" for c in self._fields]
        if self._others is not None:
            columns.append(f"{_object_of(self.extra)} AS {identifier(self._others)}")
        # `execute` would convert to Arrow in one thread, and hold the interpreter's lock.
        # A sample has 2,048 lines at least: of the template it is one.
        return self._connection.sql(
            f"SELECT {', '.join(columns)} FROM read_json("
            f"[{literal(str(self._template))}, {literal(str(self._lines))}], "
            "format = 'newline_delimited', compression = 'uncompressed', "
            "maximum_sample_files = 1, sample_size = 1, maximum_depth = 2, "
            f"maximum_object_size = {_FAST_LINE_BYTES})"
        )


def _times(texts: pa.ChunkedArray) -> pa.ChunkedArray | Refused:
    shortest = pc.min(pc.binary_length(texts)).as_py()
    # Arrow refuses zones and a seventh digit, and would take a day or a minute for a time.
    if shortest is None or shortest >= _SHORTEST_TIME:
        try:
            return texts.cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
        except pa.ArrowInvalid:
            pass
    at = pc.index(pc.match_substring_regex(texts, _TIME), False).as_py()
    return Refused(at if at >= 0 else None)


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
