"""Which fields of an object are read, and into which columns: what its describe says, typed.

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
"""Salesforce's type of a field -> what its column holds; every other type is text."""

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
"""Numbers while they are read; each has its place in it, for Salesforce writes 18 digits.

Source: Object Reference, 'Field Types' (currency, double, percent): precision and scale.
"""
WHOLE_NUMBER = pa.decimal128(18, 0)
"""What a field of whole numbers has, where its column is one of decimals."""

SKIPPED = {
    "address": "compound, its parts are read",
    "location": "compound, its parts are read",
    "complexvalue": "compound",
    "base64": "a file's content, which no query tells",
}
PERSONAL = frozenset({"email", "phone", "encryptedstring"})
UNSTAMPED = frozenset({"IsArchived"})
"""Fields that the organisation's nightly runs change; that this changes the stamp is said nowhere.

Source: Object Reference, "Archived Activities" (sforce_api_guidelines_archive.htm).
"""
NEVER_THERE: Mapping[str, frozenset[str]] = {
    "User": frozenset({"IsDeleted"}),
    "UserRole": frozenset({"IsDeleted", "CreatedDate"}),
    "Organization": frozenset({"IsDeleted"}),
    "CurrencyType": frozenset({"IsDeleted"}),
    "DatedConversionRate": frozenset({"IsDeleted"}),
}
"""Fields of every record that these objects have in no organisation."""
OPTIONAL = frozenset({"CurrencyIsoCode"})
"""Fields that only some organisations have: those with several currencies."""


@dataclass(frozen=True)
class Read:
    """A field that is read into a column.

    Attributes:
        kind: what the column holds.
        told: what the field holds, by its describe.
        marked: the settings say that it is personal.
        is_exact: its numbers are decimals, as the describe says how many digits they have.
    """

    column: str
    field: str
    kind: Kind
    told: Kind
    marked: bool = False
    is_exact: bool = False

    @property
    def stored(self) -> str:
        """What the column holds, as it is recorded with the watermark."""
        return stored(self.kind, self.is_exact)

    @property
    def type(self) -> pa.DataType:
        """The type in which its values are read."""
        return NUMBER if self.is_exact else ARROW[self.kind]


@dataclass(frozen=True)
class Fields:
    """What is read of an object.

    Attributes:
        table: the object's table, with a column for each field that is read.
        read: the fields, by their columns.
        invisible: fields that the code or the settings name and the describe does not.
        skipped: field -> why it is not read.
        dropped: columns of the lake that no field is read into any more.
        retyped: field -> what became of its values since it has another type than its column.
        calculated: columns of formulas, and others that change without any sign that their record
            did.
    """

    table: Table
    read: tuple[Read, ...]
    invisible: tuple[str, ...]
    skipped: Mapping[str, str]
    dropped: tuple[str, ...]
    retyped: Mapping[str, str]
    calculated: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The fields as a query asks for them."""
        return [one.field for one in self.read]

    @property
    def as_read(self) -> Table:
        """The table with its numbers as they are read."""
        return self.with_digits(one.column for one in self.read if one.is_exact).table

    def with_digits(self, columns: Iterable[str]) -> "Fields":
        """The same, with columns that hold more digits than their fields are said to have."""
        return replace(self, table=_with(self.table, dict.fromkeys(columns, NUMBER)))


def fields_of(
    name: str,
    table: Table,
    described: Sequence[Mapping[str, Any]],
    there: pa.Schema | None,
    personal: Collection[str] = (),
) -> Fields:
    """What is read of an object that is described so.

    Args:
        name: the object.
        table: as it is declared.
        described: the fields of its describe that the user may see.
        there: the columns that the lake has; None where there is no table yet.
        personal: further fields that are about a person, whatever their type.
    """
    declared = {c.source: c for c in table.columns if c.source != c.name}
    columns = _columns(table, [field["name"] for field in described])
    there = pa.schema([]) if there is None else there
    read: list[Read] = []
    more: dict[str, Any] = {}
    digits: dict[str, pa.DataType] = {}
    skipped, retyped = {}, {}
    for field in described:
        source, type_ = field["name"], field["type"]
        if type_ in SKIPPED:
            skipped[source] = SKIPPED[type_]
            continue
        told = KINDS.get(type_, "text")
        held = _held(there, table, columns[source]) or told
        one = _placed(columns[source], source, told, held, source in personal)
        if told != held and (source not in declared or one.column != columns[source]):
            retyped[source] = f"was {held}, is {told}: " + (
                f"read into {one.column}" if one.column != columns[source] else f"told as {held}"
            )
        if one.kind == "number" and (kind := _digits(field, told, one.column, there, table)):
            digits[one.column], one = kind, replace(one, is_exact=True)
        if one.column not in table.schema.names:
            more[one.column] = _annotation(one, field)
        read.append(one)
    row = create_model(table.row.__name__, __base__=table.row, __doc__=table.row.__doc__, **more)
    table = _with(replace(table, row=row), digits)
    written = {one.column for one in read} | set(table.schema.names)
    seen = {field["name"] for field in described}
    formulas = UNSTAMPED | {field["name"] for field in described if field.get("calculated")}
    return Fields(
        table=table,
        read=tuple(read),
        invisible=tuple(
            source
            for source in (*declared, *sorted(personal))
            if source not in seen and source not in OPTIONAL | NEVER_THERE.get(name, frozenset())
        ),
        skipped=skipped,
        dropped=tuple(column for column in there.names if column not in written),
        retyped=retyped,
        calculated=tuple(one.column for one in read if one.field in formulas),
    )


def snake_case(name: str) -> str:
    """A field's name as a column's: `Product2Id` is `product2_id`, `Score__c` is `score__c`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return words.lower()


