"""Upkeep changes no row, gives way to loads, and keeps every version within the retention."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pydantic import BaseModel, Field

from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.lake import maintenance
from novade_pipeline.lake.changes import changed_partitions, has_changed, unchanged_since
from novade_pipeline.lake.delta import current_version, open_table, replace, replace_window
from novade_pipeline.lake.derived import is_current
from novade_pipeline.lake.maintenance import Upkeep, checkpoint, compact, vacuum
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage import Store, store
from novade_pipeline_tests.azurite import Azurite

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY_MILLISECONDS = 86_400_000
KEEP_DAYS = 30


class Play(BaseModel):
    """A play."""

    day: date = Field(description="Its day.")
    hour: datetime = Field(description="Its hour.")
    song: str = Field(description="What was played.")


class Landed(BaseModel):
    """A file."""

    source: str | None = Field(None, description="Whose it is.")
    day: date | None = Field(None, description="Its day.")
    n: int = Field(description="A number.")


PLAYS = Table(
    name="shop/plays",
    row=Play,
    key=("hour", "song"),
    written="replace_window",
    partition_by=("day",),
    window="hour",
)
DERIVED = Table(name="shop/derived", row=Landed, key=("n",), written="replace")


@pytest.fixture
def lake(tmp_path: Path) -> Store:
    return store(str(tmp_path / "lake"))


def _plays(hour: int, *songs: str) -> pa.Table:
    at = START + hour * HOUR
    rows = [{"day": at.date(), "hour": at, "song": song} for song in songs]
    return pa.Table.from_pylist(rows, schema=PLAYS.schema)


def _window(hour: int, hours: int = 1) -> Window:
    return Window(START + hour * HOUR, START + (hour + hours) * HOUR)


def _load(lake: Store, *hours: int) -> None:
    for hour in hours:
        replace_window(lake, PLAYS, _plays(hour, f"song of {hour}"), [_window(hour)])


def _songs(lake: Store, version: int | None = None) -> list[str]:
    return sorted(read(lake, PLAYS, version=version)["song"].to_pylist())


def _root(lake: Store, table: Table = PLAYS) -> Path:
    return Path(lake.path(*table.path))


def _open(lake: Store, table: Table = PLAYS) -> DeltaTable:
    found = open_table(lake, table)
    assert found is not None
    return found


def _files(lake: Store) -> set[str]:
    """The data files on disk."""
    root = _root(lake)
    return {f.relative_to(root).as_posix() for f in root.glob("day=*/*.parquet")}


def _as_if_before(lake: Store, days: int, until: int | None = None) -> None:
    """Make all that happened to the table, up to a version, so many days older."""
    root = _root(lake)
    for file in root.rglob("*"):
        is_log = file.parent.name == "_delta_log"
        version = int(file.name[:20]) if is_log and file.name[:20].isdigit() else 0
        if not file.is_file() or (until is not None and version > until):
            continue
        moment = file.stat().st_mtime - days * 86_400
        if is_log and file.suffix == ".json":
            actions = [json.loads(line) for line in file.read_text().splitlines()]
            for action in actions:
                if "remove" in action:
                    action["remove"]["deletionTimestamp"] -= days * DAY_MILLISECONDS
            file.write_text("".join(json.dumps(action) + "\n" for action in actions))
        os.utime(file, (moment, moment))


def _done(upkeep: Upkeep | None) -> Upkeep:
    assert upkeep is not None
    return upkeep


# compaction


def test_a_compaction_joins_the_files_of_a_day_and_changes_no_row(lake: Store) -> None:
    _load(lake, *range(5), 24, 25, 50)
    before, alone = _songs(lake), {f for f in _files(lake) if "day=2026-03-03" in f}
    done = _done(compact(lake, PLAYS))
    assert _songs(lake) == before
    assert (done.files_before, done.files_after, done.gave_way) == (8, 3, 0)
    assert 0 < done.bytes_after < done.bytes_before
    assert done.table_version == current_version(lake, PLAYS)
    # A day of one file is as it was.
    (as_it_was,) = alone
    assert any(uri.endswith(as_it_was) for uri in _open(lake).file_uris())


def test_what_is_compact_already_is_left_alone(lake: Store) -> None:
    _load(lake, 0, 1)
    first = _done(compact(lake, PLAYS))
    second = _done(compact(lake, PLAYS))
    assert second.table_version == first.table_version
    assert second.files_before == second.files_after == 1


def test_a_large_file_waits_until_small_ones_gather_beside_it(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _load(lake, 0, 1)
    version = current_version(lake, PLAYS)
    monkeypatch.setattr(maintenance, "SMALL_BYTES", 1)
    assert _done(compact(lake, PLAYS)).table_version == version


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
        name="shop/landed", row=Landed, key=("n",), written="replace", partition_by=partition_by
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
    done = _done(compact(lake, table))
    assert (done.files_before, done.files_after) == (3 * len(values), len(values))
    assert sorted(map(str, read(lake, table).to_pylist())) == before


def test_more_partitions_than_a_commit_holds_are_compacted(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "SLICE_PARTITIONS", 2)
    _load(lake, *(24 * day + hour for day in range(5) for hour in range(2)))
    version = current_version(lake, PLAYS) or 0
    done = _done(compact(lake, PLAYS))
    assert (done.files_after, done.table_version) == (5, version + 3)


def test_nothing_that_is_derived_sees_a_compaction(lake: Store) -> None:
    _load(lake, 0, 1, 24, 25)
    version = current_version(lake, PLAYS)
    assert version is not None
    replace(lake, DERIVED, pa.table({"n": [1]}), transactions={PLAYS.name: version})
    last = _done(compact(lake, PLAYS)).table_version
    assert last > version
    assert changed_partitions(lake, PLAYS, version, last) == frozenset()
    assert not has_changed(lake, PLAYS, version, last)
    assert unchanged_since(lake, PLAYS, last) == version
    assert is_current(lake, DERIVED, {PLAYS.name: last}, [PLAYS])
    assert not is_current(lake, DERIVED, {PLAYS.name: last})


def test_a_load_after_a_compaction_is_a_change(lake: Store) -> None:
    _load(lake, 0, 1)
    version = current_version(lake, PLAYS)
    assert version is not None
    replace(lake, DERIVED, pa.table({"n": [1]}), transactions={PLAYS.name: version})
    compact(lake, PLAYS)
    _load(lake, 24)
    last = current_version(lake, PLAYS)
    assert last is not None
    assert unchanged_since(lake, PLAYS, last) == last
    assert not is_current(lake, DERIVED, {PLAYS.name: last}, [PLAYS])


def test_a_log_that_ends_is_as_far_as_a_table_is_known_to_be_unchanged(lake: Store) -> None:
    _load(lake, 0, 1)
    last = _done(compact(lake, PLAYS)).table_version
    for version in range(last):
        (_root(lake) / "_delta_log" / f"{version:020}.json").unlink()
    assert unchanged_since(lake, PLAYS, last) == last - 1


# beside a load


def _load_while(lake: Store, hours: Sequence[int], meanwhile: Callable[[], object]) -> int:
    """A load that is in the middle of its stream when something else happens."""

    def batches() -> Iterator[pa.RecordBatch]:
        for number, hour in enumerate(hours):
            if number == 1:
                meanwhile()
            yield from _plays(hour, f"new song of {hour}").to_batches()

    rows = pa.RecordBatchReader.from_batches(PLAYS.schema, batches())
    windows = [_window(hours[0], hours[-1] - hours[0] + 1)]
    return replace_window(lake, PLAYS, rows, windows).table_version


def test_a_load_of_other_rows_does_not_notice_a_compaction(lake: Store) -> None:
    _load(lake, 0, 1, 2)
    done: list[Upkeep | None] = []
    _load_while(lake, [3, 4], lambda: done.append(compact(lake, PLAYS)))
    assert (_done(done[0]).files_before, _done(done[0]).files_after) == (3, 1)
    assert _songs(lake) == [
        *("new song of 3", "new song of 4"),
        *("song of 0", "song of 1", "song of 2"),
    ]


def test_a_load_of_rows_that_were_compacted_meanwhile_runs_again(lake: Store) -> None:
    _load(lake, 0, 1, 2)
    with pytest.raises(TransientFailure, match="runs again"):
        _load_while(lake, [1, 2], lambda: compact(lake, PLAYS))
    assert _songs(lake) == ["song of 0", "song of 1", "song of 2"]
    _load_while(lake, [1, 2], lambda: None)
    assert _songs(lake) == ["new song of 1", "new song of 2", "song of 0"]


def test_a_compaction_gives_way_to_a_load_of_the_same_rows(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _load(lake, 0, 1, 24, 25)

    def opened_before_a_load(lake: Store, table: Table) -> DeltaTable | None:
        found = open_table(lake, table)
        replace_window(lake, PLAYS, _plays(1, "new"), [_window(1)])
        return found

    monkeypatch.setattr(maintenance, "SLICE_PARTITIONS", 1)
    monkeypatch.setattr(maintenance, "open_table", opened_before_a_load)
    done = _done(compact(lake, PLAYS))
    # The day of the load waits, the other one is done.
    assert (done.gave_way, done.files_before, done.files_after) == (1, 4, 3)
    monkeypatch.undo()
    assert _done(compact(lake, PLAYS)).files_after == 2
    assert _songs(lake) == ["new", "song of 0", "song of 24", "song of 25"]


def test_all_upkeep_in_the_middle_of_a_load_leaves_it_exact(lake: Store) -> None:
    _load(lake, *range(3))
    compact(lake, PLAYS)
    _as_if_before(lake, 60)
    _load(lake, 3, 24)

    def upkeep() -> None:
        assert _done(compact(lake, PLAYS)).files_after == 2
        checkpoint(lake, PLAYS, KEEP_DAYS)
        done = _done(vacuum(lake, PLAYS, KEEP_DAYS))
        assert (done.files_before, done.files_after) == (7, 4)

    _load_while(lake, [48, 49, 72, 73], upkeep)
    assert _songs(lake) == sorted(
        [f"new song of {h}" for h in (48, 49, 72, 73)] + [f"song of {h}" for h in (0, 1, 2, 3, 24)]
    )


# vacuum


def test_versions_within_the_retention_stay_readable_and_older_ones_go(lake: Store) -> None:
    _load(lake, 0, 1, 2)
    before = current_version(lake, PLAYS)
    # The files are old, but were needed until just now.
    _as_if_before(lake, 60)
    compact(lake, PLAYS)
    done = _done(vacuum(lake, PLAYS, KEEP_DAYS))
    assert (done.files_before, done.files_after) == (4, 4)
    assert _songs(lake, before) == _songs(lake)

    _as_if_before(lake, KEEP_DAYS - 1)
    assert _done(vacuum(lake, PLAYS, KEEP_DAYS)).files_after == 4
    _as_if_before(lake, 2)
    done = _done(vacuum(lake, PLAYS, KEEP_DAYS))
    assert (done.files_before, done.files_after) == (4, 1)
    assert done.bytes_after < done.bytes_before
    assert _songs(lake) == ["song of 0", "song of 1", "song of 2"]
    with pytest.raises(Exception, match=r"(?i)not found|no such file"):
        _songs(lake, before)


def test_a_checkpoint_does_not_shorten_time_travel(lake: Store) -> None:
    _load(lake, 0, 1)
    version = current_version(lake, PLAYS)
    compact(lake, PLAYS)
    _as_if_before(lake, KEEP_DAYS - 1)
    # Its sum says what was removed, as long as the table's retention does.
    checkpoint(lake, PLAYS, KEEP_DAYS)
    assert _done(vacuum(lake, PLAYS, KEEP_DAYS)).files_after == 3
    assert _songs(lake, version) == ["song of 0", "song of 1"]


def test_a_vacuum_leaves_alone_what_is_not_the_tables(lake: Store) -> None:
    _load(lake, 0)
    root = _root(lake)
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
    done = _done(vacuum(lake, PLAYS, KEEP_DAYS))
    # Of a load that died, and whose file nothing tells of.
    assert (done.files_before, done.files_after) == (2, 1)
    assert not (root / dead).exists()
    assert [name for name in others if not (root / name).exists()] == []


def test_what_a_running_load_has_written_is_younger_than_the_retention(lake: Store) -> None:
    _load(lake, 0)
    written = _root(lake) / "day=2026-03-01" / "part-00000-running-c000.zstd.parquet"
    written.write_bytes(b"x")
    now = datetime.fromtimestamp(written.stat().st_mtime, UTC)
    assert _done(vacuum(lake, PLAYS, 1, now=lambda: now)).files_after == 2
    os.utime(written, (0, 0))
    # By our own clock too, not by that of delta-rs alone.
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert _done(vacuum(lake, PLAYS, 1, now=lambda: epoch)).files_after == 2
    assert _done(vacuum(lake, PLAYS, 1)).files_after == 1


def test_a_vacuum_makes_no_version(lake: Store) -> None:
    _load(lake, 0, 1)
    compact(lake, PLAYS)
    _as_if_before(lake, 60)
    version = current_version(lake, PLAYS)
    done = _done(vacuum(lake, PLAYS, KEEP_DAYS))
    assert done.files_after < done.files_before
    assert done.table_version == current_version(lake, PLAYS) == version


def test_another_retention_is_written_down_in_the_table_once(lake: Store) -> None:
    _load(lake, 0)
    version = current_version(lake, PLAYS)
    for _ in range(2):
        vacuum(lake, PLAYS, 90)
    found = _open(lake)
    assert found.metadata().configuration["delta.deletedFileRetentionDuration"] == (
        "interval 90 days"
    )
    assert found.version() == (version or 0) + 1
    assert unchanged_since(lake, PLAYS, found.version()) == version


def test_a_vacuum_gives_way_to_a_writer_that_changes_the_table_itself(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _load(lake, 0)

    def opened_before_a_change(lake: Store, table: Table) -> DeltaTable | None:
        found = open_table(lake, table)
        _open(lake).alter.set_table_properties({"delta.checkpointInterval": "60"})
        return found

    monkeypatch.setattr(maintenance, "open_table", opened_before_a_change)
    with pytest.raises(TransientFailure, match="the next upkeep"):
        vacuum(lake, PLAYS, 90)


# checkpoint


def test_a_checkpoint_keeps_the_log_that_versions_within_the_retention_need(lake: Store) -> None:
    for hour in range(12):
        _load(lake, hour)
        if hour in (3, 8):
            checkpoint(lake, PLAYS, KEEP_DAYS)
    _as_if_before(lake, 60, until=6)
    done = _done(checkpoint(lake, PLAYS, KEEP_DAYS))
    assert done.files_after < done.files_before
    assert [len(_songs(lake, version)) for version in range(6, 13)] == list(range(6, 13))
    with pytest.raises(UserError, match="shop/plays: expected version 2, found"):
        _songs(lake, 2)
    log = {file.name for file in (_root(lake) / "_delta_log").glob("*.json")}
    assert f"{2:020}.json" not in log
    assert changed_partitions(lake, PLAYS, 6, 12) == {START.date()}


def test_a_log_that_is_summed_up_already_is_left_alone(lake: Store) -> None:
    _load(lake, 0, 1)
    first = _done(checkpoint(lake, PLAYS, KEEP_DAYS))
    (summed_up,) = (_root(lake) / "_delta_log").glob("*.checkpoint.parquet")
    os.utime(summed_up, (1, 1))
    second = _done(checkpoint(lake, PLAYS, KEEP_DAYS))
    assert summed_up.stat().st_mtime == 1
    # The sum, and where the newest one is.
    assert first.files_after == first.files_before + 2
    assert (second.files_before, second.files_after) == (first.files_after, first.files_after)
    assert second.table_version == current_version(lake, PLAYS)


def test_the_old_log_of_a_table_at_rest_is_dropped(lake: Store) -> None:
    _load(lake, 0, 1, 2)
    checkpoint(lake, PLAYS, KEEP_DAYS)
    _as_if_before(lake, KEEP_DAYS + 6)
    assert _done(checkpoint(lake, PLAYS, KEEP_DAYS)).files_after == 6
    _as_if_before(lake, 2)
    # The newest version, its sum, and where that is.
    assert _done(checkpoint(lake, PLAYS, KEEP_DAYS)).files_after == 3
    assert len(_songs(lake)) == 3


def test_a_version_that_was_the_newest_until_now_stays_however_old_it_is(lake: Store) -> None:
    _load(lake, 0, 1, 2)
    checkpoint(lake, PLAYS, KEEP_DAYS)
    _as_if_before(lake, 90)
    replace_window(lake, PLAYS, _plays(1, "new"), [_window(1)])
    checkpoint(lake, PLAYS, KEEP_DAYS)
    vacuum(lake, PLAYS, KEEP_DAYS)
    assert _songs(lake, 3) == ["song of 0", "song of 1", "song of 2"]
    with pytest.raises(UserError):
        _songs(lake, 2)


def test_loads_leave_the_log_to_the_upkeep(lake: Store) -> None:
    _load(lake, 0, 1)
    checkpoint(lake, PLAYS, KEEP_DAYS)
    _as_if_before(lake, 90)
    _load(lake, *range(2, 52))
    log = {file.name for file in (_root(lake) / "_delta_log").iterdir()}
    assert f"{49:020}.checkpoint.parquet" in log
    assert f"{0:020}.json" in log


@pytest.mark.parametrize(
    "work",
    [compact, partial(checkpoint, keep_days=KEEP_DAYS), partial(vacuum, keep_days=KEEP_DAYS)],
)
def test_a_table_that_is_not_there_yet_is_not_made(
    lake: Store, work: Callable[[Store, Table], Upkeep | None]
) -> None:
    assert work(lake, PLAYS) is None
    assert not _root(lake).exists()


def test_upkeep_of_a_table_on_azure_changes_no_row(
    azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = azurite.new_store("lake")
    _load(lake, *range(30))
    songs = _songs(lake)
    compacted = _done(compact(lake, PLAYS))
    assert (compacted.files_before, compacted.files_after) == (30, 2)
    assert _done(checkpoint(lake, PLAYS, KEEP_DAYS)).files_after > 0
    kept = _done(vacuum(lake, PLAYS, KEEP_DAYS))
    assert kept.files_after == kept.files_before == 32
    assert _songs(lake, compacted.table_version - 1) == songs
    listed = DeltaTable.vacuum

    def at_once(found: DeltaTable, **how: Any) -> list[str]:
        # A server's clock cannot be set.
        return listed(found, **{**how, "retention_hours": 0, "enforce_retention_duration": False})

    monkeypatch.setattr(DeltaTable, "vacuum", at_once)
    later = datetime.now(UTC) + timedelta(days=2 * KEEP_DAYS)
    swept = _done(vacuum(lake, PLAYS, KEEP_DAYS, now=lambda: later))
    assert (swept.files_before, swept.files_after) == (32, 2)
    assert _songs(lake) == songs
