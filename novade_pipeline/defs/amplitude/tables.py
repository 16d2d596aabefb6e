"""The tables of Amplitude's exports.

Fields, types and names are those of Amplitude's export format
(https://amplitude.com/docs/apis/analytics/export); a `$` is stripped from names.
"""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from novade_pipeline.lake.table import Json, Table
from novade_pipeline.landing.tables import LandedRow, ledger_table, quarantine_table
from novade_pipeline.privacy import marks
from novade_pipeline.privacy.policy import Personal

PERSON = Personal(
    *("**.email", "**.e-mail", "**.name", "**.first_name", "**.last_name", "**.full_name"),
    *("**.phone", "**.address", "**.ip"),
)
UNKNOWN = Personal("**")
ADDRESS = marks.Identity("email", ("**.email", "**.e-mail"))
AMPLITUDE_ID = marks.Identity("amplitude_id", anonymous=True)


class Event(LandedRow):
    """One product event as it landed.

    A `uuid` is unique within an upload hour; repeats across hours are kept. The mart
    `marts/event_enhanced` has each event once.
    """

    uuid: str = Field(description="Names the event; the same in every copy of it.")
    event_type: str = Field(description="What happened.")
    event_time: datetime = Field(description="When it happened, corrected for clock skew, UTC.")
    insert_id: str | None = Field(None, alias="$insert_id", description="The sender's key.")
    insert_key: str | None = Field(None, alias="$insert_key", description="Amplitude's own key.")
    schema_version: int | None = Field(None, alias="$schema", description="Amplitude's schema.")
    app: int | None = Field(None, description="The Amplitude project.")
    amplitude_id: Annotated[int | None, AMPLITUDE_ID] = Field(
        None, description="Amplitude's user; merges change it."
    )
    event_id: int | None = Field(None, description="Counts a device's events.")
    session_id: int | None = Field(
        None, description="Start of the session, milliseconds since 1970; -1: no session."
    )
    user_id: Annotated[str | None, Personal(), marks.Identity("user_id")] = Field(
        None, description="The known user."
    )
    device_id: Annotated[str | None, Personal(), marks.Identity("device_id", shared=True)] = Field(
        None, description="The device."
    )
    amplitude_event_type: str | None = Field(None, description="Amplitude's own event type.")
    client_event_time: datetime | None = Field(None, description="By the device's clock, UTC.")
    client_upload_time: datetime | None = Field(None, description="Sent, by the device's clock.")
    server_received_time: datetime | None = Field(None, description="Received, UTC.")
    server_upload_time: datetime | None = Field(None, description="Uploaded by the server, UTC.")
    processed_time: datetime | None = Field(None, description="Processed by Amplitude, UTC.")
    user_creation_time: datetime | None = Field(None, description="First seen by Amplitude, UTC.")
    event_properties: Annotated[Json | None, PERSON] = Field(None, description="Of the event.")
    user_properties: Annotated[Json | None, PERSON, ADDRESS] = Field(
        None, description="Of the user then."
    )
    group_properties: Annotated[Json | None, PERSON] = Field(None, description="Of the groups.")
    groups: Json | None = Field(None, description="The groups that the user is in.")
    data: Json | None = Field(None, description="Amplitude's internal data.")
    plan: Json | None = Field(None, description="The tracking plan that the sender used.")
    global_user_properties: Annotated[Json | None, PERSON, ADDRESS] = Field(
        None, description="User properties across projects."
    )
    platform: str | None = Field(None, description="Web, iOS, Android, …")
    os_name: str | None = Field(None, description="Operating system or browser.")
    os_version: str | None = Field(None, description="Its version.")
    version_name: str | None = Field(None, description="The app's version.")
    start_version: str | None = Field(None, description="The app's version when first seen.")
    library: str | None = Field(None, description="The SDK that sent it.")
    language: str | None = Field(None, description="The device's language.")
    ip_address: Annotated[str | None, Personal()] = Field(None, description="The sender's IP.")
    city: str | None = Field(None, description="By IP.")
    region: str | None = Field(None, description="By IP.")
    country: str | None = Field(None, description="By IP.")
    dma: str | None = Field(None, description="Designated market area, by IP.")
    location_lat: Annotated[float | None, Personal()] = Field(None, description="Degrees north.")
    location_lng: Annotated[float | None, Personal()] = Field(None, description="Degrees east.")
    device_carrier: str | None = Field(None, description="Mobile carrier.")
    device_type: str | None = Field(None, description="Kind of device.")
    device_manufacturer: str | None = Field(None, description="Who made the device.")
    device_brand: str | None = Field(None, description="Its brand.")
    device_model: str | None = Field(None, description="Its model.")
    device_family: str | None = Field(None, description="Its family.")
    adid: Annotated[str | None, Personal()] = Field(None, description="Android advertising id.")
    idfa: Annotated[str | None, Personal()] = Field(None, description="Apple advertising id.")
    amplitude_attribution_ids: Annotated[str | None, Personal()] = Field(
        None, description="Hashed advertising ids."
    )
    is_attribution_event: bool | None = Field(None, description="Sent for attribution.")
    paying: bool | None = Field(None, description="The user has paid.")
    sample_rate: str | None = Field(None, description="Always null so far.")
    data_type: str | None = Field(None, description="`event` for events.")
    partner_id: str | None = Field(None, description="The partner that sent it.")
    source_id: str | None = Field(None, description="The source that sent it.")
    other_fields: Annotated[Json | None, UNKNOWN] = Field(
        None, description="Fields that this model does not know, as one JSON object."
    )


