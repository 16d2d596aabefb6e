"""The tables of the music service: its values, and when each state was first read."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from novade_pipeline.api.items import Int64, Text
from novade_pipeline.api.quarantine import quarantine
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.marks import BelongsTo, Identity
from novade_pipeline.privacy.policy import Personal

FOR_EVER_DAYS = 36_500


def _moment(value: Any) -> datetime:
    """A time as the service writes it; without a zone it is UTC."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or "T" not in value.replace(" ", "T", 1):
        raise ValueError("expected a time as 2024-05-01T12:30:00.000000")
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("expected a time as 2024-05-01T12:30:00.000000") from None


def _seconds(value: Any) -> int:
    """A duration `MM:SS` in seconds; minutes may be more than 59."""
    minutes, colon, seconds = value.partition(":") if isinstance(value, str) else ("", "", "")
    numbers = _is_number(minutes, 4) and _is_number(seconds, 2)
    if not (colon and numbers and len(seconds) == 2 and int(seconds) < 60):
        raise ValueError("expected a duration as MM:SS")
    return 60 * int(minutes) + int(seconds)


def _is_number(text: str, digits: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= digits


Moment = Annotated[datetime, BeforeValidator(_moment)]


class FromTheService(BaseModel):
    """Columns of every row of the service; types are strict.

    The lists are read whole, so the state that was read last wins: `updated_at` goes back when the
    service restores an older state.
    """

    model_config = ConfigDict(strict=True, extra="ignore")

    created_at: Moment = Field(description="When the service made it, UTC; may be after updates.")
    updated_at: Moment = Field(description="When the service last changed it, UTC.")
    is_deleted: bool = Field(False, description="The service no longer has it.")
    read_at: datetime = Field(description="When it was first read in this state, UTC.")


class Track(FromTheService):
    """One track of the music service, in its newest state; one that vanished stays, marked."""

    id: Int64 = Field(description="The service's number of the track.")
    name: Text = Field(description="The title.")
    artist: Text = Field(description="Who performs it.")
    songwriters: Text | None = Field(None, description="Who wrote it.")
    duration_seconds: Annotated[int, BeforeValidator(_seconds)] = Field(
        alias="duration", description="How long it is, seconds."
    )
    genres: Text | None = Field(None, description="Its genre, one word.")
    album: Text | None = Field(None, description="The album that it is on.")


class User(FromTheService):
    """One user of the music service, in the newest state; one that vanished stays, marked."""

    id: Annotated[Int64, Identity("music_user_id")] = Field(
        description="The service's number of the user."
    )
    first_name: Annotated[Text | None, Personal()] = Field(None, description="The first name.")
    last_name: Annotated[Text | None, Personal()] = Field(None, description="The last name.")
    email: Annotated[Text | None, Personal(), Identity("email")] = Field(
        None, description="The e-mail address; several users may share one."
    )
    gender: Annotated[Text | None, Personal()] = Field(None, description="As the user states it.")
    favorite_genres: Text | None = Field(None, description="The user's favorite genre.")


class ListenHistory(FromTheService):
    """A list of tracks that a user listened to, in its newest state; the service gives it no id."""

    history_id: str = Field(description="Identifies the row: hash of user and creation, a count.")
    user_id: Annotated[Int64 | None, BelongsTo("music_user_id")] = Field(
        None, description="Who listened, if the service knows."
    )
    items: list[Int64] = Field(description="The tracks, in the order of the service.")


_table = partial(Table, write_mode="merge", version="read_at", time_travel_days=FOR_EVER_DAYS)
TRACKS = _table(name="music/tracks", row=Track, key=("id",))
USERS = _table(name="music/users", row=User, key=("id",))
LISTEN_HISTORY = _table(
    name="music/listen_history", row=ListenHistory, key=("history_id",), data_time="updated_at"
)
READ = (LISTEN_HISTORY, TRACKS, USERS)
"""The tables in the order in which they are read: tracks and users after histories."""
QUARANTINE = quarantine("music", *READ)
TABLES = (*READ, QUARANTINE)
MART_SOURCES = READ
