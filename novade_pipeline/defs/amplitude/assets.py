"""The assets of Amplitude: landed tables, identities after merges, repeats of events, history."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from novade_pipeline.defs.amplitude.export_files import EVENTS, MERGED_IDS
from novade_pipeline.defs.amplitude.identities import MERGE_COLUMNS, survivors
from novade_pipeline.defs.amplitude.repeats import find_repeats
from novade_pipeline.defs.amplitude.settings import AmplitudeSettings
from novade_pipeline.defs.amplitude.tables import EVENT_KEYS, HISTORY, IDENTITIES, REPEATS
from novade_pipeline.defs.amplitude.tables import EVENTS as EVENTS_TABLE
from novade_pipeline.defs.amplitude.tables import MERGED_IDS as MERGED_IDS_TABLE
from novade_pipeline.graph.access import lake_probes, landing_probes, require
from novade_pipeline.graph.job_runs import BACKFILL_TAG, LOAD_TAG, ON_REQUEST
from novade_pipeline.graph.landing_assets import (
    HoursConfig,
    landing_assets,
    materialized_days,
    run_days,
)
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
from novade_pipeline.graph.upload_days import upload_days
from novade_pipeline.lake.delta import replace
from novade_pipeline.lake.derived import is_current, source_of
from novade_pipeline.lake.read import read
from novade_pipeline.plurals import counted
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

if TYPE_CHECKING:
    from novade_pipeline.defs.amplitude.history import ExportDifference

SOURCES = (EVENTS, MERGED_IDS)
BACKFILL_JOB = "backfill_amplitude"
BOTH_CHECK = "both_exports_have_each_hour"
LISTED = 10


@dg.multi_asset(
    name="amplitude_identities",
    specs=[
        table_spec(
            IDENTITIES,
            kinds={"python"},
            deps=[MERGED_IDS_TABLE],
            automation_condition=follows_its_sources(),
        )
    ],
    check_specs=check_specs(IDENTITIES),
    pool="amplitude_identities",
)
def identities(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Store]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Follow all merges to their end, if there are new ones."""
    sources = dict([source_of(lake, MERGED_IDS_TABLE)])
    receipts = []
    with dagster_failures():
        require(*lake_probes(lake))
        if not is_current(lake, IDENTITIES, sources, [MERGED_IDS_TABLE]):
            rows = survivors(read(lake, MERGED_IDS_TABLE, columns=MERGE_COLUMNS))
            receipts.append(replace(lake, IDENTITIES, rows, transactions=sources))
    metadata = table_metadata(lake, IDENTITIES, receipts)
    yield materialized(context, key_of(IDENTITIES), metadata, [check_columns(lake, IDENTITIES)])


