"""From Arrow batches of Parquet to rows, column by column; `records` gives the same values.

One statement of DuckDB makes the columns of many rows; only rows that are none are read one by one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.defs.segment.records import (
    json_value,
    missing,
    not_a,
    out_of_range,
    parse_time,
)
from novade_pipeline.defs.segment.shapes import (
    CONTEXT,
    DATASET,
    EARLIEST,
    EVENT,
    EVENT_TEXT,
    LATEST,
    SOURCE_TABLE,
    Shape,
    context_paths,
    is_document,
)
from novade_pipeline.lake.query import sql_identifier, sql_literal
from novade_pipeline.lake.table import TIMESTAMP
from novade_pipeline.landing.chunks import FileSlice
from novade_pipeline.landing.files import DamagedFile, LandedFile
from novade_pipeline.landing.json_lines import RAW_BYTES, BadLine, Parsed
from novade_pipeline.landing.parquet_records import row_record, rows_of
from novade_pipeline.landing.tables import MENDED, RECORD
from novade_pipeline.privacy.json_text import write_json

# What DuckDB takes for JSON although it is none, or may be: such documents are read by Python.
_SUSPECT = r",\s*[\]}]|nan|inf"
_ALREADY_JSON = "novade_json"
_NOT_UTF8 = "expected UTF-8 text, found other bytes"


@dataclass(frozen=True)
class Origin:
    """Where rows come from: the dataset and the table of the warehouse, and a part of a file."""

    dataset: str
    source_table: str
    file_slice: FileSlice


@dataclass(frozen=True)
class Batch:
    """Rows of the same Arrow schema, of one file or of several small ones, in order."""

    origins: tuple[Origin, ...]
    rows: pa.Table


class ColumnarRows:
    """Makes rows of batches; one thread at a time may use it."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("SET TimeZone = 'UTC'; SET threads = 1")
        self._connection.create_function("is_document", is_document, ["VARCHAR"], "BOOLEAN")

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def parse(self, batch: Batch) -> Parsed:
        """The rows of a batch, and those that are none."""
        shape = self._shape
        slices = tuple(origin.file_slice for origin in batch.origins)
        index = np.repeat(np.arange(len(slices)), [part.lines for part in slices])
        line = np.concatenate([np.arange(p.lines, dtype=np.int64) + p.first_line for p in slices])
        source, bad_at = _readable(batch.rows)
        kept = np.flatnonzero(~bad_at)
        reasons = dict.fromkeys(
            np.flatnonzero(bad_at).tolist(), "expected UTF-8 text, found other bytes"
        )
        result = self._columns(source, _sources_of(batch.origins, index[kept]))
        for at, reason in _reasons(shape, source, result):
            reasons[int(kept[at])] = reason
        good = np.array([at not in reasons for at in kept.tolist()], bool) if reasons else None
        if good is not None:
            kept, result = kept[good], result.filter(pa.array(good))
        rows = _landed(shape, result, slices, index[kept], line[kept])
        bad = _bad_lines(shape, batch.rows, slices, index, line, reasons)
        blank = [0] * len(slices)
        for at in [at for at, bad_line in bad.items() if bad_line is None]:
            blank[int(index[at])] += 1
        return Parsed(
            slices,
            rows,
            index[kept],
            tuple(bad_line for bad_line in bad.values() if bad_line is not None),
            tuple(blank),
        )

    def _columns(self, source: pa.Table, origin: pa.Table) -> pa.Table:
        """The columns of the shape's table that come from records, and the path's."""
        table = source
        for name in (DATASET, SOURCE_TABLE):
            table = table.append_column(f"novade_{name}", origin[name])
        self._connection.register("source", table)
        try:
            return self._connection.execute(_statement(self._shape, table.schema)).to_arrow_table()
        finally:
            self._connection.unregister("source")


def refuse_types(shape: Shape, schema: pa.Schema, file: LandedFile) -> None:
    """Check the types of the columns that a row has.

    Raises:
        DamagedFile: a column has a type that it cannot have; the file is of another table.
    """
    for name in (*shape.texts, *shape.times):
        at = schema.get_field_index(name)
        if at < 0:
            continue
        kind = schema.field(at).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        is_time = name in shape.times
        fits = pa.types.is_null(kind) or _is_text(kind)
        fits = fits or (pa.types.is_timestamp(kind) if is_time else pa.types.is_integer(kind))
        if not fits:
            raise DamagedFile(
                file,
                f"column {not_a(name, 'TIMESTAMP' if is_time else 'STRING', str(kind))}; "
                "land a table of another schema in a folder of its own",
            )


def normalized(shape: Shape, batch: pa.RecordBatch) -> pa.Table:
    """A batch with one form of each type: names in small letters, times in microseconds.

    Nested columns, which only other tools than Segment write, become texts of JSON.
    """
    columns, fields = [], []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        name, metadata = field.name.strip().casefold(), None
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", tz=column.type.tz and "UTC"), safe=False)
        if pa.types.is_nested(column.type):
            values = [json_value(value) for value in column.to_pylist()]
            texts = [None if value is None else write_json(value) for value in values]
            column, metadata = pa.array(texts, pa.string()), {_ALREADY_JSON: ""}
        if name in shape.times and _is_text(column.type):
            column = _parsed_times(column)
        columns.append(column)
        fields.append(pa.field(name, column.type, metadata=metadata))
    return pa.table(columns, schema=pa.schema(fields))


