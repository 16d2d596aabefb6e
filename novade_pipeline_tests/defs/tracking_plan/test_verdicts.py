"""Keeping the verdicts beside the events: what changed is judged, by the plan as it is."""

import dataclasses
import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from novade_pipeline.defs.amplitude.tables import EVENTS as EVENTS_TABLE
from novade_pipeline.defs.tracking_plan import verdicts
from novade_pipeline.defs.tracking_plan.plan_files import plan_rows
from novade_pipeline.defs.tracking_plan.plan_formats import parse_plan
from novade_pipeline.defs.tracking_plan.tables import EVENT_VERDICTS, PLAN
from novade_pipeline.defs.tracking_plan.verdicts import (
    count_by_type,
    count_changes,
    judge_changes,
)
from novade_pipeline.lake.delta import create, current_version, replace, replace_window
from novade_pipeline.lake.read import read
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.places import NewStore

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def lake(new_store: NewStore) -> Store:
    return new_store("lake")


def _land(lake: Store, hour: int, *events: tuple[str, str, Any]) -> None:
    """Put events (uuid, type, n) into an upload hour."""
    moment = START + timedelta(hours=hour)
    rows = [
        {
            "upload_date": moment.date(),
            "upload_hour": moment,
            "file": "a",
            "line": line,
            "uuid": uuid,
            "event_type": event_type,
            "event_time": moment - timedelta(hours=30),
            "event_properties": json.dumps({"n": n}),
        }
        for line, (uuid, event_type, n) in enumerate(events, 1)
    ]
    table = pa.Table.from_pylist(rows, schema=EVENTS_TABLE.schema)
    replace_window(lake, EVENTS_TABLE, table, [Window(moment, moment + timedelta(hours=1))])


def _plan(lake: Store, **maxima: int) -> None:
    """A plan: event type -> the most that its `n` may be."""
    _store_plan(lake, [_rule(event_type, maximum) for event_type, maximum in maxima.items()])


def _rule(event_type: str, maximum: Any, version: int = 1) -> dict[str, Any]:
    n = {"type": "integer", "maximum": maximum}
    schema = {"properties": {"properties": {"properties": {"n": n}}}}
    return {"key": event_type, "type": "TRACK", "version": version, "jsonSchema": schema}


def _store_plan(lake: Store, rules: list[dict[str, Any]]) -> None:
    document = {"id": "tp_1", "name": "Shop", "rules": rules}
    replace(lake, PLAN, plan_rows(parse_plan(json.dumps(document).encode(), "plan.json"), "p"))


def _verdicts(lake: Store) -> dict[tuple[int, str], str]:
    """(hour, uuid) -> verdict."""
    rows = read(lake, EVENT_VERDICTS).to_pylist()
    found = {
        (int((row["upload_hour"] - START) / timedelta(hours=1)), row["uuid"]): row["verdict"]
        for row in rows
    }
    assert len(found) == len(rows)
    return found


def test_without_events_there_is_nothing_to_judge(lake: Store) -> None:
    _plan(lake, Sold=9)
    assert judge_changes(lake) == []


def test_without_a_plan_every_event_is_unplanned(lake: Store) -> None:
    _land(lake, 0, ("a", "Sold", 1))
    judge_changes(lake)
    assert _verdicts(lake) == {(0, "a"): "unplanned"}


def test_each_event_has_its_verdict(lake: Store) -> None:
    _plan(lake, Sold=9)
    _land(lake, 0, ("a", "Sold", 9), ("b", "Sold", 10), ("c", "Bought", 1), ("d", "Sold", "x"))
    judge_changes(lake)
    assert _verdicts(lake) == {
        (0, "a"): "conforming",
        (0, "b"): "violating",
        (0, "c"): "unplanned",
        (0, "d"): "violating",
    }


@pytest.mark.parametrize(("rows", "size"), [(3, 10**9), (10**9, 1), (10**9, 10**9)])
def test_events_are_judged_in_batches_of_any_size(
    lake: Store, monkeypatch: pytest.MonkeyPatch, rows: int, size: int
) -> None:
    monkeypatch.setattr(verdicts, "BATCH_ROWS", rows)
    monkeypatch.setattr(verdicts, "_BATCH_BYTES", size)
    _plan(lake, Sold=9)
    for hour in range(4):
        _land(lake, hour, *((f"{hour}-{n}", "Sold", n + 8) for n in range(3)))
    judge_changes(lake)
    assert Counter(_verdicts(lake).values()) == {"conforming": 8, "violating": 4}


