"""The actions of users, visit by visit, and of the backend.

Only behaviour: `music_service` decides when an action reaches Amplitude.
"""

from random import Random
from typing import Any, NamedTuple

from novade_pipeline.sandbox.music_catalogue import ADVERTISERS, SONGS, Song
from novade_pipeline.sandbox.music_users import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Device,
    User,
    time_of_visit,
)
from novade_pipeline.sandbox.tracking_plan import PAGES, UNPLANNED_EVENT

_LONGEST_SESSION = 7 * HOUR // 2
_BETWEEN_SESSIONS = 31 * MINUTE
_MONTHLY_PRICE = 9.99

Properties = dict[str, Any]


class Action(NamedTuple):
    """An action of a user, or of the backend for them; `merged` is the identity merged away."""

    device: Device
    amplitude_id: int
    user_id: str | None
    level: str
    event_type: str
    properties: Properties
    happened: int
    session_id: int
    merged: int | None


def visits(rng: Random, user: User, day: int) -> list[list[Action]]:
    """The actions of each visit of a day, in order."""
    if day not in user.active:
        return []
    count = 2 if day == user.reinstall or rng.random() < 0.3 else 1
    starts = sorted(time_of_visit(rng, user.place, day) for _ in range(count))
    if day == user.born:
        starts[0] = user.created
    free_from = 0
    done = []
    for number, start in enumerate(starts):
        visit = _Visit(rng, user, day, max(start, free_from), first=number == 0)
        visit.simulate(last=number == count - 1)
        free_from = visit.now + _BETWEEN_SESSIONS
        done.append(visit.actions)
    return done


def server_side(rng: Random, user: User, day: int) -> list[Action]:
    """The events that the backend sends, outside of sessions."""
    actions = []
    if day in user.renewals:
        happened = day * DAY + 6 * HOUR + rng.randrange(HOUR)
        actions.append(_from_server(rng, user, "paid", *_payment(rng), happened))
    if day in user.digests:
        happened = day * DAY + 7 * HOUR + rng.randrange(20 * MINUTE)
        songs = [_song(rng).song_id for _ in range(rng.randint(1, 5))]
        level = _level(user, day)
        actions.append(_from_server(rng, user, level, "Digest Sent", {"songs": songs}, happened))
    return actions


def _payment(rng: Random) -> tuple[str, Properties]:
    invoice = f"INV-{rng.getrandbits(32):08X}"
    return "Payment Received", {"invoice": invoice, "amount": _MONTHLY_PRICE, "currency": "EUR"}


def _from_server(
    rng: Random, user: User, level: str, event_type: str, properties: Properties, happened: int
) -> Action:
    identity = user.server, user.known_id, user.user_id, level
    return Action(*identity, event_type, properties, happened, session_id=-1, merged=None)


def _level(user: User, day: int) -> str:
    """The user's subscription when the day begins."""
    if user.upgrade is None or day <= user.upgrade:
        return "free"
    return "free" if user.downgrade is not None and day > user.downgrade else "paid"


def _song(rng: Random) -> Song:
    """A random song; few are played often."""
    return SONGS[int(len(SONGS) * rng.random() ** 2.2)]


