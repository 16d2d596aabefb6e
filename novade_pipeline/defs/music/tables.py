"""The tables of the music service: as it tells them, and when the lake first saw them so."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from novade_pipeline.api.items import Int64, Text
from novade_pipeline.api.quarantine import quarantine
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.marks import BelongsTo, Identity
from novade_pipeline.privacy.policy import Personal

FOR_EVER_DAYS = 36_500


def _moment(told: Any) -> datetime:
    """A time as the service writes it; without a zone it is UTC."""
    if isinstance(told, datetime):
        return told
    if not isinstance(told, str) or "T" not in told.replace(" ", "T", 1):
        raise ValueError("expected a time as 2024-05-01T12:30:00.000000")
    try:
        moment = datetime.fromisoformat(told)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("expected a time as 2024-05-01T12:30:00.000000") from None


def _seconds(told: Any) -> int:
    """A duration `MM:SS` in seconds; minutes may be more than 59."""
    minutes, colon, seconds = told.partition(":") if isinstance(told, str) else ("", "", "")
    numbers = _is_number(minutes, 4) and _is_number(seconds, 2)
    if not (colon and numbers and len(seconds) == 2 and int(seconds) < 60):
        raise ValueError("expected a duration as MM:SS")
    return 60 * int(minutes) + int(seconds)


def _is_number(text: str, digits: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= digits


Moment = Annotated[datetime, BeforeValidator(_moment)]


class FromTheService(BaseModel):
    """What every row of the service has; types are not bent to fit.

    The lists are read whole, so the state that was read last wins: `updated_at` goes back where
    the service restores an older state.
    """

    model_config = ConfigDict(strict=True, extra="ignore")

    created_at: Moment = Field(description="When the service made it, UTC; may lie after updates.")
    updated_at: Moment = Field(description="When the service last changed it, UTC.")
    is_deleted: bool = Field(False, description="The service no longer has it.")
    read_at: datetime = Field(description="When it was first read in this state, UTC.")


class Track(FromTheService):
    """One track of the music service, in its newest state; one that vanished stays, marked."""

    id: Int64 = Field(description="The service's number of the track.")
    name: Text = Field(description="The track's title.")
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
    gender: Annotated[Text | None, Personal()] = Field(None, description="As the user says it.")
    favorite_genres: Text | None = Field(None, description="The genre that the user names.")


class ListenHistory(FromTheService):
    """A list of tracks that somebody listened to, in its newest state.

    The service gives it no id: `history_id` is made of who and when it was made.
    """

    history_id: str = Field(description="Names the row: hash of user and creation, and a count.")
    user_id: Annotated[Int64 | None, BelongsTo("music_user_id")] = Field(
        None, description="Who listened, where the service says it."
    )
    items: list[Int64] = Field(description="The tracks, in the order of the service.")


TRACKS = Table(
    name="music/tracks",
    row=Track,
    key=("id",),
    write_mode="merge",
    version="read_at",
    time_travel_days=FOR_EVER_DAYS,
)
USERS = Table(
    name="music/users",
    row=User,
    key=("id",),
    write_mode="merge",
    version="read_at",
    time_travel_days=FOR_EVER_DAYS,
)
LISTEN_HISTORY = Table(
    name="music/listen_history",
    row=ListenHistory,
    key=("history_id",),
    write_mode="merge",
    version="read_at",
    data_time="updated_at",
    time_travel_days=FOR_EVER_DAYS,
)
READ = (LISTEN_HISTORY, TRACKS, USERS)
"""The tables that are read, in this order: what a history names is read after it."""
QUARANTINE = quarantine("music", *READ)
TABLES = (*READ, QUARANTINE)
MART_SOURCES = READ
