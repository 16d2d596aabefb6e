"""How many digits the numbers of an object have: what its describe says, and what records hold.

A column of decimals has the precision and scale of the describe, which is what people see. Formulas
calculate with more digits, and older records may have more: a column that holds such a number is
one of `fields.NUMBER`, in which each has its place.
"""

import pyarrow as pa

from novade_pipeline.defs.salesforce.fields import Fields
from novade_pipeline.lake.read import stream
from novade_pipeline.storage.store import Store


def exceeding(fields: Fields, rows: pa.RecordBatch) -> set[str]:
    """The columns whose numbers have more digits than the table's columns hold.

    Args:
        rows: some of the table's columns, with decimals of any digits.
    """
    return {
        field.name
        for field in fields.table.schema
        if pa.types.is_decimal(field.type)
        and field.name in rows.schema.names
        and not _holds(field.type, rows.column(field.name))
    }


def exceeding_doubles(lake: Store, fields: Fields, there: pa.Schema | None) -> set[str]:
    """The same of columns that the lake has as doubles, which older versions made of numbers.

    Args:
        there: the columns that the lake has; None where there is no table yet.
    """
    doubles = [
        field.name
        for field in there or ()
        if pa.types.is_floating(field.type) and field.name in fields.table.schema.names
    ]
    found: set[str] = set()
    for batch in stream(lake, fields.table, columns=doubles) if doubles else ():
        for name in set(doubles) - found:
            kind = fields.table.schema.field(name).type
            if pa.types.is_decimal(kind) and not _holds(kind, batch.column(name).cast(pa.string())):
                found.add(name)
    return found


def _holds(kind: pa.DataType, column: pa.Array) -> bool:
    try:
        column.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True