def _parsed_times(column: pa.Array) -> pa.Array:
    """Texts as times; one that is none becomes a time out of range, which is refused by row."""
    moments = [
        None if not text else parse_time(text) or EARLIEST.replace(year=1)
        for text in column.to_pylist()
    ]
    return pa.array(moments, TIMESTAMP)


@cache
def _statement(shape: Shape, schema: pa.Schema) -> str:
    """SQL that makes the columns of rows from those of the warehouse, in the order of the rows."""
    names = [name for name in schema.names if not name.startswith("novade_")]
    columns = [f"novade_{name} as {name}" for name in (DATASET, SOURCE_TABLE)]
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
    return f"select {', '.join(columns)} from source"


def _plain(shape: Shape, name: str, names: Sequence[str]) -> str:
    if name in shape.times:
        return f"cast({sql_identifier(name) if name in names else 'null'} as timestamptz)"
    value = "null"
    if name in names:
        text = f"cast({sql_identifier(name)} as varchar)"
        value = f"case when trim({text}) <> '' then {text} end"
    if name == EVENT:
        return f"coalesce({value}, novade_{SOURCE_TABLE})"
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
    if field.metadata and _ALREADY_JSON.encode() in field.metadata:
        return column
    if _is_text(kind):
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


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _readable(rows: pa.Table) -> tuple[pa.Table, "np.ndarray[Any, np.dtype[np.bool_]]"]:
    """(the rows whose texts are UTF-8, which Parquet does not check; True for each other row)."""
    bad = np.zeros(len(rows), bool)
    try:
        rows.validate(full=True)
        return rows, bad
    except pa.ArrowInvalid:
        bad[:] = [row is None for row in rows_of(rows.combine_chunks().to_batches()[0])]
    return rows.filter(pa.array(~bad)), bad


def _sources_of(origins: Sequence[Origin], index: Any) -> pa.Table:
    """Dataset and table of each row."""
    places = pa.array(index)
    return pa.table(
        {
            DATASET: pa.array([o.dataset for o in origins], pa.string()).take(places),
            SOURCE_TABLE: pa.array([o.source_table for o in origins], pa.string()).take(places),
        }
    )


def _reasons(shape: Shape, source: pa.Table, result: pa.Table) -> Iterator[tuple[int, str]]:
    """(position, reason) of the rows that are none."""
    for name in reversed(shape.required):
        if result[name].null_count:
            for at in _positions(pc.is_null(result[name])):
                yield at, missing(shape, name)
    for name in shape.times:
        if name not in source.schema.names:
            continue
        column = result[name]
        bounds = pa.scalar(EARLIEST, column.type), pa.scalar(LATEST, column.type)
        outside = pc.or_(pc.less(column, bounds[0]), pc.greater(column, bounds[1]))
        if pc.any(outside).as_py():
            for at in _positions(outside):
                yield at, out_of_range(name)


def _positions(mask: pa.ChunkedArray) -> list[int]:
    positions = np.flatnonzero(pc.fill_null(mask, False).to_numpy())
    return [int(at) for at in positions]


def _landed(
    shape: Shape, result: pa.Table, slices: Sequence[FileSlice], index: Any, line: Any
) -> pa.Table:
    """The table's rows, with where they landed."""
    places = pa.array(index)
    hours = [part.file.hour for part in slices]
    count = len(index)
    assert None not in hours
    columns: dict[str, Any] = {
        "upload_date": pa.array([h.date() for h in hours if h], pa.date32()).take(places),
        "upload_hour": pa.array(hours, TIMESTAMP).take(places),
        "file": pa.array([part.file.file for part in slices], pa.string()).take(places),
        "line": pa.array(line, pa.int64()),
        RECORD: pa.array(line, pa.int64()),
        MENDED: pa.ListArray.from_arrays(np.zeros(count + 1, np.int32), pa.array([], pa.string())),
    }
    schema = shape.table.schema
    arrays = [columns[f.name] if f.name in columns else result[f.name].cast(f.type) for f in schema]
    return pa.table(arrays, schema=schema)


def _bad_lines(
    shape: Shape,
    rows: pa.Table,
    slices: Sequence[FileSlice],
    index: Any,
    line: Any,
    reasons: dict[int, str],
) -> dict[int, BadLine | None]:
    """Position -> the row for quarantine; None for a row without any value."""
    bad: dict[int, BadLine | None] = {}
    for at in sorted(reasons):
        (row,) = rows_of(rows.slice(at, 1))
        record = row_record(int(line[at]), row, shape.columns)
        raw = record.text.encode("utf-8", "surrogateescape")
        bad[at] = (
            None
            if record.is_blank
            else BadLine(
                slices[int(index[at])], record.line, reasons[at], raw[:RAW_BYTES], len(raw)
            )
        )
    return bad
