"""Upserts by key: what stands afterwards, what is recorded, and what is refused."""

import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeAlias

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.lake import keyed_compaction, keyed_files
from novade_pipeline.lake import merge as merging
from novade_pipeline.lake.changes import has_changed
from novade_pipeline.lake.delta import create, current_version, open_table, transaction_version
from novade_pipeline.lake.keyed_files import Draft
from novade_pipeline.lake.maintenance import compact
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.query import connect, scan
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.storage import Store, store
from novade_pipeline_tests.places import NewStore, on_disk


class User(BaseModel):
    """A user."""

    id: str = Field(description="Names the user.")
    changed: int = Field(description="When it last changed.")
    name: str | None = Field(None, description="What it is called.")
    is_deleted: bool = Field(False, description="It is gone.")


USERS = Table(name="shop/users", row=User, key=("id",), written="merge", version="changed")


@pytest.fixture
def lake(new_store: NewStore) -> Store:
    """An empty lake."""
    return new_store("lake")


def _users(*rows: tuple[str, int, str | None, bool]) -> pa.Table:
    names = ("id", "changed", "name", "is_deleted")
    return pa.Table.from_pylist([dict(zip(names, r, strict=True)) for r in rows], USERS.schema)


def test_a_merge_puts_in_what_is_new_and_updates_what_is_newer(lake: Store) -> None:
    merge(lake, USERS, _users(("a", 1, "Ann", False), ("b", 1, "Bob", False)))
    receipt = merge(lake, USERS, _users(("a", 2, "Anna", False), ("c", 1, "Cy", False)))
    found = read(lake, USERS).sort_by("id").to_pylist()
    assert [(r["id"], r["name"]) for r in found] == [("a", "Anna"), ("b", "Bob"), ("c", "Cy")]
    assert receipt.rows == 2


def test_an_older_version_changes_nothing(lake: Store) -> None:
    merge(lake, USERS, _users(("a", 5, "Anna", False)))
    receipt = merge(lake, USERS, _users(("a", 4, "Ann", False)))
    assert read(lake, USERS)["name"].to_pylist() == ["Anna"]
    assert receipt.rows == 0


def test_the_same_merge_twice_changes_nothing(lake: Store) -> None:
    rows = _users(("a", 1, "Ann", False), ("b", 1, None, True))
    merge(lake, USERS, rows)
    before = read(lake, USERS).sort_by("id")
    receipt = merge(lake, USERS, rows)
    assert read(lake, USERS).sort_by("id") == before
    assert (receipt.rows, receipt.files) == (0, 0)


def test_of_several_versions_in_one_merge_the_newest_stands(lake: Store) -> None:
    merge(lake, USERS, _users(("a", 2, "2", False), ("a", 3, "3", False), ("a", 1, "1", False)))
    assert read(lake, USERS)["name"].to_pylist() == ["3"]


def test_a_tie_in_one_merge_leaves_one_row(lake: Store) -> None:
    merge(lake, USERS, _users(("a", 1, "x", False), ("a", 1, "y", False)))
    assert read(lake, USERS)["id"].to_pylist() == ["a"]


def test_a_deletion_keeps_the_row(lake: Store) -> None:
    merge(lake, USERS, _users(("a", 1, "Ann", False)))
    merge(lake, USERS, _users(("a", 2, None, True)))
    assert read(lake, USERS).to_pylist() == [
        {"id": "a", "changed": 2, "name": None, "is_deleted": True}
    ]


def test_a_tie_replaces_the_row_there_where_the_caller_says_that_it_differs(lake: Store) -> None:
    merge(lake, USERS, _users(("a", 2, "Ann", False), ("b", 2, "Bob", True)))
    merge(lake, USERS, _users(("a", 2, "Anna", False)))
    assert merge(lake, USERS, _users(("a", 1, "Old", False)), ties=True).rows == 0
    changed = _users(("a", 2, "Anna", False), ("b", 1, "Back", False))
    assert merge(lake, USERS, changed, ties=True).rows == 2
    rows = read(lake, USERS).sort_by("id").to_pylist()
    assert [(row["name"], row["is_deleted"]) for row in rows] == [("Anna", False), ("Back", False)]


def test_a_merge_of_nothing_changes_nothing(lake: Store) -> None:
    merge(lake, USERS, _users(("a", 1, "Ann", False)))
    assert merge(lake, USERS, _users()).rows == 0
    assert len(read(lake, USERS)) == 1


def test_a_merge_refuses_what_is_not_the_tables(lake: Store) -> None:
    with pytest.raises(PermanentFailure, match="column changed is int64, found string"):
        merge(lake, USERS, _users(("a", 1, None, False)).set_column(1, "changed", pa.array(["x"])))


