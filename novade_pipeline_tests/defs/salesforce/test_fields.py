"""Which fields are read, into which columns: what a describe says, in plain data."""

from typing import Any

import pyarrow as pa
import pytest

from novade_pipeline.defs.salesforce.fields import (
    ARROW,
    NUMBER,
    Fields,
    fields_of,
    kind_of,
    snake_case,
)
from novade_pipeline.defs.salesforce.tables import ACCOUNT, OBJECTS, READ
from novade_pipeline.lake.table import TIMESTAMP

STANDARD = [
    {"name": "Id", "type": "id"},
    {"name": "IsDeleted", "type": "boolean"},
    {"name": "Name", "type": "string"},
    {"name": "NumberOfEmployees", "type": "int"},
    {"name": "SystemModstamp", "type": "datetime"},
]


def _fields(
    *more: dict[str, Any], existing: pa.Schema | None = None, personal: frozenset[str] = frozenset()
) -> Fields:
    return fields_of("Account", ACCOUNT, [*STANDARD, *more], existing, personal)


def _custom(name: str, type_: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, "label": name, **more}


@pytest.mark.parametrize("table", READ, ids=lambda table: table.path[-1])
def test_a_declared_column_is_named_after_its_field(table: Any) -> None:
    aliased = {c.name: c.source for c in table.columns if c.source != c.name}
    assert {snake_case(source) for source in aliased.values()} == set(aliased)
    assert {c.name for c in table.columns} - set(aliased) == {"vanished_at", "returned_at"}


@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("Score__c", "score__c"),
        ("Health_Score__c", "health_score__c"),
        ("ERP_ID__c", "erp_id__c"),
        ("npsp__LastGift__c", "npsp__last_gift__c"),
        ("Headquarters__Latitude__s", "headquarters__latitude__s"),
        ("SLAExpirationDate__c", "sla_expiration_date__c"),
    ],
)
def test_a_custom_field_becomes_a_column(field: str, column: str) -> None:
    assert snake_case(field) == column


TYPES = {
    "string": pa.string(),
    "textarea": pa.string(),
    "picklist": pa.string(),
    "multipicklist": pa.string(),
    "reference": pa.string(),
    "url": pa.string(),
    "time": pa.string(),
    "anything new": pa.string(),
    "boolean": pa.bool_(),
    "int": pa.int64(),
    "double": pa.float64(),
    "currency": pa.float64(),
    "percent": pa.float64(),
    "date": pa.date32(),
    "datetime": TIMESTAMP,
}


@pytest.mark.parametrize("type_", TYPES)
def test_a_custom_field_has_the_type_of_its_describe(type_: str) -> None:
    fields = _fields(_custom("New__c", type_))
    assert fields.table.schema.field("new__c").type == TYPES[type_]
    assert fields.table.schema.names[: len(ACCOUNT.columns)] == ACCOUNT.schema.names


@pytest.mark.parametrize("type_", ["email", "phone", "encryptedstring"])
def test_what_says_of_a_person_is_marked(type_: str) -> None:
    assert set(_fields(_custom("New__c", type_)).table.personal) == {"new__c"}
    assert set(_fields(_custom("New__c", "string")).table.personal) == set()


def test_what_the_settings_call_personal_is_marked_whatever_its_type() -> None:
    described = [_custom("Nickname__c", "string"), _custom("Age__c", "double")]
    fields = _fields(*described, personal=frozenset({"Nickname__c", "Age__c"}))
    assert set(fields.table.personal) == {"nickname__c", "age__c"}
    assert fields.invisible == _fields(*described).invisible


def test_what_the_settings_call_personal_and_is_invisible_is_reported() -> None:
    assert "Nikname__c" in _fields(personal=frozenset({"Nikname__c"})).invisible


@pytest.mark.parametrize("type_", ["address", "location", "base64", "complexvalue"])
def test_what_no_bulk_query_returns_is_skipped_and_reported(type_: str) -> None:
    fields = _fields(_custom("New__c", type_))
    assert list(fields.skipped) == ["New__c"]
    assert "New__c" not in fields.names


def test_a_declared_field_that_is_not_described_is_invisible_and_null() -> None:
    fields = _fields()
    assert "Industry" in fields.invisible
    assert "Name" not in fields.invisible
    assert "industry" in fields.table.schema.names
    user_role = fields_of("UserRole", OBJECTS["UserRole"], [], None)
    assert not {"IsDeleted", "CreatedDate"} & set(user_role.invisible)


def test_names_that_would_be_one_column_have_one_each_whichever_came_first() -> None:
    first, second = _custom("MyField__c", "string"), _custom("My_Field__c", "double")
    for fields in (_fields(first, second), _fields(second, first)):
        columns = {first.source: first.column for first in fields.read}
        assert columns["MyField__c"] == "myfield__c__as_spelled"
        assert columns["My_Field__c"] == "my_field__c__as_spelled"


