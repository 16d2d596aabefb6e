"""Two writers of a table, and rows that fail while they are written."""

import json
import threading
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from novade_pipeline.errors import TransientFailure
from novade_pipeline.lake.delta import (
    append_once,
    create,
    replace,
    replace_window,
)
from novade_pipeline.lake.maintenance import compact
from novade_pipeline.lake.read import read
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.lake.delta_tables import (
    PLAYS,
    USERS,
    log_of,
    plays,
    songs_in,
    users,
    window_of,
)


class _Race:
    """Rows that are not made before another writer has committed."""

    def __init__(self, other: Callable[[], object], rows: pa.Table) -> None:
        self.other = other
        self.rows = rows

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        done = threading.Thread(target=self.other)
        done.start()
        done.join()
        yield from self.rows.to_batches()

    def reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self.rows.schema, iter(self))


def test_two_writers_of_the_same_window_leave_one_of_them_to_try_again(lake: Store) -> None:
    replace_window(lake, PLAYS, plays((0, "old")), [window_of(0, 1)])
    race = _Race(
        lambda: replace_window(lake, PLAYS, plays((0, "fast")), [window_of(0, 1)]),
        plays((0, "slow")),
    )
    with pytest.raises(TransientFailure, match="another writer changed the same rows"):
        replace_window(lake, PLAYS, race.reader(), [window_of(0, 1)])
    assert songs_in(lake) == ["fast"]


def test_a_replay_that_another_process_was_faster_with_is_not_appended(lake: Store) -> None:
    def append() -> object:
        return append_once(lake, USERS, users(("a", 1, None, False)), app_id="s", version=1)

    append_again = _Race(append, users(("a", 1, None, False))).reader()
    with pytest.raises(TransientFailure, match="another writer"):
        append_once(lake, USERS, append_again, app_id="s", version=1)
    assert append() is None
    assert len(read(lake, USERS)) == 1


def test_two_writers_of_different_days_both_commit_and_tell_of_their_own(lake: Store) -> None:
    replace_window(lake, PLAYS, plays((0, "a"), (24, "b")), [window_of(0, 48)])
    receipts = []
    race = _Race(
        lambda: receipts.append(
            replace_window(lake, PLAYS, plays((24, "b1"), (25, "b2")), [window_of(24, 48)])
        ),
        plays((0, "a1")),
    )
    receipts.append(replace_window(lake, PLAYS, race.reader(), [window_of(0, 24)]))
    assert songs_in(lake) == ["a1", "b1", "b2"]
    for receipt, rows in zip(receipts, (2, 1), strict=True):
        added = [a["add"] for a in log_of(lake, PLAYS, receipt.table_version) if "add" in a]
        assert receipt.rows == rows
        assert sum(json.loads(a["stats"])["numRecords"] for a in added) == rows


def test_two_first_loads_of_a_window_leave_one_of_them_to_try_again(lake: Store) -> None:
    replace_window(lake, PLAYS, plays((5, "there")), [window_of(5, 6)])
    race = _Race(
        lambda: replace_window(lake, PLAYS, plays((0, "fast")), [window_of(0, 1)]),
        plays((0, "slow")),
    )
    with pytest.raises(TransientFailure, match="another writer changed the same rows"):
        replace_window(lake, PLAYS, race.reader(), [window_of(0, 1)])
    assert songs_in(lake) == ["fast", "there"]


def test_a_window_is_written_beside_rows_that_came_around_it(lake: Store) -> None:
    race = _Race(
        lambda: replace_window(lake, PLAYS, plays((0, "a"), (9, "b")), [window_of(0, 10)]),
        plays((4, "new")),
    )
    replace_window(lake, PLAYS, race.reader(), [window_of(3, 5)])
    assert songs_in(lake) == ["a", "b", "new"]


def test_a_window_is_written_beside_a_compaction_of_other_files(lake: Store) -> None:
    for hour in range(24, 28):
        replace_window(lake, PLAYS, plays((hour, f"{hour}")), [window_of(hour, hour + 1)])
    race = _Race(lambda: compact(lake, PLAYS), plays((0, "new")))
    replace_window(lake, PLAYS, race.reader(), [window_of(0, 1)])
    assert songs_in(lake) == ["24", "25", "26", "27", "new"]


def test_a_replacement_beside_a_replacement_is_made_again(lake: Store) -> None:
    race = _Race(
        lambda: replace(lake, USERS, users(("fast", 1, None, False))),
        users(("slow", 1, None, False)),
    )
    with pytest.raises(TransientFailure):
        replace(lake, USERS, race.reader())
    assert read(lake, USERS)["id"].to_pylist() == ["fast"]


def test_an_append_stands_beside_whatever_came_first(lake: Store) -> None:
    append_once(lake, USERS, users(("a", 1, None, False)), app_id="one", version=1)
    race = _Race(
        lambda: replace(lake, USERS, users(("b", 1, None, False), ("c", 1, None, False))),
        users(("d", 1, None, False)),
    )
    append_once(lake, USERS, race.reader(), app_id="other", version=1)
    assert sorted(read(lake, USERS)["id"].to_pylist()) == ["b", "c", "d"]


def test_two_replays_at_once_are_appended_once(lake: Store) -> None:
    rows = users(("a", 1, None, False))
    create(lake, USERS)
    race = _Race(lambda: append_once(lake, USERS, rows, app_id="stream", version=1), rows)
    with pytest.raises(TransientFailure):
        append_once(lake, USERS, race.reader(), app_id="stream", version=1)
    assert len(read(lake, USERS)) == 1


def test_what_the_rows_raise_is_what_the_write_raises(lake: Store) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from plays((0, "a")).to_batches()
        raise KeyError("the source")

    rows = pa.RecordBatchReader.from_batches(PLAYS.schema, broken())
    with pytest.raises(KeyError, match="the source"):
        replace_window(lake, PLAYS, rows, [window_of(0, 1)])
    assert songs_in(lake) == []
