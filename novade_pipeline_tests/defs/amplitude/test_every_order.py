"""The shared exports, however they are loaded: the figures and the tables are the same."""

import gzip
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from novade_pipeline.defs.amplitude.identities import MERGE_COLUMNS, survivors
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.places import NewStore, drop

Lake = Any
START = datetime(2018, 11, 1, tzinfo=UTC)
SPANS = [
    Window(START + timedelta(hours=at), START + timedelta(hours=at + 141))
    for at in range(0, 40 * 24, 141)
]


@pytest.fixture(scope="module")
def at_once(
    shared: Path, tmp_path_factory: pytest.TempPathFactory, lake_of: Callable[..., Lake]
) -> Lake:
    """All of it, loaded at once from nothing."""
    lake = lake_of(store(str(shared / "landing")), store(str(tmp_path_factory.mktemp("lake"))))
    lake.load()
    return lake


@pytest.fixture(scope="module")
def expected(shared: Path) -> dict[str, Any]:
    """What a correct load finds."""
    expected: dict[str, Any] = json.loads((shared / "expected/amplitude.json").read_text())
    return expected


@pytest.fixture(scope="module")
def once(at_once: Lake) -> list[dict[str, Any]]:
    """Each event once: the copy with the lowest (hour, file, line)."""
    first: dict[str, dict[str, Any]] = {}
    rows = at_once.rows("events")
    for row in sorted(rows, key=lambda r: (r["upload_hour"], r["file"], r["line"])):
        first.setdefault(row["uuid"], row)
    return list(first.values())


def test_all_rows_are_there(at_once: Lake, expected: dict[str, Any]) -> None:
    assert len(at_once.rows("events")) == expected["lines"] == 8131


def test_each_event_is_there(once: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    assert len(once) == expected["unique_events"] == 8056


def test_events_by_day_and_by_type_are_right(
    once: list[dict[str, Any]], expected: dict[str, Any]
) -> None:
    days = Counter(str(row["event_time"].date()) for row in once)
    assert days == expected["events_by_day"]
    assert Counter(row["event_type"] for row in once) == expected["events_by_type"]


def test_sessions_and_known_users_are_right(
    once: list[dict[str, Any]], expected: dict[str, Any]
) -> None:
    sessions = {
        (row["user_id"] or row["device_id"], row["session_id"])
        for row in once
        if row["session_id"] != -1
    }
    assert len(sessions) == expected["sessions"]
    known = {row["user_id"] for row in once} - {None}
    assert len(known) == expected["identified_users"]


def test_all_merges_are_there_and_have_an_end(at_once: Lake, expected: dict[str, Any]) -> None:
    rows = at_once.rows("merged_ids")
    assert len(rows) == expected["merged_ids"] == 123
    merges = pa.table({name: [row[name] for row in rows] for name in MERGE_COLUMNS})
    identities = survivors(merges).to_pydict()
    assert not {*identities["amplitude_id"]} & {*identities["survivor_id"]}


def test_all_files_are_accounted_for(at_once: Lake, expected: dict[str, Any]) -> None:
    files = at_once.rows("files")
    assert len(files) == expected["files"]
    hours = {row["upload_hour"] for row in files if row["source"] == "events"}
    assert len(hours) == expected["upload_hours"]
    assert all(row["lines"] == row["rows"] for row in files)
    assert at_once.rows("quarantine") == []


def test_nothing_is_wanted_afterwards(at_once: Lake) -> None:
    assert at_once.is_done()
    assert not any(report.changed for report in at_once.load())


ORDERS = {
    "forwards": SPANS,
    "backwards": SPANS[::-1],
    "shuffled": Random(11).sample(SPANS, len(SPANS)),
}


def test_loads_that_overlap_make_no_difference(
    at_once: Lake,
    new_store: NewStore,
    copied: Callable[..., Store],
    lake_of: Callable[..., Lake],
) -> None:
    lake = lake_of(copied("landing", new_store("landing")), new_store("lake"))
    lake.load(Window(SPANS[4].start, SPANS[-1].end))
    for _ in range(2):
        lake.load(Window(SPANS[0].start, SPANS[5].end))
    assert lake.is_done()
    assert lake.state() == at_once.state()


@pytest.mark.parametrize("order", ORDERS)
def test_the_order_of_loads_makes_no_difference(
    order: str, at_once: Lake, tmp_path: Path, lake_of: Callable[..., Lake]
) -> None:
    lake = lake_of(at_once.landing, store(str(tmp_path)))
    for span in ORDERS[order]:
        lake.load(span)
    assert lake.is_done()
    assert lake.state() == at_once.state()


def test_hour_by_hour_in_any_order_makes_no_difference(
    at_once: Lake, tmp_path: Path, lake_of: Callable[..., Lake]
) -> None:
    lake = lake_of(at_once.landing, store(str(tmp_path)))
    day = START + timedelta(days=14)
    hours = Random(5).sample(range(24), 24)
    for hour in hours:
        at = day + timedelta(hours=hour)
        lake.load(Window(at, at + timedelta(hours=1)), sources=("events",))
    rows = [row for row in at_once.rows("events") if row["upload_date"] == day.date()]
    assert lake.rows("events") == rows
    assert len(rows) > 100


def test_a_reexport_that_takes_a_standing_copy_away_and_brings_it_back_leaves_no_trace(
    at_once: Lake,
    tmp_path: Path,
    lake_of: Callable[..., Lake],
    copied: Callable[..., Store],
) -> None:
    landing = copied("landing", store(str(tmp_path / "landing")))
    lake = lake_of(landing, store(str(tmp_path / "lake")))
    lake.load()
    row = _first_of_several(at_once.rows("events"))
    first_export = landing.read(row["file"])
    lines = gzip.decompress(first_export).splitlines(keepends=True)
    del lines[row["line"] - 1]
    drop(landing, gzip.compress(b"".join(lines), mtime=0), row["file"])

    lake.load()
    events = lake.rows("events")
    assert len(events) == 8130
    assert row["uuid"] in {event["uuid"] for event in events}
    assert (row["file"], row["uuid"]) not in {(e["file"], e["uuid"]) for e in events}
    fresh = lake_of(lake.landing, store(str(tmp_path / "fresh")))
    fresh.load()
    assert lake.state() == fresh.state()

    drop(landing, first_export, row["file"])
    lake.load()
    assert lake.state() == at_once.state()


def _first_of_several(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The copy that stands of an event that was exported in several hours."""
    copies = Counter(row["uuid"] for row in rows)
    several = [row for row in rows if copies[row["uuid"]] > 1]
    return min(several, key=lambda row: (row["upload_hour"], row["file"], row["line"]))
