"""The SQL that makes rows of many of the warehouse's at once; `records` gives the same values."""

from collections.abc import Sequence
from functools import cache

import pyarrow as pa

from novade_pipeline.defs.segment.normalized import ALREADY_JSON, is_text
from novade_pipeline.defs.segment.shapes import (
    CONTEXT,
    DATASET,
    EVENT,
    EVENT_TEXT,
    SOURCE_TABLE,
    Shape,
    context_paths,
)
from novade_pipeline.lake.query import sql_identifier, sql_literal
from novade_pipeline.privacy.json_text import write_json

BATCH = "novade_batch"
"""The relation that the statement reads."""
# What DuckDB takes for JSON although it is none, or may be: such documents are read by Python.
_SUSPECT = r",\s*[\]}]|nan|inf"


def path_column(name: str) -> str:
    """The relation's column of what a path says; no file's, whose names do not begin with space."""
    return f" {name}"


@cache
def statement(shape: Shape, schema: pa.Schema) -> str:
    """SQL that makes the columns of rows from those of the warehouse, in the order of the rows."""
    names = [name for name in schema.names if not name.startswith(" ")]
    columns = [f"{sql_identifier(path_column(name))} as {name}" for name in (DATASET, SOURCE_TABLE)]
    for name in (*shape.texts, *shape.times):
        columns.append(f"{_plain(shape, name, names)} as {sql_identifier(name)}")
    paths = context_paths(names)
    objects: dict[str, list[tuple[str, str]]] = {}
    top: list[tuple[str, str]] = []
    for name, path in paths.items():
        value = _json(schema.field(name))
        if len(path) == 1:
            top.append((path[0], value))
        elif path[0] in objects:
            objects[path[0]].append((path[1], value))
        else:
            objects[path[0]] = [(path[1], value)]
            top.append((path[0], ""))
    members = [(key, value or _object(objects[key])) for key, value in top]
    columns.append(f"{_object(members)} as {CONTEXT}")
    rest = [(name, _json(schema.field(name))) for name in names if shape.is_rest(name)]
    columns.append(f"{_object(rest)} as {shape.rest}")
    return f"select {', '.join(columns)} from {BATCH}"


def _plain(shape: Shape, name: str, names: Sequence[str]) -> str:
    if name in shape.times:
        return f"cast({sql_identifier(name) if name in names else 'null'} as timestamptz)"
    value = "null"
    if name in names:
        text = f"cast({sql_identifier(name)} as varchar)"
        value = f"case when trim({text}) <> '' then {text} end"
    if name == EVENT:
        return f"coalesce({value}, {sql_identifier(path_column(SOURCE_TABLE))})"
    if name == EVENT_TEXT:
        return f"coalesce({value}, {_plain(shape, EVENT, names)})"
    return f"cast({value} as varchar)"


def _object(members: Sequence[tuple[str, str]]) -> str:
    """SQL of a JSON object of the members that have a value; null if none has."""
    if not members:
        return "cast(null as varchar)"
    texts = ", ".join(f"{sql_literal(write_json(key) + ':')} || {value}" for key, value in members)
    return f"'{{' || nullif(concat_ws(',', {texts}), '') || '}}'"


def _json(field: pa.Field) -> str:
    """SQL of a column's value as JSON text; null for none."""
    column, kind = sql_identifier(field.name), field.type
    if field.metadata and ALREADY_JSON.encode() in field.metadata:
        return column
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
        return f"cast(to_json(to_base64({column})) as varchar)"
    return f"cast(to_json({column}) as varchar)"
