"""One item of the service as a row, or the reason why it is none, without its values."""

from datetime import UTC, datetime
from typing import Any

import pytest

from novade_pipeline.defs.music.service_rows import row_of
from novade_pipeline.defs.music.tables import LISTEN_HISTORY, TRACKS, USERS
from novade_pipeline.lake.table import Table

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TIMES = {"created_at": "2024-05-01T12:00:00.000001", "updated_at": "2024-04-01T12:00:00"}
TRACK = {"id": 1, "name": "n", "artist": "a", "duration": "03:07", **TIMES}
USER = {"id": 1, "email": "a@example.com", **TIMES}
WHOLE = "Input should be a valid integer"
DURATION = "expected a duration as MM:SS"
TIME = "expected a time as 2024-05-01T12:30:00.000000"
TOO_LATE = "9999-12-31T23:59:59-10:00"
HISTORY = {"user_id": None, "items": [3, 3], **TIMES}


@pytest.mark.parametrize(
    ("text", "seconds"), [("00:00", 0), ("03:07", 187), ("3:07", 187), ("125:59", 7559)]
)
def test_a_duration_is_in_seconds(text: str, seconds: int) -> None:
    row = row_of(TRACKS, TRACK | {"duration": text}, NOW)
    assert isinstance(row, dict)
    assert row["duration_seconds"] == seconds


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2024-05-01T12:00:00", 12),
        ("2024-05-01 12:00:00.5", 12),
        ("2024-05-01T12:00:00Z", 12),
        ("2024-05-01T12:00:00+02:00", 10),
    ],
)
def test_a_time_without_a_zone_is_utc(text: str, hour: int) -> None:
    row = row_of(TRACKS, TRACK | {"updated_at": text}, NOW)
    assert isinstance(row, dict)
    assert (row["updated_at"].hour, row["updated_at"].tzinfo) == (hour, UTC)


@pytest.mark.parametrize(
    ("table", "item"),
    [
        (TRACKS, TRACK | {"unknown": 1, "is_deleted": True, "read_at": "x"}),
        (USERS, USER | {"gender": None}),
        (LISTEN_HISTORY, HISTORY),
        (LISTEN_HISTORY, HISTORY | {"items": [], "user_id": -1}),
    ],
)
def test_what_may_be_absent_or_more_is_no_fault(table: Table, item: dict[str, Any]) -> None:
    row = row_of(table, item, NOW)
    assert isinstance(row, dict)
    assert (row["is_deleted"], row["read_at"]) == (False, NOW)


@pytest.mark.parametrize(
    ("table", "item", "reason"),
    [
        (TRACKS, None, "expected an object, found null"),
        (TRACKS, [TRACK], "expected an object, found array"),
        (TRACKS, {**TRACK, "id": "1"}, f"id: {WHOLE}, found text"),
        (TRACKS, {**TRACK, "id": True}, f"id: {WHOLE}, found boolean"),
        (TRACKS, {**TRACK, "id": 2**63}, f"id: Input should be less than {2**63}, found number"),
        (TRACKS, {k: v for k, v in TRACK.items() if k != "name"}, "name: Field required"),
        (
            TRACKS,
            {**TRACK, "name": "\ud800"},
            "name: expected a text of whole characters, found text",
        ),
        (TRACKS, {**TRACK, "duration": "3m"}, f"duration: {DURATION}, found text"),
        (TRACKS, {**TRACK, "duration": "01:60"}, f"duration: {DURATION}, found text"),
        (TRACKS, {**TRACK, "duration": 187}, f"duration: {DURATION}, found number"),
        (TRACKS, {**TRACK, "duration": "-1:00"}, f"duration: {DURATION}, found text"),
        (TRACKS, {**TRACK, "updated_at": 1714521600}, f"updated_at: {TIME}, found number"),
        (TRACKS, {**TRACK, "updated_at": TOO_LATE}, f"updated_at: {TIME}, found text"),
        (USERS, {**USER, "email": ["a@b.c"]}, "email: Input should be a valid string, found array"),
        (
            LISTEN_HISTORY,
            {**HISTORY, "items": "1"},
            "items: Input should be a valid list, found text",
        ),
        (LISTEN_HISTORY, {**HISTORY, "items": [1, None]}, f"items.1: {WHOLE}, found null"),
    ],
)
def test_a_row_that_breaks_its_types_says_why(table: Table, item: Any, reason: str) -> None:
    assert row_of(table, item, NOW) == reason
