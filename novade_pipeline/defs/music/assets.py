"""Assets of the music service: one step that reads its lists, each into a table."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import dagster as dg

from novade_pipeline.defs.music.settings import MusicSettings
from novade_pipeline.defs.music.tables import QUARANTINE, READ
from novade_pipeline.graph.access import lake_probes, require
from novade_pipeline.graph.api_assets import (
    PASSED_OVER,
    TableMetadata,
    check_newest,
    check_quarantine,
    newest_check,
    require_configured,
    skipped_tables,
)
from novade_pipeline.graph.load_jobs import load_job, load_schedule
from novade_pipeline.graph.table_assets import (
    check_columns,
    check_fresh,
    check_result,
    check_specs,
    dagster_failures,
    key_of,
    materialized,
    quarantine_checks,
    table_metadata,
    table_spec,
)
from novade_pipeline.lake.delta import WriteReceipt
from novade_pipeline.lake.read import newest
from novade_pipeline.lake.table import Table
from novade_pipeline.plurals import counted
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

if TYPE_CHECKING:
    from novade_pipeline.defs.music.load import LoadResult

POOL = "music_api"
NOT_CONFIGURED = "NOVADE_MUSIC_API_URL is not set: the music API is not read."
SETTLED_CHECK = "read_while_it_held_still"


def definitions(settings: Settings) -> dg.Definitions:
    """The assets of the music service."""
    music = settings.of(MusicSettings)
    missing = NOT_CONFIGURED if music.api_url is None else None

    @dg.multi_asset(
        name="music_service",
        specs=[
            *(table_spec(t, kinds={"api"}) for t in READ),
            table_spec(QUARANTINE, deps=READ),
        ],
        check_specs=_check_specs(),
        can_subset=True,
        pool=POOL,
    )
    def music_service(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Store]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        """Read what is selected, and write what changed."""
        selected = [t for t in (*READ, QUARANTINE) if key_of(t) in context.selected_asset_keys]
        require_configured(context, missing)
        results = (
            skipped_tables(lake, selected, missing)
            if missing
            else _read(context, settings, lake, selected)
        )
        for table, metadata in results:
            yield materialized(
                context, key_of(table), metadata, _check_results(settings, lake, table, metadata)
            )

    return dg.Definitions(
        assets=[music_service],
        jobs=[load_job("music")],
        schedules=[load_schedule("music", music.schedule, missing, "Reads the music API.")],
    )


def _read(
    context: dg.AssetExecutionContext, settings: Settings, lake: Store, tables: list[Table]
) -> Iterator[TableMetadata]:
    """Read the service table by table; yields the metadata of each."""
    # httpx takes a quarter of a second to import, which every step's process would pay.
    from novade_pipeline.api.client import Client
    from novade_pipeline.defs.music.load import api_of, load

    music, policy = settings.of(MusicSettings), settings.personal_data_policy
    quarantined: list[WriteReceipt] = []
    with dagster_failures():
        require(*lake_probes(lake))
    with Client(api_of(music)) as client:
        for table in tables:
            before = client.receipt
            if table is QUARANTINE:
                yield table, table_metadata(lake, table, quarantined)
                continue
            with dagster_failures():
                result = load(client, lake, table, policy, music, context.log.info)
            quarantined += [result.quarantine] if result.quarantine is not None else []
            yield table, _metadata(lake, table, result) | asdict(client.receipt - before)


def _metadata(lake: Store, table: Table, result: "LoadResult") -> dict[str, Any]:
    last, changes = result.read.last, result.changes
    receipts = [result.receipt] if result.receipt is not None else []
    return table_metadata(lake, table, receipts) | {
        "rows_read": last.items,
        "rows_repeated": last.repeated,
        "rows_quarantined": len(last.bad),
        "rows_new": changes.new,
        "rows_changed": changes.changed,
        "rows_vanished": changes.vanished,
        PASSED_OVER: changes.passed_over + sum(receipt.passed_over for receipt in receipts),
        "pages": last.pages,
        "reads": result.read.sweeps,
        "settled": result.read.is_stable,
    }


def _check_specs() -> list[dg.AssetCheckSpec]:
    return [
        *(spec for table in READ for spec in check_specs(table)),
        *(
            dg.AssetCheckSpec(
                SETTLED_CHECK,
                asset=key_of(table),
                description="Warns when the list kept changing while it was read: a later run "
                "marks rows that vanished meanwhile.",
            )
            for table in READ
        ),
        *map(newest_check, READ),
        *quarantine_checks(
            QUARANTINE, "Warns when the newest read has rows that break their types."
        ),
    ]


def _check_results(
    settings: Settings, lake: Store, table: Table, metadata: dict[str, Any]
) -> Iterator[dg.AssetCheckResult]:
    yield check_columns(lake, table)
    if "note" in metadata:
        return
    if table is QUARANTINE:
        yield check_quarantine(lake, table, metadata)
        return
    yield check_result(
        table,
        SETTLED_CHECK,
        None
        if metadata["settled"]
        else f"The list changed during each of {counted(metadata['reads'], 'read')}, so rows may "
        "have vanished unseen; the next run reads it again.",
        {"reads": metadata["reads"]},
    )
    yield check_newest(table, metadata)
    if table.data_time is not None:
        yield check_fresh(table, newest(lake, table), settings.freshness_hours)
