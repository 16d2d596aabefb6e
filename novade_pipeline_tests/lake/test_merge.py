"""Upserts by key: what stands afterwards, what is recorded, and what is refused."""

import tempfile
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake import keyed_files
from novade_pipeline.lake import merge as merging
from novade_pipeline.lake.delta import create, current_version, transaction_version
from novade_pipeline.lake.maintenance import compact
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.lake.keyed_tables import (
    USERS,
    User,
    joined_by_delta_rs,
    users,
)


def test_a_merge_puts_in_what_is_new_and_updates_what_is_newer(lake: Store) -> None:
    merge(lake, USERS, users(("a", 1, "Ann", False), ("b", 1, "Bob", False)))
    receipt = merge(lake, USERS, users(("a", 2, "Anna", False), ("c", 1, "Cy", False)))
    found = read(lake, USERS).sort_by("id").to_pylist()
    assert [(r["id"], r["name"]) for r in found] == [("a", "Anna"), ("b", "Bob"), ("c", "Cy")]
    assert receipt.rows == 2


def test_an_older_version_changes_nothing_and_is_counted(lake: Store) -> None:
    merge(lake, USERS, users(("a", 5, "Anna", False)))
    receipt = merge(lake, USERS, users(("a", 4, "Ann", False), ("b", 1, "Bob", False)))
    assert read(lake, USERS).sort_by("id")["name"].to_pylist() == ["Anna", "Bob"]
    assert (receipt.rows, receipt.passed_over) == (1, 1)
    again = merge(lake, USERS, users(("a", 5, "Anna", False)))
    assert (again.rows, again.passed_over) == (0, 0)


def test_the_same_merge_twice_changes_nothing(lake: Store) -> None:
    rows = users(("a", 1, "Ann", False), ("b", 1, None, True))
    merge(lake, USERS, rows)
    before = read(lake, USERS).sort_by("id")
    receipt = merge(lake, USERS, rows)
    assert read(lake, USERS).sort_by("id") == before
    assert (receipt.rows, receipt.files) == (0, 0)


def test_of_several_versions_in_one_merge_the_newest_stands(lake: Store) -> None:
    merge(lake, USERS, users(("a", 2, "2", False), ("a", 3, "3", False), ("a", 1, "1", False)))
    assert read(lake, USERS)["name"].to_pylist() == ["3"]


def test_a_tie_in_one_merge_leaves_one_row(lake: Store) -> None:
    merge(lake, USERS, users(("a", 1, "x", False), ("a", 1, "y", False)))
    assert read(lake, USERS)["id"].to_pylist() == ["a"]


def test_a_deletion_keeps_the_row(lake: Store) -> None:
    merge(lake, USERS, users(("a", 1, "Ann", False)))
    merge(lake, USERS, users(("a", 2, None, True)))
    assert read(lake, USERS).to_pylist() == [
        {"id": "a", "changed": 2, "name": None, "is_deleted": True}
    ]


def test_a_tie_replaces_the_row_there_where_the_caller_says_that_it_differs(lake: Store) -> None:
    merge(lake, USERS, users(("a", 2, "Ann", False), ("b", 2, "Bob", True)))
    merge(lake, USERS, users(("a", 2, "Anna", False)))
    assert merge(lake, USERS, users(("a", 1, "Old", False)), replace_equal=True).rows == 0
    changed = users(("a", 2, "Anna", False), ("b", 1, "Back", False))
    assert merge(lake, USERS, changed, replace_equal=True).rows == 2
    rows = read(lake, USERS).sort_by("id").to_pylist()
    assert [(row["name"], row["is_deleted"]) for row in rows] == [("Anna", False), ("Back", False)]


class Reading(BaseModel):
    """Something as it was read."""

    id: str = Field(description="Names it.")
    read_at: datetime = Field(description="When.")
    state: str = Field(description="How it was.")


READINGS = Table("shop/readings", Reading, ("id",), "merge", version="read_at")


