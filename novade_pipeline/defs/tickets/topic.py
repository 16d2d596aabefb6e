"""The topic `client_tickets`: how a record's value becomes a row of `tickets/ticket_events`."""

from datetime import datetime
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field

from novade_pipeline.defs.tickets.requests import MAX_CHARACTERS, priority_of
from novade_pipeline.defs.tickets.tables import (
    QUARANTINE,
    TEXTS,
    TICKET_EVENTS,
    TicketEvent,
)
from novade_pipeline.lake.table import Json
from novade_pipeline.streams.topic import STREAM_COLUMNS, Normalised, Topic

TYPE_FIELDS = ("request_type", "type", "type_demande")
"""The fields that senders use for the request type; the first that is not blank counts."""


class TicketValue(BaseModel):
    """The fields of a value."""

    ticket_id: str = Field(description="The ticket.")
    client_id: str | None = None
    created_at: datetime | None = None
    request: str | None = None
    request_type: str | None = None
    type: str | None = None
    type_demande: str | None = None
    priority: str | None = None
    other_fields: Annotated[Json | None, TEXTS] = None


def normalise(values: pa.Table) -> Normalised:
    """The rows of parsed values: one request type, a known priority."""
    sent = [_not_blank(values[name], MAX_CHARACTERS) for name in TYPE_FIELDS]
    fields = [pc.if_else(pc.is_valid(s), n, None) for n, s in zip(TYPE_FIELDS, sent, strict=True)]
    columns = {
        **{name: values[name] for name in values.schema.names},
        "request_type_sent": pc.coalesce(*sent),
        "request_type_field": pc.coalesce(*fields).cast(pa.string()),
        "priority": _priorities(values["priority"]),
    }
    blank = pc.is_null(_not_blank(values["ticket_id"]))
    reason = "ticket_id: expected a text, found a blank one"
    names = [name for name in TicketEvent.model_fields if name not in STREAM_COLUMNS]
    return Normalised(
        pa.table({name: columns[name] for name in names}),
        dict.fromkeys(pc.indices_nonzero(blank).to_pylist(), reason),
    )


def _not_blank(texts: pa.ChunkedArray, characters: int | None = None) -> pa.ChunkedArray:
    """Texts without space around them, cut; null where nothing is left."""
    trimmed = pc.utf8_trim_whitespace(texts)
    if characters is not None:
        trimmed = pc.utf8_slice_codeunits(trimmed, 0, characters)
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


def _priorities(sent: pa.ChunkedArray) -> pa.Array:
    """Priorities, each different text looked up once."""
    encoded = sent.combine_chunks().dictionary_encode()
    known = pa.array([priority_of(text) for text in encoded.dictionary.to_pylist()], pa.string())
    return known.take(encoded.indices)


CLIENT_TICKETS = Topic(
    name="client_tickets",
    table=TICKET_EVENTS,
    quarantine=QUARANTINE,
    value=TicketValue,
    normalise=normalise,
    tombstones="rows",
)
TOPICS = (CLIENT_TICKETS,)
