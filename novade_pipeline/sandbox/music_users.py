"""Users of the music service, their active days and their devices.

A user is a pure function of (world, index), so that any hour can be simulated on its own. Times are
microseconds, days and hours are counts, all since 1970-01-01 UTC.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from novade_pipeline.sandbox.business import Person, companies_for, person
from novade_pipeline.sandbox.music_catalogue import (
    APP_VERSIONS,
    CARRIERS,
    GENRES,
    LANGUAGES,
    PHONE_MODELS,
    PLACES,
    SERVER_MODEL,
    WEB_MODELS,
    Model,
    Place,
)

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 3600 * SECOND
DAY = 24 * HOUR

FIRST_DAY = 10_957
"""2000-01-01, the first day of the oldest users; users are numbered from here on."""

LONGEST_LIFE = 84
"""Days after which no user returns; twelve weeks show a whole retention curve."""

_EVENTS_IN_A_LIFE = 90.0
"""Average number of events of a user; measured over eight weeks."""

_WEEKDAYS = (0.9, 0.85, 0.9, 1.0, 1.2, 1.25, 0.9)
_LOCAL_HOURS = (3, 2, 1, 1, 1, 2, 5, 9, 9, 6, 5, 5, 7, 7, 5, 5, 6, 9, 12, 13, 14, 13, 10, 6)
_SUBSCRIPTION_DAYS = 30


@dataclass(frozen=True, eq=False)
class Device:
    """A device of a user; `skew` is how far its clock is ahead, in microseconds."""

    device_id: str
    model: Model
    ip_address: str | None = None
    version_name: str | None = None
    start_version: str | None = None
    carrier: str | None = None
    adid: str | None = None
    idfa: str | None = None
    skew: int = 0

    @property
    def is_phone(self) -> bool:
        """Whether it is a phone, which may be offline for hours."""
        return self.model in PHONE_MODELS


@dataclass(frozen=True, eq=False)
class User:
    """A user and the days of their life with the service; None for days that never come."""

    index: int
    person: Person
    gender: str | None
    genre: str
    language: str
    place: Place
    devices: tuple[Device, Device]
    server: Device
    born: int
    created: int
    active: frozenset[int]
    signup: int | None
    reinstall: int | None
    second_device: int | None
    upgrade: int | None
    downgrade: int | None
    renewals: frozenset[int]
    digests: frozenset[int]

    @property
    def user_id(self) -> str:
        """The product's id of the user, from sign-up on."""
        return self.person.email

    @property
    def known_id(self) -> int:
        """The amplitude_id that survives all merges."""
        return 900_000_000_000 + self.index

    def anonymous_id(self, number: int) -> int:
        """The amplitude_id of an anonymous visitor who is this user, 0 to 2."""
        return 100_000_000_000 + 10 * self.index + number

    def does_anything_on(self, day: int) -> bool:
        """Whether the user has an event on a day, server-side ones included."""
        return day in self.active or day in self.renewals or day in self.digests


@dataclass(frozen=True)
class World:
    """What a simulation is a function of.

    Attributes:
        seed: another seed is another world.
        events_per_hour: average over a week, which determines the number of users.
    """

    seed: int
    events_per_hour: int

    def users_on(self, day: int) -> list[User]:
        """The users with an event on a day, by index."""
        births = range(max(FIRST_DAY, day - LONGEST_LIFE), day + 1)
        return [u for born in births for u in _born_on(self, born) if u.does_anything_on(day)]

    def known_until(self, day: int) -> Iterator[User]:
        """The users who have signed up by the end of a day, the newest first; very many."""
        for born in range(day, FIRST_DAY - 1, -1):
            for user in _born_on(self, born):
                if user.signup is not None and user.signup <= day:
                    yield user

    def random(self, *what: str | int) -> Random:
        """An independent stream of random numbers for each name."""
        return Random(f"{self.seed}:{':'.join(map(str, what))}")


def weekday(day: int) -> int:
    """The weekday of a day since 1970-01-01; Monday is 0."""
    return (day + 3) % 7


def time_of_visit(rng: Random, place: Place, day: int) -> int:
    """A time of a UTC day to open the app at a place, mostly in the local evening."""
    local = rng.choices(range(24), weights=_LOCAL_HOURS)[0]
    return day * DAY + (local - place.utc_offset) % 24 * HOUR + rng.randrange(HOUR)


