"""Records of the topic `client_tickets` as its table has them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from novade_pipeline.defs.tickets.states import update_tickets
from novade_pipeline.defs.tickets.tables import TEAMS, TICKET_EVENTS, TICKETS
from novade_pipeline.defs.tickets.teams import DEFAULT, Teams
from novade_pipeline.lake.delta import append_once, current_version, replace
from novade_pipeline.lake.read import read
from novade_pipeline.storage.store import Store

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
Row = dict[str, Any]
VALUES = ("client_id", "created_at", "request", "request_type_sent", "request_type_field")


def ticket(offset: int, ticket_id: str, **fields: Any) -> Row:
    """A record of a ticket; `minutes` is its broker time, by default its offset."""
    minutes = fields.pop("minutes", offset)
    return {
        "topic": "client_tickets",
        "generation": 1,
        "partition": 0,
        "offset": offset,
        "broker_time": START + timedelta(minutes=minutes),
        "key": ticket_id,
        "is_deleted": False,
        "ticket_id": ticket_id,
        "client_id": "client",
        "created_at": START,
        "request": "Help",
        "request_type_sent": "technical",
        "request_type_field": "request_type",
        "priority": "low",
        **fields,
    }


def deletion(offset: int, ticket_id: str, **fields: Any) -> Row:
    """A record without a value."""
    record = ticket(offset, ticket_id, **fields)
    nothing = dict.fromkeys((*VALUES, "priority", "ticket_id"))
    return {**record, **nothing, "is_deleted": True}


def route(lake: Store, teams: Teams = DEFAULT) -> None:
    """Write the routes."""
    replace(lake, TEAMS, pa.Table.from_pylist(teams.rows(), schema=TEAMS.schema))


def append(lake: Store, *records: Row) -> None:
    """Append records, as a load does."""
    rows = pa.Table.from_pylist(list(records), schema=TICKET_EVENTS.schema)
    version = (current_version(lake, TICKET_EVENTS) or 0) + 1
    append_once(lake, TICKET_EVENTS, rows, app_id="load", version=version)


def load(lake: Store, *records: Row) -> None:
    """Append records and update the tickets."""
    append(lake, *records)
    update_tickets(lake, lambda _: None)


def tickets(lake: Store) -> dict[str, Row]:
    """Ticket -> its row, without the number of its change."""
    rows = read(lake, TICKETS).drop_columns("changed_in").to_pylist()
    return {row["ticket_id"]: row for row in rows}