class MergedId(LandedRow):
    """One merge of two Amplitude users: `amplitude_id` is merged into `merged_amplitude_id`."""

    amplitude_id: Annotated[int, AMPLITUDE_ID] = Field(description="The user that ends.")
    merged_amplitude_id: Annotated[int, AMPLITUDE_ID] = Field(description="The user that survives.")
    scope: int | None = Field(None, description="The Amplitude organisation.")
    merge_time: int | None = Field(None, description="The merge, milliseconds since 1970.")
    merge_server_time: int | None = Field(None, description="Done by the server, milliseconds.")
    other_fields: Annotated[Json | None, UNKNOWN] = Field(
        None, description="Fields that this model does not know, as one JSON object."
    )


class Identity(BaseModel):
    """The user that each merged Amplitude user is now, after all merges."""

    amplitude_id: Annotated[int, AMPLITUDE_ID] = Field(
        description="A user that was merged into another."
    )
    survivor_id: Annotated[int, AMPLITUDE_ID] = Field(description="The user that it is now.")


class EventKey(BaseModel):
    """What two copies of an event have in common, of each landed event: 64 bits of a hash each."""

    upload_hour: datetime = Field(description="The hour that the event's file says, UTC.")
    uuid_key: int = Field(description="Hash of the uuid.")
    insert_key: int | None = Field(
        None, description="Hash of app, device_id and insert_id; null without an insert id."
    )


class Repeat(BaseModel):
    """A landed event that is a copy of an earlier one; `marts/event_enhanced` leaves it out.

    An event is a repeat where one that landed before it, by (upload_hour, file, line), has its
    uuid, or has its app, device_id and insert_id and was uploaded within 7 days before it.
    """

    upload_date: date = Field(description="UTC day of the upload hour.")
    upload_hour: datetime = Field(description="The hour that the event's file says, UTC.")
    file: str = Field(description="The file that the event was in.")
    line: int = Field(description="The line in that file, from 1.")
    uuid: str = Field(description="Names the event.")
    uuid_key: int = Field(description="As in `amplitude/event_keys`.")
    insert_key: int | None = Field(None, description="As in `amplitude/event_keys`.")
    same: str = Field(description="What it shares with the earlier one: `uuid` or `insert_id`.")
    earlier_hour: datetime = Field(description="The upload hour of the last earlier copy, UTC.")
    earlier_file: str = Field(description="The file of that copy.")
    earlier_line: int = Field(description="The line of that copy, from 1.")


class HistoryHour(BaseModel):
    """One upload hour that was fetched from Amplitude's Export API, with files or without.

    The files have landed under `amplitude/events/history/` and are loaded as all others.
    """

    upload_date: date = Field(description="UTC day of the upload hour.")
    upload_hour: datetime = Field(description="The hour, UTC.")
    files: int = Field(description="How many files Amplitude has of it.")
    bytes: int = Field(description="Their size, compressed.")
    fetched_at: datetime = Field(description="When it was fetched, UTC.")


EVENTS = Table(
    name="amplitude/events",
    row=Event,
    key=("upload_hour", "uuid"),
    write_mode="replace_window",
    partition_by=("upload_date",),
    window="upload_hour",
    data_time="event_time",
)
MERGED_IDS = Table(
    name="amplitude/merged_ids",
    row=MergedId,
    key=("upload_hour", "file", "line"),
    write_mode="replace_window",
    partition_by=("upload_date",),
    window="upload_hour",
    data_time="upload_hour",
)
IDENTITIES = Table(
    name="amplitude/identities", row=Identity, key=("amplitude_id",), write_mode="replace"
)
EVENT_KEYS = Table(
    name="amplitude/event_keys",
    row=EventKey,
    key=("upload_hour", "uuid_key", "insert_key"),
    write_mode="replace_window",
    window="upload_hour",
)
REPEATS = Table(
    name="amplitude/repeats",
    row=Repeat,
    key=("upload_hour", "uuid"),
    write_mode="replace_window",
    partition_by=("upload_date",),
    window="upload_hour",
    follows="amplitude/events",
)
HISTORY = Table(
    name="amplitude/history",
    row=HistoryHour,
    key=("upload_hour",),
    write_mode="replace_window",
    window="upload_hour",
    data_time="upload_hour",
)
FILES = ledger_table("amplitude")
QUARANTINE = quarantine_table("amplitude", EVENTS, MERGED_IDS)
TABLES = (EVENTS, MERGED_IDS, IDENTITIES, EVENT_KEYS, REPEATS, HISTORY, FILES, QUARANTINE)
MART_SOURCES = (EVENTS, REPEATS, IDENTITIES)
