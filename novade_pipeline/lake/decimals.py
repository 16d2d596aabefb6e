"""Decimal columns: numbers to the digit, and what becomes of columns that hold them otherwise.

A table that holds doubles where the code declares decimals, or decimals of fewer digits, is widened
by the next write, in a commit of its own. One that has more digits than declared keeps them.
"""

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import pyarrow as pa

MOST_DIGITS = 38
"""Of a decimal, in Delta and in DuckDB."""

_EXACT = Context(prec=2 * MOST_DIGITS, rounding=ROUND_HALF_UP)


def stores_numbers_of(held: pa.DataType, declared: pa.DataType) -> bool:
    """Whether a column of the lake holds the numbers of one that is declared as decimals."""
    numbers = pa.types.is_decimal(held) or pa.types.is_floating(held)
    return bool(numbers and pa.types.is_decimal(declared))


def widened(held: pa.DataType, declared: pa.DataType) -> pa.DataType | None:
    """The type of a column that has held one type and takes in the other as well.

    Args:
        held: decimals, or doubles.
        declared: decimals.

    Returns:
        Decimals that lose no digit of either; None where these would be more than `MOST_DIGITS`.
    """
    if pa.types.is_floating(held):
        return declared
    whole = max(kind.precision - kind.scale for kind in (held, declared))
    scale = max(held.scale, declared.scale)
    return pa.decimal128(whole + scale, scale) if whole + scale <= MOST_DIGITS else None


def with_stored_decimals(schema: pa.Schema, there: pa.Schema) -> pa.Schema:
    """The declared columns, those of decimals in the types that the lake has."""
    for place, field in enumerate(schema):
        index = there.get_field_index(field.name)
        if index >= 0 and stores_numbers_of(there.field(index).type, field.type):
            schema = schema.set(place, field.with_type(there.field(index).type))
    return schema


def widened_types(schema: pa.Schema, there: pa.Schema) -> dict[str, pa.DataType]:
    """Columns of the lake that do not hold all that the declared decimals can: their new types."""
    types = {}
    for field in with_stored_decimals(schema, there):
        declared = schema.field(field.name).type
        new = widened(field.type, declared) if field.type != declared else None
        if new is not None and new != field.type:
            types[field.name] = new
    return types


def to_decimals(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Numbers as decimals; a double is the shortest number that it stands for, rounded half up.

    Raises:
        ValueError: a value is not finite, or has more digits before the point than the type.
    """
    if pa.types.is_decimal(column.type):
        return column.cast(kind)
    try:
        # As texts: a cast of 0.1 itself would give all binary digits that it is made of.
        return column.cast(pa.float64()).cast(pa.string()).cast(kind)
    except pa.ArrowInvalid:
        return pa.array([_rounded(value, kind) for value in column.to_pylist()], kind)


def rounded(value: Decimal, kind: pa.DataType) -> Decimal:
    """A number as a decimal type holds it, rounded half up.

    Raises:
        ValueError: it is not finite, or has too many digits before the point.
    """
    whole = kind.precision - kind.scale
    if value.is_finite() and (not value or value.adjusted() < whole):
        exact = value.quantize(Decimal(1).scaleb(-kind.scale), context=_EXACT)
        if not exact or exact.adjusted() < whole:
            return exact
    raise ValueError(f"expected a number of at most {whole} digits before the point")


def _rounded(value: Any, kind: pa.DataType) -> Decimal | None:
    return None if value is None else rounded(Decimal(repr(value)), kind)
