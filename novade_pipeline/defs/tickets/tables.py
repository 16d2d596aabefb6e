"""The tables of support tickets."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from novade_pipeline.lake.table import Json, Table
from novade_pipeline.privacy import marks
from novade_pipeline.privacy.policy import Personal
from novade_pipeline.streams.tables import STREAM_KEY, StreamRow, stream_quarantine_table

CLIENT = marks.Identity("client_id")
TEXTS = Personal("**")


class TicketFields(BaseModel):
    """What a ticket and each update of it have in common."""

    client_id: Annotated[str | None, Personal(), CLIENT] = Field(
        None, description="The client who asks: an address, an account, or the sender's own key."
    )
    created_at: datetime | None = Field(
        None, description="When the ticket was made, as its sender says; UTC unless it has a zone."
    )
    request: Annotated[str | None, Personal()] = Field(None, description="What the client wrote.")
    request_type_sent: str | None = Field(
        None, description="The request type as it was sent, 100 characters at most."
    )
    request_type_field: str | None = Field(
        None, description="The field that had it: request_type, type, type_demande."
    )
    priority: str | None = Field(
        None, description="low, medium or high; other for what is none of them; null without any."
    )


class TicketEvent(TicketFields, StreamRow):
    """Each record of the topic: a ticket, an update of it, or its deletion."""

    ticket_id: str | None = Field(
        None, description="The ticket; null in a deletion, where `key` has it."
    )
    other_fields: Annotated[Json | None, TEXTS] = Field(
        None, description="Fields that this model does not know, as one JSON object."
    )


class _TicketKey(BaseModel):
    ticket_id: str = Field(description="The ticket.")


class Ticket(TicketFields, _TicketKey):
    """Each ticket once, in its newest state, with the team that answers it.

    Of several updates the one with the greatest offset is the newest; of updates in several
    partitions, which a topic has after partitions were added, the one with the greatest time.
    """

    request_type: str = Field(
        description="One of the request types of `tickets/teams`; `other` for all others."
    )
    request_type_kind: str = Field(
        description="How it was recognized: `exact`; `spelling`, but for case, accents and "
        "hyphens; `variant`, another word of `tickets/teams`; `unknown`; `missing`."
    )
    team: str = Field(description="The team that answers it, by `tickets/teams`.")
    requested_at: datetime = Field(
        description="created_at; updated_at where that is missing or more than a day ahead, UTC."
    )
    request_date: date = Field(description="UTC day of requested_at.")
    updated_at: datetime | None = Field(None, description="The newest record's time, UTC.")
    is_deleted: bool = Field(description="The newest record deletes it; its values are the last.")
    other_fields: Annotated[Json | None, TEXTS] = Field(
        None, description="Fields that the model does not know, as one JSON object."
    )
    generation: int = Field(description="Of the newest record, as in `tickets/ticket_events`.")
    partition: int = Field(description="Of the newest record.")
    offset: int = Field(description="Of the newest record.")
    order_time: datetime = Field(
        description="The greatest time of the ticket's records in that partition, UTC."
    )
    other_places: list[list[int]] | None = Field(
        None,
        description="Of the newest record in each other partition or generation: its generation, "
        "the greatest time in microseconds, its partition and offset.",
    )
    values_of: list[int] | None = Field(
        None, description="Likewise of the record whose values a deleted ticket keeps."
    )
    changed_in: int = Field(
        description="Greater than in all rows that had changed before the row last did."
    )


class TeamRoute(BaseModel):
    """The team that answers a request type, from `landing/tickets/teams.csv` or by default."""

    request_type: str = Field(description="The request type, small letters without accents.")
    team: str = Field(description="The team; that of `other` answers all other types.")
    variants: list[str] = Field(description="Other words for the request type, likewise.")


class RequestCount(BaseModel):
    """Tickets by request type: a row a day and type, and one a type with `period` `total`.

    Deleted tickets do not count.
    """

    period: str = Field(description="The day, `2026-11-28`, or `total`.")
    request_date: date | None = Field(None, description="The day, UTC; null in the total.")
    request_type: str = Field(description="As in `tickets/tickets`.")
    tickets: int = Field(description="How many tickets.")
    exact: int = Field(description="How many of them have the type just so.")
    spelling: int = Field(description="How many in other case, with accents or spaces.")
    variant: int = Field(description="How many by a synonym.")
    unknown: int = Field(description="How many have a type that no team has.")
    missing: int = Field(description="How many have no type.")
    other_field: int = Field(description="How many have the type in another field.")


TICKET_EVENTS = Table(
    name="tickets/ticket_events",
    row=TicketEvent,
    key=STREAM_KEY,
    write_mode="append_once",
    data_time="broker_time",
)
TEAMS = Table(name="tickets/teams", row=TeamRoute, key=("request_type",), write_mode="replace")
TICKETS = Table(
    name="tickets/tickets",
    row=Ticket,
    key=("ticket_id",),
    write_mode="merge",
    version="changed_in",
    data_time="updated_at",
)
REQUESTS_BY_TYPE = Table(
    name="tickets/requests_by_type",
    row=RequestCount,
    key=("period", "request_type"),
    write_mode="replace",
)
QUARANTINE = stream_quarantine_table("tickets", TICKET_EVENTS)
TABLES = (TICKET_EVENTS, TICKETS, TEAMS, REQUESTS_BY_TYPE, QUARANTINE)
MART_SOURCES = (TICKETS,)
