"""Lines whose values need care: of another type than their column, or hard to parse.

The slowest way of `json_lines`. Lines come as `compiled.rewrite` leaves them, so each is JSON. Each
is split into its fields as they are written, and these are parsed column by column: a number in a
text column keeps its digits, a string may hold a number, and any other value of a wrong type makes
its line bad.
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

from novade_pipeline.json_rows.extra_fields import object_of
from novade_pipeline.json_rows.plain_lines import PlainLines, text_of
from novade_pipeline.lake.table import Column

Positions = np.ndarray[Any, np.dtype[np.int64]]

_KINDS = {'"': "a text", "{": "an object", "[": "an array", "t": "true or false", "n": "null"}
_KINDS["f"] = _KINDS["t"]
_WORDS = {
    pa.int64(): "an integer",
    pa.float64(): "a number",
    pa.bool_(): "true or false",
    pa.timestamp("us", tz="UTC"): "a time",
}
# Type -> SQL that parses `value` (JSON) or `text` (a string's content), or gives null. By itself
# DuckDB rounds to integers, parses NaN, and takes words such as "epoch" for times.
_PARSE = {
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
class FieldRows:
    """The rows of lines that were read field by field.

    Attributes:
        rows: the fields' columns and the one for other fields; a row may be `wrong`.
        numbers: for each row the number of its line, from 0.
        wrong: line number -> why the line is not a row.
        names: names of the fields that were not known.
    """

    rows: pa.Table
    numbers: Positions
    wrong: dict[int, str]
    names: set[str]


class FieldByField:
    """Parses lines field by field; each thread needs its own. Arguments as for `IrregularLines`."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        fields: Sequence[Column],
        other_fields: str | None,
    ) -> None:
        self._connection = connection
        self._fields = fields
        self._other_fields = other_fields
        self._plain = PlainLines(fields, other_fields, typed=False)
        self.set_extra_fields = self._plain.set_extra_fields

    def read(self, lines: Sequence[bytes]) -> FieldRows:
        """Read lines that are JSON without white space."""
        plain = self._plain.read(*text_of(lines))
        numbers: list[int] = plain.numbers.tolist()
        wrong: dict[int, str] = {}
        names: set[str] = set()
        split = []
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
                split.append(self._row(values))
        rows = pa.concat_tables([plain.rows, pa.Table.from_pylist(split, plain.rows.schema)])
        typed = self._typed(rows)
        for row, reason in _mismatches(self._fields, rows, typed):
            wrong.setdefault(numbers[row], reason)
        return FieldRows(typed, np.array(numbers, np.int64), wrong, names)

    def _row(self, values: dict[str, str]) -> dict[str, str | None]:
        """A line's row as `PlainLines` gives it; known fields are removed from `values`."""
        row = {c.name: _value(c, values.pop(c.source, "null")) for c in self._fields}
        extra = ((name, value) for name, value in sorted(values.items()) if value != "null")
        return row if self._other_fields is None else row | {self._other_fields: object_of(extra)}

    def _typed(self, rows: pa.Table) -> pa.Table:
        """Parse the columns; null where a value has another type."""
        for place, column in enumerate(self._fields):
            if column.type != pa.string():
                values = _cast(rows[column.name], column.type)
                if values is None:
                    values = self._parsed(rows[column.name], column.type)
                rows = rows.set_column(place, column.name, values)
        return rows

    def _parsed(self, values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
        written = pa.table({"value": values})
        parsed = self._connection.sql(
            f"SELECT {_PARSE[type_]} AS value FROM (SELECT value, "
            "CASE WHEN value[1] = '\"' THEN value ->> '$' ELSE value END AS text FROM written)"
        )
        del written
        return parsed.to_arrow_table()["value"].cast(type_)


def _cast(values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray | None:
    """Parse JSON values fast; None where one needs DuckDB, or has another type."""
    try:
        if not pa.types.is_timestamp(type_):
            cast = values.cast(type_)
            is_finite = type_ != pa.float64() or pc.all(pc.is_finite(cast)).as_py() is not False
            return cast if is_finite else None
        # Arrow also parses times without seconds, and days.
        if pc.all(pc.match_substring_regex(values, _TIME)).as_py() is False:
            return None
        texts = pc.utf8_slice_codeunits(values, 1, -1)
        return texts.cast(pa.timestamp("us")).cast(type_)
    except pa.ArrowInvalid:
        return None


def fields_of(text: str) -> list[tuple[str, str]]:
    """Split a JSON object into (name, value as it is written); [] for any other value.

    Args:
        text: JSON without white space.
    """
    fields: list[tuple[str, str]] = []
    if text in ("", "{}") or text[0] != "{":
        return fields
    begin, depth = 1, 0
    # Without recursion, however deep the values are nested.
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
    """A JSON value as `PlainLines` gives it where types are left open."""
    if value == "null":
        return None
    is_text = column.type == pa.string() and not column.json
    return str(json.loads(value)) if is_text and value.startswith('"') else value


def _mismatches(
    fields: Sequence[Column], rows: pa.Table, typed: pa.Table
) -> Iterator[tuple[int, str]]:
    """(row, reason) for each value that has another type than its column."""
    for column in fields:
        mismatch = pc.and_(pc.is_null(typed[column.name]), pc.is_valid(rows[column.name]))
        for row in np.flatnonzero(mismatch.to_numpy()).tolist():
            kind = _kind(rows[column.name][row].as_py())
            if (column.type, kind) == (pa.float64(), "a number"):
                kind = "one that is too large"
            yield row, f"{column.name}: expected {_WORDS[column.type]}, found {kind}"


def _kind(value: str) -> str:
    return _KINDS.get(value[0], "a number")
