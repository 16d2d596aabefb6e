"""Each digit that the organisation has is in the lake, whichever way it is read."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from novade_pipeline.defs.salesforce.fields import NUMBER
from novade_pipeline.defs.salesforce.tables import ACCOUNT
from novade_pipeline.lake.delta import open_table
from novade_pipeline.sandbox.salesforce.fields import Field
from novade_pipeline_tests.defs.salesforce.same_state import differences
from novade_pipeline_tests.places import clear

World = Any
D = Decimal
LONG = D("123456789012345678")
BOTH = pytest.mark.parametrize("bulk_from_rows", [0, 10_000], ids=["bulk", "rest"])


def _types(world: World) -> dict[str, pa.DataType]:
    delta_table = open_table(world.lake, ACCOUNT)
    assert delta_table is not None
    return {field.name: field.type for field in pa.schema(delta_table.schema().to_arrow())}


def _give_digits(world: World, precision: int, scale: int, *numbers: Decimal | None) -> list[str]:
    """Accounts with a new field of so many digits; the ids of those that hold the numbers."""
    world.org.add_field("Account", Field("Exact__c", "double", precision=precision, scale=scale))
    return [
        world.org.insert("Account", {"Name": "Exact", "Exact__c": number}) for number in numbers
    ]


def _exact(world: World, ids: list[str]) -> list[Any]:
    return [world.rows("Account")[account]["exact__c"] for account in ids]


@BOTH
@pytest.mark.parametrize(
    ("precision", "scale", "number"),
    [
        (18, 0, LONG),
        (18, 0, -LONG),
        (18, 2, D("1234567890123456.78")),
        (18, 15, D("123.456789012345678")),
        (3, 1, D("-99.9")),
        (18, 2, D("10000000")),
        (18, 2, None),
    ],
)
def test_a_number_of_a_describes_digits_comes_back_to_the_digit(
    world: World, bulk_from_rows: int, precision: int, scale: int, number: Decimal | None
) -> None:
    ids = _give_digits(world, precision, scale, number)
    world.load("Account", bulk_from_rows=bulk_from_rows)
    assert _exact(world, ids) == [number]
    assert _types(world)["exact__c"] == pa.decimal128(precision, scale)
    version = world.version("Account")
    world.load("Account", bulk_from_rows=bulk_from_rows, overlap_seconds=10**9)
    assert world.version("Account") == version


@BOTH
def test_a_number_with_more_digits_than_its_describe_says_keeps_them(
    world: World, bulk_from_rows: int
) -> None:
    third = D("0.3333333333333333")
    ids = _give_digits(world, 18, 2, D("0.25"))
    world.load("Account", bulk_from_rows=bulk_from_rows)
    assert _types(world)["exact__c"] == pa.decimal128(18, 2)
    ids.append(world.org.insert("Account", {"Name": "Third", "Exact__c": third}))
    world.load("Account", bulk_from_rows=bulk_from_rows)
    assert _exact(world, ids) == [D("0.25"), third]
    assert _types(world)["exact__c"] == NUMBER
    assert differences(world, "Account") == []


def test_a_formula_with_more_digits_is_taken_in_by_a_sweep(world: World) -> None:
    world.org.add_field("Account", Field("Score__c", "double", calculated=True))
    world.load("Account")
    world.org.recalculate("Account", "Score__c", lambda row: D("0.6666666666666666"))
    assert world.load("Account", sweep_hours=0).swept.recalculated == 12
    assert {row["score__c"] for row in world.rows("Account").values()} == {D("0.6666666666666666")}


def test_a_field_that_gets_more_digits_keeps_those_of_what_is_gone(world: World) -> None:
    (gone,) = _give_digits(world, 18, 0, LONG)
    world.load("Account")
    world.org.purge("Account", gone)
    world.org.drop_field("Account", "Exact__c")
    (new,) = _give_digits(world, 18, 4, D("0.0001"))
    world.load("Account", sweep_hours=0)
    assert _types(world)["exact__c"] == pa.decimal128(22, 4)
    assert _exact(world, [gone, new]) == [LONG, D("0.0001")]


# lakes of doubles


def _as_doubles(world: World) -> None:
    """Leave the table as the version before this one made it, its numbers being doubles."""
    delta_table = open_table(world.lake, ACCOUNT)
    assert delta_table is not None
    rows = delta_table.to_pyarrow_table()
    for place, field in enumerate(rows.schema):
        if pa.types.is_decimal(field.type):
            rows = rows.set_column(place, field.name, rows[field.name].cast(pa.float64()))
    clear(world.lake, *ACCOUNT.path)
    url, options = world.lake.table_url(*ACCOUNT.path), world.lake.options()
    write_deltalake(url, rows, storage_options=options)


@BOTH
def test_a_lake_of_doubles_becomes_exact_by_itself(world: World, bulk_from_rows: int) -> None:
    ids = _give_digits(world, 18, 0, LONG, D(7))
    world.load("Account")
    _as_doubles(world)
    assert _exact(world, ids) != [LONG, D(7)]
    loaded = world.load("Account", bulk_from_rows=bulk_from_rows)
    assert loaded.is_full
    assert not any(pa.types.is_floating(kind) for kind in _types(world).values())
    assert _exact(world, ids) == [LONG, D(7)]
    assert differences(world, "Account") == []
    version = world.version("Account")
    assert not world.load("Account", bulk_from_rows=bulk_from_rows).is_full
    assert world.version("Account") == version


def test_what_is_gone_keeps_the_digits_that_its_double_had(world: World) -> None:
    ids = _give_digits(world, 18, 2, D("0.1"), D("12.345"))
    world.load("Account")
    _as_doubles(world)
    for account in ids:
        world.org.purge("Account", account)
    world.load("Account", sweep_hours=0)
    assert _exact(world, ids) == [D("0.1"), D("12.345")]


def test_a_lake_of_doubles_whose_field_holds_whole_numbers_now_loses_no_digit(
    world: World,
) -> None:
    half, whole = _give_digits(world, 18, 1, D("12.5"), D(3))
    world.load("Account")
    _as_doubles(world)
    world.org.purge("Account", half)
    world.org.change_type("Account", "Exact__c", "int")
    world.load("Account", sweep_hours=0)
    assert _exact(world, [half, whole]) == [D("12.5"), D(3)]
