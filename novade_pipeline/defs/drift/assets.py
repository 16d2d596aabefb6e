"""The assets of Drift: its tables, read until they are frozen, and the export that freezes them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from novade_pipeline.defs.drift.integrity import orphaned_messages
from novade_pipeline.defs.drift.manifest import (
    COPY_COLUMNS,
    Manifest,
    copied_files,
    copy_rows,
    faults,
    frozen_since,
    read_manifest,
)
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
    newest_check,
    require_configured,
    skipped_tables,
)
from novade_pipeline.graph.job_runs import LOAD_TAG, is_selected_explicitly
from novade_pipeline.graph.load_jobs import load_job, load_schedule
from novade_pipeline.graph.markdown import markdown_table
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
from novade_pipeline.lake.read import newest
from novade_pipeline.lake.table import Table
from novade_pipeline.plurals import counted
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

if TYPE_CHECKING:
    from novade_pipeline.defs.drift.writer import Writer

POOL = "drift_api"
NOT_CONFIGURED = "NOVADE_DRIFT_TOKEN is not set: Drift is not read."
EXPORT_JOB = "export_drift"
FINAL_EXPORT = dg.AssetKey(["drift", "final_export"])
ONLY_ALONE = "A final export is made only where it alone is selected: novade drift final-export."
KNOWN_CHECK = "conversations_and_contacts_are_known"
WHOLE_CHECK = "copy_is_as_its_manifest_says"
CHATS = (CONVERSATIONS, MESSAGES, CONTACTS)
"""Loaded together: the watermark of the first counts for all three."""
# A copy that is made once is never late. The web page accepts at most 2**31 seconds, 68 years.
NEVER = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=20_000))


class DriftConfig(dg.Config):
    """The configuration of a run."""

    unfreeze: bool = Field(default=False, description="Read Drift although its tables are frozen.")


def definitions(settings: Settings) -> dg.Definitions:
    """The assets of the Drift workspace."""
    drift = settings.of(DriftSettings)
    missing = None if drift.is_set else NOT_CONFIGURED
    export = dg.define_asset_job(
        EXPORT_JOB,
        selection=[FINAL_EXPORT],
        tags={LOAD_TAG: "drift"},
        description="Makes one complete, verified copy of Drift, and freezes its tables.",
    )
    return dg.Definitions(
        assets=[_service(settings), _final_export(settings)],
        jobs=[load_job("drift"), export],
        schedules=[load_schedule("drift", drift.schedule, missing, "Reads the Drift API.")],
    )


def frozen_message(since: datetime) -> str:
    """Says why frozen tables are not read."""
    return (
        f"Drift is frozen since {since:%Y-%m-%d %H:%M} UTC, when its final export was verified: "
        "its tables are not read any more. To read it nevertheless, set NOVADE_DRIFT_UNFREEZE=true."
    )


def _service(settings: Settings) -> dg.AssetsDefinition:
    drift = settings.of(DriftSettings)
    missing = None if drift.is_set else NOT_CONFIGURED

    @dg.multi_asset(
        name="drift_service",
        specs=[
            *(table_spec(t, kinds={"api"}) for t in READ),
            table_spec(QUARANTINE, deps=READ),
        ],
        check_specs=_check_specs(),
        can_subset=True,
        pool=POOL,
    )
    def drift_service(
        context: dg.AssetExecutionContext, config: DriftConfig, lake: dg.ResourceParam[Store]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        """Reads the selected tables, and writes what changed."""
        selected = [t for t in (*READ, QUARANTINE) if key_of(t) in context.selected_asset_keys]
        with dagster_failures():
            since = frozen_since(lake)
        if config.unfreeze or drift.unfreeze:
            since = None
        if since is not None:
            if is_selected_explicitly(context):
                raise dg.Failure(frozen_message(since), allow_retries=False)
            materializations = skipped_tables(lake, selected, frozen_message(since))
        elif missing is not None:
            require_configured(context, missing)
            materializations = skipped_tables(lake, selected, missing)
        else:
            materializations = _read(context, settings, lake, selected)
        for table, metadata in materializations:
            results = _check_results(settings, lake, table, metadata, is_frozen=since is not None)
            yield materialized(context, key_of(table), metadata, results)

    return drift_service


def _read(
    context: dg.AssetExecutionContext, settings: Settings, lake: Store, tables: Sequence[Table]
) -> Iterator[TableMetadata]:
    """Loads the tables from the service, and yields the metadata of each once it is written."""
    # httpx takes a quarter of a second to import, which every step's process would pay.
    from novade_pipeline.api.client import Client
    from novade_pipeline.defs.drift.load import api_of, load_accounts, load_chats, load_users
    from novade_pipeline.defs.drift.writer import Writer

    drift = settings.of(DriftSettings)
    writer = Writer(lake, settings.personal_data_policy, datetime.now(UTC))
    with dagster_failures():
        require(*lake_probes(lake))
    with Client(api_of(drift)) as client:
        if chat_tables := [table for table in CHATS if table in tables]:
            before = client.receipt
            with dagster_failures():
                loaded = load_chats(client, writer, drift, context.log.info)
            metadata = asdict(client.receipt - before) | {
                "conversations_read": loaded.read,
                "list_reads": loaded.listing.reads,
                "list_read_whole": loaded.listing.is_whole,
                "watermark": _watermark_text(loaded.watermark),
            }
            for table in chat_tables:
                yield table, _metadata(lake, table, writer) | metadata
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


def _watermark_text(watermark: int | None) -> str:
    """A watermark, epoch milliseconds, as a UTC time."""
    if watermark is None:
        return "none"
    return (EPOCH + timedelta(milliseconds=watermark)).isoformat(timespec="milliseconds")


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
        yield check_quarantine(lake, table, metadata)
    elif is_read:
        yield check_newest(table, metadata)
    if table is MESSAGES:
        orphans = orphaned_messages(lake)
        problem = None
        if any(orphans.values()):
            problem = (
                f"{counted(orphans['without_conversation'], 'message')} without a conversation and "
                f"{orphans['without_contact']:,} without a contact in the lake: the service may "
                "have deleted these, or the next run reads them."
            )
        yield check_result(table, KNOWN_CHECK, problem, dict(orphans))
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
                "JSON. It is made only where it alone is selected, and freezes the tables.",
                group_name="drift",
                kinds={"api", "parquet"},
                owners=["team:data-platform"],
                tags={"written": "once", "personal_data": ""},
                deps=[key_of(table) for table in READ],
                freshness_policy=NEVER,
                metadata={
                    "dagster/column_schema": dg.TableSchema(
                        columns=[
                            dg.TableColumn(name, "string" if name == "sha256" else "int64", text)
                            for name, text in COPY_COLUMNS.items()
                        ]
                    )
                },
            )
        ],
        check_specs=[
            dg.AssetCheckSpec(
                WHOLE_CHECK,
                asset=FINAL_EXPORT,
                description="Every file of the copy has the bytes and the rows of its manifest.",
            )
        ],
        pool=POOL,
    )
    def drift_final_export(
        context: dg.AssetExecutionContext, config: DriftConfig, lake: dg.ResourceParam[Store]
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        """Makes the copy where it alone is selected; otherwise verifies the existing one."""
        with dagster_failures():
            existing = read_manifest(lake)
        is_alone = context.run.asset_selection == {FINAL_EXPORT}
        if not (is_alone and is_selected_explicitly(context)):
            metadata = {} if existing is None else _copy_metadata(lake, existing)
            metadata |= {"unchanged": True, "passed_over": ONLY_ALONE}
            yield dg.MaterializeResult(asset_key=FINAL_EXPORT, metadata=metadata)
            yield _copy_check([] if existing is None else faults(lake, existing), existing)
            return
        if existing is not None and not (config.unfreeze or drift.unfreeze):
            since = datetime.fromisoformat(existing["finished_at"])
            raise dg.Failure(frozen_message(since), allow_retries=False)
        if not drift.is_set:
            raise dg.Failure(NOT_CONFIGURED, allow_retries=False)
        manifest, metadata = _export(context, settings, lake)
        yield dg.MaterializeResult(asset_key=FINAL_EXPORT, metadata=metadata)
        yield _copy_check([], manifest)

    return drift_final_export


def _export(
    context: dg.AssetExecutionContext, settings: Settings, lake: Store
) -> tuple[Manifest, dict[str, Any]]:
    """Makes the copy, which freezes the tables; returns its manifest and the asset's metadata."""
    from novade_pipeline.api.client import Client
    from novade_pipeline.defs.drift.final_export import final_export
    from novade_pipeline.defs.drift.load import api_of

    drift, policy = settings.of(DriftSettings), settings.personal_data_policy
    with dagster_failures():
        require(*lake_probes(lake))
        with Client(api_of(drift)) as client:
            manifest = final_export(client, lake, policy, drift, context.log.info)
            requests = asdict(client.receipt)
    since = datetime.fromisoformat(manifest["finished_at"])
    folder = lake.child(manifest["folder"])
    note = f"Drift is frozen since {since:%Y-%m-%d %H:%M} UTC; its copy is in {folder}."
    return manifest, requests | _copy_metadata(lake, manifest) | {"note": note}


def _copy_metadata(lake: Store, manifest: Manifest) -> dict[str, Any]:
    files = copied_files(manifest)
    return {
        "dagster/uri": lake.child(manifest["folder"]),
        "dagster/row_count": sum(table["rows"] for table in manifest["tables"].values()),
        "bytes": sum(file["bytes"] for file in files),
        "tables": dg.MetadataValue.md(markdown_table(list(COPY_COLUMNS), copy_rows(manifest))),
    }


def _copy_check(problems: Sequence[str], manifest: Manifest | None) -> dg.AssetCheckResult:
    message = "There is no copy yet." if manifest is None else "The copy is as its manifest says."
    return dg.AssetCheckResult(
        passed=not problems,
        check_name=WHOLE_CHECK,
        asset_key=FINAL_EXPORT,
        severity=dg.AssetCheckSeverity.ERROR,
        description=problems[0] if problems else message,
        metadata={"faults": len(problems)},
    )
