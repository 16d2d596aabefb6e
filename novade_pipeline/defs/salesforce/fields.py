"""The fields of an object and the columns that they are read into, by the object's describe.

Source: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/field_types.htm
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import reduce
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import Field, create_model

from novade_pipeline.lake.decimals import widened
from novade_pipeline.lake.table import TIMESTAMP, Digits, Table
from novade_pipeline.privacy.policy import Personal

Kind = Literal["text", "boolean", "integer", "number", "date", "time"]

KINDS: Mapping[str, Kind] = {
    "boolean": "boolean",
    "int": "integer",
    "long": "integer",
    "double": "number",
    "currency": "number",
    "percent": "number",
    "date": "date",
    "datetime": "time",
}
"""Salesforce's type of a field -> the kind of its column; every other type is text."""

ARROW: Mapping[Kind, pa.DataType] = {
    "text": pa.string(),
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "date": pa.date32(),
    "time": TIMESTAMP,
}
_PYTHON: Mapping[Kind, type] = {
    "text": str,
    "boolean": bool,
    "integer": int,
    "number": float,
    "date": date,
    "time": datetime,
}
_KIND_OF = {arrow: kind for kind, arrow in ARROW.items()}

NUMBER = pa.decimal128(38, 18)
"""The type of numbers while they are read; it fits all, since Salesforce writes 18 digits.

Source: Object Reference, 'Field Types' (currency, double, percent): precision and scale.
"""
WHOLE_NUMBER = pa.decimal128(18, 0)
"""The type of a field of whole numbers whose column has decimals."""

SKIPPED = {
    "address": "compound, its parts are read",
    "location": "compound, its parts are read",
    "complexvalue": "compound",
    "base64": "a file's content, which queries do not return",
}
PERSONAL = frozenset({"email", "phone", "encryptedstring"})
UNSTAMPED = frozenset({"IsArchived"})
"""Fields that nightly jobs of the organisation change, perhaps without a new `SystemModstamp`.

Source: Object Reference, "Archived Activities" (sforce_api_guidelines_archive.htm).
"""
ABSENT_FIELDS: Mapping[str, frozenset[str]] = {
    "User": frozenset({"IsDeleted"}),
    "UserRole": frozenset({"IsDeleted", "CreatedDate"}),
    "Organization": frozenset({"IsDeleted"}),
    "CurrencyType": frozenset({"IsDeleted"}),
    "DatedConversionRate": frozenset({"IsDeleted"}),
}
"""Fields of `Record` that these objects have in no organisation."""
OPTIONAL_FIELDS = frozenset({"CurrencyIsoCode"})
"""Fields that only organisations with several currencies have."""


@dataclass(frozen=True)
class ReadField:
    """A field that is read into a column.

    Attributes:
        kind: of the column.
        source_kind: of the field, by its describe.
        marked: the settings mark it as personal.
        is_exact: its numbers are decimals, since the describe says how many digits they have.
    """

    column: str
    source: str
    kind: Kind
    source_kind: Kind
    marked: bool = False
    is_exact: bool = False

    @property
    def stored(self) -> str:
        """The kind of the column, as it is recorded with the watermark."""
        return stored(self.kind, self.is_exact)

    @property
    def type(self) -> pa.DataType:
        """The type in which its values are read."""
        return NUMBER if self.is_exact else ARROW[self.kind]


@dataclass(frozen=True)
class Fields:
    """The fields of an object that are read, and those that are not.

    Attributes:
        table: the object's table, with a column for each field that is read.
        read: the fields and their columns.
        invisible: fields that the code or the settings name and the describe lacks.
        skipped: field -> why it is not read.
        dropped: columns of the lake whose field is gone.
        retyped: field -> where its values go, since its type is not its column's.
        calculated: columns of formulas, and others that change without a new `SystemModstamp`.
    """

    table: Table
    read: tuple[ReadField, ...]
    invisible: tuple[str, ...]
    skipped: Mapping[str, str]
    dropped: tuple[str, ...]
    retyped: Mapping[str, str]
    calculated: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The fields' names, for a query."""
        return [field.source for field in self.read]

    @property
    def as_read(self) -> Table:
        """The table with its numbers in the type in which they are read."""
        return self.with_digits(field.column for field in self.read if field.is_exact).table

    def with_digits(self, columns: Iterable[str]) -> "Fields":
        """Returns the same with `NUMBER` as the type of these columns."""
        return replace(self, table=_with_decimals(self.table, dict.fromkeys(columns, NUMBER)))


