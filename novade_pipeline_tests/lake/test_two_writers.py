"""Two processes that write one table at the same time."""

from collections import defaultdict

import pytest

from novade_pipeline.lake.delta import open_table, replace_window
from novade_pipeline.lake.maintenance import compact
from novade_pipeline.lake.read import read
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.backfill import PLAYS, ROWS, START, Backfill, run_concurrently

# In three files, unless they are joined.
OLD = [Backfill("old", first, first + 4) for first in (0, 4, 8)]

pytestmark = pytest.mark.parametrize("new_store", ["azurite"], indirect=True)


def _fill(lake: Store, *, in_one_file: bool) -> None:
    """Twelve hours of one day."""
    for part in OLD:
        replace_window(lake, PLAYS, part.rows(), [part.window])
    if in_one_file:
        compact(lake, PLAYS)
    table = open_table(lake, PLAYS)
    assert table is not None
    assert len(table.file_uris()) == (1 if in_one_file else len(OLD))


def _writers(lake: Store) -> dict[int, set[str]]:
    """Hour -> who wrote it; each has all its rows, once."""
    found, numbers = defaultdict(set), defaultdict(list)
    for row in read(lake, PLAYS).to_pylist():
        hour = int((row["hour"] - START).total_seconds()) // 3600
        found[hour].add(row["writer"])
        numbers[hour].append(row["number"])
    assert all(sorted(of_hour) == list(range(ROWS)) for of_hour in numbers.values())
    return dict(found)


def test_backfills_of_disjoint_windows_in_their_own_files_do_not_see_each_other(
    lake: Store,
) -> None:
    _fill(lake, in_one_file=False)
    failures = run_concurrently(lake, [Backfill("one", 0, 4), Backfill("other", 8, 12)])
    assert failures == [0, 0]
    assert _writers(lake) == {
        hour: {"one"} if hour < 4 else {"other"} if hour >= 8 else {"old"} for hour in range(12)
    }


def test_backfills_of_disjoint_windows_both_end_well_when_one_file_holds_both(lake: Store) -> None:
    _fill(lake, in_one_file=True)
    failures = run_concurrently(lake, [Backfill("one", 0, 4), Backfill("other", 8, 12)])
    # Both rewrite the file: the second of them runs again from what the first has left.
    assert sorted(failures) == [0, 1]
    assert _writers(lake) == {
        hour: {"one"} if hour < 4 else {"other"} if hour >= 8 else {"old"} for hour in range(12)
    }


@pytest.mark.parametrize("in_one_file", [False, True])
def test_where_windows_overlap_one_runs_again_and_the_table_is_no_mixture(
    in_one_file: bool, lake: Store
) -> None:
    _fill(lake, in_one_file=in_one_file)
    failures = run_concurrently(lake, [Backfill("one", 0, 8), Backfill("other", 4, 12)])
    assert sorted(failures) == [0, 1]
    last = "one" if failures[0] else "other"
    assert _writers(lake) == {
        hour: {"one"} if hour < 4 else {last} if hour < 8 else {"other"} for hour in range(12)
    }


def test_two_first_writers_of_a_table_make_it_once(lake: Store) -> None:
    run_concurrently(lake, [Backfill("one", 0, 4), Backfill("other", 8, 12)])
    assert _writers(lake) == {
        hour: {"one"} if hour < 4 else {"other"} for hour in (*range(4), *range(8, 12))
    }