def test_a_column_that_nothing_is_read_into_any_more_is_reported() -> None:
    existing = pa.schema([*ACCOUNT.schema, pa.field("gone__c", pa.string())])
    assert _fields(existing=existing).dropped == ("gone__c",)
    assert _fields(_custom("Gone__c", "string"), existing=existing).dropped == ()


@pytest.mark.parametrize(
    ("existing_kind", "type_", "column", "is_reported"),
    [
        ("number", "int", "score__c", True),
        ("number", "string", "score__c__text", True),
        ("number", "datetime", "score__c__time", True),
        ("integer", "double", "score__c__number", True),
        ("date", "datetime", "score__c__time", True),
        ("text", "double", "score__c", True),
        ("text", "boolean", "score__c", True),
        ("text", "picklist", "score__c", False),
        ("number", "currency", "score__c", False),
    ],
)
def test_a_type_that_changes_is_reported_and_no_value_is_bent(
    existing_kind: Any, type_: str, column: str, is_reported: bool
) -> None:
    existing = pa.schema([*ACCOUNT.schema, pa.field("score__c", ARROW[existing_kind])])
    fields = _fields(_custom("Score__c", type_), existing=existing)
    (read_field,) = [read_field for read_field in fields.read if read_field.source == "Score__c"]
    assert read_field.column == column
    if column == "score__c":
        assert read_field.kind == existing_kind
    assert kind_of(fields.table.schema.field(column).type) == read_field.kind
    assert bool(fields.retyped) == is_reported


def test_a_declared_field_of_another_type_has_a_column_beside_it() -> None:
    fields = _fields(_custom("AnnualRevenue", "string"))
    assert [
        read_field.column for read_field in fields.read if read_field.source == "AnnualRevenue"
    ] == ["annual_revenue__text"]
    assert fields.table.schema.field("annual_revenue").type == pa.decimal128(26, 6)
    assert "AnnualRevenue" in fields.retyped


def test_the_columns_of_formulas_are_named() -> None:
    existing = pa.schema([*ACCOUNT.schema, pa.field("sum__c", pa.string())])
    formula = _custom("Sum__c", "double", calculated=True)
    assert _fields(formula).calculated == ("sum__c",)
    assert _fields(formula, existing=existing).calculated == ("sum__c",)
    assert _fields({**formula, "type": "location"}).calculated == ()


# digits


@pytest.mark.parametrize(
    ("precision", "scale", "kind"),
    [
        (18, 0, pa.decimal128(18, 0)),
        (18, 2, pa.decimal128(18, 2)),
        (18, 15, pa.decimal128(18, 15)),
        (2, 2, pa.decimal128(2, 2)),
        # No organisation says so; each number has its place.
        (30, 2, NUMBER),
        (18, 19, NUMBER),
        (0, 0, pa.float64()),
    ],
)
@pytest.mark.parametrize("type_", ["double", "currency", "percent"])
def test_a_number_has_the_digits_of_its_describe(
    type_: str, precision: int, scale: int, kind: pa.DataType
) -> None:
    fields = _fields(_custom("New__c", type_, precision=precision, scale=scale))
    assert fields.table.schema.field("new__c").type == kind


def test_a_declared_number_has_the_digits_of_its_describe() -> None:
    fields = _fields(_custom("AnnualRevenue", "currency", precision=18, scale=0))
    assert fields.table.schema.field("annual_revenue").type == pa.decimal128(18, 0)
    assert fields.table.schema.names == ACCOUNT.schema.names
    (column,) = (c for c in fields.table.columns if c.name == "annual_revenue")
    (declared,) = (c for c in ACCOUNT.columns if c.name == "annual_revenue")
    assert (column.source, column.description) == ("AnnualRevenue", declared.description)


@pytest.mark.parametrize(
    ("existing_type", "kind"),
    [
        (pa.float64(), pa.decimal128(18, 2)),
        (pa.decimal128(18, 4), pa.decimal128(20, 4)),
        (pa.decimal128(10, 0), pa.decimal128(18, 2)),
        (NUMBER, NUMBER),
    ],
)
def test_a_column_that_has_other_digits_holds_those_of_both(
    existing_type: pa.DataType, kind: pa.DataType
) -> None:
    existing = pa.schema([*ACCOUNT.schema, pa.field("new__c", existing_type)])
    fields = _fields(_custom("New__c", "currency", precision=18, scale=2), existing=existing)
    assert fields.table.schema.field("new__c").type == kind


def test_a_personal_number_stays_marked() -> None:
    field = _custom("Age__c", "double", precision=3, scale=0)
    fields = _fields(field, personal=frozenset({"Age__c"}))
    assert set(fields.table.personal) == {"age__c"}
    assert fields.as_read.schema.field("age__c").type == NUMBER
    assert set(fields.as_read.personal) == {"age__c"}