def fields_of(
    name: str,
    table: Table,
    described: Sequence[Mapping[str, Any]],
    existing: pa.Schema | None,
    personal: Collection[str] = (),
) -> Fields:
    """Decides which fields are read, into which columns.

    Args:
        name: the object.
        table: the declared one.
        described: the fields of its describe that the user may see.
        existing: the columns that the lake has; None where there is no table yet.
        personal: further fields that are about a person, whatever their type.
    """
    declared = {c.source: c for c in table.columns if c.source != c.name}
    columns = _columns(table, [field["name"] for field in described])
    existing = pa.schema([]) if existing is None else existing
    read: list[ReadField] = []
    extra: dict[str, Any] = {}
    decimal_types: dict[str, pa.DataType] = {}
    skipped, retyped = {}, {}
    for field in described:
        source, type_ = field["name"], field["type"]
        if type_ in SKIPPED:
            skipped[source] = SKIPPED[type_]
            continue
        column, source_kind = columns[source], KINDS.get(type_, "text")
        column_kind = _column_kind(existing, table, column) or source_kind
        target = _read_field(column, source, source_kind, column_kind, source in personal)
        is_moved = target.column != column
        if source_kind != column_kind and (is_moved or source not in declared):
            effect = f"read into {target.column}" if is_moved else f"read as {column_kind}"
            retyped[source] = f"was {column_kind}, is {source_kind}: {effect}"
        if target.kind == "number":
            decimals = _decimal_type(field, source_kind, target.column, existing, table)
            if decimals is not None:
                decimal_types[target.column] = decimals
                target = replace(target, is_exact=True)
        if target.column not in table.schema.names:
            extra[target.column] = _annotation(target, field)
        read.append(target)
    row = create_model(table.row.__name__, __base__=table.row, __doc__=table.row.__doc__, **extra)
    table = _with_decimals(replace(table, row=row), decimal_types)
    written = {target.column for target in read} | set(table.schema.names)
    visible = {field["name"] for field in described}
    formulas = UNSTAMPED | {field["name"] for field in described if field.get("calculated")}
    return Fields(
        table=table,
        read=tuple(read),
        invisible=tuple(
            source
            for source in (*declared, *sorted(personal))
            if source not in visible
            and source not in OPTIONAL_FIELDS | ABSENT_FIELDS.get(name, frozenset())
        ),
        skipped=skipped,
        dropped=tuple(column for column in existing.names if column not in written),
        retyped=retyped,
        calculated=tuple(target.column for target in read if target.source in formulas),
    )


def snake_case(name: str) -> str:
    """Converts a field's name: `Product2Id` to `product2_id`, `Score__c` to `score__c`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return words.lower()


def kind_of(arrow: pa.DataType) -> Kind:
    """Returns the kind of a column of the lake."""
    if pa.types.is_decimal(arrow):
        return "number"
    text = pa.types.is_large_string(arrow) or pa.types.is_string_view(arrow)
    return "text" if text else _KIND_OF[arrow]


def stored(kind: Kind, is_exact: bool) -> str:
    """Names a column's kind for the watermark: a column of doubles is read once more."""
    return "decimal" if is_exact else kind


def _columns(table: Table, names: Iterable[str]) -> dict[str, str]:
    """Maps fields to columns; fields whose snake case is the same get distinct columns."""
    declared = {column.source: column.name for column in table.columns}
    taken = Counter([*table.schema.names, *(snake_case(n) for n in names if n not in declared)])
    return {
        name: declared.get(name)
        or (snake_case(name) if taken[snake_case(name)] == 1 else f"{name.lower()}__as_spelled")
        for name in names
    }


def _column_kind(existing: pa.Schema, table: Table, column: str) -> Kind | None:
    """Returns the kind of a column of the lake, else of its declaration."""
    for schema in (existing, table.schema):
        if column in schema.names:
            return kind_of(schema.field(column).type)
    return None


def _read_field(
    column: str, source: str, source_kind: Kind, column_kind: Kind, marked: bool
) -> ReadField:
    """Chooses the field's column if it fits its values without loss, else one beside it."""
    if column_kind in (source_kind, "text") or (column_kind, source_kind) == ("number", "integer"):
        return ReadField(column, source, column_kind, source_kind, marked)
    return ReadField(f"{column}__{source_kind}", source, source_kind, source_kind, marked)


def _decimal_type(
    field: Mapping[str, Any], source_kind: Kind, column: str, existing: pa.Schema, table: Table
) -> pa.DataType | None:
    """Returns the type of a column of decimals; None where the digits are unknown."""
    described = WHOLE_NUMBER if source_kind == "integer" else _described_decimal(field)
    existing_type = existing.field(column).type if column in existing.names else None
    types = [kind for kind in (described, existing_type) if kind and pa.types.is_decimal(kind)]
    if not types and column in table.schema.names:
        types = [kind for kind in (table.schema.field(column).type,) if pa.types.is_decimal(kind)]
    return reduce(lambda left, right: widened(left, right) or NUMBER, types) if types else None


def _described_decimal(field: Mapping[str, Any]) -> pa.DataType | None:
    """Returns the decimal type that the describe states."""
    precision, scale = int(field.get("precision") or 0), int(field.get("scale") or 0)
    if not precision:
        return None
    fits = 0 <= scale <= NUMBER.scale and 0 <= precision - scale <= NUMBER.precision - NUMBER.scale
    return pa.decimal128(precision, scale) if fits else NUMBER


def _with_decimals(table: Table, types: Mapping[str, pa.DataType]) -> Table:
    """Returns the table with these types of its columns of decimals."""
    fields = table.row.model_fields
    columns: dict[str, Any] = {
        name: (
            Annotated[(Decimal | None, Digits(kind.precision, kind.scale), *fields[name].metadata)],
            Field(None, alias=fields[name].alias, description=fields[name].description),
        )
        for name, kind in types.items()
    }
    if not columns:
        return table
    row = create_model(table.row.__name__, __base__=table.row, __doc__=table.row.__doc__, **columns)
    return replace(table, row=row)


def _annotation(target: ReadField, field: Mapping[str, Any]) -> Any:
    type_: Any = _PYTHON[target.kind] | None
    if target.marked or field["type"] in PERSONAL:
        type_ = Annotated[type_, Personal()]
    description = f"{field.get('label') or target.source} ({target.source}, {field['type']})."
    return (type_, Field(None, alias=target.source, description=description))
