"""The tables of Segment's BigQuery warehouse.

Columns and names are those of Segment's warehouse schema
(https://segment.com/docs/connections/storage/warehouses/schema/). `properties`, `traits` and
`context`, which the warehouse spreads over columns, are JSON again.
"""

from datetime import datetime
from functools import partial
from typing import Annotated

from pydantic import Field

from novade_pipeline.lake.table import Json, Table
from novade_pipeline.landing.tables import RecordRow, ledger_table, quarantine_table
from novade_pipeline.privacy import marks
from novade_pipeline.privacy.policy import Personal

_KEYS = (
    *("email", "e-mail", "e_mail", "name", "first_name", "firstname", "last_name", "lastname"),
    *("full_name", "username", "phone", "phone_number", "mobile", "address", "birthday", "avatar"),
    *("ip", "ip_address", "user_email", "address_street", "address_city", "address_postal_code"),
)
PERSON = Personal(*(f"**.{key}" for key in _KEYS))
# A context also has names of systems, libraries and campaigns, which are no person's.
CONTEXT = Personal(
    *("ip", "user_agent", "device.id", "device.advertising_id", "device.token", "device.name"),
    *("location.latitude", "location.longitude", *(f"traits.**.{key}" for key in _KEYS)),
)
ADDRESS = marks.Identity("email", ("**.email", "**.e-mail", "**.e_mail", "**.user_email"))
USER_ID = marks.Identity("user_id")
# Segment's Amplitude destination sends it as the device's id.
ANONYMOUS_ID = marks.Identity("device_id", shared=True)


class SegmentRow(RecordRow):
    """One row of a table of the warehouse."""

    dataset: str = Field(description="The BigQuery dataset, which is a source of Segment.")
    source_table: str = Field(description="The dataset's table that the row was exported from.")
    id: str = Field(description="Segment's messageId; Amplitude has it as `$insert_id`.")


class Call(SegmentRow):
    """One call of Segment's API."""

    timestamp: datetime = Field(description="When it happened, corrected for clock skew, UTC.")
    anonymous_id: Annotated[str | None, Personal(), ANONYMOUS_ID] = Field(
        None, description="The device; Amplitude has it as `device_id`."
    )
    user_id: Annotated[str | None, Personal(), USER_ID] = Field(None, description="The known user.")
    original_timestamp: datetime | None = Field(None, description="By the device's clock, UTC.")
    sent_at: datetime | None = Field(None, description="Sent, by the device's clock, UTC.")
    received_at: datetime | None = Field(None, description="Received by Segment, UTC.")
    uuid_ts: datetime | None = Field(None, description="Written to the warehouse, UTC.")
    loaded_at: datetime | None = Field(None, description="Loaded into the warehouse, UTC.")
    context: Annotated[Json | None, CONTEXT, ADDRESS] = Field(
        None, description="The columns `context_…`, by object: `page`, `library`, …"
    )


class Track(Call):
    """One event, from its own table or from `tracks`, which has it without properties.

    An `id` is unique within an upload hour, and the event's own table wins: its row has the
    properties. Repeats across hours are kept. The mart `marts/all_events` has each event once.
    """

    event: str = Field(description="The event's name as the warehouse writes it.")
    event_text: str = Field(description="The event's name as it was sent.")
    properties: Annotated[Json | None, PERSON, ADDRESS] = Field(
        None, description="All other columns, of which `tracks` has none."
    )


class Page(Call):
    """One page or screen that was viewed. An `id` is unique within an upload hour."""

    name: str | None = Field(None, description="The page's or the screen's name.")
    properties: Annotated[Json | None, PERSON, ADDRESS] = Field(
        None, description="All other columns: `path`, `url`, `title`, …"
    )


class Identify(Call):
    """What a call told about a user. An `id` is unique within an upload hour."""

    traits: Annotated[Json | None, PERSON, ADDRESS] = Field(None, description="All other columns.")


class Group(Call):
    """A user's membership of a group. An `id` is unique within an upload hour."""

    group_id: str | None = Field(None, description="The group.")
    traits: Annotated[Json | None, PERSON, ADDRESS] = Field(None, description="All other columns.")


class Alias(Call):
    """Two ids of one user. An `id` is unique within an upload hour."""

    previous_id: Annotated[str | None, Personal(), USER_ID] = Field(
        None, description="The id before, of a device or a user."
    )
    properties: Annotated[Json | None, PERSON, ADDRESS] = Field(
        None, description="All other columns."
    )


class User(SegmentRow):
    """A user as the warehouse last knew it; BigQuery may hold a user several times."""

    id: Annotated[str, Personal(), USER_ID] = Field(description="The user's id.")
    received_at: datetime | None = Field(None, description="The last call about the user, UTC.")
    uuid_ts: datetime | None = Field(None, description="Written to the warehouse, UTC.")
    loaded_at: datetime | None = Field(None, description="Loaded into the warehouse, UTC.")
    context: Annotated[Json | None, CONTEXT, ADDRESS] = Field(
        None, description="The columns `context_…`, by object: `page`, `library`, …"
    )
    traits: Annotated[Json | None, PERSON, ADDRESS] = Field(None, description="All other columns.")


# Without a data time: a history ends, and need not be fresh.
_landed = partial(
    Table, write_mode="replace_window", partition_by=("upload_date",), window="upload_hour"
)
_calls = partial(_landed, key=("upload_hour", "id"))
TRACKS = _calls(name="segment/tracks", row=Track)
PAGES = _calls(name="segment/pages", row=Page)
IDENTIFIES = _calls(name="segment/identifies", row=Identify)
GROUPS = _calls(name="segment/groups", row=Group)
ALIASES = _calls(name="segment/aliases", row=Alias)
USERS = _landed(name="segment/users", row=User, key=("file", "record"))
LANDED = (TRACKS, PAGES, IDENTIFIES, USERS, GROUPS, ALIASES)
FILES = ledger_table("segment")
QUARANTINE = quarantine_table("segment", *LANDED)
TABLES = (*LANDED, FILES, QUARANTINE)
MART_SOURCES = (TRACKS, PAGES, IDENTIFIES, ALIASES)
