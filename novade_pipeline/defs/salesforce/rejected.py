"""The row model of the quarantine."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from novade_pipeline.privacy.marks import MayContain
from novade_pipeline.privacy.policy import Personal


class Rejected(BaseModel):
    """A record that breaks the types of its object's fields, until it is read without error."""

    source: str = Field(description="The table that it is missing from.")
    record: str = Field(description="Its Id; where it has none, a hash of it.")
    reason: str = Field(description="What was expected and what was found, without the values.")
    raw: Annotated[bytes | None, Personal(), MayContain()] = Field(
        None, description="The record as JSON, 64 KiB at most; null unless personal data is kept."
    )
    raw_bytes: int = Field(description="The length of the record as JSON, bytes.")
    read_at: datetime = Field(description="When this state was first read, UTC.")
