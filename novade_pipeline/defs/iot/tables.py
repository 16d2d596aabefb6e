"""The tables of sensor readings."""

from datetime import date, datetime

from pydantic import BaseModel, Field

from novade_pipeline.lake.table import Json, Table
from novade_pipeline.streams.tables import STREAM_KEY, StreamRow, stream_quarantine_table


class ReadingFields(BaseModel):
    """What a device sent, in the metric's own unit."""

    device_id: str = Field(description="The device.")
    sequence: int = Field(description="Counts the device's readings; a resent one has its own.")
    metric: str | None = Field(None, description="What is measured, in small letters.")
    value: float = Field(description="The value in `unit`.")
    unit: str | None = Field(
        None, description="The metric's unit; as it was sent where that is not known."
    )
    measured_at: datetime = Field(description="When it was measured, by the device's clock, UTC.")
    value_sent: float = Field(description="The value as it was sent.")
    unit_sent: str | None = Field(None, description="The unit as it was sent.")
    unit_kind: str = Field(
        description="`standard`; `converted`; `missing`, taken for the metric's; `unknown`."
    )
    is_text: bool = Field(description="The value was sent as a text.")
    is_out_of_range: bool = Field(
        description="The value is physically impossible or beyond what such sensors measure."
    )


class ReadingEvent(ReadingFields, StreamRow):
    """Each record of the topic; a reading that was sent again is there again."""

    other_fields: Json | None = Field(None, description="What the maker adds, as one JSON object.")


class Reading(ReadingFields):
    """Each reading once, whatever was resent; late ones are in the hour of their measurement.

    Of several records of one device and sequence the first to arrive counts.
    """

    measured_date: date = Field(description="UTC day of measured_hour.")
    measured_hour: datetime = Field(
        description="The hour of measured_at, UTC; that of broker_time where the clock is wrong."
    )
    is_clock_wrong: bool = Field(
        description="measured_at is more than a day ahead of broker_time, or two years behind."
    )
    other_fields: Json | None = Field(None, description="What the maker adds, as one JSON object.")
    broker_time: datetime | None = Field(None, description="When the broker had it, UTC.")
    generation: int = Field(description="Of the record, as in `iot/reading_events`.")
    partition: int = Field(description="Of the record.")
    offset: int = Field(description="Of the record.")


class SequenceRange(BaseModel):
    """Sequences of a device without a gap between them."""

    first: int = Field(description="The first sequence.")
    last: int = Field(description="The last sequence.")
    began_hour: datetime = Field(description="The hour of the reading with the first, UTC.")


class Device(BaseModel):
    """Each device, and which of its readings have arrived."""

    device_id: str = Field(description="The device.")
    readings: int = Field(description="How many different readings.")
    missing: int = Field(description="How many are missing between the first and the last.")
    gaps: int = Field(description="In how many gaps.")
    first_measured_at: datetime = Field(
        description="The earliest time of a reading, UTC; of one with a wrong clock the broker's."
    )
    last_measured_at: datetime = Field(description="The latest time of a reading, likewise.")
    metrics: list[str] = Field(description="What it measures, in order.")
    ranges: list[SequenceRange] = Field(description="The sequences that have arrived, in order.")


class Gap(BaseModel):
    """Readings that are missing between two that have arrived; it closes when they come."""

    measured_date: date = Field(description="UTC day of measured_hour.")
    measured_hour: datetime = Field(description="The hour of the reading after the gap, UTC.")
    device_id: str = Field(description="The device.")
    after_sequence: int = Field(description="The last sequence before the gap.")
    before_sequence: int = Field(description="The first sequence after it.")
    missing: int = Field(description="How many readings are missing.")


READING_EVENTS = Table(
    name="iot/reading_events",
    row=ReadingEvent,
    key=STREAM_KEY,
    write_mode="append_once",
    data_time="broker_time",
)
READINGS = Table(
    name="iot/readings",
    row=Reading,
    key=("device_id", "sequence"),
    write_mode="append_once",
    partition_by=("measured_date",),
    window="measured_hour",
    data_time="measured_hour",
)
GAPS = Table(
    name="iot/gaps",
    row=Gap,
    key=("device_id", "after_sequence"),
    write_mode="replace_window",
    partition_by=("measured_date",),
    window="measured_hour",
)
DEVICES = Table(
    name="iot/devices",
    row=Device,
    key=("device_id",),
    write_mode="merge",
    version="readings",
    data_time="last_measured_at",
)
QUARANTINE = stream_quarantine_table("iot", READING_EVENTS)
TABLES = (READING_EVENTS, READINGS, GAPS, DEVICES, QUARANTINE)
MART_SOURCES = (READINGS, GAPS)