def test_transactions_are_recorded_with_the_rows(lake: Store) -> None:
    merge(lake, USERS, _users(("a", 1, "Ann", False)), transactions={"crm": 7, "sweep": 1})
    merge(lake, USERS, _users(("b", 1, "Bob", False)), transactions={"crm": 8})
    assert transaction_version(lake, USERS, "crm") == 8
    assert transaction_version(lake, USERS, "sweep") == 1


def test_transactions_are_recorded_where_no_row_changes(lake: Store) -> None:
    rows = _users(("a", 1, "Ann", False))
    merge(lake, USERS, rows, transactions={"crm": 7})
    receipt = merge(lake, USERS, rows, transactions={"crm": 8})
    assert (receipt.rows, receipt.files, receipt.bytes) == (0, 0, 0)
    assert receipt.table_version == current_version(lake, USERS)
    assert transaction_version(lake, USERS, "crm") == 8
    merge(lake, USERS, _users(), transactions={"crm": 9})
    assert transaction_version(lake, USERS, "crm") == 9
    assert len(read(lake, USERS)) == 1


@pytest.mark.parametrize("known", [7, 6])
def test_transactions_that_the_table_has_make_no_commit(known: int, lake: Store) -> None:
    merge(lake, USERS, _users(("a", 1, "Ann", False)), transactions={"crm": 7})
    before = current_version(lake, USERS)
    receipt = merge(lake, USERS, _users(), transactions={"crm": known})
    assert (receipt.rows, receipt.table_version) == (0, before)
    assert current_version(lake, USERS) == before
    assert transaction_version(lake, USERS, "crm") == 7


def test_a_stream_is_merged_like_a_table(lake: Store) -> None:
    pages = [
        _users(("a", 1, "Ann", False), ("b", 1, "Bob", False)),
        _users(("a", 3, "Anna", False)),
        _users(("a", 2, "Anne", False), ("c", 1, "Cy", True)),
    ]
    batches = (batch for page in pages for batch in page.to_batches())
    receipt = merge(lake, USERS, pa.RecordBatchReader.from_batches(USERS.schema, batches))
    found = read(lake, USERS).sort_by("id").to_pylist()
    assert [(row["id"], row["name"]) for row in found] == [("a", "Anna"), ("b", "Bob"), ("c", "Cy")]
    assert receipt.rows == 3


