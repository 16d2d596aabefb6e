"""The assets of support tickets: the topic, and what is derived from it."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from novade_pipeline.defs.tickets.documents import COUNTS, MANIFEST, PART_TICKETS, publish
from novade_pipeline.defs.tickets.request_counts import update_counts
from novade_pipeline.defs.tickets.routing import FILE, update_teams
from novade_pipeline.defs.tickets.states import update_tickets
from novade_pipeline.defs.tickets.tables import (
    REQUESTS_BY_TYPE,
    TEAMS,
    TICKET_EVENTS,
    TICKETS,
)
from novade_pipeline.defs.tickets.topic import TOPICS
from novade_pipeline.graph.access import lake_probes, require
from novade_pipeline.graph.derived_assets import derived_asset
from novade_pipeline.graph.table_assets import (
    check_columns,
    check_result,
    check_specs,
    dagster_failures,
    follows_its_sources,
    key_of,
    materialized,
    table_metadata,
    table_spec,
)
from novade_pipeline.graph.topic_assets import topic_definitions
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

TICKETS_DOCUMENT = dg.AssetKey(["tickets", "tickets_document"])
COUNTS_DOCUMENT = dg.AssetKey(["tickets", "requests_by_type_document"])
FILE_CHECK = "file_routes_all_types"
_PART_FIELDS = dg.TableSchema(
    columns=[
        dg.TableColumn("ticket_id", "string", "The ticket."),
        dg.TableColumn("client_id", "string", "The client.", tags={"personal": ""}),
        dg.TableColumn("created_at", "string", "When it was made, ISO 8601, UTC."),
        dg.TableColumn("request", "string", "What the client wrote.", tags={"personal": ""}),
        dg.TableColumn("request_type", "string", "The request type."),
        dg.TableColumn("priority", "string", "low, medium, high, other or null."),
        dg.TableColumn("team", "string", "The team that answers it."),
    ]
)
_COUNT_FIELDS = dg.TableSchema(
    columns=[
        dg.TableColumn("total", "json", "Request type -> tickets."),
        dg.TableColumn("by_day", "json", "Day -> request type -> tickets."),
    ]
)


@dg.multi_asset(
    name="tickets_teams",
    specs=[table_spec(TEAMS, kinds={"csv"})],
    check_specs=[
        *check_specs(TEAMS),
        dg.AssetCheckSpec(
            FILE_CHECK,
            asset=key_of(TEAMS),
            description=f"{FILE}, if there is one, routes every request type; otherwise the "
            "previous routes stay in use.",
        ),
    ],
    pool="tickets_teams",
)
def teams(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Store],
    landing: dg.ResourceParam[Store],
) -> Iterator[dg.MaterializeResult[Any]]:
    """Take in the routes of the landed file, or the default."""
    with dagster_failures():
        require(*lake_probes(lake))
        receipts, refusal = update_teams(landing, lake)
    problem = f"{refusal} The previous routes stay in use." if refusal else None
    results = [
        check_columns(lake, TEAMS),
        check_result(TEAMS, FILE_CHECK, problem, {}, severity=dg.AssetCheckSeverity.ERROR),
    ]
    yield materialized(context, key_of(TEAMS), table_metadata(lake, TEAMS, receipts), results)


def _document_spec(
    key: dg.AssetKey, columns: dg.TableSchema, dep: dg.AssetKey, text: str
) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        description=text,
        group_name="tickets",
        kinds={"python", "json"},
        owners=["team:data-platform"],
        tags={"written": "document"},
        deps=[dep],
        metadata={"dagster/column_schema": columns},
        automation_condition=follows_its_sources(),
    )


@dg.multi_asset(
    name="tickets_documents",
    specs=[
        _document_spec(
            TICKETS_DOCUMENT,
            _PART_FIELDS,
            key_of(TICKETS),
            f"The tickets with their team as JSON: {'/'.join(MANIFEST)} names its parts, of at "
            f"most {PART_TICKETS:,} tickets each. Deleted tickets are not there.",
        ),
        _document_spec(
            COUNTS_DOCUMENT,
            _COUNT_FIELDS,
            key_of(REQUESTS_BY_TYPE),
            f"The number of tickets by request type as JSON, {'/'.join(COUNTS)}.",
        ),
    ],
    pool="tickets_documents",
)
def documents(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Store]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Write the documents where they differ."""
    with dagster_failures():
        require(*lake_probes(lake))
        published = publish(lake, context.log.info)
    sizes = {
        "dagster/row_count": published.tickets,
        "parts": published.parts,
        "parts_written": published.written,
        "unchanged": not published.changed,
    }
    counts = {
        "dagster/row_count": published.counts,
        "unchanged": not published.changed_counts,
    }
    for key, path, metadata in (
        (TICKETS_DOCUMENT, MANIFEST, sizes),
        (COUNTS_DOCUMENT, COUNTS, counts),
    ):
        yield materialized(context, key, {**metadata, "dagster/uri": lake.child(*path)})


def definitions(settings: Settings) -> dg.Definitions:
    """The assets of support tickets."""
    return dg.Definitions.merge(
        topic_definitions(settings, "tickets", TOPICS),
        dg.Definitions(
            assets=[
                teams,
                derived_asset(TICKETS, update_tickets, (TICKET_EVENTS, TEAMS)),
                derived_asset(REQUESTS_BY_TYPE, update_counts, (TICKETS,)),
                documents,
            ]
        ),
    )
