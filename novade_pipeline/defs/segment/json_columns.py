"""From columns to the JSON of their values; `records` gives the same.

Most texts are JSON as soon as they are in quotes, and Arrow writes integers; of other columns one
statement of DuckDB converts each distinct value once.
"""

from collections.abc import Mapping

import duckdb
import numpy as np
import pyarrow as pa

from novade_pipeline.defs.segment.json_objects import JsonTexts
from novade_pipeline.defs.segment.normalized import ALREADY_JSON, is_text
from novade_pipeline.defs.segment.shapes import is_document
from novade_pipeline.lake.query import sql_identifier

# What DuckDB takes for JSON although it is none, or may be: such documents are read by Python.
_SUSPECT = r",\s*[\]}]|nan|inf"
# What JSON escapes, beside control characters, and how an array or an object begins.
_MARKS = b'"\\[{'
_FIRST_PRINTABLE = ord(" ")
_VALUES = "novade_values"


class JsonColumns:
    """Converts columns; one thread at a time may use it."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("SET TimeZone = 'UTC'; SET threads = 1")
        self._connection.create_function("is_document", is_document, ["VARCHAR"], "BOOLEAN")

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def convert(self, rows: pa.Table) -> dict[str, JsonTexts]:
        """Name -> the JSON of each row's value; without the columns that have no value."""
        texts: dict[str, JsonTexts] = {}
        other: dict[str, pa.DictionaryArray] = {}
        for field, column in zip(rows.schema, rows.columns, strict=True):
            is_optional = column.null_count > 0
            if column.null_count == len(column):
                continue
            if field.metadata and ALREADY_JSON.encode() in field.metadata:
                texts[field.name] = JsonTexts((column,), is_optional)
            elif pa.types.is_integer(field.type) or pa.types.is_boolean(field.type):
                texts[field.name] = JsonTexts((column.cast(pa.string()),), is_optional)
            elif is_text(field.type) and _is_plain(column):
                texts[field.name] = JsonTexts(('"', column.cast(pa.string()), '"'), is_optional)
            else:
                other[field.name] = column.combine_chunks().dictionary_encode()
        return texts | self._convert_distinct(other)

    def _convert_distinct(self, columns: Mapping[str, pa.DictionaryArray]) -> dict[str, JsonTexts]:
        if not columns:
            return {}
        distinct = {name: column.dictionary for name, column in columns.items()}
        longest = max(map(len, distinct.values()))
        table = pa.table(
            {
                name: pa.concat_arrays([values, pa.nulls(longest - len(values), values.type)])
                for name, values in distinct.items()
            }
        )
        self._connection.register(_VALUES, table)
        try:
            converted = self._connection.execute(_statement(table.schema)).to_arrow_table()
        finally:
            self._connection.unregister(_VALUES)
        texts = {name: converted[name].take(column.indices) for name, column in columns.items()}
        return {name: JsonTexts((column,), column.null_count > 0) for name, column in texts.items()}


def _is_plain(texts: pa.ChunkedArray) -> bool:
    """Whether all texts are JSON as soon as they are in quotes, and no other JSON as they are."""
    for chunk in texts.chunks:
        content = np.frombuffer(chunk.buffers()[2] or b"", np.uint8)
        if content.min(initial=_FIRST_PRINTABLE) < _FIRST_PRINTABLE:
            return False
        if any((content == mark).any() for mark in _MARKS):
            return False
    return True


def _statement(schema: pa.Schema) -> str:
    """SQL that makes JSON of each column, in the order of the rows."""
    columns = [f"cast({_json(f)} as varchar) as {sql_identifier(f.name)}" for f in schema]
    return f"select {', '.join(columns)} from {_VALUES}"


def _json(field: pa.Field) -> str:
    """SQL of a column's value as JSON; null for none."""
    column, kind = sql_identifier(field.name), field.type
    if is_text(kind):
        return (
            f"case when ascii({column}) not in (91, 123) then to_json({column})"
            f" when not json_valid({column}) then to_json({column})"
            f" when not regexp_matches({column}, '{_SUSPECT}', 'i') then {column}"
            f" when is_document({column}) then {column} else to_json({column}) end"
        )
    if pa.types.is_floating(kind):
        return (
            f"case when not isfinite({column}) then null"
            f" when {column} = trunc({column}) and abs({column}) < 1e15"
            f" then cast(cast({column} as bigint) as varchar)"
            f" else cast(to_json({column}) as varchar) end"
        )
    if pa.types.is_decimal(kind):
        text = f"cast({column} as varchar)"
        return f"rtrim(rtrim({text}, '0'), '.')" if kind.scale else text
    if pa.types.is_timestamp(kind):
        zone = "Z" if kind.tz else ""
        return (
            f"case when epoch_us({column}) % 1000 = 0"
            f" then strftime({column}, '\"%Y-%m-%dT%H:%M:%S.%g{zone}\"')"
            f" else strftime({column}, '\"%Y-%m-%dT%H:%M:%S.%f{zone}\"') end"
        )
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return f"to_json(to_base64({column}))"
    return f"to_json({column})"