@lru_cache(maxsize=512)
def _born_on(world: World, day: int) -> tuple[User, ...]:
    """The users whose first day is `day`; fewer on some weekdays."""
    rate = world.events_per_hour * 24 / _EVENTS_IN_A_LIFE
    places = math.ceil(rate * 1.3)
    chance = rate * _WEEKDAYS[weekday(day)] / places
    first = (day - FIRST_DAY) * places
    rng = world.random("births", day)
    return tuple(
        _user(world, first + place, day) for place in range(places) if rng.random() < chance
    )


def _user(world: World, index: int, born: int) -> User:
    rng = world.random("user", index)
    active = _active_days(rng, born)
    signup = reinstall = second_device = upgrade = downgrade = None
    if rng.random() < 0.7:
        comes_back = len(active) > 1 and rng.random() < 0.45
        signup = active[1] if comes_back else active[0]
        reinstall = signup if comes_back and rng.random() < 0.4 else None
    later = [day for day in active if signup is not None and day > signup]
    if later and rng.random() < 0.4:
        second_device = rng.choice(later)
    if later and rng.random() < 0.3:
        upgrade = rng.choice(later)
        after = [day for day in later if day > upgrade]
        downgrade = rng.choice(after) if after and rng.random() < 0.4 else None
    place = rng.choice(PLACES)
    phone, desk = _device(rng, rng.choice(PHONE_MODELS)), _device(rng, rng.choice(WEB_MODELS))
    wants_digest = signup is not None and rng.random() < 0.3
    return User(
        index=index,
        person=person(world.seed, companies_for(world.events_per_hour), index),
        gender=rng.choice(("F", "M", "X", None)),
        genre=rng.choice(GENRES),
        language=rng.choice(LANGUAGES),
        place=place,
        devices=(phone, desk) if rng.random() < 0.6 else (desk, phone),
        server=Device(f"{rng.getrandbits(88):022x}R", SERVER_MODEL),
        born=born,
        created=time_of_visit(rng, place, born),
        active=frozenset(active),
        signup=signup,
        reinstall=reinstall,
        second_device=second_device,
        upgrade=upgrade,
        downgrade=downgrade,
        renewals=_renewals(upgrade, downgrade, active[-1]),
        digests=_digests(signup, active) if wants_digest else frozenset(),
    )


def _active_days(rng: Random, born: int) -> list[int]:
    """The first day and the days of return: many users have none, a few return for weeks."""
    if rng.random() < 0.3:
        return [born]
    life = min(LONGEST_LIFE - 8, 1 + int(rng.expovariate(1 / 21)))
    habit = 0.12 + 0.6 * rng.random() ** 2
    returns = range(born + 1, born + life + 1)
    return [born, *(day for day in returns if rng.random() < habit * _WEEKDAYS[weekday(day)])]


def _renewals(upgrade: int | None, downgrade: int | None, last: int) -> frozenset[int]:
    if upgrade is None:
        return frozenset()
    until = last if downgrade is None else downgrade
    return frozenset(range(upgrade + _SUBSCRIPTION_DAYS, until + 1, _SUBSCRIPTION_DAYS))


def _digests(signup: int | None, active: list[int]) -> frozenset[int]:
    """The Mondays after weeks with a visit."""
    return frozenset(
        day + 7 - weekday(day) for day in active if signup is not None and day >= signup
    )


def _device(rng: Random, model: Model) -> Device:
    network = rng.choice(("192.0.2", "198.51.100", "203.0.113"))
    version4, version6 = f"{network}.{rng.randint(1, 254)}", f"2001:db8::{rng.getrandbits(16):x}"
    fast = rng.random() < 0.1
    skew = rng.randrange(-10 * MINUTE, 10 * MINUTE) if fast else 0
    ip_address = version6 if rng.random() < 0.05 else version4
    if model in WEB_MODELS:
        device_id = f"{rng.getrandbits(88):022x}R"
        return Device(device_id, model, ip_address, skew=skew)
    start, now = sorted((rng.randrange(len(APP_VERSIONS)), rng.randrange(len(APP_VERSIONS))))
    bits = f"{rng.getrandbits(128):032X}"
    device_id = f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}"
    advertising = device_id.lower() if rng.random() < 0.5 else None
    apple = model.manufacturer == "Apple"
    return Device(
        device_id=device_id,
        model=model,
        ip_address=ip_address,
        version_name=APP_VERSIONS[now],
        start_version=APP_VERSIONS[start],
        carrier=rng.choice(CARRIERS),
        adid=None if apple else advertising,
        idfa=advertising if apple else None,
        skew=skew,
    )
