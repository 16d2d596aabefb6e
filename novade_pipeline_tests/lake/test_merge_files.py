"""Which files a merge writes, and what upkeep makes of them."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pytest
from pydantic import BaseModel

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake import keyed_compaction
from novade_pipeline.lake.changes import has_changed
from novade_pipeline.lake.delta import create, current_version
from novade_pipeline.lake.maintenance import compact
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.query import connect, scan
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.lake.keyed_tables import (
    USERS,
    before_the_commit,
    files_of,
    numbered,
    standing,
)
from novade_pipeline_tests.places import on_disk


@pytest.mark.usefixtures("small")
def test_a_changed_row_costs_the_file_that_it_stands_in(lake: Store) -> None:
    merge(lake, USERS, numbered(range(30)))
    before = files_of(lake)
    receipt = merge(lake, USERS, numbered([7], changed=2))
    after = files_of(lake)
    assert (receipt.rows, receipt.files) == (1, 1)
    assert [before[path] for path in before.keys() - after.keys()] == [(3, "0006", "0008")]
    assert [after[path] for path in after.keys() - before.keys()] == [(3, "0006", "0008")]


@pytest.mark.usefixtures("small")
@on_disk
def test_keys_that_the_table_does_not_have_rewrite_nothing(lake: Store) -> None:
    merge(lake, USERS, numbered(range(0, 30, 2)))
    before = files_of(lake)
    receipt = merge(lake, USERS, numbered(range(1, 31, 2)))
    assert receipt.rows == 15
    assert before.items() <= files_of(lake).items()


@pytest.mark.usefixtures("small")
@on_disk
def test_a_stream_of_many_slices_is_one_commit_and_its_newest_rows_stand(lake: Store) -> None:
    pages = [numbered(range(20)), numbered(range(5, 25), 3), numbered(range(10, 30), 2)]
    batches = [batch for page in pages for batch in page.to_batches()]
    create(lake, USERS)
    receipt = merge(lake, USERS, pa.RecordBatchReader.from_batches(USERS.schema, batches))
    assert receipt.table_version == current_version(lake, USERS) == 1
    assert standing(lake) == [
        (f"{n:04}", 3 if 5 <= n < 25 else 2 if n >= 25 else 1) for n in range(30)
    ]


@on_disk
def test_a_key_without_a_value_is_refused(lake: Store) -> None:
    class Loose(BaseModel):
        """A user whose name may be missing."""

        id: str | None
        changed: int

    loose = Table("shop/loose", Loose, ("id",), "merge", version="changed")
    rows = pa.table({"id": ["a", None], "changed": [1, 1]}, schema=loose.schema)
    with pytest.raises(PermanentFailure, match="expected a value in every id"):
        merge(lake, loose, rows)


def test_other_readers_find_the_same_rows(lake: Store) -> None:
    merge(lake, USERS, numbered(range(30)))
    merge(lake, USERS, numbered([7], 2))
    with closing(connect(lake=lake)) as connection:
        found = connection.sql(f"FROM {scan(lake, USERS)}").to_arrow_table()
    assert sorted(zip(*found.select(["id", "changed"]).to_pydict().values(), strict=True)) == (
        standing(lake)
    )


@on_disk
def test_a_key_of_several_columns_is_one_key(lake: Store) -> None:
    class Message(BaseModel):
        """A message."""

        talk: int
        at: datetime
        text: str | None

    messages = Table("shop/messages", Message, ("talk", "at"), "merge", version="at")
    moment = datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)
    told = [(1, moment), (2, moment), (1, moment + timedelta(microseconds=1))]
    rows = [{"talk": talk, "at": at, "text": "a"} for talk, at in told]
    assert merge(lake, messages, pa.Table.from_pylist(rows, messages.schema)).rows == 3
    again = pa.Table.from_pylist([row | {"text": "b"} for row in rows[1:]], messages.schema)
    assert merge(lake, messages, again).rows == 0
    assert merge(lake, messages, again, replace_equal=True).rows == 2
    found = read(lake, messages).to_pylist()
    assert sorted(((r["talk"], r["at"]), r["text"]) for r in found) == sorted(
        zip(told, "abb", strict=True)
    )


@pytest.mark.usefixtures("small")
def test_upkeep_puts_the_files_in_the_order_of_the_key(lake: Store) -> None:
    for start in (2, 0, 1):
        merge(lake, USERS, numbered(range(start, 30, 3), changed=start + 1))
    before, version = standing(lake), current_version(lake, USERS)
    assert version is not None
    done = compact(lake, USERS)
    assert done is not None
    assert standing(lake) == before
    assert not has_changed(lake, USERS, version, done.table_version)
    ranges = sorted((low, high) for _, low, high in files_of(lake).values())
    assert all(high < low for (_, high), (low, _) in pairwise(ranges))
    assert {rows for rows, _, _ in files_of(lake).values()} == {3}
    again = compact(lake, USERS)
    assert again is not None
    assert again.table_version == done.table_version


@pytest.mark.usefixtures("small")
@on_disk
def test_upkeep_leaves_alone_what_is_in_order(lake: Store) -> None:
    merge(lake, USERS, numbered(range(30)))
    before = files_of(lake)
    for n in (30, 31, 32):
        merge(lake, USERS, numbered([n]))
    compact(lake, USERS)
    after = files_of(lake)
    # The last of the old files takes in the small ones that follow it.
    assert [before[path] for path in before.keys() - after.keys()] == [(3, "0027", "0029")]
    assert (3, "0030", "0032") in after.values()


@pytest.mark.usefixtures("small")
@on_disk
def test_upkeep_of_more_rows_than_memory_holds_goes_range_by_range(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyed_compaction, "SLICE_ROWS", 7)
    for start in (2, 0, 1):
        merge(lake, USERS, numbered(range(start, 30, 3)))
    compact(lake, USERS)
    ranges = sorted((low, high) for _, low, high in files_of(lake).values())
    assert all(high < low for (_, high), (low, _) in pairwise(ranges))
    assert standing(lake) == [(f"{n:04}", 1) for n in range(30)]


@pytest.mark.usefixtures("small")
@on_disk
def test_upkeep_gives_way_to_a_merge_of_the_same_files(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        merge(lake, USERS, numbered([n]))
    before_the_commit(monkeypatch, lambda: merge(lake, USERS, numbered([1], 2)))
    done = compact(lake, USERS)
    assert done is not None
    assert done.gave_way == 1
    assert standing(lake) == [("0000", 1), ("0001", 2), ("0002", 1)]
