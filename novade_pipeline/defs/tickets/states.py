"""The newest state of each ticket, from the records that the topic's table has gained.

A record is newer than another of its ticket with a lower offset in the same partition. Of records
in two partitions the one is newer whose partition has the greatest time of that ticket up to the
record: a topic that was given more partitions may continue a ticket in another one, and clocks of
senders differ. What this needs of former records is kept with the ticket (`other_places`,
`values_of`), so that only the tickets of new records are read and written, and loads in any pieces
give what one load gives.
"""

from collections.abc import Callable
from contextlib import closing

import duckdb
import pyarrow as pa

from novade_pipeline.defs.tickets.requests import recognize
from novade_pipeline.defs.tickets.tables import TEAMS, TICKET_EVENTS, TICKETS
from novade_pipeline.defs.tickets.teams import Teams, of_rows
from novade_pipeline.lake.delta import WriteReceipt, current_version, open_table, replace
from novade_pipeline.lake.derived import is_current, recorded_versions, source_of
from novade_pipeline.lake.file_differences import (
    FileDifferences,
    file_differences,
    only_appended,
)
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.query import scan, workspace
from novade_pipeline.lake.read import read
from novade_pipeline.plurals import counted
from novade_pipeline.storage.store import Store

_READ = (
    *("generation", "partition", "offset", "broker_time", "key", "is_deleted", "ticket_id"),
    *("client_id", "created_at", "request", "request_type_sent", "request_type_field"),
    *("priority", "other_fields"),
)
_VALUES = (
    *("client_id", "created_at", "request", "request_type_sent", "request_type_field"),
    *("priority", "other_fields"),
)
_PLACE = '[generation, epoch_us(order_time), "partition", "offset"]'
"""Of a record; of two records of a ticket, the one with the greater place is the newer."""
_RECORD = "[{0}[1], {0}[3], {0}[4]]"
"""The record at a place."""
_STATE = (
    *("ticket_id", "generation", "order_time", "partition", "offset", "other_places"),
    *("values_of", "updated_at", "is_deleted"),
)
_TICKET = ", ".join(f'"{name}"' for name in TICKETS.schema.names)
_VALUE_LIST = ", ".join(_VALUES)
_LATEST_PLACES = f"""
create view known as
select ticket_id, {_PLACE} as place from former
union all
select ticket_id, unnest(other_places) from former;

create table placed as
with incoming as (
    select
        coalesce(ticket_id, key) as ticket_id,
        generation,
        "partition",
        "offset",
        broker_time,
        is_deleted,
        max(coalesce(broker_time, timestamptz 'epoch')) over (
            partition by coalesce(ticket_id, key), generation, "partition" order by "offset"
        ) as order_time
    from event
    where coalesce(ticket_id, key) is not null
)
select
    incoming.ticket_id,
    [generation, greatest(epoch_us(order_time), known.place[2]), "partition", "offset"] as place,
    broker_time as updated_at,
    is_deleted
from incoming
left join known
    on known.ticket_id = incoming.ticket_id
    and known.place[1] = incoming.generation
    and known.place[3] = incoming."partition"
-- A compaction gives former records again.
where known.place is null or known.place[4] < incoming."offset";

-- The newest place of each ticket in each partition, that of the newest record first.
create table latest as
select ticket_id, place, row_number() over (partition by ticket_id order by place desc) as rank
from (
    select ticket_id, place from (select ticket_id, place from placed union all from known)
    where ticket_id in (select ticket_id from placed)
    qualify 1 = row_number() over (
        partition by ticket_id, place[1], place[3] order by place desc
    )
);

-- A deletion has no values: the ticket keeps those of the newest record with any.
create table valued as
select ticket_id, place from (
    select ticket_id, place from placed where not is_deleted
    union all
    select ticket_id, if(is_deleted, values_of, {_PLACE}) from former
)
where place is not null
qualify 1 = row_number() over (partition by ticket_id order by place desc);
"""
_CHANGED = f"""
select
    newest.ticket_id,
    newest.place[1] as generation,
    make_timestamp(newest.place[2]) at time zone 'UTC' as order_time,
    newest.place[3] as "partition",
    newest.place[4] as "offset",
    others.places as other_places,
    if(state.is_deleted, valued.place, null) as values_of,
    state.updated_at,
    state.is_deleted,
    held.* exclude (ticket_id, place)
from (from latest where rank = 1) as newest
inner join (
    select ticket_id, place, updated_at, is_deleted from placed
    union all
    select ticket_id, {_PLACE}, updated_at, is_deleted from former
) as state using (ticket_id, place)
left join (
    select ticket_id, list(place order by place) as places
    from latest
    where rank > 1
    group by ticket_id
) as others using (ticket_id)
left join valued using (ticket_id)
left join (
    select
        coalesce(ticket_id, key) as ticket_id,
        [generation, "partition", "offset"] as place,
        {_VALUE_LIST}
    from event
    where not is_deleted
    union all
    select
        ticket_id,
        if(is_deleted, {_RECORD.format("values_of")}, [generation, "partition", "offset"]),
        {_VALUE_LIST}
    from former
) as held
    on held.ticket_id = newest.ticket_id
    and held.place = {_RECORD.format("valued.place")}
"""
_ROUTED = f"""
select {_TICKET} from (
    select
        *,
        cast(requested_at as date) as request_date,
        $1::bigint as changed_in
    from (
        select
            ticket.*,
            route.request_type,
            route.kind as request_type_kind,
            route.team,
            if(
                created_at is null or created_at > updated_at + interval 1 day,
                coalesce(updated_at, created_at, order_time),
                created_at
            ) as requested_at
        from ticket
        inner join route on route.sent is not distinct from ticket.request_type_sent
    )
)
order by ticket_id
"""


