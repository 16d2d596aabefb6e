"""What a derived table has taken in of its sources."""

import pyarrow as pa
import pytest
from pydantic import BaseModel

from novade_pipeline.lake.delta import append_once, replace
from novade_pipeline.lake.derived import (
    UNFINISHED,
    is_current,
    recorded_versions,
    source_of,
    transactions_of_commit,
)
from novade_pipeline.lake.maintenance import compact
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store


class Row(BaseModel):
    """A row."""

    n: int


SOURCE = Table(name="some/source", row=Row, key=("n",), write_mode="replace")
DERIVED = Table(name="some/derived", row=Row, key=("n",), write_mode="replace")
ROWS = pa.table({"n": [1]})


def test_a_table_that_was_never_written_has_taken_in_nothing(lake: Store) -> None:
    assert recorded_versions(lake, DERIVED, {"a": 1, "b": 2}) == {"a": None, "b": None}
    assert not is_current(lake, DERIVED, {"a": 1})


def test_a_table_is_current_when_it_has_taken_in_exactly_these_versions(lake: Store) -> None:
    replace(lake, DERIVED, ROWS, transactions={"a": 1, "b": 2})
    assert is_current(lake, DERIVED, {"a": 1, "b": 2})
    assert is_current(lake, DERIVED, {"a": 1})
    assert not is_current(lake, DERIVED, {"a": 2, "b": 2})
    assert not is_current(lake, DERIVED, {"a": 1, "b": 2, "c": 0})


def test_an_older_version_than_was_taken_in_is_not_current(lake: Store) -> None:
    replace(lake, DERIVED, ROWS, transactions={"a": 5})
    assert not is_current(lake, DERIVED, {"a": 4})


def test_what_was_taken_in_stays_known_after_other_commits(lake: Store) -> None:
    replace(lake, DERIVED, ROWS, transactions={"a": 5})
    replace(lake, DERIVED, ROWS, transactions={"b": 1})
    assert recorded_versions(lake, DERIVED, {"a": 0, "b": 0}) == {"a": 5, "b": 1}


def test_a_source_that_is_not_there_has_the_version_before_the_first(lake: Store) -> None:
    assert source_of(lake, SOURCE) == (SOURCE.name, -1)
    receipt = replace(lake, SOURCE, ROWS)
    _, version = source_of(lake, SOURCE)
    assert version == receipt.table_version


def test_a_table_that_is_deleted_and_made_again_is_another_source(lake: Store) -> None:
    replace(lake, SOURCE, ROWS)
    sources = dict([source_of(lake, SOURCE)])
    replace(lake, DERIVED, ROWS, transactions=sources)
    assert is_current(lake, DERIVED, sources, [SOURCE])
    for entry in list(lake.entries("some/source/")):
        lake.delete(entry.file)
    replace(lake, SOURCE, pa.table({"n": [2]}))
    again = dict([source_of(lake, SOURCE)])
    assert list(again.values()) == list(sources.values())
    assert not is_current(lake, DERIVED, again, [SOURCE])


def test_upkeep_of_a_source_is_no_change_of_it(lake: Store) -> None:
    for number in range(3):
        append_once(lake, SOURCE, ROWS, app_id="a", version=number)
    replace(lake, DERIVED, ROWS, transactions=dict([source_of(lake, SOURCE)]))
    before = source_of(lake, SOURCE)
    compact(lake, SOURCE)
    now = source_of(lake, SOURCE)
    assert now[1] > before[1]
    assert is_current(lake, DERIVED, dict([now]), [SOURCE])


@pytest.mark.parametrize(
    ("number", "count", "anew_by", "recorded"),
    [
        (1, 1, "b", {"a": 1, "b": 2}),
        (1, 3, "b", {"b": UNFINISHED}),
        (2, 3, "b", None),
        (3, 3, "b", {"a": 1, "b": 2}),
        (1, 3, None, None),
    ],
)
def test_the_last_of_several_commits_says_that_all_is_taken_in(
    number: int, count: int, anew_by: str | None, recorded: dict[str, int] | None
) -> None:
    assert transactions_of_commit(number, count, {"a": 1, "b": 2}, anew_by) == recorded
