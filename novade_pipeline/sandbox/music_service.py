"""The events and the merges of identities of one day of the music service.

A day is a pure function of (world, day). An event has its upload hours: normally one, soon after it
happened; a later one for a session that was offline; two for a line that is exported twice.
"""

from collections.abc import Callable
from functools import lru_cache
from random import Random
from typing import Literal, NamedTuple

from novade_pipeline.sandbox.music_sessions import Action, Properties, server_side, visits
from novade_pipeline.sandbox.music_users import HOUR, SECOND, Device, User, World
from novade_pipeline.sandbox.tracking_plan import UNPLANNED_EVENT

LOOKBACK_HOURS = 96
"""No event is in an upload hour that begins this long after the day of its session ends."""

PROCESSING = SECOND * 3 // 2
"""Time from reception to processing, which determines the file's hour."""

_OFFLINE_SESSIONS = 0.037
_LONGEST_DELAY = 66 * HOUR
_REPEATED = 0.01
_VIOLATING = 0.006

Verdict = Literal["conforming", "violating", "unplanned"]


class Event(NamedTuple):
    """An event; times are true times, in microseconds since 1970-01-01 UTC."""

    user: User
    device: Device
    amplitude_id: int
    user_id: str | None
    level: str
    event_type: str
    properties: Properties
    happened: int
    received: int
    session_id: int
    event_id: int
    bits: int
    upload_hours: tuple[int, ...]
    verdict: Verdict


class Merge(NamedTuple):
    """`amplitude_id` is merged into `merged_amplitude_id`; times in ms."""

    upload_hour: int
    merge_time: int
    merge_server_time: int
    amplitude_id: int
    merged_amplitude_id: int


class Day(NamedTuple):
    """What began on a UTC day, in the order of the users."""

    events: list[Event]
    merges: list[Merge]


_VIOLATIONS: dict[str, Callable[[Properties], Properties]] = {
    "Page Viewed": lambda values: {**values, "page": "beta"},
    "Song Played": lambda values: {**values, "duration_seconds": str(values["duration_seconds"])},
    "Searched": lambda values: {**values, "query": ""},
    "Song Skipped": lambda values: {**values, "played_seconds": 86_400},
    "Advert Heard": lambda values: {"seconds": values["seconds"]},
}


def day_of(world: World, day: int) -> Day:
    """Simulate a day, counted since 1970-01-01."""
    result = Day([], [])
    for user in world.users_on(day):
        _simulate_user(world, user, day, result)
    return result


@lru_cache(maxsize=1024)
def quiet_hour(world: World, day: int) -> int | None:
    """The hour, since 1970-01-01, in which a day's export paused, or None.

    Its uploads follow in the next hour.
    """
    rng = world.random("quiet", day)
    return day * 24 + rng.randint(1, 4) if rng.random() < 0.6 else None


def _simulate_user(world: World, user: User, day: int, result: Day) -> None:
    rng = world.random("day", user.index, day)
    written = 0
    for actions in (*visits(rng, user, day), server_side(rng, user, day)):
        _upload(world, rng, user, day, actions, written, result)
        written += len(actions)


def _upload(
    world: World,
    rng: Random,
    user: User,
    day: int,
    actions: list[Action],
    written: int,
    result: Day,
) -> None:
    """Turn the actions of a visit into events, after `written` events of the same day."""
    offline_until = _offline_until(rng, actions)
    for number, action in enumerate(actions):
        lag = SECOND // 5 + min(30 * SECOND, int(rng.expovariate(1 / 4) * SECOND))
        received = max(action.happened + lag, offline_until)
        hour = (received + PROCESSING) // HOUR
        if hour == quiet_hour(world, hour // 24):
            received, hour = received + HOUR, hour + 1
        violate = _VIOLATIONS.get(action.event_type) if rng.random() < _VIOLATING else None
        unplanned = action.event_type == UNPLANNED_EVENT
        result.events.append(
            Event(
                user=user,
                device=action.device,
                amplitude_id=action.amplitude_id,
                user_id=action.user_id,
                level=action.level,
                event_type=action.event_type,
                properties=violate(action.properties) if violate else action.properties,
                happened=action.happened,
                received=received,
                session_id=action.session_id,
                event_id=(day - user.born) * 1000 + written + number,
                bits=rng.getrandbits(128),
                upload_hours=(hour, *_repeat_hours(world, rng, hour)),
                verdict="unplanned" if unplanned else "violating" if violate else "conforming",
            )
        )
        if action.merged is not None:
            result.merges.append(
                Merge(
                    upload_hour=hour,
                    merge_time=action.happened // 1000,
                    merge_server_time=received // 1000,
                    amplitude_id=action.merged,
                    merged_amplitude_id=action.amplitude_id,
                )
            )


def _offline_until(rng: Random, actions: list[Action]) -> int:
    """When an offline phone is online again; 0 for sessions that were online.

    Logging in, reinstalling and paying need a network.
    """
    if rng.random() >= _OFFLINE_SESSIONS or not actions or not actions[0].device.is_phone:
        return 0
    if any(
        a.merged is not None or a.session_id < 0 or a.event_type == "Logged In" for a in actions
    ):
        return 0
    return actions[-1].happened + min(_LONGEST_DELAY, HOUR + int(rng.expovariate(1 / 9) * HOUR))


def _repeat_hours(world: World, rng: Random, hour: int) -> tuple[int, ...]:
    """The hour in which the line is exported again, sometimes the same hour; mostly none."""
    if rng.random() >= _REPEATED:
        return ()
    if rng.random() < 0.25:
        return (hour,)
    later = hour + rng.randint(1, 12)
    return (later + 1 if later == quiet_hour(world, later // 24) else later,)
