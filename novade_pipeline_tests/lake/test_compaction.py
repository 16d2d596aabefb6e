"""Compaction changes no row and gives way to loads."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from novade_pipeline.errors import TransientFailure
from novade_pipeline.lake import maintenance
from novade_pipeline.lake.changes import changed_partitions, has_changed, unchanged_since
from novade_pipeline.lake.delta import current_version, open_table, replace, replace_window
from novade_pipeline.lake.derived import is_current
from novade_pipeline.lake.maintenance import MaintenanceReceipt, checkpoint, compact, vacuum
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.lake.upkeep_tables import (
    DERIVED,
    KEEP_DAYS,
    PLAYS,
    Landed,
    as_if_before,
    done_by,
    files_on_disk,
    folder_of,
    load_hours,
    opened,
    plays,
    songs_in,
    window_of,
)


@pytest.fixture
def lake(tmp_path: Path) -> Store:
    return store(str(tmp_path / "lake"))


def test_a_compaction_joins_the_files_of_a_day_and_changes_no_row(lake: Store) -> None:
    load_hours(lake, *range(5), 24, 25, 50)
    before, alone = songs_in(lake), {f for f in files_on_disk(lake) if "day=2026-03-03" in f}
    done = done_by(compact(lake, PLAYS))
    assert songs_in(lake) == before
    assert (done.files_before, done.files_after, done.gave_way) == (8, 3, 0)
    assert 0 < done.bytes_after < done.bytes_before
    assert done.table_version == current_version(lake, PLAYS)
    # A day of one file is as it was.
    (as_it_was,) = alone
    assert any(uri.endswith(as_it_was) for uri in opened(lake).file_uris())


def test_what_is_compact_already_is_left_alone(lake: Store) -> None:
    load_hours(lake, 0, 1)
    first = done_by(compact(lake, PLAYS))
    second = done_by(compact(lake, PLAYS))
    assert second.table_version == first.table_version
    assert second.files_before == second.files_after == 1


def test_a_large_file_waits_until_small_ones_gather_beside_it(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_hours(lake, 0, 1)
    version = current_version(lake, PLAYS)
    monkeypatch.setattr(maintenance, "SMALL_BYTES", 1)
    assert done_by(compact(lake, PLAYS)).table_version == version


@pytest.mark.parametrize(
    ("partition_by", "values"),
    [
        ((), [{}]),
        (("source",), [{"source": "a b/c:d%20é=x"}, {"source": None}, {"source": "it's"}]),
        (("source", "day"), [{"source": "a", "day": date(2026, 3, 1)}, {"source": "b"}]),
    ],
)
def test_partitions_of_every_kind_are_compacted(
    lake: Store, partition_by: tuple[str, ...], values: Sequence[dict[str, Any]]
) -> None:
    table = Table(
        name="shop/landed", row=Landed, key=("n",), write_mode="replace", partition_by=partition_by
    )
    for n in range(3):
        rows = pa.Table.from_pylist([{"n": n, **v} for v in values], schema=table.schema)
        there = n > 0
        write_deltalake(
            lake.path(*table.path),
            rows,
            mode="append" if there else "overwrite",
            partition_by=None if there else list(partition_by),
        )
    before = sorted(map(str, read(lake, table).to_pylist()))
    done = done_by(compact(lake, table))
    assert (done.files_before, done.files_after) == (3 * len(values), len(values))
    assert sorted(map(str, read(lake, table).to_pylist())) == before


def test_more_partitions_than_a_commit_holds_are_compacted(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "SLICE_PARTITIONS", 2)
    load_hours(lake, *(24 * day + hour for day in range(5) for hour in range(2)))
    version = current_version(lake, PLAYS) or 0
    done = done_by(compact(lake, PLAYS))
    assert (done.files_after, done.table_version) == (5, version + 3)


def test_nothing_that_is_derived_sees_a_compaction(lake: Store) -> None:
    load_hours(lake, 0, 1, 24, 25)
    version = current_version(lake, PLAYS)
    assert version is not None
    replace(lake, DERIVED, pa.table({"n": [1]}), transactions={PLAYS.name: version})
    last = done_by(compact(lake, PLAYS)).table_version
    assert last > version
    assert changed_partitions(lake, PLAYS, version, last) == frozenset()
    assert not has_changed(lake, PLAYS, version, last)
    assert unchanged_since(lake, PLAYS, last) == version
    assert is_current(lake, DERIVED, {PLAYS.name: last}, [PLAYS])
    assert not is_current(lake, DERIVED, {PLAYS.name: last})


def test_a_load_after_a_compaction_is_a_change(lake: Store) -> None:
    load_hours(lake, 0, 1)
    version = current_version(lake, PLAYS)
    assert version is not None
    replace(lake, DERIVED, pa.table({"n": [1]}), transactions={PLAYS.name: version})
    compact(lake, PLAYS)
    load_hours(lake, 24)
    last = current_version(lake, PLAYS)
    assert last is not None
    assert unchanged_since(lake, PLAYS, last) == last
    assert not is_current(lake, DERIVED, {PLAYS.name: last}, [PLAYS])


def test_a_log_that_ends_is_as_far_as_a_table_is_known_to_be_unchanged(lake: Store) -> None:
    load_hours(lake, 0, 1)
    last = done_by(compact(lake, PLAYS)).table_version
    for version in range(last):
        (folder_of(lake) / "_delta_log" / f"{version:020}.json").unlink()
    assert unchanged_since(lake, PLAYS, last) == last - 1


# beside a load


def _load_while(lake: Store, hours: Sequence[int], meanwhile: Callable[[], object]) -> int:
    """A load that is in the middle of its stream when something else happens."""

    def batches() -> Iterator[pa.RecordBatch]:
        for number, hour in enumerate(hours):
            if number == 1:
                meanwhile()
            yield from plays(hour, f"new song of {hour}").to_batches()

    rows = pa.RecordBatchReader.from_batches(PLAYS.schema, batches())
    windows = [window_of(hours[0], hours[-1] - hours[0] + 1)]
    return replace_window(lake, PLAYS, rows, windows).table_version


def test_a_load_of_other_rows_does_not_notice_a_compaction(lake: Store) -> None:
    load_hours(lake, 0, 1, 2)
    done: list[MaintenanceReceipt | None] = []
    _load_while(lake, [3, 4], lambda: done.append(compact(lake, PLAYS)))
    assert (done_by(done[0]).files_before, done_by(done[0]).files_after) == (3, 1)
    assert songs_in(lake) == [
        *("new song of 3", "new song of 4"),
        *("song of 0", "song of 1", "song of 2"),
    ]


def test_a_load_of_rows_that_were_compacted_meanwhile_runs_again(lake: Store) -> None:
    load_hours(lake, 0, 1, 2)
    with pytest.raises(TransientFailure, match="runs again"):
        _load_while(lake, [1, 2], lambda: compact(lake, PLAYS))
    assert songs_in(lake) == ["song of 0", "song of 1", "song of 2"]
    _load_while(lake, [1, 2], lambda: None)
    assert songs_in(lake) == ["new song of 1", "new song of 2", "song of 0"]


def test_a_compaction_gives_way_to_a_load_of_the_same_rows(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_hours(lake, 0, 1, 24, 25)

    def opened_before_a_load(lake: Store, table: Table) -> DeltaTable | None:
        found = open_table(lake, table)
        replace_window(lake, PLAYS, plays(1, "new"), [window_of(1)])
        return found

    monkeypatch.setattr(maintenance, "SLICE_PARTITIONS", 1)
    monkeypatch.setattr(maintenance, "open_table", opened_before_a_load)
    done = done_by(compact(lake, PLAYS))
    # The day of the load waits, the other one is done.
    assert (done.gave_way, done.files_before, done.files_after) == (1, 4, 3)
    monkeypatch.undo()
    assert done_by(compact(lake, PLAYS)).files_after == 2
    assert songs_in(lake) == ["new", "song of 0", "song of 24", "song of 25"]


def test_all_upkeep_in_the_middle_of_a_load_leaves_it_exact(lake: Store) -> None:
    load_hours(lake, *range(3))
    compact(lake, PLAYS)
    as_if_before(lake, 60)
    load_hours(lake, 3, 24)

    def upkeep() -> None:
        assert done_by(compact(lake, PLAYS)).files_after == 2
        checkpoint(lake, PLAYS, KEEP_DAYS)
        done = done_by(vacuum(lake, PLAYS, KEEP_DAYS))
        assert (done.files_before, done.files_after) == (7, 4)

    _load_while(lake, [48, 49, 72, 73], upkeep)
    assert songs_in(lake) == sorted(
        [f"new song of {h}" for h in (48, 49, 72, 73)] + [f"song of {h}" for h in (0, 1, 2, 3, 24)]
    )