@pytest.mark.parametrize(
    ("ahead", "ties", "state"),
    [
        (timedelta(hours=1), True, "before"),
        (timedelta(days=400), True, "after"),
        (timedelta(days=400), False, "before"),
    ],
)
def test_a_version_that_is_a_time_to_come_rules_nothing_for_callers_that_have_looked(
    lake: Store, ahead: timedelta, ties: bool, state: str
) -> None:
    now = datetime.now(UTC)
    for at, what in ((now + ahead, "before"), (now, "after")):
        rows = [{"id": "a", "read_at": at, "state": what}]
        receipt = merge(
            lake, READINGS, pa.Table.from_pylist(rows, READINGS.schema), replace_equal=ties
        )
    assert read(lake, READINGS)["state"].to_pylist() == [state]
    assert receipt.passed_over == (state == "before")


def test_a_merge_of_nothing_changes_nothing(lake: Store) -> None:
    merge(lake, USERS, users(("a", 1, "Ann", False)))
    assert merge(lake, USERS, users()).rows == 0
    assert len(read(lake, USERS)) == 1


def test_a_merge_refuses_what_is_not_the_tables(lake: Store) -> None:
    with pytest.raises(PermanentFailure, match="column changed is int64, found string"):
        merge(lake, USERS, users(("a", 1, None, False)).set_column(1, "changed", pa.array(["x"])))


def test_transactions_are_recorded_with_the_rows(lake: Store) -> None:
    merge(lake, USERS, users(("a", 1, "Ann", False)), transactions={"crm": 7, "sweep": 1})
    merge(lake, USERS, users(("b", 1, "Bob", False)), transactions={"crm": 8})
    assert transaction_version(lake, USERS, "crm") == 8
    assert transaction_version(lake, USERS, "sweep") == 1


def test_transactions_are_recorded_where_no_row_changes(lake: Store) -> None:
    rows = users(("a", 1, "Ann", False))
    merge(lake, USERS, rows, transactions={"crm": 7})
    receipt = merge(lake, USERS, rows, transactions={"crm": 8})
    assert (receipt.rows, receipt.files, receipt.bytes) == (0, 0, 0)
    assert receipt.table_version == current_version(lake, USERS)
    assert transaction_version(lake, USERS, "crm") == 8
    merge(lake, USERS, users(), transactions={"crm": 9})
    assert transaction_version(lake, USERS, "crm") == 9
    assert len(read(lake, USERS)) == 1


@pytest.mark.parametrize("known", [7, 6])
def test_transactions_that_the_table_has_make_no_commit(known: int, lake: Store) -> None:
    merge(lake, USERS, users(("a", 1, "Ann", False)), transactions={"crm": 7})
    before = current_version(lake, USERS)
    receipt = merge(lake, USERS, users(), transactions={"crm": known})
    assert (receipt.rows, receipt.table_version) == (0, before)
    assert current_version(lake, USERS) == before
    assert transaction_version(lake, USERS, "crm") == 7


def test_a_stream_is_merged_like_a_table(lake: Store) -> None:
    pages = [
        users(("a", 1, "Ann", False), ("b", 1, "Bob", False)),
        users(("a", 3, "Anna", False)),
        users(("a", 2, "Anne", False), ("c", 1, "Cy", True)),
    ]
    batches = (batch for page in pages for batch in page.to_batches())
    receipt = merge(lake, USERS, pa.RecordBatchReader.from_batches(USERS.schema, batches))
    found = read(lake, USERS).sort_by("id").to_pylist()
    assert [(row["id"], row["name"]) for row in found] == [("a", "Anna"), ("b", "Bob"), ("c", "Cy")]
    assert receipt.rows == 3


class Grown(User):
    """A user, with a column that came later."""

    mood: str | None = Field(None, description="How it is.")


GROWN = Table(name="shop/users", row=Grown, key=("id",), write_mode="merge", version="changed")
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
                joined_by_delta_rs(lake)
                continue
            rows, ties, table, streamed = told
            named = [{name: row[name] for name in table.schema.names} for row in rows]
            arrow = pa.Table.from_pylist(named, table.schema)
            source = arrow
            if streamed:
                batches = arrow.to_batches(max_chunksize=2)
                source = pa.RecordBatchReader.from_batches(table.schema, batches)
            merge(lake, table, source, replace_equal=ties)
            _expected(model, rows, ties, table)
        found = read(lake, GROWN).to_pylist()
    assert sorted(found, key=lambda row: row["id"]) == [model[key] for key in sorted(model)]
