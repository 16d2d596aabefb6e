"""The tables of the tracking plan: what it says, and how each event stands to it."""

from datetime import date, datetime

from pydantic import BaseModel, Field

from novade_pipeline.lake.table import Json, Table


class PlannedProperty(BaseModel):
    """One property of one planned event; the event itself where `property` is empty.

    Where an event has several versions, its properties are those of all of them, each as the newest
    that has it says, and required where the newest requires it.
    """

    plan_version: str = Field(description="Hash of the rules; the same rules, the same version.")
    plan_name: str = Field(description="The plan's name.")
    format: str = Field(description="The format that the file was in.")
    file: str = Field(description="The file that the plan was read from.")
    event_type: str = Field(description="The planned event.")
    property: str = Field(description="The planned property; empty for the event itself.")
    types: str | None = Field(None, description="The property's JSON type, or types.")
    required: bool = Field(description="The property must be there.")
    description: str | None = Field(None, description="As the plan describes it.")
    rule: Json | None = Field(
        None, description="The JSON Schema of the event's newest version; on the event's row."
    )
    refused: str | None = Field(
        None, description="Why a rule of the event cannot be applied; on the event's row."
    )
    versions: Json | None = Field(
        None,
        description="Where the event has several versions: each with its JSON Schema, or why that "
        "is refused; on the event's row.",
    )


class Violation(BaseModel):
    """One way in which an event breaks the plan."""

    path: str = Field(description="The property, dotted from the event's properties.")
    keyword: str = Field(description="The JSON Schema keyword that it breaks.")
    expected: str = Field(description="What the plan says, as JSON text.")
    found: str = Field(description="The kind and size of what was found, never text itself.")


class EventVerdict(BaseModel):
    """How one landed event stands to the tracking plan; the same rows as `amplitude/events`."""

    upload_date: date = Field(description="UTC day of the upload hour.")
    upload_hour: datetime = Field(description="The hour that the event's file says, UTC.")
    file: str = Field(description="The file that the event was in.")
    line: int = Field(description="The line in that file, from 1.")
    uuid: str = Field(description="Names the event.")
    event_date: date = Field(description="UTC day on which the event happened.")
    event_type: str = Field(description="What happened.")
    verdict: str = Field(
        description="`conforming`, `violating`, `unplanned`, or `unjudged` where the plan has the "
        "event and its rule cannot be applied."
    )
    violations: list[Violation] = Field(description="Each way in which it breaks the plan.")
    plan_version: str = Field(description="The plan that it was judged by.")


class VerdictCount(BaseModel):
    """How many landed events of a type have a verdict, by the day on which they were uploaded."""

    upload_date: date = Field(description="UTC day of the upload hour.")
    event_type: str = Field(description="What happened.")
    verdict: str = Field(description="As in `tracking_plan/event_verdicts`.")
    events: int = Field(description="How many.")


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
