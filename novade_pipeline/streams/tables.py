"""The tables that every topic has: what each row carries, and the quarantine."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from novade_pipeline.lake.table import Json, Table
from novade_pipeline.privacy.marks import MayContain
from novade_pipeline.privacy.policy import Personal

STREAM_KEY = ("topic", "generation", "partition", "offset")
"""The columns that identify a record, in the table of a topic and in its quarantine."""


class StreamRow(BaseModel):
    """Where a row came from; the first columns of every table of a topic."""

    topic: str = Field(description="The topic.")
    generation: int = Field(
        description="1; one more after each `novade streams restart`, since the offsets of a topic "
        "that was deleted and made again begin anew."
    )
    partition: int = Field(description="The topic's partition, from 0.")
    offset: int = Field(description="The record's offset in its partition, from 0.")
    broker_time: datetime | None = Field(
        None, description="The record's timestamp in the broker, UTC; null if it has none."
    )
    key: str | None = Field(
        None, description="The record's key as text; bytes that are not UTF-8 as `base64:…`."
    )
    headers: Json | None = Field(
        None, description="The record's headers in order: `[[name, value], …]`; null without any."
    )
    is_deleted: bool = Field(
        description="The record has no value: its key was deleted (a tombstone)."
    )


class StreamQuarantineRow(BaseModel):
    """One record that could not become a row, or a range of offsets that the broker lost."""

    source: str = Field(description="The table that the record was meant for, without its domain.")
    topic: str = Field(description="The topic.")
    generation: int = Field(description="As in the topic's table.")
    partition: int = Field(description="The topic's partition, from 0.")
    offset: int = Field(description="The record's offset, or the first one of the lost range.")
    lost: int = Field(
        description="How many offsets from this one on the broker no longer had; 0 for a record."
    )
    broker_time: datetime | None = Field(
        None, description="The record's timestamp in the broker, UTC; null if it has none."
    )
    key: Annotated[str | None, Personal()] = Field(
        None, description="The record's key as text; null unless personal data is kept."
    )
    reason: str = Field(description="What was expected and what was found, without the values.")
    raw: Annotated[bytes | None, Personal(), MayContain()] = Field(
        None, description="The value's bytes, 64 KiB at most; null unless personal data is kept."
    )
    raw_bytes: int = Field(description="How many bytes the value has.")


def stream_quarantine_table(domain: str, *lines_of: Table) -> Table:
    """The quarantine of a domain's topics: `<domain>/quarantine`.

    Args:
        lines_of: the tables that the records would have been rows of.
    """
    return Table(
        name=f"{domain}/quarantine",
        row=StreamQuarantineRow,
        key=STREAM_KEY,
        write_mode="append_once",
        data_time="broker_time",
        lines_of=lines_of,
    )