def kind_of(arrow: pa.DataType) -> Kind:
    """What a column of the lake holds."""
    if pa.types.is_decimal(arrow):
        return "number"
    text = pa.types.is_large_string(arrow) or pa.types.is_string_view(arrow)
    return "text" if text else _KIND_OF[arrow]


def stored(kind: Kind, is_exact: bool) -> str:
    """What a column holds, as it is recorded with the watermark: doubles are read once more."""
    return "decimal" if is_exact else kind


def _columns(table: Table, names: Iterable[str]) -> dict[str, str]:
    """Field -> column. Names that differ in more than their words' ends get one of their own."""
    declared = {column.source: column.name for column in table.columns}
    taken = Counter([*table.schema.names, *(snake_case(n) for n in names if n not in declared)])
    return {
        name: declared.get(name)
        or (snake_case(name) if taken[snake_case(name)] == 1 else f"{name.lower()}__as_spelled")
        for name in names
    }


def _held(there: pa.Schema, table: Table, column: str) -> Kind | None:
    """What a column holds in the lake, or will by its declaration."""
    for schema in (there, table.schema):
        if column in schema.names:
            return kind_of(schema.field(column).type)
    return None


def _placed(column: str, field: str, told: Kind, held: Kind, marked: bool) -> Read:
    """Where values go: into their column if it can hold them without loss, else beside it."""
    if held in (told, "text") or (held == "number" and told == "integer"):
        return Read(column, field, held, told, marked)
    return Read(f"{column}__{told}", field, told, told, marked)


def _digits(
    field: Mapping[str, Any], told: Kind, column: str, there: pa.Schema, table: Table
) -> pa.DataType | None:
    """The type of a column of decimals; None where nothing says how many digits there are."""
    described = WHOLE_NUMBER if told == "integer" else _described(field)
    held = there.field(column).type if column in there.names else None
    types = [kind for kind in (described, held) if kind and pa.types.is_decimal(kind)]
    if not types and column in table.schema.names:
        types = [kind for kind in (table.schema.field(column).type,) if pa.types.is_decimal(kind)]
    return reduce(lambda one, other: widened(one, other) or NUMBER, types) if types else None


def _described(field: Mapping[str, Any]) -> pa.DataType | None:
    """The digits that the describe says."""
    precision, scale = int(field.get("precision") or 0), int(field.get("scale") or 0)
    if not precision:
        return None
    fits = 0 <= scale <= NUMBER.scale and 0 <= precision - scale <= NUMBER.precision - NUMBER.scale
    return pa.decimal128(precision, scale) if fits else NUMBER


def _with(table: Table, types: Mapping[str, pa.DataType]) -> Table:
    """A table whose columns of decimals have these types."""
    fields = table.row.model_fields
    told: dict[str, Any] = {
        name: (
            Annotated[(Decimal | None, Digits(kind.precision, kind.scale), *fields[name].metadata)],
            Field(None, alias=fields[name].alias, description=fields[name].description),
        )
        for name, kind in types.items()
    }
    if not told:
        return table
    row = create_model(table.row.__name__, __base__=table.row, __doc__=table.row.__doc__, **told)
    return replace(table, row=row)


def _annotation(one: Read, field: Mapping[str, Any]) -> Any:
    kind: Any = _PYTHON[one.kind] | None
    if one.marked or field["type"] in PERSONAL:
        kind = Annotated[kind, Personal()]
    told = f"{field.get('label') or one.field} ({one.field}, {field['type']})."
    return (kind, Field(None, alias=one.field, description=told))
