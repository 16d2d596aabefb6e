"""Incremental and whole builds are always equal, whatever changed in between."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from novade_pipeline_tests.places import on_disk

World = Any
Change = Callable[[World], None]


def _fewer_events(world: World) -> None:
    world.empty(0)
    world.land(0, world.event("b", 0.2, event_type="Song"))


def _changed_events(world: World) -> None:
    world.empty(1)
    world.land(1, world.event("c", 30.0, session_id=77, event_type="Song", country="CH"))


def _the_standing_copy_is_gone(world: World) -> None:
    world.empty(0)


def _an_earlier_copy_lands_late(world: World) -> None:
    world.land(-30, world.event("f", 49.5, event_type="Song", platform="iOS"))


def _the_last_day_and_an_event_type_are_gone(world: World) -> None:
    world.empty(0)
    world.land(0, world.event("b", 0.2))
    world.empty(50)


def _all_is_gone(world: World) -> None:
    for hour in (0, 1, 25, 50):
        world.empty(hour)


def _a_late_merge(world: World) -> None:
    world.identities = {3: 2, 1: 2}


def _a_chain_grows(world: World) -> None:
    world.identities = {3: 7, 2: 7}


def _a_session_ends_to_be_one(world: World) -> None:
    world.empty(0)
    world.land(0, world.event("a", 0.1, session_id=-1), world.event("b", 0.2, session_id=None))


def _an_insert_id_comes_again(world: World) -> None:
    again = {"insert_id": "i", "device_id": "d", "app": 1}
    world.land(3, world.event("i1", 3.1, **again))
    world.land(52, world.event("i2", 51.9, **again), world.event("i3", 51.9, **again, user_id="u"))


def _a_clock_is_years_off(world: World) -> None:
    world.land(53, world.event("ahead", 24 * 365 * 100.0), world.event("behind", -24 * 365 * 50.0))


def _ids_are_placeholders(world: World) -> None:
    nobody = {"amplitude_id": None, "user_id": ""}
    world.land(
        5,
        world.event("q", 5.1, **nobody, device_id="dA"),
        world.event("r", 5.2, **nobody, device_id="dB"),
        world.event("s", 5.3, **nobody, device_id="00000000-0000-0000-0000-000000000000"),
    )


def _nobody_did_it(world: World) -> None:
    nobody = {"amplitude_id": None}
    world.land(
        4,
        world.event("n", 4.1, **nobody, user_id="u"),
        world.event("o", 4.2, **nobody, device_id="d"),
        world.event("p", 4.3, **nobody),
    )


def _the_first_day_moves(world: World) -> None:
    world.land(60, world.event("early", -100.0, amplitude_id=3))


def _the_plan_changes(world: World) -> None:
    world.plan = [*world.planned("Song", "tempo")]


CHANGES: list[Change] = [
    *(_fewer_events, _changed_events, _the_standing_copy_is_gone, _an_earlier_copy_lands_late),
    *(_the_last_day_and_an_event_type_are_gone, _all_is_gone, _a_late_merge, _a_chain_grows),
    *(_a_session_ends_to_be_one, _nobody_did_it, _the_first_day_moves, _the_plan_changes),
    *(_an_insert_id_comes_again, _a_clock_is_years_off, _ids_are_placeholders),
]


@pytest.mark.parametrize(
    ("new_store", "change"),
    [
        *(("disk", change) for change in CHANGES),
        ("azurite", _fewer_events),
    ],
    indirect=["new_store"],
    ids=lambda case: case if isinstance(case, str) else case.__name__.strip("_"),
)
def test_what_changed_is_what_a_whole_build_would_find(
    built: World, project: Any, change: Change
) -> None:
    change(built)
    built.write()
    done = built.refresh(project)
    assert not done.failures
    assert built.marts() == built.whole(project)
    assert built.published() == built.marts()


@on_disk
def test_a_mart_that_was_built_before_one_that_it_reads_is_built_again(
    built: World, project: Any
) -> None:
    _a_session_ends_to_be_one(built)
    built.write()
    built.refresh(project, "event_enhanced", "user_days", "user_enhanced")
    built.refresh(project)
    assert built.marts() == built.whole(project)


@on_disk
@pytest.mark.parametrize("seed", [5])
def test_any_history_ends_as_a_build_from_nothing(world: World, project: Any, seed: int) -> None:
    chance = random.Random(seed)
    world.write()
    # A model alone is built from those that it reads, once they are there.
    world.refresh(project)
    for _ in range(4):
        _anything(world, chance)
        world.write()
        for model in _some_models(chance):
            # One after the other: each sees what the others left behind.
            world.refresh(project, *model)
    world.refresh(project)
    assert world.marts() == world.whole(project)
    assert world.published() == world.marts()
    assert world.refresh(project).marts["sessions"].is_unchanged


def _anything(world: World, chance: random.Random) -> None:
    for hour in chance.sample(range(0, 80, 6), 3):
        world.empty(hour)
        if chance.random() < 0.8:
            uuids = chance.sample("abcdefghijklmnop", chance.randint(1, 5))
            world.land(hour, *(_some_event(world, chance, uuid) for uuid in uuids))
    if chance.random() < 0.5:
        world.identities = {a: chance.choice([7, 8]) for a in chance.sample(range(1, 6), 3)}


def _some_event(world: World, chance: random.Random, uuid: str) -> Any:
    return world.event(
        uuid,
        chance.choice([*range(0, 80, 5), -200]),
        event_type=chance.choice(["Home", "Song", "Song", "Rare"]),
        amplitude_id=chance.choice([1, 2, 3, 4, 5, None]),
        user_id=chance.choice([None, "u@example.com"]),
        session_id=chance.choice([-1, None, 1_000, 2_000]),
        insert_id=chance.choice([None, None, "i", "j"]),
        device_id=chance.choice([None, "d", "e", "null"]),
        country=chance.choice([None, "CH", "DE"]),
        event_properties=chance.choice(['{"level":"bad"}', '{"a":1,"b":{}}', "null", "[]"]),
    )


def _some_models(chance: random.Random) -> list[list[str]]:
    followers = [
        *("sessions", "user_days", "user_enhanced", "daily_performance"),
        *("weekly_retention", "coverage_by_day", "tracking_plan_coverage"),
    ]
    return [["event_enhanced"], chance.sample(followers, chance.randint(0, 5))][
        : chance.randint(1, 2)
    ]
