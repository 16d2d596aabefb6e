"""Segment's tables of Amplitude's events: the same ids and values, and the planted differences."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.segment.landed_files import SOURCES
from novade_pipeline.defs.segment.tables import IDENTIFIES, TRACKS, USERS
from novade_pipeline.lake.read import read
from novade_pipeline.landing.ledger import Rules
from novade_pipeline.landing.load import load
from novade_pipeline.landing.source import find_pending
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.sandbox.amplitude_exports import land as land_amplitude
from novade_pipeline.sandbox.segment_tables import (
    exported_events,
    land,
    made_up_events,
    snake_case,
)
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.commands import novade

FIRST = datetime(2024, 5, 1, tzinfo=UTC)
PLANTED = {"missing": 3, "extra": 2, "twice": 4, "other_time": 2, "other_property": 5}


def loaded(root: Path) -> dict[str, list[dict[str, Any]]]:
    landing, lake = store(str(root / "landing")), store(str(root / "lake"))
    rules = Rules(1, "keep", date(2018, 1, 1), timedelta(0))
    for source in SOURCES:
        plan = find_pending(source, landing, lake, rules)
        report = load(source, landing, lake, PersonalDataPolicy(), plan)
        assert report.lines.quarantined == report.lines.refused_files == 0
    return {table.name: read(lake, table).to_pylist() for table in (TRACKS, IDENTIFIES, USERS)}


def as_texts(document: str | None) -> dict[str, str]:
    """Properties that are the same whatever type the warehouse gave their column."""
    values = json.loads(document or "{}")
    return {
        snake_case(key): value if isinstance(value, str) else json.dumps(value)
        for key, value in values.items()
        if value is not None
    }


def test_both_sides_have_the_same_events_but_for_what_is_planted(tmp_path: Path) -> None:
    landing = store(str(tmp_path / "landing"))
    end = FIRST + timedelta(days=2)
    land_amplitude(landing, first_hour=FIRST, hours=72, events_per_hour=10, faults=False)
    amplitude = {e["$insert_id"]: e for e in exported_events(landing, FIRST, end)}
    made_up = made_up_events(FIRST, end, events_per_hour=10, seed=1)
    landed = land(landing, made_up, differences=PLANTED)
    assert {kind: len(ids) for kind, ids in landed.planted.items()} == PLANTED
    rows = {row["id"]: row for row in loaded(tmp_path)["segment/tracks"]}
    planted = {kind: set(ids) for kind, ids in landed.planted.items()}
    # Uploads of sessions that were offline may follow the exported hours.
    late = rows.keys() - amplitude.keys() - planted["extra"]
    assert len(late) < len(rows) / 20
    assert amplitude.keys() - rows.keys() == planted["missing"]
    other_times, other_properties = set(), set()
    for name in rows.keys() & amplitude.keys():
        row, event = rows[name], amplitude[name]
        assert (row["event_text"], row["user_id"]) == (event["event_type"], event["user_id"])
        if row["timestamp"].replace(tzinfo=None) != datetime.fromisoformat(event["event_time"]):
            other_times.add(name)
        if as_texts(row["properties"]) != as_texts(json.dumps(event["event_properties"])):
            other_properties.add(name)
    assert other_times == planted["other_time"]
    assert other_properties == planted["other_property"]


def test_the_public_log_becomes_tables_of_segment(shared: Path, tmp_path: Path) -> None:
    events = list(exported_events(store(str(shared / "landing"))))
    land(store(str(tmp_path / "landing")), events)
    tables = loaded(tmp_path)
    known = {event["user_id"] for event in events if event["user_id"]}
    assert {row["id"] for row in tables["segment/users"]} == known
    assert {row["user_id"] for row in tables["segment/identifies"]} == known
    assert len({row["id"] for row in tables["segment/tracks"]}) == 8056


def test_the_command_lands_and_names_what_it_planted(tmp_path: Path) -> None:
    env = {"NOVADE_LANDING_URL": str(tmp_path)}
    options = ("--days", "1", "--events-per-hour", "5", "--missing", "2")
    run = novade(tmp_path, "sandbox", "segment", *options, "--first-day", "2024-05-01", env=env)
    assert run.returncode == 0, run.stderr
    assert "missing: " in run.stdout
    assert (tmp_path / "segment" / "lantern" / "tracks" / "000000000000.parquet").is_file()


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("Order Completed", "order_completed"),
        ("trackId", "track_id"),
        ("Song-Played 2", "song_played_2"),
        ("already_so", "already_so"),
    ],
)
def test_names_are_those_of_the_warehouse(name: str, column: str) -> None:
    assert snake_case(name) == column