@dg.multi_asset(
    name="amplitude_repeats",
    specs=[
        table_spec(
            table,
            kinds={"python"},
            deps=[EVENTS_TABLE],
            automation_condition=follows_its_sources(),
        )
        for table in (EVENT_KEYS, REPEATS)
    ],
    check_specs=[spec for t in (EVENT_KEYS, REPEATS) for spec in check_specs(t)],
    pool="amplitude_repeats",
)
def repeats(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Store]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Find the repeats among events that changed."""
    with dagster_failures():
        require(*lake_probes(lake))
        receipts = find_repeats(lake, context.log.info)
    for number, table in enumerate((EVENT_KEYS, REPEATS)):
        metadata = table_metadata(lake, table, receipts[number : number + 1])
        yield materialized(context, key_of(table), metadata, [check_columns(lake, table)])


class HistoryConfig(HoursConfig):
    """Which hours of history are fetched."""

    again: bool = Field(default=False, description="Fetch hours again that were fetched before.")


def history(settings: Settings) -> dg.AssetsDefinition:
    """Builds the step that fetches history; only a person starts it."""
    amplitude = settings.of(AmplitudeSettings)
    partitions = upload_days(settings, amplitude.history_start)
    spec = table_spec(HISTORY, kinds={"api"}, partitions_def=partitions, skippable=True)

    @dg.multi_asset(
        name="amplitude_history",
        specs=[spec.merge_attributes(tags={ON_REQUEST: ""})],
        check_specs=[
            *check_specs(HISTORY, fresh=False),
            dg.AssetCheckSpec(
                BOTH_CHECK,
                asset=key_of(HISTORY),
                description="Every fetched hour is in both of Amplitude's exports, from the first "
                "that the storage's has to its last; warns with the hours that one lacks.",
            ),
        ],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=True,
        pool="amplitude_history",
    )
    def fetched(
        context: dg.AssetExecutionContext,
        config: HistoryConfig,
        lake: dg.ResourceParam[Store],
        landing: dg.ResourceParam[Store],
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        """Fetch the days' hours that were not fetched yet; their files land beside the exports."""
        from novade_pipeline.api.client import Client
        from novade_pipeline.defs.amplitude.export_api import api_of
        from novade_pipeline.defs.amplitude.history import compare_exports, fetch_history

        if amplitude.missing and BACKFILL_TAG not in context.run.tags:
            raise dg.Failure(amplitude.not_configured, allow_retries=False)
        days = run_days(context)
        if amplitude.missing:
            # Dagster fails a backfill of all assets in which one materializes nothing.
            context.log.warning(amplitude.not_configured)
            metadata = table_metadata(lake, HISTORY) | {"note": amplitude.not_configured}
            yield materialized_days(context, lake, days, partitions, HISTORY, metadata)
            return
        with dagster_failures():
            require(*landing_probes(landing), *lake_probes(lake))
            with Client(api_of(amplitude)) as client:
                report = fetch_history(
                    client,
                    landing,
                    lake,
                    config.within(days),
                    amplitude,
                    again=config.again,
                    on_progress=context.log.info,
                )
                requests = client.receipt
        metadata = table_metadata(lake, HISTORY, report.receipts) | {
            "hours_fetched": report.hours,
            "hours_empty": report.empty_hours,
            "hours_later": report.later_hours,
            "files_landed": report.files,
            "files_unchanged": report.unchanged_files,
            "bytes_landed": report.bytes,
            "bytes_allowed": int(amplitude.api_max_bytes),
            "requests_allowed": amplitude.api_max_requests,
            **asdict(requests),
        }
        yield materialized_days(context, lake, days, partitions, HISTORY, metadata)
        selected = {check.name for check in context.selected_asset_check_keys}
        for result in (check_columns(lake, HISTORY), _check_both(compare_exports(lake))):
            if result.check_name in selected:
                yield result

    return fetched


def _check_both(difference: "ExportDifference") -> dg.AssetCheckResult:
    sides = (
        (difference.only_api, "of the API have no file of the storage's export"),
        (difference.only_storage, "of the storage's export are empty in the API"),
    )
    parts = [
        f"{counted(len(hours), 'hour')} {lack}, first {hours[0]:%Y-%m-%d %H}h"
        for hours, lack in sides
        if hours
    ]
    problem = (
        f"{'; '.join(parts)}. All are loaded; ask Amplitude about the gaps." if parts else None
    )
    return check_result(
        HISTORY,
        BOTH_CHECK,
        problem,
        {
            "hours_only_api": len(difference.only_api),
            "hours_only_storage": len(difference.only_storage),
            "only_api": [f"{hour:%Y-%m-%dT%H}" for hour in difference.only_api[:LISTED]],
            "only_storage": [f"{hour:%Y-%m-%dT%H}" for hour in difference.only_storage[:LISTED]],
        },
    )


def definitions(settings: Settings) -> dg.Definitions:
    """The assets of Amplitude."""
    fetched = history(settings)
    return dg.Definitions(
        assets=[landing_assets(settings, "amplitude", SOURCES), identities, repeats, fetched],
        jobs=[
            dg.define_asset_job(
                BACKFILL_JOB,
                selection=dg.AssetSelection.assets(key_of(HISTORY)),
                tags={LOAD_TAG: "amplitude_history"},
                description="Fetches days of Amplitude's history into the landing zone.",
            )
        ],
    )
