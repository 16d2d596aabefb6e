"""From Arrow batches of Parquet to rows, column by column; `records` gives the same values.

Only rows that are none are read one by one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.defs.segment.json_columns import JsonColumns
from novade_pipeline.defs.segment.json_objects import JsonTexts, Member, json_object
from novade_pipeline.defs.segment.normalized import normalized
from novade_pipeline.defs.segment.records import missing, out_of_range
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
)
from novade_pipeline.json_rows.text import RAW_BYTES
from novade_pipeline.lake.table import TIMESTAMP
from novade_pipeline.landing.chunks import FileSlice
from novade_pipeline.landing.json_lines import BadLine, Parsed
from novade_pipeline.landing.parquet_records import row_record, rows_of
from novade_pipeline.landing.tables import MENDED, RECORD

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
        self._json = JsonColumns()

    def close(self) -> None:
        """Close the converter."""
        self._json.close()

    def parse(self, batch: Batch) -> Parsed:
        """The rows of a batch, and those that are none."""
        shape = self._shape
        slices = tuple(origin.file_slice for origin in batch.origins)
        index = np.repeat(np.arange(len(slices)), [part.lines for part in slices])
        line = np.concatenate([np.arange(p.lines, dtype=np.int64) + p.first_line for p in slices])
        readable, bad_at = _readable(batch.rows)
        source = normalized(shape, readable)
        kept = np.flatnonzero(~bad_at)
        reasons = dict.fromkeys(np.flatnonzero(bad_at).tolist(), _NOT_UTF8)
        result = self._columns(source, _sources_of(batch.origins, index[kept]))
        for at, reason in _reasons(shape, source, result):
            reasons[int(kept[at])] = reason
        good = np.array([at not in reasons for at in kept.tolist()], bool) if reasons else None
        if good is not None:
            kept, result = kept[good], result.filter(pa.array(good))
        bad = _bad_lines(shape, batch.rows, slices, index, line, reasons)
        blank = [0] * len(slices)
        for at in [at for at, bad_line in bad.items() if bad_line is None]:
            blank[int(index[at])] += 1
        return Parsed(
            slices,
            _landed(shape, result, slices, index[kept], line[kept]),
            index[kept],
            tuple(bad_line for bad_line in bad.values() if bad_line is not None),
            tuple(blank),
        )

    def _columns(self, source: pa.Table, origin: pa.Table) -> pa.Table:
        """The columns of the shape's table that come from records, and the path's."""
        shape, names = self._shape, source.schema.names
        columns = {name: origin[name] for name in (DATASET, SOURCE_TABLE)}
        columns |= {name: _texts(source, name) for name in shape.texts}
        columns |= {name: _times(source, name) for name in shape.times}
        if EVENT in shape.texts:
            columns[EVENT] = pc.coalesce(columns[EVENT], columns[SOURCE_TABLE])
            columns[EVENT_TEXT] = pc.coalesce(columns[EVENT_TEXT], columns[EVENT])
        paths = context_paths(names)
        rest = [name for name in names if shape.is_rest(name)]
        values = self._json.convert(source.select([*paths, *rest]))
        columns[CONTEXT] = _objects(_context(paths, values), len(source))
        properties = [(name, values[name]) for name in rest if name in values]
        columns[shape.rest] = _objects(properties, len(source))
        return pa.table(columns)


def _texts(source: pa.Table, name: str) -> pa.ChunkedArray:
    """The texts of a column, null where they are blank."""
    if name not in source.schema.names:
        return pa.chunked_array([pa.nulls(len(source), pa.string())])
    texts = source[name].cast(pa.string())
    blank = pc.equal(pc.utf8_ltrim_whitespace(texts), "")
    return pc.if_else(blank, None, texts) if pc.any(blank).as_py() else texts


def _times(source: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in source.schema.names:
        return pa.chunked_array([pa.nulls(len(source), TIMESTAMP)])
    return source[name].cast(TIMESTAMP)


def _context(paths: Mapping[str, tuple[str, ...]], values: Mapping[str, JsonTexts]) -> list[Member]:
    """The members of the context, each where the first of its columns is."""
    objects: dict[str, list[Member]] = {}
    for name, path in paths.items():
        members = objects.setdefault(path[0], [])
        if name in values:
            members.append((path[-1], values[name]))
    scalars = {path[0] for path in paths.values() if len(path) == 1}
    return [
        (key, members[0][1] if key in scalars else json_object(members))
        for key, members in objects.items()
        if members
    ]


def _objects(members: Sequence[Member], count: int) -> pa.ChunkedArray:
    if not members:
        return pa.chunked_array([pa.nulls(count, pa.string())])
    return json_object(members).joined()


def _readable(rows: pa.Table) -> tuple[pa.Table, "np.ndarray[Any, np.dtype[np.bool_]]"]:
    """(the rows whose texts are UTF-8, which Parquet does not check; True for each other row)."""
    bad = np.zeros(len(rows), bool)
    try:
        rows.validate(full=True)
        return rows, bad
    except pa.ArrowInvalid:
        bad[:] = [row is None for row in rows_of(rows)]
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
        row = None
        if reasons[at] != _NOT_UTF8:
            (row,) = rows_of(_with_times_as_texts(normalized(shape, rows.slice(at, 1))))
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


def _with_times_as_texts(rows: pa.Table) -> pa.Table:
    """The rows without values that Python's times cannot be."""
    for at, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type) or pa.types.is_date(field.type):
            rows = rows.set_column(at, field.name, rows[at].cast(pa.string()))
    return rows
