"""Readings stand once, gaps open and close, however the records were loaded."""

import random
from datetime import timedelta
from pathlib import Path

import pytest

from novade_pipeline.defs.iot import devices
from novade_pipeline.defs.iot.readings import update_readings
from novade_pipeline.defs.iot.tables import DEVICES, READING_EVENTS, READINGS
from novade_pipeline.lake.delta import current_version, open_table, replace
from novade_pipeline.lake.read import read
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.defs.iot.records import START, Row, append, load, reading, stored


@pytest.fixture
def lake(tmp_path: Path) -> Store:
    return store(str(tmp_path / "lake"))


def _gaps(lake: Store) -> list[tuple[str, int, int, int]]:
    return [
        (row["device_id"], row["after_sequence"], row["before_sequence"], row["missing"])
        for row in stored(lake)["iot/gaps"]
    ]


def test_a_resent_reading_stands_once_whether_it_comes_at_once_or_years_later(lake: Store) -> None:
    update = load(lake, reading(0, "a", 1), reading(1, "a", 1), reading(2, "b", 1))
    assert update.repeats == 1
    late = {"broker_time": START + timedelta(days=600)}
    update = load(lake, reading(3, "a", 1, **late), reading(4, "a", 2, **late))
    assert (update.repeats, update.restarted) == (1, 0)
    rows = stored(lake)["iot/readings"]
    assert [(r["device_id"], r["sequence"], r["offset"]) for r in rows] == [
        *(("a", 1, 0), ("a", 2, 4), ("b", 1, 2)),
    ]


def test_a_gap_closes_when_its_readings_come(lake: Store) -> None:
    load(lake, reading(0, "a", 1), reading(1, "a", 5), reading(2, "a", 6))
    assert _gaps(lake) == [("a", 1, 5, 3)]
    load(lake, reading(3, "a", 3))
    assert _gaps(lake) == [("a", 1, 3, 1), ("a", 3, 5, 1)]
    (device,) = stored(lake)["iot/devices"]
    assert (device["readings"], device["missing"], device["gaps"]) == (4, 2, 2)
    load(lake, reading(4, "a", 4), reading(5, "a", 2))
    assert _gaps(lake) == []
    (device,) = stored(lake)["iot/devices"]
    assert [(r["first"], r["last"]) for r in device["ranges"]] == [(1, 6)]


def test_a_late_batch_is_in_the_hour_of_its_measurement(lake: Store) -> None:
    load(lake, reading(0, "a", 500, minutes=500))
    load(lake, reading(1, "a", 1), reading(2, "a", 70, minutes=70))
    hours = [row["measured_hour"].hour for row in stored(lake)["iot/readings"]]
    assert hours == [10, 11, 18]


@pytest.mark.parametrize(
    ("minutes", "is_wrong"),
    [(-60, False), (60 * 43, False), (60 * 45, True), (-60 * 24 * 740, True)],
)
def test_a_wrong_clock_is_flagged_and_bends_no_hour(
    lake: Store, minutes: int, is_wrong: bool
) -> None:
    load(lake, reading(0, "a", 1, minutes=minutes))
    (row,) = stored(lake)["iot/readings"]
    assert row["is_clock_wrong"] is is_wrong
    expected = row["broker_time"] if is_wrong else row["measured_at"]
    assert row["measured_hour"] == expected.replace(minute=0)
    assert row["measured_date"] == expected.date()


def test_a_device_that_counts_anew_is_reported(lake: Store) -> None:
    load(lake, reading(0, "a", 1), reading(1, "a", 2))
    update = load(lake, reading(2, "a", 1, minutes=90), reading(3, "a", 2))
    assert (update.repeats, update.restarted) == (2, 1)


def test_an_interrupted_update_is_continued(lake: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    load(lake, reading(0, "a", 1))

    def failing(*_: object, **__: object) -> None:
        raise OSError("killed")

    append(lake, reading(1, "a", 4))
    monkeypatch.setattr(devices, "merge", failing)
    with pytest.raises(OSError, match="killed"):
        update_readings(lake, lambda _: None)
    monkeypatch.undo()
    load(lake, reading(2, "a", 4), reading(3, "a", 5))
    assert [row["sequence"] for row in stored(lake)["iot/readings"]] == [1, 4, 5]
    assert _gaps(lake) == [("a", 1, 4, 2)]


def test_nothing_new_commits_nothing(lake: Store) -> None:
    load(lake, reading(0, "a", 1))
    before = [current_version(lake, table) for table in (READINGS, DEVICES)]
    update_readings(lake, lambda _: None)
    assert [current_version(lake, table) for table in (READINGS, DEVICES)] == before


def _history(seed: int) -> list[Row]:
    rng = random.Random(seed)
    sent = [(f"d{d}", n) for d in range(3) for n in range(1, 30) if rng.random() < 0.8]
    sent += rng.choices(sent, k=20)
    rng.shuffle(sent)
    return [
        reading(offset, device, n, minutes=n * 11, metric=rng.choice(["temperature", "humidity"]))
        for offset, (device, n) in enumerate(sent)
    ]


@pytest.mark.parametrize("seed", range(2))
def test_loads_in_any_pieces_give_what_one_load_gives(tmp_path: Path, seed: int) -> None:
    records = _history(seed)
    whole, parts = (store(str(tmp_path / name)) for name in ("whole", "parts"))
    load(whole, *records)
    rng = random.Random(seed)
    start = 0
    for end in [*sorted(rng.sample(range(1, len(records)), 3)), len(records)]:
        load(parts, *records[start:end])
        start = end
        for compacted in (READING_EVENTS, READINGS):
            # A compaction gives rows again, in other files.
            table = open_table(parts, compacted)
            assert table is not None
            table.optimize.compact()
    assert stored(parts) == stored(whole)
    different = {(row["device_id"], row["sequence"]) for row in records}
    assert len(stored(whole)["iot/readings"]) == len(different)


def test_records_that_were_removed_leave_readings_and_devices(lake: Store) -> None:
    load(lake, reading(0, "a", 1), reading(1, "b", 1))
    replace(lake, READING_EVENTS, read(lake, READING_EVENTS).slice(1, 1))
    load(lake, reading(2, "b", 3))
    assert [row["device_id"] for row in stored(lake)["iot/readings"]] == ["b", "b"]
    assert [row["device_id"] for row in stored(lake)["iot/devices"]] == ["b"]
    assert _gaps(lake) == [("b", 1, 3, 1)]
