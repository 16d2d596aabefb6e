"""Each mode brings the lake's table to the database's state, and changes nothing twice."""

from typing import Any

import pyarrow as pa
import pytest

from novade_pipeline.databases import load
from novade_pipeline.databases.tables import lake_table
from novade_pipeline.lake.delta import current_version
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.databases.world import World

MODES: dict[str, dict[str, Any]] = {
    "full": {},
    "changed": {"mode": "changed", "changed_by": "updated_at", "sweep_hours": 0},
    "changes": {"mode": "changes"},
}
CREATE = (
    "create table items (id int primary key, name text, price numeric(12, 4), "
    "updated_at timestamptz not null default clock_timestamp())"
)


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest, world: World) -> str:
    """A world with three items that are read by one of the modes."""
    world.execute(CREATE, "create publication novade for table items")
    world.execute(
        "insert into items select i, 'item ' || i, i + 0.1234 from generate_series(1,3) i"
    )
    world.declare("items", **MODES[request.param])
    return str(request.param)


def _same(world: World) -> bool:
    columns = ("id", "name", "price", "updated_at")
    in_database = world.rows("select id, name, price, updated_at from items order by id")
    in_lake = [tuple(row[name] for name in columns) for row in world.stored("items")]
    return in_database == in_lake


def test_inserts_updates_and_deletions_arrive(world: World, mode: str) -> None:
    assert world.load().read == 3
    assert _same(world)
    world.execute(
        "insert into items values (7, 'seven', 7)",
        "update items set price = 99.5, updated_at = clock_timestamp() where id = 2",
        "delete from items where id = 1",
    )
    world.load()
    assert _same(world)
    assert [row["name"] for row in world.stored("items", deleted=True)] == ["item 1"]


def test_a_deleted_row_comes_back(world: World, mode: str) -> None:
    world.load()
    world.execute("delete from items where id = 1")
    world.load()
    world.execute("insert into items values (1, 'again', 1)")
    world.load()
    assert _same(world)
    assert world.stored("items", deleted=True) == []


def test_a_second_load_changes_nothing(world: World, mode: str) -> None:
    world.load()
    table = lake_table("erp", world.declared.tables[0])
    # A sweep records its time.
    world.tables[0] |= {"sweep_hours": 24} if mode == "changed" else {}
    before = current_version(world.lake, table)
    assert sum(receipt.rows for receipt in world.load().receipts) == 0
    assert current_version(world.lake, table) == before


def test_a_changed_key_is_a_deletion_and_an_insert(world: World, mode: str) -> None:
    world.load()
    world.execute("update items set id = 10, updated_at = clock_timestamp() where id = 1")
    world.load()
    assert _same(world)


def test_incremental_loads_read_what_changed(world: World, mode: str) -> None:
    world.execute("insert into items select i, 'x', i from generate_series(10, 2000) i")
    world.load()
    world.execute("update items set name = 'y', updated_at = clock_timestamp() where id = 500")
    world.tables[0] |= {"sweep_hours": 24, "overlap_seconds": 0} if mode == "changed" else {}
    report = world.load()
    assert _same(world)
    assert report.read == (1994 if mode == "full" else pytest.approx(1, abs=1))
    assert (report.full is not None) == (mode == "full")


def test_rows_are_read_from_the_last_watermark_on(world: World) -> None:
    """What changed long before the newest row, and after the last load, is read without a sweep."""
    world.execute(CREATE)
    world.execute("insert into items select i, 'a', 1, '2026-01-01' from generate_series(1, 2) i")
    world.declare("items", mode="changed", changed_by="updated_at")
    world.load()
    world.execute(
        "update items set name = 'c', updated_at = '2026-01-02' where id = 1",
        "update items set name = 'd', updated_at = '2026-03-01' where id = 2",
    )
    assert world.load().swept is None
    assert _same(world)


def test_a_transaction_that_was_open_meanwhile_is_read_within_the_overlap(world: World) -> None:
    world.execute(CREATE, "insert into items values (1, 'a', 1, '2026-01-01 00:10')")
    world.declare("items", mode="changed", changed_by="updated_at", overlap_seconds=300)
    world.load()
    world.execute("insert into items values (2, 'late', 1, '2026-01-01 00:06')")
    report = world.load()
    assert (report.read, report.receipts[0].rows) == (2, 1)
    assert _same(world)


def test_of_two_loads_at_once_the_slower_one_reads_again(
    world: World, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the faster one has committed meanwhile is not overwritten by what was read before."""
    world.load()
    world.execute("update items set name = 'b', updated_at = clock_timestamp() where id = 1")
    merge, races = load.merge, [1, 1]

    def slow_merge(lake: Store, table: Table, rows: Any, **options: Any) -> Any:
        if races:
            races.pop()
            read_before = list(rows)
            world.execute(
                "update items set name = 'c' || name, updated_at = clock_timestamp() where id = 1"
            )
            monkeypatch.setattr(load, "merge", merge)
            world.load()
            monkeypatch.setattr(load, "merge", slow_merge)
            rows = pa.RecordBatchReader.from_batches(rows.schema, read_before)
        return merge(lake, table, rows, **options)

    monkeypatch.setattr(load, "merge", slow_merge)
    world.load()
    assert not races
    assert _same(world)
