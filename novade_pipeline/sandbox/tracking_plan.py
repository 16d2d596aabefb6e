"""The tracking plan of the simulated music service, in the format of Segment's Public API.

Format: https://docs.segmentapis.com/tag/Tracking-Plans: JSON Schema draft-07 per event, with the
event's own properties under `properties.properties`.
"""

from typing import Any

PLAN_NAME = "Lantern"
UNUSED_EVENT = "Concert Booked"
UNPLANNED_EVENT = "Debug Panel Opened"

PAGES = ("home", "artist", "album", "settings", "help", "pricing")

Schema = dict[str, Any]

_SONG_ID: Schema = {"type": "string", "pattern": "^song-[0-9]{4}$"}
_LEVEL: Schema = {"type": "string", "enum": ["free", "paid"]}
_METHOD: Schema = {"type": "string", "enum": ["email", "google", "apple"]}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 80}
_MONEY: Schema = {"type": "number", "exclusiveMinimum": 0, "maximum": 200}
_CURRENCY: Schema = {"type": "string", "enum": ["EUR"]}
_POSITION: Schema = {"type": "integer", "minimum": 1}
_SECONDS: Schema = {"type": "integer", "minimum": 0, "maximum": 900}

_EVENTS: dict[str, tuple[str, Schema, tuple[str, ...]]] = {
    # name: (description, properties, names of optional ones)
    "Page Viewed": (
        "A page is shown",
        {"page": {"enum": [*PAGES]}, "referrer": {"type": ["string", "null"]}},
        ("referrer",),
    ),
    "Signed Up": ("A visitor becomes a user", {"method": _METHOD}, ()),
    "Logged In": ("A user logs in on a device", {"method": _METHOD}, ()),
    "Logged Out": ("A user logs out", {}, ()),
    "Preview Played": (
        "A visitor hears the first seconds of a song",
        {"song_id": _SONG_ID, "title": _NAME, "artist": _NAME},
        (),
    ),
    "Song Played": (
        "A song starts to play",
        {
            "song_id": _SONG_ID,
            "title": _NAME,
            "artist": _NAME,
            "genre": {"type": "string"},
            "duration_seconds": {**_SECONDS, "minimum": 1},
            "position": _POSITION,
            "level": _LEVEL,
            "shuffle": {"type": "boolean"},
        },
        (),
    ),
    "Song Skipped": (
        "The listener does not wait for the end",
        {"song_id": _SONG_ID, "played_seconds": _SECONDS},
        (),
    ),
    "Song Liked": ("A song is marked as liked", {"song_id": _SONG_ID}, ()),
    "Searched": (
        "The search page shows its results",
        {
            "query": {"type": "string", "minLength": 1, "maxLength": 100},
            "results": {"type": "integer", "minimum": 0},
        },
        (),
    ),
    "Playlist Created": (
        "An empty playlist is saved",
        {"playlist_id": {"type": "string"}, "name": _NAME, "public": {"type": "boolean"}},
        (),
    ),
    "Song Added": (
        "A song is put on a playlist",
        {"playlist_id": {"type": "string"}, "song_id": _SONG_ID},
        (),
    ),
    "Advert Heard": (
        "An advert was played to its end",
        {"advertiser": _NAME, "seconds": {"type": "integer", "enum": [15, 30]}},
        (),
    ),
    "Plan Upgraded": (
        "A user starts to pay",
        {"from": _LEVEL, "to": _LEVEL, "monthly_price": _MONEY},
        (),
    ),
    "Plan Downgraded": ("A user stops paying", {"from": _LEVEL, "to": _LEVEL}, ()),
    "Payment Received": (
        "The payment service confirms a payment (sent by the server, without a session)",
        {"invoice": {"type": "string"}, "amount": _MONEY, "currency": _CURRENCY},
        (),
    ),
    "Digest Sent": (
        "The weekly e-mail is sent (by the server, without a session)",
        {"songs": {"type": "array", "items": _SONG_ID, "minItems": 1, "maxItems": 5}},
        (),
    ),
    UNUSED_EVENT: (
        "A ticket for a concert is bought",
        {"artist": _NAME, "amount": _MONEY, "currency": _CURRENCY},
        (),
    ),
}


def plan() -> dict[str, Any]:
    """The plan as Segment's Public API returns it, one rule per event."""
    return {
        "id": "tp_lantern",
        "name": PLAN_NAME,
        "slug": PLAN_NAME.lower(),
        "type": "LIVE",
        "createdAt": "2018-01-08T09:00:00.000Z",
        "updatedAt": "2018-01-08T09:00:00.000Z",
        "rules": [
            _rule(name, description, properties, optional)
            for name, (description, properties, optional) in _EVENTS.items()
        ],
    }


def _rule(name: str, description: str, properties: Schema, optional: tuple[str, ...]) -> Schema:
    return {
        "key": name,
        "type": "TRACK",
        "version": 1,
        "description": description,
        "jsonSchema": {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": {
                "properties": {
                    "type": "object",
                    "properties": properties,
                    "required": [key for key in properties if key not in optional],
                    "additionalProperties": False,
                }
            },
            "required": ["properties"],
        },
    }