def test_an_event_is_judged_by_the_version_that_a_field_beside_its_properties_names(
    lake: Store,
) -> None:
    rules = [_rule("Sold", 1, version=1), _rule("Sold", 9, version=2)]
    _store_plan(lake, rules)
    _land(lake, 0, ("a", "Sold", 5), ("b", "Sold", 5), ("c", "Sold", 1))
    rows = read(lake, EVENTS_TABLE).to_pylist()
    for row in rows:
        if row["uuid"] in ("b", "c"):
            row["other_fields"] = '{"context": {"protocols": {"event_version": 1}}}'
    table = pa.Table.from_pylist(rows, schema=EVENTS_TABLE.schema)
    replace_window(lake, EVENTS_TABLE, table, [Window(START, START + timedelta(hours=1))])
    judge_changes(lake)
    assert _verdicts(lake) == {
        (0, "a"): "conforming",
        (0, "b"): "violating",
        (0, "c"): "conforming",
    }


def test_events_of_a_refused_rule_are_unjudged_until_it_is_mended(lake: Store) -> None:
    _land(lake, 0, ("a", "Sold", 5), ("b", "Bought", 5))
    _store_plan(lake, [_rule("Sold", "much"), _rule("Bought", 9)])
    judge_changes(lake)
    assert _verdicts(lake) == {(0, "a"): "unjudged", (0, "b"): "conforming"}
    count_changes(lake)
    assert count_by_type(lake)["Sold"] == {"unjudged": 1}
    _plan(lake, Sold=1, Bought=9)
    judge_changes(lake)
    assert _verdicts(lake) == {(0, "a"): "violating", (0, "b"): "conforming"}


def test_a_verdict_says_which_event_and_how_it_breaks_the_plan(lake: Store) -> None:
    _plan(lake, Sold=9)
    _land(lake, 3, ("a", "Sold", 10))
    judge_changes(lake)
    (row,) = read(lake, EVENT_VERDICTS).to_pylist()
    assert (row["upload_hour"], row["file"], row["line"]) == (START + timedelta(hours=3), "a", 1)
    assert row["event_date"] == date(2026, 2, 27)
    (violation,) = row["violations"]
    told = (violation["path"], violation["keyword"], violation["expected"])
    assert told == ("n", "maximum", "9")


def test_the_second_time_there_is_nothing_to_do(lake: Store) -> None:
    _plan(lake, Sold=9)
    _land(lake, 0, ("a", "Sold", 1))
    assert judge_changes(lake)
    before = current_version(lake, EVENT_VERDICTS)
    assert judge_changes(lake) == []
    assert current_version(lake, EVENT_VERDICTS) == before


def test_only_hours_that_changed_are_judged_again(lake: Store) -> None:
    _plan(lake, Sold=9)
    _land(lake, 0, ("a", "Sold", 1), ("b", "Sold", 1))
    _land(lake, 24, ("c", "Sold", 1))
    judge_changes(lake)
    _land(lake, 25, ("d", "Sold", 10))
    receipts = judge_changes(lake)
    assert sum(receipt.rows for receipt in receipts) == 1
    assert _verdicts(lake) == {
        (0, "a"): "conforming",
        (0, "b"): "conforming",
        (24, "c"): "conforming",
        (25, "d"): "violating",
    }


def test_events_that_are_gone_take_their_verdicts_with_them(lake: Store) -> None:
    _land(lake, 0, ("a", "Sold", 1), ("b", "Sold", 1))
    _land(lake, 24, ("c", "Sold", 1))
    judge_changes(lake)
    _land(lake, 0, ("b", "Sold", 1))
    _land(lake, 24)
    judge_changes(lake)
    assert set(_verdicts(lake)) == {(0, "b")}


def test_a_new_plan_judges_history_again_and_leaves_the_events(lake: Store) -> None:
    _plan(lake, Sold=9)
    _land(lake, 0, ("a", "Sold", 10))
    _land(lake, 24, ("b", "Bought", 1))
    judge_changes(lake)
    before = current_version(lake, EVENTS_TABLE)
    _plan(lake, Sold=10, Bought=9)
    judge_changes(lake)
    assert set(_verdicts(lake).values()) == {"conforming"}
    assert len(set(read(lake, EVENT_VERDICTS)["plan_version"].to_pylist())) == 1
    assert current_version(lake, EVENTS_TABLE) == before


