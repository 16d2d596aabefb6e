"""One form of the columns that Parquet files have, and what they must not have."""

from collections import Counter

import pyarrow as pa

from novade_pipeline.defs.segment.records import json_value, not_a, parse_time
from novade_pipeline.defs.segment.shapes import EARLIEST, Shape
from novade_pipeline.lake.table import TIMESTAMP
from novade_pipeline.landing.files import DamagedFile, LandedFile
from novade_pipeline.privacy.json_text import write_json

ALREADY_JSON = "novade_json"
"""Marks, in a field's metadata, a text column whose values are JSON as they are."""


def refuse_types(shape: Shape, schema: pa.Schema, file: LandedFile) -> None:
    """Check the names of all columns, and the types of those that a row has.

    Raises:
        DamagedFile: a name is there twice, or a column has a type that it cannot have: the file is
            of another table.
    """
    names = Counter(_column_name(name) for name in schema.names)
    if twice := [name for name, count in names.items() if count > 1]:
        raise DamagedFile(file, f"expected each column once, found {', '.join(twice)} repeatedly")
    schema = pa.schema([field.with_name(_column_name(field.name)) for field in schema])
    for name in (*shape.texts, *shape.times):
        at = schema.get_field_index(name)
        if at < 0:
            continue
        kind = schema.field(at).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        is_time = name in shape.times
        fits = pa.types.is_null(kind) or is_text(kind)
        fits = fits or (pa.types.is_timestamp(kind) if is_time else pa.types.is_integer(kind))
        if not fits:
            raise DamagedFile(
                file,
                f"column {not_a(name, 'TIMESTAMP' if is_time else 'STRING', str(kind))}; "
                "land a table of another schema in a folder of its own",
            )


def normalized(shape: Shape, rows: pa.Table) -> pa.Table:
    """Rows with one form of each type: names in small letters, times in microseconds.

    Types that Segment's tables do not have, nested ones above all, become texts of JSON.
    """
    columns, fields = [], []
    for field, column in zip(rows.schema, rows.combine_chunks().columns, strict=True):
        name, metadata = _column_name(field.name), None
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", tz=column.type.tz and "UTC"), safe=False)
        if not _is_plain(column.type):
            values = [json_value(value) for value in column.to_pylist()]
            texts = [None if value is None else write_json(value) for value in values]
            column, metadata = pa.array(texts, pa.string()), {ALREADY_JSON: ""}
        if name in shape.times and is_text(column.type):
            column = _parsed_times(column)
        columns.append(column)
        fields.append(pa.field(name, column.type, metadata=metadata))
    return pa.table(columns, schema=pa.schema(fields))


def _column_name(name: str) -> str:
    return name.strip().casefold()


def _is_plain(kind: pa.DataType) -> bool:
    """Whether `json_columns` converts a type's values."""
    return (
        is_text(kind)
        or (pa.types.is_floating(kind) and not pa.types.is_float16(kind))
        or any(
            is_kind(kind)
            for is_kind in (
                *(pa.types.is_null, pa.types.is_boolean, pa.types.is_integer),
                *(pa.types.is_decimal128, pa.types.is_timestamp, pa.types.is_date32),
                *(pa.types.is_binary, pa.types.is_large_binary),
            )
        )
    )


def _parsed_times(column: pa.Array) -> pa.Array:
    """Texts as times; one that is none becomes a time out of range, which is refused by row."""
    moments = [
        None if not text else parse_time(text) or EARLIEST.replace(year=1)
        for text in column.to_pylist()
    ]
    return pa.array(moments, TIMESTAMP)


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is of texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
