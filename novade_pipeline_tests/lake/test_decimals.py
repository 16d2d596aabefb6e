"""Decimals in the lake: each digit comes back, and tables that hold doubles become exact."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, get_args

import pyarrow as pa
import pytest
from pydantic import BaseModel, Field, create_model

from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.graph.table_assets import check_columns
from novade_pipeline.lake.decimals import rounded, to_decimals, widened
from novade_pipeline.lake.delta import (
    append_once,
    create,
    current_version,
    open_table,
    replace,
    transaction_version,
)
from novade_pipeline.lake.draft import Draft
from novade_pipeline.lake.keyed_compaction import compact_by_key
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.query import connect, scan, sql_type
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Digits, Table, WriteMode
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.lake.keyed_tables import before_the_commit
from novade_pipeline_tests.places import on_disk

D = Decimal
LONG = D("1234567890123456.78")


def _sales(amount: Any, *, write_mode: WriteMode = "merge", **more: Any) -> Table:
    """A table of sales whose amounts are of a type."""
    row: type[BaseModel] = create_model(
        "Sale",
        __doc__="A sale.",
        id=(str, Field(description="Its id.")),
        changed=(int, Field(description="When it changed.")),
        amount=(amount | None, Field(None, description="How much.")),
        **more,
    )
    version = "changed" if write_mode == "merge" else None
    return Table(name="shop/sales", row=row, key=("id",), write_mode=write_mode, version=version)


def _decimal(precision: int, scale: int) -> Any:
    return Annotated[Decimal, Digits(precision, scale)]


DOUBLES, CENTS, PLAIN = _sales(float), _sales(_decimal(18, 2)), _sales(_decimal(26, 6))


def _rows(table: Table, *amounts: Any, changed: int = 1) -> pa.Table:
    told = [{"id": str(n), "changed": changed, "amount": a} for n, a in enumerate(amounts)]
    return pa.Table.from_pylist(told, schema=table.schema)


def _amounts(lake: Store, table: Table) -> list[Any]:
    rows = read(lake, table).sort_by("id").to_pylist()
    return [row["amount"] for row in rows]


def _type(lake: Store) -> pa.DataType:
    found = open_table(lake, DOUBLES)
    assert found is not None
    kind: pa.DataType = pa.schema(found.schema().to_arrow()).field("amount").type
    return kind


def test_a_decimal_is_written_and_read_to_its_last_digit(lake: Store) -> None:
    merge(lake, CENTS, _rows(CENTS, LONG, None, D("-0.01")))
    assert _amounts(lake, CENTS) == [LONG, None, D("-0.01")]
    with connect(lake=lake) as connection:
        told = connection.execute(f"select sum(amount) from {scan(lake, CENTS)}").fetchone()
    assert told == (LONG - D("0.01"),)
    assert sql_type(CENTS.schema.field("amount").type) == "DECIMAL(18,2)"


@pytest.mark.parametrize("key", [D("0.10"), D("-7"), D("12345678901234567890123456789012.345678")])
def test_rows_are_found_by_decimals(lake: Store, key: Decimal) -> None:
    row = create_model(
        "Price",
        __doc__="A price.",
        price=(_decimal(38, 6), Field(description="The price.")),
        changed=(int, Field(description="When it changed.")),
    )
    table = Table(
        name="shop/prices", row=row, key=("price",), write_mode="merge", version="changed"
    )
    for changed in (1, 2):
        told = [{"price": key, "changed": changed}]
        merge(lake, table, pa.Table.from_pylist(told, schema=table.schema))
    assert read(lake, table).to_pylist() == [{"price": key, "changed": 2}]
    found = open_table(lake, table)
    assert found is not None
    (file,) = pa.table(found.get_add_actions(flatten=True)).to_pylist()
    assert file["min.price"] == file["max.price"] == key


def test_a_decimal_says_its_digits() -> None:
    with pytest.raises(TypeError, match="says its Digits"):
        _ = _sales(Decimal).columns
    inner = get_args(_decimal(4, 1))
    annotated: Any = Annotated[inner[0], inner[1]]
    sales = _sales(list[annotated])
    assert sales.schema.field("amount").type == pa.list_(pa.decimal128(4, 1))


# doubles that become decimals


def test_a_table_of_doubles_becomes_exact_with_the_next_merge(lake: Store) -> None:
    merge(lake, DOUBLES, _rows(DOUBLES, 0.1, 1e15, None, -2.675), transactions={"app": 7})
    merge(lake, CENTS, _rows(CENTS, LONG, changed=2))
    assert _type(lake) == pa.decimal128(18, 2)
    # A double is the number that it was written as, rounded half up.
    assert _amounts(lake, CENTS) == [LONG, D("1000000000000000"), None, D("-2.68")]
    assert transaction_version(lake, CENTS, "app") == 7


def test_a_table_of_doubles_that_is_replaced_holds_the_new_rows_only(lake: Store) -> None:
    old, new = _sales(float, write_mode="replace"), _sales(_decimal(18, 2), write_mode="replace")
    # What could not become a decimal is not asked to.
    replace(lake, old, _rows(old, float("nan"), 1e30))
    version = current_version(lake, old)
    replace(lake, new, _rows(new, LONG))
    assert (_amounts(lake, new), _type(lake)) == ([LONG], pa.decimal128(18, 2))
    assert current_version(lake, new) == (version or 0) + 1


def test_an_empty_replacement_changes_the_type_as_well(lake: Store) -> None:
    old, new = _sales(float, write_mode="replace"), _sales(_decimal(18, 2), write_mode="replace")
    create(lake, old)
    replace(lake, new, _rows(new))
    assert (_amounts(lake, new), _type(lake)) == ([], pa.decimal128(18, 2))


def test_a_table_of_doubles_that_is_appended_to_becomes_exact(lake: Store) -> None:
    old, new = (
        _sales(float, write_mode="append_once"),
        _sales(_decimal(18, 2), write_mode="append_once"),
    )
    append_once(lake, old, _rows(old, 0.1), app_id="a", version=1)
    append_once(lake, new, _rows(new, LONG), app_id="a", version=2)
    assert sorted(read(lake, new)["amount"].to_pylist()) == [D("0.10"), LONG]


def test_an_older_version_is_read_as_it_was(lake: Store) -> None:
    merge(lake, DOUBLES, _rows(DOUBLES, 0.1))
    version = current_version(lake, DOUBLES)
    merge(lake, CENTS, _rows(CENTS, LONG, changed=2))
    assert read(lake, CENTS, version=version)["amount"].to_pylist() == [0.1]


def test_a_widening_takes_place_once(lake: Store) -> None:
    merge(lake, DOUBLES, _rows(DOUBLES, 0.1))
    merge(lake, CENTS, _rows(CENTS, D(2), changed=2))
    version = current_version(lake, CENTS)
    merge(lake, CENTS, _rows(CENTS, D(3), changed=3))
    assert current_version(lake, CENTS) == (version or 0) + 1


def test_what_no_decimal_can_hold_is_refused_with_its_column(lake: Store) -> None:
    merge(lake, DOUBLES, _rows(DOUBLES, 1e30))
    version = current_version(lake, DOUBLES)
    with pytest.raises(PermanentFailure, match=r"column amount .* at most 16 digits before the"):
        merge(lake, CENTS, _rows(CENTS, D(1), changed=2))
    assert (current_version(lake, DOUBLES), _amounts(lake, DOUBLES)) == (version, [1e30])


def test_columns_that_the_code_does_not_declare_stay(lake: Store) -> None:
    note = (str | None, Field(None, description="A note."))
    more, exact = _sales(float, note=note), _sales(_decimal(18, 2), note=note)
    told = {"id": "0", "changed": 1, "amount": 0.1, "note": "kept"}
    merge(lake, more, pa.Table.from_pylist([told], schema=more.schema))
    merge(lake, CENTS, _rows(CENTS, D(1), changed=2))
    assert read(lake, exact).to_pylist() == [{**told, "changed": 2, "amount": D(1)}]


# decimals of other digits


@pytest.mark.parametrize(
    ("held", "declared", "kind"),
    [
        ((18, 2), (18, 4), (20, 4)),
        ((18, 0), (10, 2), (20, 2)),
        ((18, 4), (12, 2), (18, 4)),
        ((26, 6), (18, 2), (26, 6)),
    ],
)
def test_a_column_of_decimals_holds_the_digits_of_both(
    lake: Store, held: tuple[int, int], declared: tuple[int, int], kind: tuple[int, int]
) -> None:
    before, now = _sales(_decimal(*held)), _sales(_decimal(*declared))
    merge(lake, before, _rows(before, D(7), D(8)))
    merge(lake, now, _rows(now, D(9), changed=2))
    assert _type(lake) == pa.decimal128(*kind)
    assert _amounts(lake, now) == [D(9), D(8)]


def test_more_digits_than_any_decimal_has_are_refused(lake: Store) -> None:
    before, now = _sales(_decimal(38, 0)), _sales(_decimal(38, 6))
    merge(lake, before, _rows(before, D(7)))
    with pytest.raises(PermanentFailure, match="Give the new type a new name"):
        merge(lake, now, _rows(now, D(9)))
    assert widened(pa.decimal128(38, 0), pa.decimal128(38, 6)) is None


@pytest.mark.parametrize("held", [DOUBLES, CENTS], ids=["doubles", "cents"])
def test_upkeep_and_reads_take_the_digits_that_the_lake_has(lake: Store, held: Table) -> None:
    amount = D("0.10") if held is CENTS else 0.1
    for changed in (1, 2):
        merge(lake, held, _rows(held, *[amount] * changed, changed=changed))
    found = open_table(lake, held)
    assert found is not None
    assert compact_by_key(lake, PLAIN, found)
    assert _amounts(lake, PLAIN) == [amount, amount]
    assert check_columns(lake, PLAIN).passed


def test_a_column_of_another_kind_is_still_refused(lake: Store) -> None:
    texts = _sales(str)
    merge(lake, texts, _rows(texts, "7"))
    assert not check_columns(lake, CENTS).passed
    with pytest.raises(PermanentFailure, match="column amount is string in the lake"):
        merge(lake, CENTS, _rows(CENTS, D(7)))


@on_disk
def test_a_writer_that_was_faster_is_heeded(lake: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    merge(lake, DOUBLES, _rows(DOUBLES, 0.1))
    told = [{"id": "other", "changed": 1, "amount": 5.0}]
    more = pa.Table.from_pylist(told, schema=DOUBLES.schema)
    before_the_commit(monkeypatch, lambda: merge(lake, DOUBLES, more))
    with pytest.raises(TransientFailure):
        merge(lake, CENTS, _rows(CENTS, LONG, changed=2))
    merge(lake, CENTS, _rows(CENTS, LONG, changed=2))
    assert _amounts(lake, CENTS) == [LONG, D(5)]


def test_a_draft_of_new_types_drops_every_file(lake: Store) -> None:
    merge(lake, DOUBLES, _rows(DOUBLES, 0.1))
    found = open_table(lake, DOUBLES)
    assert found is not None
    draft = Draft(lake, DOUBLES, found, {"amount": pa.decimal128(18, 2)})
    with pytest.raises(AssertionError):
        draft.commit()


# numbers as decimals


@pytest.mark.parametrize(
    ("numbers", "kind", "told"),
    [
        ([0.1, None, 1e17], (38, 18), ["0.1", None, "1e17"]),
        ([2.675, -2.675, 0.005], (18, 2), ["2.68", "-2.68", "0.01"]),
        ([1e-30, 123456.7890125], (18, 6), ["0", "123456.789013"]),
    ],
)
def test_a_double_is_the_shortest_number_that_it_stands_for(
    numbers: Iterable[float | None], kind: tuple[int, int], told: list[str | None]
) -> None:
    found = to_decimals(pa.array(numbers, pa.float64()), pa.decimal128(*kind)).to_pylist()
    assert found == [None if one is None else D(one) for one in told]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e16", "9999999999999999.995"])
def test_a_number_that_has_no_place_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="at most 16 digits before the point"):
        rounded(D(value), pa.decimal128(18, 2))
