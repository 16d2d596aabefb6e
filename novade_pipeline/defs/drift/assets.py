"""Drift in the graph: one step that reads it as long as it is not frozen, one that freezes it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from novade_pipeline.defs.drift.integrity import unknown
from novade_pipeline.defs.drift.manifest import Manifest, faults, frozen_since, manifest
from novade_pipeline.defs.drift.settings import DriftSettings
from novade_pipeline.defs.drift.tables import (
    ACCOUNTS,
    CONTACTS,
    CONVERSATIONS,
    EPOCH,
    MESSAGES,
    QUARANTINE,
    READ,
    USERS,
)
from novade_pipeline.graph.access import lake_probes, require
from novade_pipeline.graph.api_assets import (
    TableMetadata,
    check_newest,
    check_quarantine,
    materialized,
    newest_check,
    on_schedule,
    reason_to_skip,
    skipped_tables,
    warning,
)
from novade_pipeline.graph.job_runs import is_selected_explicitly
from novade_pipeline.graph.markdown import markdown_table
from novade_pipeline.graph.table_assets import (
    check_columns,
    check_fresh,
    check_specs,
    dagster_failures,
    key_of,
    quarantine_checks,
    table_metadata,
    table_spec,
)
from novade_pipeline.lake.read import newest
from novade_pipeline.lake.table import Table
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

if TYPE_CHECKING:
    from novade_pipeline.defs.drift.writer import Writer

POOL = "drift_api"
NOT_CONFIGURED = "NOVADE_DRIFT_TOKEN is not set: Drift is not read."
FINAL_EXPORT = dg.AssetKey(["drift", "final_export"])
ONLY_ALONE = "A final export is made only where it alone is asked for: novade drift final-export."
KNOWN_CHECK = "conversations_and_contacts_are_known"
WHOLE_CHECK = "copy_is_as_its_manifest_says"
CHATS = (CONVERSATIONS, MESSAGES, CONTACTS)
"""Read together: the watermark of the first says that all three are done."""
# A copy that is made once is never late. The web page takes no more than 2**31 seconds, 68 years.
NEVER = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=20_000))
COPY_COLUMNS = {
    "table": "What is copied.",
    "told": "Items that the service told.",
    "rows": "Of them those that are rows.",
    "quarantined": "Of them those that are none.",
    "in_table": "Rows that the table has.",
    "only_in_table": "Of them those that the service does not have any more.",
    "sha256": "Of the Parquet file.",
}


class DriftConfig(dg.Config):
    """Whether Drift is read although it is frozen."""

    unfreeze: bool = Field(
        default=False, description="Read Drift although a verified final export froze its tables."
    )


def definitions(settings: Settings) -> dg.Definitions:
    """The assets of the Drift workspace."""
    return dg.Definitions(assets=[_service(settings), _final_export(settings)])


def frozen(since: datetime) -> str:
    """Why frozen tables are not read."""
    return (
        f"Drift is frozen since {since:%Y-%m-%d %H:%M} UTC, when its final export was verified: "
        "its tables are not read any more. To read it all the same, set NOVADE_DRIFT_UNFREEZE=true."
    )


def _service(settings: Settings) -> dg.AssetsDefinition:
    drift = settings.of(DriftSettings)
    missing = None if drift.is_set else NOT_CONFIGURED
    automation = on_schedule(drift.schedule, missing)

    @dg.multi_asset(
        name="drift_service",
        specs=[
            *(table_spec(t, kinds={"api"}, automation_condition=automation) for t in READ),
            table_spec(QUARANTINE, deps=READ, automation_condition=automation),
        ],
        check_specs=_check_specs(),
        can_subset=True,
        pool=POOL,
    )
    def drift_service(
        context: dg.AssetExecutionContext, config: DriftConfig, lake: dg.ResourceParam[Store]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        """Read what is selected, and write what changed."""
        selected = [t for t in (*READ, QUARANTINE) if key_of(t) in context.selected_asset_keys]
        with dagster_failures():
            since = frozen_since(lake)
        is_frozen = since is not None and not (config.unfreeze or drift.unfreeze)
        if since is not None and is_frozen:
            if is_selected_explicitly(context):
                raise dg.Failure(frozen(since), allow_retries=False)
            told = skipped_tables(lake, selected, frozen(since))
        elif why := reason_to_skip(context, "The Drift API", missing):
            told = skipped_tables(lake, selected, why)
        else:
            told = _read(context, settings, lake, selected)
        for table, metadata in told:
            results = _check_results(settings, lake, table, metadata, is_frozen=is_frozen)
            yield materialized(context, table, metadata, results)

    return drift_service


def _read(
    context: dg.AssetExecutionContext, settings: Settings, lake: Store, tables: Sequence[Table]
) -> Iterator[TableMetadata]:
    """Read the service; the metadata of each table."""
    # httpx takes a quarter of a second to import, which every step's process would pay.
    from novade_pipeline.api.client import Client
    from novade_pipeline.defs.drift.load import api_of, load_accounts, load_chats, load_users
    from novade_pipeline.defs.drift.writer import Writer

    drift = settings.of(DriftSettings)
    writer = Writer(lake, settings.personal_data_policy, datetime.now(UTC))
    with dagster_failures():
        require(*lake_probes(lake))
    with Client(api_of(drift)) as client:
        if of_chats := [table for table in CHATS if table in tables]:
            before = client.receipt
            with dagster_failures():
                loaded = load_chats(client, writer, drift, context.log.info)
            at = loaded.watermark
            told = asdict(client.receipt - before) | {
                "conversations_read": loaded.read,
                "list_reads": loaded.listing.reads,
                "list_read_whole": loaded.listing.is_whole,
                "watermark": "none"
                if at is None
                else (EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds"),
            }
            for table in of_chats:
                yield table, _metadata(lake, table, writer) | told
        if ACCOUNTS in tables:
            before = client.receipt
            with dagster_failures():
                reads = load_accounts(client, writer, drift)
            requests = asdict(client.receipt - before)
            yield ACCOUNTS, _metadata(lake, ACCOUNTS, writer) | requests | {"list_reads": reads}
        if USERS in tables:
            before = client.receipt
            with dagster_failures():
                load_users(client, writer)
            yield USERS, _metadata(lake, USERS, writer) | asdict(client.receipt - before)
    if QUARANTINE in tables:
        yield QUARANTINE, table_metadata(lake, QUARANTINE, writer.quarantine)


def _metadata(lake: Store, table: Table, writer: "Writer") -> dict[str, Any]:
    tally = writer.tally(table)
    changed = any(receipt.rows for receipt in tally.receipts)
    return table_metadata(lake, table, tally.receipts, changed=changed) | tally.metadata()


def _check_specs() -> list[dg.AssetCheckSpec]:
    return [
        *(spec for table in READ for spec in check_specs(table)),
        *map(newest_check, READ),
        dg.AssetCheckSpec(
            KNOWN_CHECK,
            asset=key_of(MESSAGES),
            description="Warns where a message's conversation or contact is in no table.",
        ),
        *quarantine_checks(QUARANTINE, "Warns where items of the service break their types."),
    ]


def _check_results(
    settings: Settings, lake: Store, table: Table, metadata: dict[str, Any], *, is_frozen: bool
) -> Iterator[dg.AssetCheckResult]:
    yield check_columns(lake, table)
    is_read = "note" not in metadata
    if not is_read and not is_frozen:
        return
    if table is QUARANTINE:
        yield check_quarantine(table, metadata)
    elif is_read:
        yield check_newest(table, metadata)
    if table is MESSAGES:
        found = unknown(lake)
        yield warning(table, KNOWN_CHECK, not any(found.values()), dict(found))
    if table.data_time is not None and is_read:
        yield check_fresh(table, newest(lake, table), settings.freshness_hours)


def _final_export(settings: Settings) -> dg.AssetsDefinition:
    drift = settings.of(DriftSettings)

    @dg.multi_asset(
        name="drift_final_export",
        specs=[
            dg.AssetSpec(
                FINAL_EXPORT,
                description="One complete, verified copy of the Drift workspace, as Parquet and as "
                "it was told. It is made only where it alone is asked for, and freezes the tables.",
                group_name="drift",
                kinds={"api", "parquet"},
                owners=["team:data-platform"],
                tags={"written": "once", "personal_data": ""},
                deps=[key_of(table) for table in READ],
                freshness_policy=NEVER,
                metadata={
                    "dagster/column_schema": dg.TableSchema(
                        columns=[
                            dg.TableColumn(name, "string" if name == "sha256" else "int64", told)
                            for name, told in COPY_COLUMNS.items()
                        ]
                    )
                },
            )
        ],
        check_specs=[
            dg.AssetCheckSpec(
                WHOLE_CHECK,
                asset=FINAL_EXPORT,
                description="Every file of the copy has the bytes and the rows that its manifest "
                "says.",
            )
        ],
        pool=POOL,
    )
    def drift_final_export(
        context: dg.AssetExecutionContext, config: DriftConfig, lake: dg.ResourceParam[Store]
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        """Make the copy where it alone is asked for; look at the one that is there else."""
        with dagster_failures():
            there = manifest(lake)
        is_alone = context.run.asset_selection == {FINAL_EXPORT}
        if not (is_alone and is_selected_explicitly(context)):
            told = {} if there is None else _copy_metadata(lake, there)
            told |= {"unchanged": True, "passed_over": ONLY_ALONE}
            yield dg.MaterializeResult(asset_key=FINAL_EXPORT, metadata=told)
            yield _whole([] if there is None else faults(lake, there), there)
            return
        if there is not None and not (config.unfreeze or drift.unfreeze):
            since = datetime.fromisoformat(there["finished_at"])
            raise dg.Failure(frozen(since), allow_retries=False)
        if not drift.is_set:
            raise dg.Failure(NOT_CONFIGURED, allow_retries=False)
        made, metadata = _exported(context, settings, lake)
        yield dg.MaterializeResult(asset_key=FINAL_EXPORT, metadata=metadata)
        yield _whole([], made)

    return drift_final_export


def _exported(
    context: dg.AssetExecutionContext, settings: Settings, lake: Store
) -> tuple[Manifest, dict[str, Any]]:
    from novade_pipeline.api.client import Client
    from novade_pipeline.defs.drift.final_export import final_export
    from novade_pipeline.defs.drift.load import api_of

    drift, policy = settings.of(DriftSettings), settings.personal_data_policy
    with dagster_failures():
        require(*lake_probes(lake))
        with Client(api_of(drift)) as client:
            told = final_export(client, lake, policy, drift, context.log.info).manifest
            requests = asdict(client.receipt)
    since = datetime.fromisoformat(told["finished_at"])
    note = f"Drift is frozen since {since:%Y-%m-%d %H:%M} UTC; its copy is in "
    note += f"{lake.child(told['folder'])}."
    return told, requests | _copy_metadata(lake, told) | {"note": note}


def _copy_metadata(lake: Store, told: Manifest) -> dict[str, Any]:
    tables = [
        [name, *(table[column] for column in list(COPY_COLUMNS)[1:-1]), table["as_rows"]["sha256"]]
        for name, table in told["tables"].items()
    ]
    return {
        "dagster/uri": lake.child(told["folder"]),
        "dagster/row_count": sum(table["rows"] for table in told["tables"].values()),
        "bytes": sum(
            table[part]["bytes"]
            for table in told["tables"].values()
            for part in ("as_rows", "as_told")
        ),
        "tables": dg.MetadataValue.md(markdown_table(list(COPY_COLUMNS), tables)),
    }


def _whole(found: Sequence[str], there: Manifest | None) -> dg.AssetCheckResult:
    told = "There is no copy yet." if there is None else "The copy is as its manifest says."
    return dg.AssetCheckResult(
        passed=not found,
        check_name=WHOLE_CHECK,
        asset_key=FINAL_EXPORT,
        severity=dg.AssetCheckSeverity.ERROR,
        description=found[0] if found else told,
        metadata={"faults": len(found)},
    )
