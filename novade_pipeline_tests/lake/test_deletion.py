"""Rows that go by their keys, and that nothing of them is left in older versions or the log."""

from dataclasses import replace as replaced
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pydantic import BaseModel, create_model

from novade_pipeline.lake import data_files
from novade_pipeline.lake import stream as streaming
from novade_pipeline.lake.changes import changed_partitions, has_changed
from novade_pipeline.lake.data_files import DataFile
from novade_pipeline.lake.deletion import (
    amend,
    has_erasures,
    purge_history,
    rewrite,
    storage_clock,
)
from novade_pipeline.lake.delta import (
    WriteReceipt,
    current_version,
    open_table,
    replace,
    transaction_version,
)
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.local import LocalStore
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.byte_search import files_with
from novade_pipeline_tests.lake.upkeep_tables import opened
from novade_pipeline_tests.places import on_disk

ADA = "ada@example.com"


class Row(BaseModel):
    """A row."""

    part: str
    id: int
    email: str
    note: str | None = None


class Wider(Row):
    """A row with a column that was added later."""

    count: int | None = None


TABLE = Table("x/rows", Row, key=("id",), write_mode="replace", partition_by=("part",))
WIDER = Table("x/rows", Wider, key=("id",), write_mode="replace", partition_by=("part",))


def rows(*values: tuple[str, int, str]) -> pa.Table:
    named = [dict(zip(("part", "id", "email"), one, strict=True)) for one in values]
    return pa.Table.from_pylist(named, schema=TABLE.schema)


def delete(lake: Store, *ids: int, table: Table = TABLE) -> WriteReceipt | None:
    """Take rows away, as an erasure does."""

    def without(file: DataFile, at: int, rows: pa.Table) -> pa.Table:
        goes = pc.is_in(rows["id"], value_set=pa.array(ids, pa.int64()))
        return rows.filter(pc.invert(goes)) if pc.any(goes).as_py() else rows

    return rewrite(lake, table, without)


def write(lake: Store) -> None:
    others = [(part, n, f"{n}@example.com") for n, part in enumerate(("a b", "c", "c"), 2)]
    replace(lake, TABLE, rows(("a b", 1, ADA), *others), transactions={"source": 7})


def ids(lake: Store) -> list[int]:
    found: list[int] = read(lake, TABLE)["id"].to_pylist()
    return sorted(found)


def test_rows_go_in_one_commit_that_names_no_value(lake: Store) -> None:
    write(lake)
    receipt = delete(lake, 1, 99)
    assert receipt is not None
    assert (receipt.rows, receipt.files, receipt.table_version) == (1, 1, 2)
    assert ids(lake) == [2, 3, 4]
    entry = lake.read(*TABLE.path, "_delta_log", f"{2:020}.json")
    assert ADA.encode() not in entry
    assert changed_partitions(lake, TABLE, 1, 2) == {"a b"}


def test_nothing_of_a_deleted_row_is_left_after_the_past_is_forgotten(lake: Store) -> None:
    write(lake)
    assert files_with(lake, ADA) != []
    begun = storage_clock(lake, Table("x/clock", Row, key=("id",), write_mode="replace"))
    amended = pa.table({"id": [2], "part": ["a b"], "note": ["changed in the same file"]})
    amend(lake, TABLE, amended)
    delete(lake, 1)
    assert has_erasures(lake, TABLE)
    before = read(lake, TABLE).sort_by("id")
    receipt = purge_history(lake, TABLE, begun)
    assert receipt is not None
    assert receipt.files >= 4
    assert files_with(lake, ADA) == []
    assert read(lake, TABLE).sort_by("id") == before
    assert not has_erasures(lake, TABLE)


def test_derived_tables_know_after_it_what_they_had_taken_in(lake: Store) -> None:
    write(lake)
    delete(lake, 1)
    version = current_version(lake, TABLE)
    assert version is not None
    purge_history(lake, TABLE, datetime.now(UTC) + timedelta(minutes=1))
    assert transaction_version(lake, TABLE, "source") == 7
    newest = current_version(lake, TABLE)
    assert newest is not None
    assert not has_changed(lake, TABLE, version, newest)
    assert len(open_table(lake, TABLE).history()) == 1  # type: ignore[union-attr]
    write(lake)
    assert ids(lake) == [1, 2, 3, 4]