# files


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of three rows and slices of six, so that few rows have many of either."""
    monkeypatch.setattr(keyed_files, "LEAST_ROWS", 3)
    monkeypatch.setattr(merging, "SLICE_ROWS", 6)


def _numbered(numbers: Iterable[int], changed: int = 1) -> pa.Table:
    return _users(*((f"{n:04}", changed, f"name {changed}", False) for n in numbers))


def _files(lake: Store) -> dict[str, tuple[int, str, str]]:
    """Path -> rows, least and greatest key."""
    found = open_table(lake, USERS)
    assert found is not None
    files = pa.table(found.get_add_actions(flatten=True)).to_pylist()
    return {f["path"]: (f["num_records"], f["min.id"], f["max.id"]) for f in files}


def _standing(lake: Store) -> list[tuple[str, int]]:
    return sorted((row["id"], row["changed"]) for row in read(lake, USERS).to_pylist())


@pytest.mark.usefixtures("small")
def test_a_changed_row_costs_the_file_that_it_stands_in(lake: Store) -> None:
    merge(lake, USERS, _numbered(range(30)))
    before = _files(lake)
    receipt = merge(lake, USERS, _numbered([7], changed=2))
    after = _files(lake)
    assert (receipt.rows, receipt.files) == (1, 1)
    assert [before[path] for path in before.keys() - after.keys()] == [(3, "0006", "0008")]
    assert [after[path] for path in after.keys() - before.keys()] == [(3, "0006", "0008")]


@pytest.mark.usefixtures("small")
@on_disk
def test_keys_that_the_table_does_not_have_rewrite_nothing(lake: Store) -> None:
    merge(lake, USERS, _numbered(range(0, 30, 2)))
    before = _files(lake)
    receipt = merge(lake, USERS, _numbered(range(1, 31, 2)))
    assert receipt.rows == 15
    assert before.items() <= _files(lake).items()


@pytest.mark.usefixtures("small")
@on_disk
def test_a_stream_of_many_slices_is_one_commit_and_its_newest_rows_stand(lake: Store) -> None:
    pages = [_numbered(range(20)), _numbered(range(5, 25), 3), _numbered(range(10, 30), 2)]
    batches = [batch for page in pages for batch in page.to_batches()]
    create(lake, USERS)
    receipt = merge(lake, USERS, pa.RecordBatchReader.from_batches(USERS.schema, batches))
    assert receipt.table_version == current_version(lake, USERS) == 1
    assert _standing(lake) == [
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
    merge(lake, USERS, _numbered(range(30)))
    merge(lake, USERS, _numbered([7], 2))
    with closing(connect(lake=lake)) as connection:
        found = connection.sql(f"FROM {scan(lake, USERS)}").to_arrow_table()
    assert sorted(zip(*found.select(["id", "changed"]).to_pydict().values(), strict=True)) == (
        _standing(lake)
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
    assert merge(lake, messages, again, ties=True).rows == 2
    found = read(lake, messages).to_pylist()
    assert sorted(((r["talk"], r["at"]), r["text"]) for r in found) == sorted(
        zip(told, "abb", strict=True)
    )


# other writers


def _before_the_commit(monkeypatch: pytest.MonkeyPatch, other: Callable[[], object]) -> None:
    """Do something once, when the next merge has all its files and is about to commit."""
    commit, waiting = Draft.commit, [other]

    def late(self: Draft, *args: Any, **options: Any) -> int:
        while waiting:
            waiting.pop()()
        return commit(self, *args, **options)

    monkeypatch.setattr(Draft, "commit", late)


def _joined_by_delta_rs(lake: Store) -> None:
    found = open_table(lake, USERS)
    assert found is not None
    found.optimize.compact()


OTHERS: dict[str, Callable[[Store], object]] = {
    "the same new row": lambda s: merge(s, USERS, _numbered([40], 5)),
    "the same row there": lambda s: merge(s, USERS, _numbered([7], 5)),
    "a row beside it": lambda s: merge(s, USERS, _numbered([8], 5)),
    "delta-rs joins the files": _joined_by_delta_rs,
}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("other", OTHERS)
def test_rows_in_memory_are_merged_again_where_another_writer_was_faster(
    other: str, lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge(lake, USERS, _numbered(range(12)))
    _before_the_commit(monkeypatch, lambda: OTHERS[other](lake))
    merge(lake, USERS, _numbered([7, 40], 3), transactions={"crm": 1})
    newer = {"the same new row": 40, "the same row there": 7, "a row beside it": 8}.get(other)
    wanted = {**dict.fromkeys(range(12), 1), 7: 3, 40: 3} | ({newer: 5} if newer else {})
    assert _standing(lake) == [(f"{n:04}", changed) for n, changed in sorted(wanted.items())]
    assert transaction_version(lake, USERS, "crm") == 1


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("other", OTHERS)
@on_disk
def test_a_stream_that_lost_a_race_is_told_to_its_source(
    other: str, lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge(lake, USERS, _numbered(range(12)))
    _before_the_commit(monkeypatch, lambda: OTHERS[other](lake))
    rows = _numbered([7, 40], 3)
    with pytest.raises(TransientFailure, match="another writer changed the same rows"):
        merge(lake, USERS, pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches()))
    assert ("0007", 3) not in _standing(lake)


@on_disk
def test_transactions_that_moved_meanwhile_are_a_lost_race(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge(lake, USERS, _numbered(range(3)), transactions={"crm": 1})
    _before_the_commit(
        monkeypatch, lambda: merge(lake, USERS, _numbered([8]), transactions={"crm": 3})
    )
    with pytest.raises(TransientFailure, match="another writer"):
        merge(lake, USERS, _numbered([9]), transactions={"crm": 2})
    assert transaction_version(lake, USERS, "crm") == 3


@pytest.mark.usefixtures("small")
@on_disk
def test_upkeep_of_other_files_does_not_disturb_a_stream(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        merge(lake, USERS, _numbered([n]))
    merge(lake, USERS, _numbered(range(10, 16)))
    _before_the_commit(monkeypatch, lambda: compact(lake, USERS))
    rows = _numbered([12], 2)
    merge(lake, USERS, pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches()))
    assert dict(_standing(lake)) == {
        f"{n:04}": 2 if n == 12 else 1 for n in (0, 1, 2, *range(10, 16))
    }


def test_merges_side_by_side_lose_no_row_and_double_none(lake: Store) -> None:
    def writer(which: int) -> None:
        for step in range(3):
            rows = _numbered([which, which + 2, 9], changed=2 * step + which)
            for left in reversed(range(20)):
                try:
                    merge(lake, USERS, rows)
                    break
                except TransientFailure:
                    assert left

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(writer, range(2)))
    assert _standing(lake) == [("0000", 4), ("0001", 5), ("0002", 4), ("0003", 5), ("0009", 5)]


# upkeep


@pytest.mark.usefixtures("small")
def test_upkeep_puts_the_files_in_the_order_of_the_key(lake: Store) -> None:
    for start in (2, 0, 1):
        merge(lake, USERS, _numbered(range(start, 30, 3), changed=start + 1))
    before, version = _standing(lake), current_version(lake, USERS)
    assert version is not None
    done = compact(lake, USERS)
    assert done is not None
    assert _standing(lake) == before
    assert not has_changed(lake, USERS, version, done.table_version)
    ranges = sorted((low, high) for _, low, high in _files(lake).values())
    assert all(high < low for (_, high), (low, _) in pairwise(ranges))
    assert {rows for rows, _, _ in _files(lake).values()} == {3}
    again = compact(lake, USERS)
    assert again is not None
    assert again.table_version == done.table_version


@pytest.mark.usefixtures("small")
@on_disk
def test_upkeep_leaves_alone_what_is_in_order(lake: Store) -> None:
    merge(lake, USERS, _numbered(range(30)))
    before = _files(lake)
    for n in (30, 31, 32):
        merge(lake, USERS, _numbered([n]))
    compact(lake, USERS)
    after = _files(lake)
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
        merge(lake, USERS, _numbered(range(start, 30, 3)))
    compact(lake, USERS)
    ranges = sorted((low, high) for _, low, high in _files(lake).values())
    assert all(high < low for (_, high), (low, _) in pairwise(ranges))
    assert _standing(lake) == [(f"{n:04}", 1) for n in range(30)]


@pytest.mark.usefixtures("small")
@on_disk
def test_upkeep_gives_way_to_a_merge_of_the_same_files(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        merge(lake, USERS, _numbered([n]))
    _before_the_commit(monkeypatch, lambda: merge(lake, USERS, _numbered([1], 2)))
    done = compact(lake, USERS)
    assert done is not None
    assert done.gave_way == 1
    assert _standing(lake) == [("0000", 1), ("0001", 2), ("0002", 1)]


# any sequence


class Grown(User):
    """A user, with a column that came later."""

    mood: str | None = Field(None, description="How it is.")


GROWN = Table(name="shop/users", row=Grown, key=("id",), written="merge", version="changed")
Row: TypeAlias = dict[str, Any]
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.sampled_from("abcdefghij"),
            "changed": st.integers(1, 4),
            "name": st.sampled_from(["Ann", "Bob", None]),
            "is_deleted": st.booleans(),
            "mood": st.sampled_from(["good", None]),
        }
    ),
    max_size=12,
)
MERGES = st.tuples(
    st.just("merge"), ROWS, st.booleans(), st.sampled_from([USERS, GROWN]), st.booleans()
)
STEPS = st.lists(st.one_of(MERGES, st.just(("upkeep",)), st.just(("delta-rs",))), max_size=6)


def _expected(model: dict[str, Row], rows: list[Row], ties: bool, table: Table) -> None:
    """What a dictionary has after the merge."""
    newest: dict[str, Row] = {}
    for row in rows:
        known = newest.get(row["id"])
        if known is None or (row["changed"], ties) > (known["changed"], False):
            newest[row["id"]] = row
    for key, row in newest.items():
        old = model.get(key)
        told = {name: row[name] for name in table.schema.names}
        if old is None:
            model[key] = {"mood": None} | told
        elif row["changed"] > old["changed"] or (
            ties and (row["changed"] == old["changed"] or old["is_deleted"])
        ):
            model[key] = old | told


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_any_sequence_of_merges_is_what_a_dictionary_has(steps: list[tuple[Any, ...]]) -> None:
    model: dict[str, Row] = {}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyed_files, "LEAST_ROWS", 2)
        patch.setattr(merging, "SLICE_ROWS", 3)
        lake = store(folder)
        create(lake, USERS)
        for kind, *told in steps:
            if kind == "upkeep":
                compact(lake, USERS)
                continue
            if kind == "delta-rs":
                _joined_by_delta_rs(lake)
                continue
            rows, ties, table, streamed = told
            named = [{name: row[name] for name in table.schema.names} for row in rows]
            arrow = pa.Table.from_pylist(named, table.schema)
            source = arrow
            if streamed:
                batches = arrow.to_batches(max_chunksize=2)
                source = pa.RecordBatchReader.from_batches(table.schema, batches)
            merge(lake, table, source, ties=ties)
            _expected(model, rows, ties, table)
        found = read(lake, GROWN).to_pylist()
    assert sorted(found, key=lambda row: row["id"]) == [model[key] for key in sorted(model)]
