"""Lines of JSON whose values need care: of other types than their columns, or hard to read.

The slower way of `json_lines`. Lines come as `compiled.rewrite` leaves them, so each is JSON. The
fields of each are cut out as they are written, and read column by column: a number in a text keeps
its digits, a text may stand for a number, and a value that fits nowhere makes its line bad.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.lake.table import Column
from novade_pipeline.landing.other_fields import object_of
from novade_pipeline.landing.plain_lines import PlainLines, text_of

Positions = np.ndarray[Any, np.dtype[np.int64]]

_KINDS = {'"': "a text", "{": "an object", "[": "an array", "t": "true or false", "n": "null"}
_KINDS["f"] = _KINDS["t"]
_WORDS = {
    pa.int64(): "an integer",
    pa.float64(): "a number",
    pa.bool_(): "true or false",
    pa.timestamp("us", tz="UTC"): "a time",
}
# Type -> SQL for a value of it or null, of `value` as JSON and `text`. DuckDB would round to an
# integer, has numbers that JSON does not know, and takes some words for times.
_READ = {
    pa.int64(): "CASE WHEN TRY_CAST(text AS BIGINT) = TRY_CAST(text AS DECIMAL(38, 18)) "
    "THEN TRY_CAST(text AS BIGINT) END",
    pa.float64(): "CASE WHEN isfinite(TRY_CAST(text AS DOUBLE)) THEN TRY_CAST(text AS DOUBLE) END",
    pa.bool_(): "CASE WHEN value[1] IN ('\"', 't', 'f') THEN TRY_CAST(text AS BOOLEAN) "
    "ELSE TRY_CAST(text AS DOUBLE) <> 0 END",
    # Without a zone a text is UTC; with one, TIMESTAMP would drop it in silence.
    pa.timestamp("us", tz="UTC"): "CASE WHEN regexp_matches(value, '^\"\\s*\\d') "
    "THEN TRY_CAST(text AS TIMESTAMPTZ) END",
}
# With seconds, six digits of their fraction at most, and no zone.
_TIME = r'^"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?"$'
_TEXT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_TOKEN = re.compile(rf"{_TEXT.pattern}|[][{{}},]")


@dataclass(frozen=True)
class Cut:
    """What became of lines.

    Attributes:
        rows: the fields' columns and the one for others, of the lines that are objects.
        numbers: for each row the number of its line, from 0.
        wrong: number -> why the line is no row; it may be among `rows`.
        names: those of fields that are not known.
    """

    rows: pa.Table
    numbers: Positions
    wrong: dict[int, str]
    names: set[str]


class FieldByField:
    """Reads lines field by field; one object serves one thread."""

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
        self._plain = PlainLines(fields, others, typed=False)
        self.know = self._plain.know

    def read(self, lines: Sequence[bytes]) -> Cut:
        """Read lines that are JSON, without space, and not empty."""
        plain = self._plain.read(*text_of(lines))
        numbers: list[int] = plain.numbers.tolist()
        wrong: dict[int, str] = {}
        names: set[str] = set()
        cut = []
        for number, line in plain.rest.items():
            text = line.decode()
            fields = fields_of(text)
            values = dict(fields)
            if not text.startswith("{"):
                wrong[number] = f"expected a JSON object, found {_kind(text)}"
            elif len(values) < len(fields):
                wrong[number] = "expected each field once, found one twice"
            else:
                names |= values.keys()
                numbers.append(number)
                cut.append(self._row(values))
        rows = pa.concat_tables([plain.rows, pa.Table.from_pylist(cut, plain.rows.schema)])
        typed = self._typed(rows)
        for row, reason in _lost(self._fields, rows, typed):
            wrong.setdefault(numbers[row], reason)
        return Cut(typed, np.array(numbers, np.int64), wrong, names)

    def _row(self, values: dict[str, str]) -> dict[str, str | None]:
        """A line's values as `PlainLines` has them; the fields that are known are taken out."""
        row = {c.name: _value(c, values.pop(c.source, "null")) for c in self._fields}
        others = ((name, value) for name, value in sorted(values.items()) if value != "null")
        return row if self._others is None else row | {self._others: object_of(others)}

    def _typed(self, rows: pa.Table) -> pa.Table:
        """The columns in their types; null where a value has another."""
        for place, column in enumerate(self._fields):
            if column.type != pa.string():
                values = _cast(rows[column.name], column.type)
                if values is None:
                    values = self._read_values(rows[column.name], column.type)
                rows = rows.set_column(place, column.name, values)
        return rows

    def _read_values(self, values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
        values = pa.table({"value": values})
        read = self._connection.sql(
            f"SELECT {_READ[type_]} AS value FROM (SELECT value, "
            "CASE WHEN value[1] = '\"' THEN value ->> '$' ELSE value END AS text FROM values)"
        )
        return read.to_arrow_table()["value"].cast(type_)


def _cast(values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray | None:
    """Values of JSON in a type; None where one is not written as most are, or does not fit."""
    try:
        if not pa.types.is_timestamp(type_):
            cast = values.cast(type_)
            is_finite = type_ != pa.float64() or pc.all(pc.is_finite(cast)).as_py() is not False
            return cast if is_finite else None
        # Arrow would take a day or a minute for a time.
        if pc.all(pc.match_substring_regex(values, _TIME)).as_py() is False:
            return None
        texts = pc.utf8_slice_codeunits(values, 1, -1)
        return texts.cast(pa.timestamp("us")).cast(type_)
    except pa.ArrowInvalid:
        return None


def fields_of(text: str) -> list[tuple[str, str]]:
    """(name, value as it is written) of an object's fields; none where it is no object.

    Args:
        text: JSON without space.
    """
    fields: list[tuple[str, str]] = []
    if text in ("", "{}") or text[0] != "{":
        return fields
    begin, depth = 1, 0
    # No recursion, however deep it is.
    for token in _TOKEN.finditer(text):
        sign = token[0][0]
        depth += (sign in "{[") - (sign in "}]")
        if depth == 0 or (depth == 1 and sign == ","):
            name = _TEXT.match(text, begin)
            assert name is not None, "a field begins with its name"
            fields.append((json.loads(name[0]), text[name.end() + 1 : token.start()]))
            begin = token.end()
    return fields


def _value(column: Column, value: str) -> str | None:
    """A value as `PlainLines` has it."""
    if value == "null":
        return None
    is_text = column.type == pa.string() and not column.json
    return str(json.loads(value)) if is_text and value.startswith('"') else value


def _lost(fields: Sequence[Column], rows: pa.Table, typed: pa.Table) -> Iterator[tuple[int, str]]:
    """(row, reason) for each value that its column does not have."""
    for column in fields:
        lost = pc.and_(pc.is_null(typed[column.name]), pc.is_valid(rows[column.name]))
        for row in np.flatnonzero(lost.to_numpy()).tolist():
            found = _kind(rows[column.name][row].as_py())
            if (column.type, found) == (pa.float64(), "a number"):
                found = "one that is too large"
            yield row, f"{column.name}: expected {_WORDS[column.type]}, found {found}"


def _kind(value: str) -> str:
    return _KINDS.get(value[0], "a number")