def test_the_same_plan_written_again_judges_nothing_again(lake: Store) -> None:
    _plan(lake, Sold=9)
    _land(lake, 0, ("a", "Sold", 1))
    judge_changes(lake)
    _plan(lake, Sold=9)
    assert judge_changes(lake) == []


def test_a_long_history_commits_in_slices_and_the_last_says_that_it_is_done(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "SLICE_DAYS", 2)
    _plan(lake, Sold=9)
    for day in range(5):
        _land(lake, 24 * day, (str(day), "Sold", 1))
    told: list[str] = []
    assert len(judge_changes(lake, told.append)) == 3
    assert told[-1] == "tracking_plan/event_verdicts: 3 of 3 commits"
    assert len(_verdicts(lake)) == 5
    assert judge_changes(lake) == []


def test_work_that_was_cut_off_is_done_by_the_next(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "SLICE_DAYS", 1)
    for day in range(3):
        _land(lake, 24 * day, (str(day), "Sold", 1))

    def stop(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge_changes(lake, stop)
    assert len(_verdicts(lake)) == 1
    judge_changes(lake)
    assert len(_verdicts(lake)) == 3


def test_a_plan_that_comes_back_after_another_was_cut_off_has_all_judged_again(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "SLICE_DAYS", 1)
    for day in range(3):
        _land(lake, 24 * day, (str(day), "Sold", 5))
    _plan(lake, Sold=9)
    judge_changes(lake)

    def stop(_: str) -> None:
        raise KeyboardInterrupt

    _plan(lake, Sold=1)
    with pytest.raises(KeyboardInterrupt):
        judge_changes(lake, stop)
    assert sorted(_verdicts(lake).values()) == ["conforming", "conforming", "violating"]
    _plan(lake, Sold=9)
    judge_changes(lake)
    assert set(_verdicts(lake).values()) == {"conforming"}


def test_events_that_are_deleted_and_land_again_are_judged_again(lake: Store) -> None:
    _land(lake, 0, ("a", "Sold", 1))
    judge_changes(lake)
    for entry in list(lake.entries("amplitude/events/")):
        lake.delete(entry.file)
    _land(lake, 24, ("b", "Sold", 1))
    judge_changes(lake)
    assert _verdicts(lake) == {(24, "b"): "unplanned"}


def test_events_that_are_not_cut_by_day_are_judged_as_well(lake: Store) -> None:
    create(lake, dataclasses.replace(EVENTS_TABLE, partition_by=()))
    for hour in (0, 30):
        _land(lake, hour, ("a", "Sold", 1))
        judge_changes(lake)
    assert _verdicts(lake) == {(0, "a"): "unplanned", (30, "a"): "unplanned"}


def test_a_change_of_events_that_changes_no_day_is_taken_note_of(lake: Store) -> None:
    _land(lake, 0, ("a", "Sold", 1))
    judge_changes(lake)
    _land(lake, 99)
    judge_changes(lake)
    assert judge_changes(lake) == []
    assert set(_verdicts(lake)) == {(0, "a")}


def test_events_are_counted_by_type_and_verdict(lake: Store) -> None:
    assert count_by_type(lake) == {}
    _plan(lake, Sold=9)
    _land(lake, 0, ("a", "Sold", 1), ("b", "Sold", 10), ("c", "Sold", 2), ("d", "Bought", 2))
    judge_changes(lake)
    count_changes(lake)
    assert count_by_type(lake) == {
        "Bought": {"unplanned": 1},
        "Sold": {"conforming": 2, "violating": 1},
    }


def test_only_days_that_changed_are_counted_again(lake: Store) -> None:
    _plan(lake, Sold=9)
    _land(lake, 0, ("a", "Sold", 1))
    _land(lake, 24, ("b", "Sold", 1))
    judge_changes(lake)
    count_changes(lake)
    assert count_changes(lake) == []
    _land(lake, 25, ("c", "Sold", 10), ("d", "Bought", 1))
    judge_changes(lake)
    (receipt,) = count_changes(lake)
    assert receipt.rows == 3
    assert count_by_type(lake) == {
        "Bought": {"unplanned": 1},
        "Sold": {"conforming": 2, "violating": 1},
    }
    _land(lake, 0)
    judge_changes(lake)
    count_changes(lake)
    assert count_by_type(lake)["Sold"] == {"conforming": 1, "violating": 1}