def update_tickets(lake: Store, on_progress: Callable[[str], None]) -> list[WriteReceipt]:
    """Bring `tickets/tickets` up to what `ticket_events` and `teams` have.

    Args:
        on_progress: called with one sentence where something has changed.

    Raises:
        TransientFailure: another writer was faster; the next call continues.
    """
    events, version = source_of(lake, TICKET_EVENTS)
    teams, teams_version = source_of(lake, TEAMS)
    sources = {events: version, teams: teams_version}
    if version < 0 or is_current(lake, TICKETS, sources, [TICKET_EVENTS, TEAMS]):
        return []
    known = recorded_versions(lake, TICKETS, sources)
    since = known[events]
    # Other routes may concern any ticket, as rows that were erased or rewritten do.
    if known[teams] != teams_version or (
        since is not None and not only_appended(lake, TICKET_EVENTS, since, version)
    ):
        since = None
    differences = file_differences(lake, TICKET_EVENTS, since)
    assert differences is not None
    routes = of_rows(read(lake, TEAMS).to_pylist())
    with workspace(lake) as connection:
        _read_events(connection, differences)
        _read_stored(connection, lake, is_whole=differences.is_whole)
        connection.execute(f"{_LATEST_PLACES} create table ticket as {_CHANGED}")
        _register_routes(connection, routes)
        # Of the version that is being made, or an earlier one that has no rows of its own.
        change = (current_version(lake, TICKETS) or 0) + 1
        rows = connection.execute(_ROUTED, [change]).to_arrow_reader()
        if differences.is_whole:
            receipt = replace(lake, TICKETS, rows, transactions=sources)
        else:
            receipt = merge(lake, TICKETS, rows, transactions=sources)
    on_progress(f"{TICKETS.name}: {counted(receipt.rows, 'row')}")
    return [receipt]


def _read_events(connection: duckdb.DuckDBPyConnection, differences: FileDifferences) -> None:
    """Create the table `event`: the records that are new."""
    schema = pa.schema([TICKET_EVENTS.schema.field(name) for name in _READ])
    batches = differences.rows(differences.added, _READ)
    with closing(pa.RecordBatchReader.from_batches(schema, batches)) as reader:
        connection.register("batches", reader)
        connection.execute("create table event as from batches")
        connection.unregister("batches")


def _read_stored(connection: duckdb.DuckDBPyConnection, lake: Store, *, is_whole: bool) -> None:
    """Create the table `former`: the stored tickets that have new records."""
    columns = ", ".join(f'"{name}"' for name in (*_STATE, *_VALUES))
    if is_whole or open_table(lake, TICKETS) is None:
        connection.register("no_ticket", TICKETS.schema.empty_table())
        connection.execute(f"create table former as select {columns} from no_ticket")
    else:
        connection.execute(
            f"create table former as select {columns} from {scan(lake, TICKETS)}"
            " where ticket_id in (select coalesce(ticket_id, key) from event)"
        )


def _register_routes(connection: duckdb.DuckDBPyConnection, teams: Teams) -> None:
    """Create the table `route`: what each request type that was sent means."""
    sent = connection.execute("select distinct request_type_sent from ticket").fetchall()
    recognized = [(text, recognize(text, teams)) for (text,) in sent]
    connection.register(
        "route",
        pa.table(
            {
                "sent": pa.array([text for text, _ in recognized], pa.string()),
                "request_type": pa.array([r.request_type for _, r in recognized], pa.string()),
                "kind": pa.array([r.kind for _, r in recognized], pa.string()),
                "team": pa.array([teams.by_type[r.request_type] for _, r in recognized]),
            }
        ),
    )
