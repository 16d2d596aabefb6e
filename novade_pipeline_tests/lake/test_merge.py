"""Upserts by key: what stands afterwards, what is recorded, and what is refused."""

import pyarrow as pa
import pytest
from pydantic import BaseModel, Field

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.delta import current_version, transaction_version
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.storage import Store
from novade_pipeline_tests.places import NewStore


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
