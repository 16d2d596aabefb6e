"""Casts rows to a table's declared columns and types; casts that change values are refused."""

import pyarrow as pa

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.decimals import stores_numbers_of, widened
from novade_pipeline.lake.table import Table


def conform(table: Table, batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with exactly the table's columns; absent ones that may be null are null.

    Raises:
        PermanentFailure: a column is unknown, absent, null or of another type than declared.
    """
    if unknown := set(batch.schema.names) - set(table.schema.names):
        raise PermanentFailure(
            f"{table.name}: expected only the declared columns, found also {sorted(unknown)}; "
            f"declare them in {table.row.__name__}."
        )
    conformed = conform_columns(table, table.schema, batch)
    for field in table.schema:
        if not field.nullable and conformed.column(field.name).null_count:
            raise PermanentFailure(
                f"{table.name}: expected a value in every {field.name}, found "
                f"{conformed.column(field.name).null_count} without; nothing is written."
            )
    return conformed


def conform_columns(table: Table, schema: pa.Schema, batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with the columns of `schema`, in their types; absent ones are null.

    Raises:
        PermanentFailure: a column that may not be null is absent, or has another type.
    """
    if batch.schema.equals(schema):
        return batch
    columns = []
    for field in schema:
        index = batch.schema.get_field_index(field.name)
        if index < 0 and not field.nullable:
            raise PermanentFailure(f"{table.name}: expected a column {field.name}, found none.")
        columns.append(
            pa.nulls(batch.num_rows, field.type)
            if index < 0
            else _retype(table, batch.column(index), field)
        )
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def refuse_changed_types(table: Table, stored: pa.Schema) -> None:
    """Check that the lake's columns have the types that the code declares.

    Raises:
        PermanentFailure: a column has another type.
    """
    for field in table.schema:
        index = stored.get_field_index(field.name)
        if index < 0:
            continue
        stored_type = stored.field(index).type
        if not is_of_type(stored_type, field.type) or _would_lose_digits(stored_type, field.type):
            raise PermanentFailure(
                f"{table.name}: column {field.name} is {_normal(stored_type)} in the lake and "
                f"{_normal(field.type)} in the code; nothing is written. Give the new type a new "
                "name."
            )


def is_of_type(stored: pa.DataType, declared: pa.DataType) -> bool:
    """Whether a stored column has its declared type, or one that a write widens."""
    return _normal(stored) == _normal(declared) or stores_numbers_of(stored, declared)


def _retype(table: Table, column: pa.Array, field: pa.Field) -> pa.Array:
    """Only representations of the same values are changed: large strings, time units, nulls."""
    actual, declared = column.type, field.type
    if actual == declared:
        return column
    is_castable = (
        pa.types.is_null(actual)
        or (_is_text(actual) and _is_text(declared))
        or (_is_bytes(actual) and _is_bytes(declared))
        or (pa.types.is_dictionary(actual) and actual.value_type == declared)
        or (pa.types.is_integer(actual) and pa.types.is_integer(declared))
        or (pa.types.is_float32(actual) and pa.types.is_float64(declared))
        or (pa.types.is_decimal(actual) and pa.types.is_decimal(declared))
        or (
            pa.types.is_timestamp(actual)
            and pa.types.is_timestamp(declared)
            and actual.tz is not None
        )
        or (pa.types.is_nested(actual) and pa.types.is_nested(declared))
    )
    if is_castable:
        try:
            return column.cast(declared)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            pass
    raise PermanentFailure(
        f"{table.name}: column {field.name} is {declared}, found {actual}; nothing is written. "
        "Change the source, or declare another column."
    )


def _would_lose_digits(stored: pa.DataType, declared: pa.DataType) -> bool:
    return pa.types.is_decimal(declared) and widened(stored, declared) is None


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    )


def _normal(kind: pa.DataType) -> str:
    return str(kind).replace("large_", "").replace("_view", "").replace("element:", "item:")
