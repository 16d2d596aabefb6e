"""Decimal columns: exact numbers, and the widening of stored columns with fewer digits.

A stored column of doubles, or of decimals with fewer digits than declared, is widened by the next
write, in a commit of its own. One with more digits keeps them.
"""

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import pyarrow as pa

MOST_DIGITS = 38
"""Of a decimal, in Delta and in DuckDB."""

_EXACT = Context(prec=2 * MOST_DIGITS, rounding=ROUND_HALF_UP)


def stores_numbers_of(stored: pa.DataType, declared: pa.DataType) -> bool:
    """Whether a stored column has the numbers of a column that is declared as decimals."""
    numbers = pa.types.is_decimal(stored) or pa.types.is_floating(stored)
    return bool(numbers and pa.types.is_decimal(declared))


def widened(stored: pa.DataType, declared: pa.DataType) -> pa.DataType | None:
    """Decimals that lose no digit of either type; None where that takes over `MOST_DIGITS`."""
    if pa.types.is_floating(stored):
        return declared
    whole = max(kind.precision - kind.scale for kind in (stored, declared))
    scale = max(stored.scale, declared.scale)
    return pa.decimal128(whole + scale, scale) if whole + scale <= MOST_DIGITS else None


def with_stored_decimals(schema: pa.Schema, lake_schema: pa.Schema) -> pa.Schema:
    """The declared columns, those of decimals in the types that the lake has."""
    for place, field in enumerate(schema):
        index = lake_schema.get_field_index(field.name)
        if index >= 0 and stores_numbers_of(lake_schema.field(index).type, field.type):
            schema = schema.set(place, field.with_type(lake_schema.field(index).type))
    return schema


def widened_types(schema: pa.Schema, lake_schema: pa.Schema) -> dict[str, pa.DataType]:
    """The new types of stored columns that are too narrow for the declared decimals."""
    types = {}
    for field in with_stored_decimals(schema, lake_schema):
        declared = schema.field(field.name).type
        new = widened(field.type, declared) if field.type != declared else None
        if new is not None and new != field.type:
            types[field.name] = new
    return types


def to_decimals(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Numbers as decimals; a double counts as its shortest decimal form, rounded half up.

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
    """A number as a decimal type stores it, rounded half up.

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
