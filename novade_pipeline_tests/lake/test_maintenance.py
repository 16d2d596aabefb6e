"""Upkeep keeps every version within the retention, and no longer than that."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.lake import maintenance
from novade_pipeline.lake.changes import changed_partitions, unchanged_since
from novade_pipeline.lake.delta import current_version, open_table, replace_window
from novade_pipeline.lake.maintenance import MaintenanceReceipt, checkpoint, compact, vacuum
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.azurite import Azurite
from novade_pipeline_tests.lake.upkeep_tables import (
    KEEP_DAYS,
    PLAYS,
    START,
    as_if_before,
    done_by,
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


# vacuum


def test_versions_within_the_retention_stay_readable_and_older_ones_go(lake: Store) -> None:
    load_hours(lake, 0, 1, 2)
    before = current_version(lake, PLAYS)
    # The files are old, but were needed until just now.
    as_if_before(lake, 60)
    compact(lake, PLAYS)
    done = done_by(vacuum(lake, PLAYS, KEEP_DAYS))
    assert (done.files_before, done.files_after) == (4, 4)
    assert songs_in(lake, before) == songs_in(lake)

    as_if_before(lake, KEEP_DAYS - 1)
    assert done_by(vacuum(lake, PLAYS, KEEP_DAYS)).files_after == 4
    as_if_before(lake, 2)
    done = done_by(vacuum(lake, PLAYS, KEEP_DAYS))
    assert (done.files_before, done.files_after) == (4, 1)
    assert done.bytes_after < done.bytes_before
    assert songs_in(lake) == ["song of 0", "song of 1", "song of 2"]
    with pytest.raises(Exception, match=r"(?i)not found|no such file"):
        songs_in(lake, before)


def test_a_checkpoint_does_not_shorten_time_travel(lake: Store) -> None:
    load_hours(lake, 0, 1)
    version = current_version(lake, PLAYS)
    compact(lake, PLAYS)
    as_if_before(lake, KEEP_DAYS - 1)
    # Its sum says what was removed, as long as the table's retention does.
    checkpoint(lake, PLAYS, KEEP_DAYS)
    assert done_by(vacuum(lake, PLAYS, KEEP_DAYS)).files_after == 3
    assert songs_in(lake, version) == ["song of 0", "song of 1"]


def test_a_vacuum_leaves_alone_what_is_not_the_tables(lake: Store) -> None:
    load_hours(lake, 0)
    root = folder_of(lake)
    others = [
        *("notes.txt", "part-1.parquet", "day=2026-03-01/notes.txt", "day=2026-03-01/a.parquet"),
        *("inner/_delta_log/0.json", "inner/part-1.parquet", "other=1/part-1.parquet"),
        *("_private/part-1.parquet", "day=2026-03-01/deep/part-1.parquet"),
    ]
    dead = "day=2026-03-01/part-00000-dead-c000.zstd.parquet"
    for name in [*others, dead]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
        os.utime(root / name, (0, 0))
    done = done_by(vacuum(lake, PLAYS, KEEP_DAYS))
    # Of a load that died, and whose file nothing tells of.
    assert (done.files_before, done.files_after) == (2, 1)
    assert not (root / dead).exists()
    assert [name for name in others if not (root / name).exists()] == []


def test_what_a_running_load_has_written_is_younger_than_the_retention(lake: Store) -> None:
    load_hours(lake, 0)
    written = folder_of(lake) / "day=2026-03-01" / "part-00000-running-c000.zstd.parquet"
    written.write_bytes(b"x")
    now = datetime.fromtimestamp(written.stat().st_mtime, UTC)
    assert done_by(vacuum(lake, PLAYS, 1, now=lambda: now)).files_after == 2
    os.utime(written, (0, 0))
    # By our own clock too, not by that of delta-rs alone.
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert done_by(vacuum(lake, PLAYS, 1, now=lambda: epoch)).files_after == 2
    assert done_by(vacuum(lake, PLAYS, 1)).files_after == 1


def test_a_vacuum_makes_no_version(lake: Store) -> None:
    load_hours(lake, 0, 1)
    compact(lake, PLAYS)
    as_if_before(lake, 60)
    version = current_version(lake, PLAYS)
    done = done_by(vacuum(lake, PLAYS, KEEP_DAYS))
    assert done.files_after < done.files_before
    assert done.table_version == current_version(lake, PLAYS) == version


def test_another_retention_is_written_down_in_the_table_once(lake: Store) -> None:
    load_hours(lake, 0)
    version = current_version(lake, PLAYS)
    for _ in range(2):
        vacuum(lake, PLAYS, 90)
    found = opened(lake)
    assert found.metadata().configuration["delta.deletedFileRetentionDuration"] == (
        "interval 90 days"
    )
    assert found.version() == (version or 0) + 1
    assert unchanged_since(lake, PLAYS, found.version()) == version


def test_upkeep_makes_ranges_readable_in_a_table_that_was_made_before(lake: Store) -> None:
    load_hours(lake, 0)
    name = "delta.dataSkippingStatsColumns"
    opened(lake).alter.set_table_properties({name: "kind"})
    compact(lake, PLAYS)
    vacuum(lake, PLAYS, KEEP_DAYS)
    assert opened(lake).metadata().configuration[name] == "hour,song"


def test_a_vacuum_gives_way_to_a_writer_that_changes_the_table_itself(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_hours(lake, 0)

    def opened_before_a_change(lake: Store, table: Table) -> DeltaTable | None:
        found = open_table(lake, table)
        opened(lake).alter.set_table_properties({"delta.checkpointInterval": "60"})
        return found

    monkeypatch.setattr(maintenance, "open_table", opened_before_a_change)
    with pytest.raises(TransientFailure, match="the next upkeep"):
        vacuum(lake, PLAYS, 90)


# checkpoint


def test_a_checkpoint_keeps_the_log_that_versions_within_the_retention_need(lake: Store) -> None:
    for hour in range(12):
        load_hours(lake, hour)
        if hour in (3, 8):
            checkpoint(lake, PLAYS, KEEP_DAYS)
    as_if_before(lake, 60, until=6)
    done = done_by(checkpoint(lake, PLAYS, KEEP_DAYS))
    assert done.files_after < done.files_before
    assert [len(songs_in(lake, version)) for version in range(6, 13)] == list(range(6, 13))
    with pytest.raises(UserError, match="shop/plays: expected version 2, found"):
        songs_in(lake, 2)
    log = {file.name for file in (folder_of(lake) / "_delta_log").glob("*.json")}
    assert f"{2:020}.json" not in log
    assert changed_partitions(lake, PLAYS, 6, 12) == {START.date()}


def test_a_log_that_is_summed_up_already_is_left_alone(lake: Store) -> None:
    load_hours(lake, 0, 1)
    first = done_by(checkpoint(lake, PLAYS, KEEP_DAYS))
    (summed_up,) = (folder_of(lake) / "_delta_log").glob("*.checkpoint.parquet")
    os.utime(summed_up, (1, 1))
    second = done_by(checkpoint(lake, PLAYS, KEEP_DAYS))
    assert summed_up.stat().st_mtime == 1
    # The sum, and where the newest one is.
    assert first.files_after == first.files_before + 2
    assert (second.files_before, second.files_after) == (first.files_after, first.files_after)
    assert second.table_version == current_version(lake, PLAYS)


def test_the_old_log_of_a_table_at_rest_is_dropped(lake: Store) -> None:
    load_hours(lake, 0, 1, 2)
    checkpoint(lake, PLAYS, KEEP_DAYS)
    as_if_before(lake, KEEP_DAYS + 6)
    assert done_by(checkpoint(lake, PLAYS, KEEP_DAYS)).files_after == 6
    as_if_before(lake, 2)
    # The newest version, its sum, and where that is.
    assert done_by(checkpoint(lake, PLAYS, KEEP_DAYS)).files_after == 3
    assert len(songs_in(lake)) == 3


def test_a_version_that_was_the_newest_until_now_stays_however_old_it_is(lake: Store) -> None:
    load_hours(lake, 0, 1, 2)
    checkpoint(lake, PLAYS, KEEP_DAYS)
    as_if_before(lake, 90)
    replace_window(lake, PLAYS, plays(1, "new"), [window_of(1)])
    checkpoint(lake, PLAYS, KEEP_DAYS)
    vacuum(lake, PLAYS, KEEP_DAYS)
    assert songs_in(lake, 3) == ["song of 0", "song of 1", "song of 2"]
    with pytest.raises(UserError):
        songs_in(lake, 2)


def test_loads_leave_the_log_to_the_upkeep(lake: Store) -> None:
    load_hours(lake, 0, 1)
    checkpoint(lake, PLAYS, KEEP_DAYS)
    as_if_before(lake, 90)
    load_hours(lake, *range(2, 52))
    log = {file.name for file in (folder_of(lake) / "_delta_log").iterdir()}
    assert f"{49:020}.checkpoint.parquet" in log
    assert f"{0:020}.json" in log


@pytest.mark.parametrize(
    "work",
    [compact, partial(checkpoint, keep_days=KEEP_DAYS), partial(vacuum, keep_days=KEEP_DAYS)],
)
def test_a_table_that_is_not_there_yet_is_not_made(
    lake: Store, work: Callable[[Store, Table], MaintenanceReceipt | None]
) -> None:
    assert work(lake, PLAYS) is None
    assert not folder_of(lake).exists()


def test_upkeep_of_a_table_on_azure_changes_no_row(
    azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = azurite.new_store("lake")
    load_hours(lake, *range(30))
    songs = songs_in(lake)
    compacted = done_by(compact(lake, PLAYS))
    assert (compacted.files_before, compacted.files_after) == (30, 2)
    assert done_by(checkpoint(lake, PLAYS, KEEP_DAYS)).files_after > 0
    kept = done_by(vacuum(lake, PLAYS, KEEP_DAYS))
    assert kept.files_after == kept.files_before == 32
    assert songs_in(lake, compacted.table_version - 1) == songs
    listed = DeltaTable.vacuum

    def at_once(found: DeltaTable, **how: Any) -> list[str]:
        # A server's clock cannot be set.
        return listed(found, **{**how, "retention_hours": 0, "enforce_retention_duration": False})

    monkeypatch.setattr(DeltaTable, "vacuum", at_once)
    later = datetime.now(UTC) + timedelta(days=2 * KEEP_DAYS)
    swept = done_by(vacuum(lake, PLAYS, KEEP_DAYS, now=lambda: later))
    assert (swept.files_before, swept.files_after) == (32, 2)
    assert songs_in(lake) == songs