class _Visit:
    """A session: `now` moves on and actions are collected."""

    def __init__(self, rng: Random, user: User, day: int, start: int, first: bool) -> None:
        self.rng, self.user, self.day, self.first = rng, user, day, first
        self.start = self.now = start
        self.actions: list[Action] = []
        self.position = 0
        self.merged: int | None = None
        self.user_id: str | None = None
        self.level = _level(user, day)
        if not first and day == user.upgrade:
            self.level = "paid"
        if not first and day == user.downgrade:
            self.level = "free"
        self.device = self._device()
        # Session ids come from the device's clock.
        self.session_id = (start + self.device.skew) // 1000

    def _device(self) -> Device:
        second_device, devices = self.user.second_device, self.user.devices
        if second_device is None or self.day < second_device:
            return devices[0]
        if self.day == second_device:
            return devices[1] if self.first else devices[0]
        return self.rng.choice(devices)

    def simulate(self, last: bool) -> None:
        """Simulate the whole visit; `last`: it is the last of the day."""
        user, rng = self.user, self.rng
        if user.signup is None or self.day <= user.signup:
            self.amplitude_id = user.anonymous_id(0)
            if self.day == user.reinstall:
                self.amplitude_id = user.anonymous_id(1)
                # Amplitude recognises the device, and merges the old visitor into the new one.
                self.merged = user.anonymous_id(0) if self.first else None
            self._browse(1 + min(12, int(rng.expovariate(1 / 4))))
            if self.day == user.signup and last:
                self._identify("Signed Up")
        elif self.day == user.second_device and self.first:
            self.amplitude_id = user.anonymous_id(2)
            self._browse(rng.randint(1, 3))
            self._identify("Logged In")
        else:
            self.amplitude_id = user.known_id
            if rng.random() < 0.1:
                self._browse(rng.randint(1, 2))
                self._identify("Logged In")
            self.user_id = user.user_id
        if self.user_id is not None:
            self._change_plan()
            self._listen(1 + min(29, int(rng.expovariate(1 / 9))))

    def _add(self, event_type: str, properties: Properties, seconds: float = 0) -> None:
        """Add an event that takes a number of seconds, by default a short pause."""
        known = self.amplitude_id == self.user.known_id
        self.actions.append(
            Action(
                self.device,
                self.amplitude_id,
                self.user_id,
                self.level if known else "free",
                event_type,
                properties,
                self.now,
                self.session_id,
                self.merged,
            )
        )
        self.merged = None
        self.now += int((seconds or 3 + self.rng.random() * 25) * SECOND)

    def _identify(self, event_type: str) -> None:
        known = self.user.known_id
        self.merged = self.amplitude_id if self.amplitude_id != known else None
        self.amplitude_id, self.user_id = known, self.user.user_id
        self._add(event_type, {"method": self.rng.choice(("email", "google", "apple"))})

    def _browse(self, steps: int) -> None:
        """Actions of a visitor who is not logged in."""
        referrer = self.rng.choice((None, "https://search.example/", "https://news.example/"))
        self._add("Page Viewed", {"page": "home", "referrer": referrer})
        for _ in range(steps - 1):
            chance = self.rng.random()
            if chance < 0.5:
                self._add("Page Viewed", {"page": self.rng.choice(PAGES)})
            elif chance < 0.7:
                self._search()
            else:
                song = _song(self.rng)
                heard = {"song_id": song.song_id, "title": song.title, "artist": song.artist}
                self._add("Preview Played", heard, seconds=30)

    def _change_plan(self) -> None:
        if self.first and self.day == self.user.upgrade:
            self._add("Page Viewed", {"page": "pricing"})
            price = {"from": "free", "to": "paid", "monthly_price": _MONTHLY_PRICE}
            self._add("Plan Upgraded", price)
            self.level = "paid"
            paid = _from_server(self.rng, self.user, "paid", *_payment(self.rng), self.now)
            self.actions.append(paid)
        if self.first and self.day == self.user.downgrade:
            self._add("Page Viewed", {"page": "settings"})
            self._add("Plan Downgraded", {"from": "paid", "to": "free"})
            self.level = "free"

    def _search(self) -> None:
        words = _song(self.rng)
        query = self.rng.choice((words.title.lower(), words.artist))
        self._add("Searched", {"query": query, "results": self.rng.randrange(40)})

    def _listen(self, songs: int) -> None:
        """Actions of a user who is logged in."""
        rng = self.rng
        self._add("Page Viewed", {"page": "home"})
        shuffle = rng.random() < 0.4
        for _ in range(songs):
            song = _song(rng)
            self._play(song, shuffle)
            chance = rng.random()
            if chance < 0.06:
                self._add("Song Liked", {"song_id": song.song_id})
            elif chance < 0.12:
                self._search()
            elif chance < 0.2:
                self._add("Page Viewed", {"page": rng.choice(PAGES)})
            elif chance < 0.24:
                self._collect(song)
            elif chance < 0.243:
                self._add(UNPLANNED_EVENT, {"panel": "audio"})
            elif chance < 0.37 and self.level == "free":
                advertiser, seconds = rng.choice(ADVERTISERS), rng.choice((15, 30))
                self._add("Advert Heard", {"advertiser": advertiser, "seconds": seconds}, seconds)
            if self.now - self.start > _LONGEST_SESSION:
                break
        if rng.random() < 0.08:
            self._add("Logged Out", {})

    def _play(self, song: Song, shuffle: bool) -> None:
        self.position += 1
        skipped = self.rng.randint(2, 60) if self.rng.random() < 0.12 else 0
        self._add(
            "Song Played",
            {
                "song_id": song.song_id,
                "title": song.title,
                "artist": song.artist,
                "genre": song.genre,
                "duration_seconds": song.seconds,
                "position": self.position,
                "level": self.level,
                "shuffle": shuffle,
            },
            seconds=skipped or song.seconds,
        )
        if skipped:
            self._add("Song Skipped", {"song_id": song.song_id, "played_seconds": skipped})

    def _collect(self, song: Song) -> None:
        playlist_id = f"pl-{self.user.index}-{self.rng.randint(1, 3)}"
        if self.rng.random() < 0.3:
            name = f"{song.genre} {self.rng.randint(1, 99)}"
            public = self.rng.random() < 0.2
            created = {"playlist_id": playlist_id, "name": name, "public": public}
            self._add("Playlist Created", created)
        self._add("Song Added", {"playlist_id": playlist_id, "song_id": song.song_id})
