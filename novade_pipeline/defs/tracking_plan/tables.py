"""The tables of the tracking plan: planned properties, and the verdict on each event."""

from datetime import date, datetime

from pydantic import BaseModel, Field

from novade_pipeline.lake.table import Json, Table


class PlannedProperty(BaseModel):
    """One property of one planned event; the event itself where `property` is empty.

    An event with several versions has the properties of all, each as in the newest version that
    has it, and required if the newest version requires it.
    """

    plan_version: str = Field(description="Hash of the rules; the same rules, the same version.")
    plan_name: str = Field(description="The plan's name.")
    format: str = Field(description="The file's format.")
    file: str = Field(description="The file that the plan was read from.")
    event_type: str = Field(description="The planned event.")
    property: str = Field(description="The planned property; empty for the event itself.")
    types: str | None = Field(None, description="The property's JSON type, or types.")
    required: bool = Field(description="The property must be present.")
    description: str | None = Field(None, description="The plan's description.")
    rule: Json | None = Field(
        None, description="The JSON Schema of the event's newest version; on the event's row."
    )
    refused: str | None = Field(
        None, description="Why a rule of the event cannot be applied; on the event's row."
    )
    versions: Json | None = Field(
        None,
        description="Of an event with several versions: each with its JSON Schema, or why that is "
        "refused; on the event's row.",
    )


class Violation(BaseModel):
    """One way in which an event breaks the plan."""

    path: str = Field(description="The property, dotted from the event's properties.")
    keyword: str = Field(description="The JSON Schema keyword that it breaks.")
    expected: str = Field(description="What the plan says, as JSON text.")
    found: str = Field(description="Type and size of the value, never text itself.")


class EventVerdict(BaseModel):
    """The verdict on one landed event; the same rows as `amplitude/events`."""

    upload_date: date = Field(description="UTC day of the upload hour.")
    upload_hour: datetime = Field(description="The hour that the event's file says, UTC.")
    file: str = Field(description="The file that the event was in.")
    line: int = Field(description="The line in that file, from 1.")
    uuid: str = Field(description="Identifies the event.")
    event_date: date = Field(description="UTC day on which the event happened.")
    event_type: str = Field(description="What happened.")
    verdict: str = Field(
        description="`conforming`, `violating`, `unplanned`, or `unjudged` if the event's rule "
        "cannot be applied."
    )
    violations: list[Violation] = Field(description="Each way in which it breaks the plan.")
    plan_version: str = Field(description="The version of the plan that judged it.")


class VerdictCount(BaseModel):
    """The number of landed events by upload day, type and verdict."""

    upload_date: date = Field(description="UTC day of the upload hour.")
    event_type: str = Field(description="What happened.")
    verdict: str = Field(description="As in `tracking_plan/event_verdicts`.")
    events: int = Field(description="Number of events.")


PLAN = Table(
    name="tracking_plan/plan",
    row=PlannedProperty,
    key=("event_type", "property"),
    write_mode="replace",
)
EVENT_VERDICTS = Table(
    name="tracking_plan/event_verdicts",
    row=EventVerdict,
    key=("upload_hour", "uuid"),
    write_mode="replace_window",
    partition_by=("upload_date",),
    window="upload_hour",
    data_time="upload_hour",
    follows="amplitude/events",
)
VERDICT_COUNTS = Table(
    name="tracking_plan/verdict_counts",
    row=VerdictCount,
    key=("upload_date", "event_type", "verdict"),
    write_mode="replace_window",
    partition_by=("upload_date",),
    window="upload_date",
    data_time="upload_date",
)
TABLES = (PLAN, EVENT_VERDICTS, VERDICT_COUNTS)
MART_SOURCES = (PLAN, EVENT_VERDICTS)
