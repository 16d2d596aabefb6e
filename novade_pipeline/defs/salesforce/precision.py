"""Columns whose numbers have more digits than the describe says.

The describe states the precision that people see. Formulas calculate with more digits, and older
records may have more: the column of such a number is of the type `fields.NUMBER`.
"""

import pyarrow as pa

from novade_pipeline.defs.salesforce.fields import Fields
from novade_pipeline.lake.read import stream
from novade_pipeline.storage.store import Store


def exceeding(fields: Fields, rows: pa.RecordBatch) -> set[str]:
    """Returns the columns whose numbers have more digits than the table's types.

    Args:
        rows: some of the table's columns.
    """
    return {
        field.name
        for field in fields.table.schema
        if pa.types.is_decimal(field.type)
        and field.name in rows.schema.names
        and not _fits(field.type, rows.column(field.name))
    }


def exceeding_doubles(lake: Store, fields: Fields, existing: pa.Schema | None) -> set[str]:
    """The same of columns that the lake has as doubles, which older versions wrote.

    Args:
        existing: the columns that the lake has; None where there is no table yet.
    """
    doubles = [
        field.name
        for field in existing or ()
        if pa.types.is_floating(field.type) and field.name in fields.table.schema.names
    ]
    columns: set[str] = set()
    for batch in stream(lake, fields.table, columns=doubles) if doubles else ():
        for name in set(doubles) - columns:
            kind = fields.table.schema.field(name).type
            if pa.types.is_decimal(kind) and not _fits(kind, batch.column(name).cast(pa.string())):
                columns.add(name)
    return columns


def _fits(kind: pa.DataType, column: pa.Array) -> bool:
    try:
        column.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True
