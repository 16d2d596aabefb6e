"""Rows in a table's declared columns and types; what is not the same values is refused by name."""

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


def refuse_changed_types(table: Table, there: pa.Schema) -> None:
    """Check that the lake's columns have the types that the code declares.

    Args:
        there: the columns that the Delta table has.

    Raises:
        PermanentFailure: a column has another type.
    """
    for field in table.schema:
        index = there.get_field_index(field.name)
        if index < 0:
            continue
        held = there.field(index).type
        if not is_of_type(held, field.type) or _would_lose_digits(held, field.type):
            raise PermanentFailure(
                f"{table.name}: column {field.name} is {_normal(held)} in the lake and "
                f"{_normal(field.type)} in the code; nothing is written. Give the new type a new "
                "name."
            )


def is_of_type(held: pa.DataType, declared: pa.DataType) -> bool:
    """Whether a column of the lake has its declared type, or one that a write makes of it."""
    return _normal(held) == _normal(declared) or stores_numbers_of(held, declared)


def _retype(table: Table, column: pa.Array, field: pa.Field) -> pa.Array:
    """Only representations of the same values are changed: large strings, time units, nulls."""
    found, wanted = column.type, field.type
    if found == wanted:
        return column
    same = (
        pa.types.is_null(found)
        or (_is_text(found) and _is_text(wanted))
        or (_is_bytes(found) and _is_bytes(wanted))
        or (pa.types.is_dictionary(found) and found.value_type == wanted)
        or (pa.types.is_integer(found) and pa.types.is_integer(wanted))
        or (pa.types.is_float32(found) and pa.types.is_float64(wanted))
        or (pa.types.is_decimal(found) and pa.types.is_decimal(wanted))
        or (pa.types.is_timestamp(found) and pa.types.is_timestamp(wanted) and found.tz is not None)
        or (pa.types.is_nested(found) and pa.types.is_nested(wanted))
    )
    if same:
        try:
            return column.cast(wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            pass
    raise PermanentFailure(
        f"{table.name}: column {field.name} is {wanted}, found {found}; nothing is written. "
        "Change the source, or declare another column."
    )


def _would_lose_digits(held: pa.DataType, declared: pa.DataType) -> bool:
    return pa.types.is_decimal(declared) and widened(held, declared) is None


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
