"""One history of Segment and Amplitude: each event once, whoever recorded it, in part as whole."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from novade_pipeline.defs.segment.tables import ALIASES, IDENTIFIES, PAGES, TRACKS
from novade_pipeline.lake.delta import replace_window
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline_tests.defs.marts.conftest import DAY
from novade_pipeline_tests.defs.marts.stored_marts import query_warehouse
from novade_pipeline_tests.places import on_disk

World = Any
Change = Callable[[World], None]
NAMES = (
    *("event_enhanced", "sessions", "user_days", "user_enhanced"),
    *("segment_events", "segment_persons", "matched_events", "all_events", "reconciliation"),
)
HOUR = timedelta(hours=1)
pytestmark = on_disk


def land(world: World, table: Table, *rows: dict[str, Any], upload: int = 0) -> None:
    """Replace the rows of an upload hour of a table of Segment; `hour` says when one happened."""
    moment = DAY + timedelta(days=100, hours=upload)
    placed = []
    for line, row in enumerate(rows, 1):
        happened = DAY + timedelta(hours=row.pop("hour", 0))
        source_table = row.pop("source_table", "song")
        placed.append(
            {
                **{
                    "upload_date": moment.date(),
                    "upload_hour": moment,
                    "file": f"{source_table}/f",
                },
                **{"line": line, "record": line, "mended": [], "dataset": "lantern"},
                **{"source_table": source_table, "timestamp": happened, "received_at": happened},
                **({"event": "song", "event_text": "Song"} if table is TRACKS else {}),
                **row,
            }
        )
    content = pa.Table.from_pylist(placed, schema=table.schema)
    replace_window(world.lake, table, content, [Window(moment, moment + HOUR)])


def history(world: World, *columns: str) -> list[tuple[Any, ...]]:
    return query_warehouse(world, f"select {', '.join(columns)} from marts.all_events order by all")


def refresh(world: World, project: Any, **options: Any) -> None:
    world.write()
    report = world.refresh(project, *NAMES, checks=True, **options)
    broken = {check.check.name: check.message for check in report.checks if not check.passed}
    assert (broken, report.failures) == ({}, {})


@pytest.fixture
def both(built: World, project: Any) -> World:
    """The world of three days, of which Segment recorded the two before and some of the first."""
    built.land(60, built.event("m", 59.5, insert_id="s-m", amplitude_id=9, user_id="mia"))
    built.land(61, built.event("n", 60.5, insert_id="s-n", amplitude_id=8, device_id="d8"))
    built.land(2, built.event("o", 1.9, insert_id="s-o", amplitude_id=9, user_id="mia"))
    land(
        built,
        TRACKS,
        {"id": "s-old", "hour": -30, "user_id": "mia", "properties": '{"a":1}'},
        {"id": "s-m", "hour": 59.5, "user_id": "mia"},
        {"id": "s-o", "hour": 1.9, "user_id": "mia", "properties": '{"side":"segment"}'},
        {"id": "s-n", "hour": 60.5, "anonymous_id": "d8"},
        {"id": "s-anonymous", "hour": -20, "anonymous_id": "laptop"},
        {"id": "s-stranger", "hour": -19, "anonymous_id": "kiosk"},
        {"id": "s-d8", "hour": -18, "anonymous_id": "d8"},
        {"id": "s-new", "hour": -17, "user_id": "zoe"},
    )
    late = {"id": "s-late", "hour": -40, "user_id": "mia"}
    land(built, TRACKS, {**late, "properties": '{"n":1}'}, upload=5)
    land(built, TRACKS, {**late, "source_table": "tracks"}, upload=6)
    land(built, PAGES, {"id": "p", "hour": -16, "name": "Home", "source_table": "pages"})
    land(built, IDENTIFIES, {"id": "i", "anonymous_id": "laptop", "user_id": "mia"})
    land(built, ALIASES, {"id": "l", "previous_id": "old-phone", "user_id": "mia"})
    refresh(built, project)
    return built


def test_each_event_is_in_the_history_once_with_its_person(both: World, project: Any) -> None:
    rows = {row[0]: row[1:] for row in history(both, "event_key", "recorded_by", "taken_from")}
    # Amplitude has the second day whole: from then on its copy counts.
    assert rows["segment:s-o"] == ("both", "segment")
    assert rows["segment:s-m"] == ("both", "amplitude")
    assert rows["segment:s-old"] == ("segment", "segment")
    assert rows["amplitude:a"] == ("amplitude", "amplitude")
    assert {"amplitude:m", "amplitude:n", "amplitude:o"}.isdisjoint(rows)
    properties = dict(history(both, "insert_id", "event_properties"))
    assert properties["s-o"] == '{"side":"segment"}'
    assert properties["s-m"] == '{"level":"free"}'
    # The event's own table completes `tracks`, whichever landed first.
    assert properties["s-late"] == '{"n":1}'
    assert dict(history(both, "insert_id", "event_type"))["p"] == "Viewed Home Page"
    persons = dict(history(both, "event_key", "person_id"))
    mia = persons["segment:s-m"]
    assert mia == 9
    assert persons["segment:s-old"] == persons["segment:s-anonymous"] == mia
    assert persons["segment:s-d8"] == persons["segment:s-n"] == 8
    unknown = {persons["segment:s-stranger"], persons["segment:s-new"]}
    assert len(unknown) == 2
    assert max(unknown) < 0
    refresh(both, project, variables={"cut_over": "2030-01-01"})
    assert dict(history(both, "insert_id", "taken_from"))["s-m"] == "segment"


def _an_hour_repeats_an_id(world: World) -> None:
    world.land(62, world.event("m2", 61.5, insert_id="s-m", amplitude_id=7, device_id="other"))


def _the_first_copy_is_gone(world: World) -> None:
    world.empty(60)


def _what_matched_is_gone(world: World) -> None:
    world.empty(62)
    world.empty(2)


def _a_stranger_becomes_known(world: World) -> None:
    world.land(63, world.event("q", 62.5, amplitude_id=11, user_id="zoe", device_id="kiosk"))


def _a_device_gets_a_second_person(world: World) -> None:
    world.land(64, world.event("r", 63.5, amplitude_id=12, device_id="d8"))


def _a_merge_moves_a_person(world: World) -> None:
    world.identities = {**world.identities, 8: 9}


def _amplitude_begins_earlier(world: World) -> None:
    world.land(-60, world.event("first", -60.5))


def _segment_lands_more(world: World) -> None:
    land(world, TRACKS, {"id": "a-new", "hour": 3, "user_id": "yan"}, upload=9)


def _a_new_hour(world: World) -> None:
    world.land(70, world.event("new", 69.5, insert_id="s-unknown"))


# A refresh takes seconds: changes that do not concern each other share one.
STEPS: list[tuple[Change, ...]] = [
    (_a_new_hour,),
    (_an_hour_repeats_an_id, _a_stranger_becomes_known),
    (_the_first_copy_is_gone, _a_device_gets_a_second_person),
    (_what_matched_is_gone, _a_merge_moves_a_person, _amplitude_begins_earlier),
    (_segment_lands_more,),
]


def test_what_changed_is_what_a_whole_build_would_find(both: World, project: Any) -> None:
    for step in STEPS:
        for change in step:
            change(both)
        refresh(both, project)
        names = [change.__name__ for change in step]
        marts, whole = both.marts(NAMES), both.whole(project, NAMES)
        different = {mart for mart in NAMES if marts[mart] != whole[mart]}
        assert different == set(), names
        published = both.published(NAMES[4:])
        assert {name: marts[name] for name in published} == published, names
        # Only new files of Segment need all of the history.
        assert _is_whole(both) is (step == (_segment_lands_more,)), names


def test_a_model_may_be_selected_before_those_that_it_reads(both: World, project: Any) -> None:
    """`matched_events` has not yet seen that an event has lost its id, and moved, in its hour."""
    both.empty(60)
    both.land(60, both.event("m", 35.5, insert_id=None, amplitude_id=9, user_id="mia"))
    both.write()
    both.refresh(project, "event_enhanced")
    both.refresh(project, "all_events", "reconciliation")
    refresh(both, project)
    marts, whole = both.marts(NAMES), both.whole(project, NAMES)
    assert {mart for mart in NAMES if marts[mart] != whole[mart]} == set()
    assert _is_whole(both) is False
    assert dict(history(both, "event_key", "recorded_by"))["segment:s-m"] == "segment"


def _is_whole(world: World) -> bool:
    sql = "select whole from novade.model where model = 'all_events'"
    ((whole,),) = query_warehouse(world, sql)
    return bool(whole)


def test_without_segment_it_is_a_view_of_amplitude(built: World, project: Any) -> None:
    """A copy of all events would add nothing, and a view of one table reads no more than it."""
    refresh(built, project)
    assert _kind(built) == "VIEW"
    ((sql,),) = query_warehouse(
        built, "select sql from duckdb_views() where view_name = 'all_events'"
    )
    assert "event_enhanced" in sql
    assert "segment" not in sql.replace("segment_time", "")
    assert "JOIN" not in sql.upper()
    steps = [
        (lambda: _a_new_hour(built), "VIEW", False),
        (lambda: built.empty(0), "VIEW", False),
        (lambda: land(built, TRACKS, {"id": "s-unknown", "hour": 60.5}), "BASE TABLE", True),
        (lambda: _a_stranger_becomes_known(built), "BASE TABLE", False),
        (lambda: land(built, TRACKS), "VIEW", True),
        (lambda: _a_device_gets_a_second_person(built), "VIEW", False),
    ]
    for place, (change, kind, whole) in enumerate(steps):
        change()
        refresh(built, project)
        assert (_kind(built), _is_whole(built)) == (kind, whole), place
        marts = built.marts(NAMES)
        assert marts == built.whole(project, NAMES), place
        assert built.published(["all_events"])["all_events"] == marts["all_events"], place


def _kind(world: World) -> str:
    sql = "select table_type from information_schema.tables where table_name = 'all_events'"
    ((kind,),) = query_warehouse(world, sql)
    return str(kind)
