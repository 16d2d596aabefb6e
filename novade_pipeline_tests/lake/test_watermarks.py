"""A watermark stands in the commit that wrote its rows, and counts for its policy alone."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from pydantic import BaseModel, Field

from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.watermarks import Watermark, watermark
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.places import NewStore

KEEP = PersonalDataPolicy()
HASH, OTHER_HASH = (PersonalDataPolicy("hash", key) for key in (b"a", b"b"))


class Row(BaseModel):
    """A row."""

    id: int = Field(description="Names it.")
    at: datetime = Field(description="When it changed.")


TABLE = Table(name="source/rows", row=Row, key=("id",), write_mode="merge", version="at")


def _take_in(lake: Store, mark: Watermark, value: int, **row: Any) -> None:
    at = datetime(2026, 11, 1, 0, 0, value % 60, tzinfo=UTC)
    rows = pa.Table.from_pylist([{"id": 1, "at": at, **row}], TABLE.schema)
    merge(lake, TABLE, rows, transactions=replace(mark, value=value).transactions())


def test_it_begins_from_nothing_and_goes_on_from_the_last_commit(new_store: NewStore) -> None:
    lake = new_store("lake")
    mark = watermark(lake, TABLE, "api", KEEP)
    assert (mark.value, mark.is_whole, mark.generation) == (None, False, 1)
    _take_in(lake, mark, 7)
    assert watermark(lake, TABLE, "api", KEEP).value == 7
    _take_in(lake, mark, 9)
    assert watermark(lake, TABLE, "api", KEEP).value == 9
    assert watermark(lake, TABLE, "another api", KEEP).value is None


def test_it_is_recorded_where_no_row_changes(new_store: NewStore) -> None:
    lake = new_store("lake")
    mark = watermark(lake, TABLE, "api", KEEP)
    done = replace(mark, value=7, is_whole=True)
    assert mark.transactions() == {}
    merge(lake, TABLE, TABLE.schema.empty_table(), transactions=done.transactions())
    found = watermark(lake, TABLE, "api", KEEP)
    assert (found.value, found.is_whole) == (7, True)


@pytest.mark.parametrize("changes_rows", [True, False])
def test_another_policy_begins_from_nothing_and_so_does_one_that_comes_back(
    new_store: NewStore, changes_rows: bool
) -> None:
    lake = new_store("lake")
    for number, policy in enumerate((KEEP, HASH, OTHER_HASH, KEEP, HASH)):
        mark = watermark(lake, TABLE, "api", policy)
        assert mark.value is None
        # Each goes less far than the one before: its watermark is not taken for a newer one's.
        _take_in(lake, mark, 50 - number, id=number if changes_rows else 1)
        assert watermark(lake, TABLE, "api", policy).value == 50 - number


def test_a_whole_read_begins_from_nothing_under_the_same_policy(new_store: NewStore) -> None:
    lake = new_store("lake")
    _take_in(lake, watermark(lake, TABLE, "api", KEEP), 40)
    anew = watermark(lake, TABLE, "api", KEEP).restarted()
    assert anew.value is None
    _take_in(lake, anew, 5)
    assert watermark(lake, TABLE, "api", KEEP).value == 5
