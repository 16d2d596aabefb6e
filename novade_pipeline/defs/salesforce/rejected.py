"""The row of the quarantine: what was told of a record that cannot be one of its table."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from novade_pipeline.privacy.marks import MayContain
from novade_pipeline.privacy.policy import Personal


class Rejected(BaseModel):
    """A record that breaks the types of its object's fields, until it is read without fault."""

    source: str = Field(description="Which table it would be a row of.")
    record: str = Field(description="Its Id; where it has none, a hash of what was told.")
    reason: str = Field(description="What was expected and what was found, without the values.")
    raw: Annotated[bytes | None, Personal(), MayContain()] = Field(
        None, description="The record as JSON, 64 KiB at most; null unless personal data is kept."
    )
    raw_bytes: int = Field(description="How many bytes the record has as JSON.")
    read_at: datetime = Field(description="When it was first read so, UTC.")
