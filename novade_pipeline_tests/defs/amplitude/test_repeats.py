"""Copies of an event are found by uuid and by insert id, wherever and whenever they land."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from novade_pipeline.defs.amplitude.repeats import find_repeats
from novade_pipeline.defs.amplitude.tables import EVENT_KEYS, EVENTS, REPEATS
from novade_pipeline.lake.delta import current_version, replace_window
from novade_pipeline.lake.read import read
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.places import NewStore, clear, on_disk

START = datetime(2026, 3, 2, tzinfo=UTC)
Row = dict[str, Any]
HOURS_OF_A_WEEK = 7 * 24


@pytest.fixture
def lake(new_store: NewStore) -> Store:
    return new_store("lake")


def _event(uuid: str, **fields: Any) -> Row:
    return {"uuid": uuid, "event_type": "Home", "app": 1, "device_id": "d", **fields}


def _land(lake: Store, hour: int, *events: Row, file: str = "a") -> None:
    """Put events into an hour, in the place of those there."""
    moment = START + timedelta(hours=hour)
    place = {"upload_date": moment.date(), "upload_hour": moment, "file": file}
    rows = [
        {**place, "line": line, "event_time": moment, **event}
        for line, event in enumerate(events, 1)
    ]
    table = pa.Table.from_pylist(rows, schema=EVENTS.schema)
    replace_window(lake, EVENTS, table, [Window(moment, moment + timedelta(hours=1))])


def _repeats(lake: Store) -> set[tuple[int, str, str, int]]:
    """(hour, uuid, what it shares, the earlier one's hour) of each repeat."""
    return {
        (_hour(row["upload_hour"]), row["uuid"], row["same"], _hour(row["earlier_hour"]))
        for row in read(lake, REPEATS).to_pylist()
    }


def _hour(moment: datetime) -> int:
    return (moment - START) // timedelta(hours=1)


def test_of_several_copies_all_but_the_first_to_land_are_repeats(lake: Store) -> None:
    _land(lake, 5, _event("a"), _event("b"))
    _land(lake, 3, _event("a"))
    _land(lake, 3000, _event("a"), _event("c"))
    find_repeats(lake)
    assert _repeats(lake) == {(5, "a", "uuid", 3), (3000, "a", "uuid", 5)}


@on_disk
@pytest.mark.parametrize(
    ("first", "second", "is_repeat"),
    [
        ({"insert_id": "i"}, {"insert_id": "i"}, True),
        ({"insert_id": "i"}, {"insert_id": "j"}, False),
        ({"insert_id": "i"}, {"insert_id": "i", "device_id": "e"}, False),
        ({"insert_id": "i"}, {"insert_id": "i", "app": 2}, False),
        ({"insert_id": "i", "device_id": None}, {"insert_id": "i", "device_id": None}, True),
        ({"insert_id": None}, {"insert_id": None}, False),
        ({"insert_id": ""}, {"insert_id": ""}, False),
        ({"insert_id": " "}, {"insert_id": " "}, False),
    ],
)
def test_one_insert_id_of_one_app_and_device_is_one_event(
    lake: Store, first: Row, second: Row, is_repeat: bool
) -> None:
    _land(lake, 0, _event("a", **first))
    _land(lake, 1, _event("b", **second))
    find_repeats(lake)
    assert _repeats(lake) == ({(1, "b", "insert_id", 0)} if is_repeat else set())


@on_disk
@pytest.mark.parametrize(
    ("hours", "is_repeat"), [(HOURS_OF_A_WEEK, True), (HOURS_OF_A_WEEK + 1, False)]
)
@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("at_once", [True, False])
def test_an_insert_id_is_known_for_a_week(
    lake: Store, hours: int, is_repeat: bool, order: tuple[str, str], at_once: bool
) -> None:
    hour_of = {"a": 0, "b": hours}
    for uuid in order:
        _land(lake, hour_of[uuid], _event(uuid, insert_id="i"))
        if not at_once:
            find_repeats(lake)
    find_repeats(lake)
    assert _repeats(lake) == ({(hours, "b", "insert_id", 0)} if is_repeat else set())


@on_disk
def test_a_late_copy_leaves_those_that_are_more_than_a_week_before_it(lake: Store) -> None:
    for number, hour in enumerate((0, 150, 300)):
        _land(lake, hour, _event(str(number), insert_id="i"))
        find_repeats(lake)
    assert _repeats(lake) == {(150, "1", "insert_id", 0), (300, "2", "insert_id", 150)}


@on_disk
def test_an_insert_id_that_keeps_coming_stays_one_event(lake: Store) -> None:
    for number, hour in enumerate((0, 150, 300)):
        _land(lake, hour, _event(str(number), insert_id="i"))
    find_repeats(lake)
    assert _repeats(lake) == {(150, "1", "insert_id", 0), (300, "2", "insert_id", 150)}


def test_a_copy_that_loses_the_first_one_stands_itself(lake: Store) -> None:
    _land(lake, 0, _event("a"))
    _land(lake, 900, _event("a"), _event("b", insert_id="i"))
    find_repeats(lake)
    assert _repeats(lake) == {(900, "a", "uuid", 0)}
    _land(lake, 0)
    find_repeats(lake)
    assert _repeats(lake) == set()


@on_disk
def test_a_first_copy_that_lands_last_makes_the_others_repeats(lake: Store) -> None:
    _land(lake, 900, _event("a"), _event("x"), _event("x", insert_id="k"))
    _land(lake, 901, _event("a"))
    find_repeats(lake)
    _land(lake, 0, _event("a"))
    find_repeats(lake)
    assert _repeats(lake) == {
        (900, "a", "uuid", 0),
        (900, "x", "uuid", 900),
        (901, "a", "uuid", 900),
    }


def test_nothing_is_written_where_no_event_has_changed(lake: Store) -> None:
    _land(lake, 0, _event("a"))
    assert len(find_repeats(lake)) == 2
    versions = [current_version(lake, table) for table in (EVENT_KEYS, REPEATS)]
    assert find_repeats(lake) == []
    assert [current_version(lake, table) for table in (EVENT_KEYS, REPEATS)] == versions


@on_disk
def test_an_hour_without_copies_elsewhere_is_found_by_its_keys_alone(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour in range(4):
        _land(lake, hour, *(_event(f"{hour}-{n}") for n in range(3)))
    find_repeats(lake)
    requested = []
    stream = find_repeats.__globals__["stream"]
    monkeypatch.setitem(
        find_repeats.__globals__,
        "stream",
        lambda *args, **how: requested.append(how["windows"]) or stream(*args, **how),
    )
    _land(lake, 4, _event("new"))
    find_repeats(lake)
    hour = START + timedelta(hours=4)
    assert requested == [[Window(hour, hour + timedelta(hours=1))], []]


@on_disk
@pytest.mark.parametrize("lost", [EVENT_KEYS, REPEATS])
def test_a_table_that_is_lost_is_made_again(lake: Store, lost: Any) -> None:
    _land(lake, 0, _event("a"))
    _land(lake, 40, _event("a"))
    find_repeats(lake)
    clear(lake, *lost.path)
    _land(lake, 50, _event("b"))
    find_repeats(lake)
    assert _repeats(lake) == {(40, "a", "uuid", 0)}
    assert len(read(lake, EVENT_KEYS)) == 3


@on_disk
@pytest.mark.parametrize("seed", range(4))
def test_changes_in_any_order_end_as_all_events_at_once(
    lake: Store, tmp_path: Any, seed: int
) -> None:
    chance = random.Random(seed)
    state: dict[tuple[int, str], list[Row]] = {}
    for _ in range(8):
        for _ in range(chance.randint(1, 3)):
            hour = chance.choice([0, 1, 2, 30, 100, 170, 171, 400])
            events = [
                _event(
                    chance.choice("abcdefgh"),
                    insert_id=chance.choice(["i", "j", "k", None, ""]),
                    device_id=chance.choice(["d", "d", None]),
                )
                for _ in range(chance.randint(0, 4))
            ]
            # Within an hour a uuid is landed once.
            events = list({event["uuid"]: event for event in events}.values())
            state[hour, "a"] = events
            _land(lake, hour, *events)
        find_repeats(lake)
    again = store(str(tmp_path / "again"))
    for (hour, file), events in state.items():
        _land(again, hour, *events, file=file)
    find_repeats(again)
    assert _sorted(lake) == _sorted(again)
    assert _repeats(lake) == _by_hand(state)


def _sorted(lake: Store) -> list[Row]:
    return sorted(
        read(lake, REPEATS).to_pylist(), key=lambda row: (row["upload_hour"], row["line"])
    )


def _by_hand(state: dict[tuple[int, str], list[Row]]) -> set[tuple[int, str, str, int]]:
    """What the repeats are by their definition, one event after the other."""
    repeats = set()
    by_uuid: dict[str, int] = {}
    by_insert_id: dict[tuple[str, str | None], int] = {}
    for (hour, _), events in sorted(state.items()):
        for event in events:
            uuid, sender = event["uuid"], (event["insert_id"], event["device_id"])
            earlier = by_insert_id.get(sender) if event["insert_id"] else None
            if uuid in by_uuid:
                repeats.add((hour, uuid, "uuid", by_uuid[uuid]))
            elif earlier is not None and hour - earlier <= HOURS_OF_A_WEEK:
                repeats.add((hour, uuid, "insert_id", earlier))
            by_uuid[uuid] = hour
            by_insert_id[sender] = hour
    return repeats