@on_disk
def test_what_a_killed_writer_left_goes_and_what_a_load_writes_now_stays(lake: Store) -> None:
    assert isinstance(lake, LocalStore)
    write(lake)
    left = ("part-00000-dead.parquet", "part-00000-dead.parquet#1", "_delta_log/_commit_x.json.tmp")
    for name in left:
        lake.write(ADA.encode(), *TABLE.path, name)
    begun = storage_clock(lake, Table("x/clock", Row, key=("id",), write_mode="replace"))
    lake.write(b"now", *TABLE.path, "part-00000-now.parquet")
    lake.write(b"not ours", *TABLE.path, "notes.txt")
    delete(lake, 1)
    purge_history(lake, TABLE, begun)
    there = {entry.file.removeprefix("x/rows/") for entry in lake.entries("x/rows/")}
    assert there.isdisjoint(left)
    assert {"part-00000-now.parquet", "notes.txt"} <= there


def test_values_are_amended_in_columns_that_the_lake_may_not_have_yet(lake: Store) -> None:
    write(lake)
    amended: dict[str, Any] = {"id": [3, 4], "part": ["c", "c"], "count": [30, 40]}
    receipt = amend(lake, WIDER, pa.table(amended))
    assert receipt is not None
    assert receipt.files == 1
    found = read(lake, WIDER).sort_by("id")
    assert found["count"].to_pylist() == [None, None, 30, 40]
    assert found["email"].to_pylist()[2] == "3@example.com"


@on_disk
def test_only_files_whose_rows_change_are_written_anew(lake: Store) -> None:
    write(lake)
    before = set(opened(lake, TABLE).file_uris())
    receipt = delete(lake, 1)
    after = set(opened(lake, TABLE).file_uris())
    assert receipt is not None
    assert (len(before - after), len(after - before), receipt.files) == (1, 1, 1)


@on_disk
def test_a_file_that_loses_all_its_rows_goes(lake: Store) -> None:
    write(lake)
    receipt = delete(lake, 1, 2)
    assert receipt is not None
    assert (receipt.rows, receipt.files, ids(lake)) == (2, 0, [3, 4])


@on_disk
def test_what_changes_nothing_makes_no_commit(lake: Store) -> None:
    write(lake)
    receipt = delete(lake, 99)
    assert receipt is not None
    assert (receipt.rows, receipt.table_version, current_version(lake, TABLE)) == (0, 1, 1)
    assert not has_erasures(lake, TABLE)


@on_disk
def test_rows_keep_their_order_and_are_changed_row_group_by_row_group(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "ROW_GROUP_ROWS", 10)
    monkeypatch.setattr(streaming, "ROW_GROUP_ROWS", 10)
    replace(lake, TABLE, rows(*(("c", n, f"{n}@example.com") for n in range(95))))
    places: list[tuple[int, int]] = []

    def without(file: DataFile, at: int, rows: pa.Table) -> pa.Table:
        places.append((at, len(rows)))
        gone = pc.equal(rows["id"], 37)
        return rows.filter(pc.invert(gone)) if pc.any(gone).as_py() else rows

    rewrite(lake, TABLE, without)
    assert set(places) == {(at, min(10, 95 - at)) for at in range(0, 95, 10)}
    assert read(lake, TABLE)["id"].to_pylist() == [n for n in range(95) if n != 37]


@on_disk
def test_columns_and_types_stay_those_of_the_lake_whatever_the_code_declares(lake: Store) -> None:
    columns: dict[str, Any] = {"part": str, "id": int, "email": str}
    changed: dict[str, Any] = {"note": (float | None, None), "more": (int | None, None)}
    exact = create_model("Exact", __doc__="Its note is a number now.", **columns, **changed)
    write(lake)
    delete(lake, 1, table=replaced(TABLE, row=exact))
    stored = pa.schema(opened(lake, TABLE).schema().to_arrow())
    assert stored.names == TABLE.schema.names
    assert (stored.field("note").type, ids(lake)) == (pa.string(), [2, 3, 4])


@on_disk
def test_a_table_that_is_not_there_has_nothing_to_delete(lake: Store) -> None:
    assert delete(lake, 1) is None
    assert purge_history(lake, TABLE, datetime.now(UTC)) is None
    assert not has_erasures(lake, TABLE)
