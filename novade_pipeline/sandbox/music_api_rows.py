"""Rows of the music API: tracks, users and listening histories, a function of the seed.

Durations are `MM:SS`, times have no zone, and some creations are later than the update.
"""

import random
from datetime import datetime, timedelta
from typing import Any

from novade_pipeline.sandbox.music_catalogue import GENRES, SONGS

Row = dict[str, Any]
BEGIN = datetime(2024, 1, 1)
_FIRST_NAMES = ("Ama", "Björn", "Chiara", "Dmitri", "Élise", "Fatou", "Goran", "Hana", "Ïs", "Jo")
_LAST_NAMES = ("Achebe", "Bakker", "Costa", "Dvořák", "Engel", "Fournier", "Gupta", "Haddad")
_SONGWRITERS = ("R. Vale", "M. Osei", "T. Lund", "A. Reyes & K. Moss", "J. Okafor")
_ALBUMS = ("First Light", "Low Tide", "The Long Room", "Postcards", "Night Bus")
_GENDERS = ("female", "male", "non-binary", "prefer not to say")


def tracks(count: int, seed: int) -> list[Row]:
    """Tracks by id, from 1; beyond the catalogue its songs repeat as other takes."""
    return [
        track(number, random.Random(f"{seed}-track-{number}")) for number in range(1, count + 1)
    ]


def users(count: int, seed: int) -> list[Row]:
    """Users by id, from 1; a few share an e-mail address."""
    return [user(number, random.Random(f"{seed}-user-{number}")) for number in range(1, count + 1)]


def histories(count: int, of_users: int, of_tracks: int, seed: int) -> list[Row]:
    """Listening histories; a few have no user."""
    return [
        history(random.Random(f"{seed}-history-{number}"), of_users, of_tracks)
        for number in range(count)
    ]


def track(number: int, rng: random.Random) -> Row:
    """A track."""
    song = SONGS[(number - 1) % len(SONGS)]
    take = (number - 1) // len(SONGS)
    return {
        "id": number,
        "name": song.title if not take else f"{song.title} (take {take + 1})",
        "artist": song.artist,
        "songwriters": rng.choice(_SONGWRITERS),
        "duration": f"{song.seconds // 60:02}:{song.seconds % 60:02}",
        "genres": song.genre,
        "album": rng.choice(_ALBUMS),
        **_times(rng),
    }


def user(number: int, rng: random.Random) -> Row:
    """A user."""
    first, last = rng.choice(_FIRST_NAMES), rng.choice(_LAST_NAMES)
    return {
        "id": number,
        "first_name": first,
        "last_name": last,
        "email": f"listener{number if rng.random() < 0.95 else 1}@example.com",
        "gender": rng.choice(_GENDERS),
        "favorite_genres": rng.choice(GENRES),
        **_times(rng),
    }


def history(rng: random.Random, of_users: int, of_tracks: int) -> Row:
    """A row of the listening history, which has no id."""
    return {
        "user_id": rng.randint(1, of_users) if of_users and rng.random() < 0.97 else None,
        "items": [
            rng.randint(1, min(of_tracks, rng.choice((10, of_tracks))))
            for _ in range(rng.randint(1, 8) if of_tracks else 0)
        ],
        **_times(rng),
    }


def format_time(moment: datetime) -> str:
    """A moment as the API writes it: microseconds, no zone."""
    return moment.isoformat(timespec="microseconds")


def _times(rng: random.Random) -> Row:
    created, updated = (
        BEGIN + timedelta(microseconds=rng.randrange(300 * 86_400_000_000)) for _ in range(2)
    )
    if rng.random() < 0.9:
        created, updated = sorted((created, updated))
    return {"created_at": format_time(created), "updated_at": format_time(updated)}
