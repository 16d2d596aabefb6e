"""Assets of a domain whose data lands as files: its tables, its ledger, its quarantine.

One step loads all of a domain's sources, since they share the ledger. Dagster's partitions are
upload days; within them, the ledger decides hour by hour what is pending. Days that a person chose
are loaded again.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg
from pydantic import Field

from novade_pipeline.graph import charts
from novade_pipeline.graph.access import lake_probes, landing_probes, require
from novade_pipeline.graph.job_runs import is_requested_by_name
from novade_pipeline.graph.landing_checks import (
    DAY_COLUMN,
    check_results,
    ledger_checks,
    newest_upload,
    source_checks,
)
from novade_pipeline.graph.table_assets import (
    dagster_failures,
    key_of,
    previous_picture,
    quarantine_checks,
    table_metadata,
    table_spec,
)
from novade_pipeline.graph.upload_days import days_of, upload_days
from novade_pipeline.lake.read import count_by, read
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window, day_of
from novade_pipeline.landing.ledger import LoadPlan, Rules
from novade_pipeline.landing.load import LoadReport, load
from novade_pipeline.landing.source import Source, find_pending
from novade_pipeline.landing.tables import MENDED
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

PICTURE_DAYS = timedelta(days=31)
PARTITIONS = (
    "Partitions are upload days. A sensor or `novade run` loads what is new in them; a day that is "
    "materialized by name in the web page, or in a backfill, is loaded again, new or not."
)


class HoursConfig(dg.Config):
    """Which hours of a run's days a step reads."""

    first_hour: str = Field(default="", description="Only from this hour on: 2018-11-05T09. UTC.")
    end_hour: str = Field(default="", description="Only before this hour: 2018-11-05T12. UTC.")

    def within(self, window: Window) -> Window:
        """Returns the part of a window within the hours."""
        start, end = window.start, window.end
        if self.first_hour:
            start = max(start, datetime.fromisoformat(self.first_hour).replace(tzinfo=UTC))
        if self.end_hour:
            end = min(end, datetime.fromisoformat(self.end_hour).replace(tzinfo=UTC))
        return Window(start, end)


class LandingConfig(HoursConfig):
    """Which files a load reads."""

    reload: bool = Field(default=False, description="Load every hour again, new or not.")
    retry_quarantined: bool = Field(
        default=False, description="Parse again what an older parser refused."
    )
    days: str = Field(
        default="",
        description="Days to load in place of the run's partitions: 2018-11-05..2018-11-09. For "
        "files of days that the page does not have yet.",
    )
    stems: list[str] = Field(
        default=[],
        description="How paths begin, before their day: only such names of the run's days are "
        "listed, where a source has some.",
    )

    def days_or(self, partitions: Window) -> Window:
        """Returns the window of the days; that of the run's partitions if none are given."""
        if not self.days:
            return partitions
        first, last = (
            datetime.fromisoformat(day).replace(tzinfo=UTC) for day in self.days.split("..")
        )
        return Window(first, last + timedelta(days=1))


def landing_step(domain: str) -> str:
    """The name of the step that loads a domain's sources."""
    return f"{domain}_landing"


def rules_of(settings: Settings, source: Source, config: LandingConfig | None = None) -> Rules:
    """The rules by which a file of the source is pending."""
    return Rules(
        parser_version=source.parser_version,
        personal_data=settings.personal_data_policy.fingerprint,
        first_day=settings.history_start,
        grace=timedelta(hours=settings.landing_grace_hours),
        retry_quarantined=config is not None and config.retry_quarantined,
        reload=config is not None and config.reload,
    )


def find_all_pending(
    settings: Settings,
    sources: Sequence[Source],
    config: LandingConfig | None = None,
    within: Window | None = None,
) -> dict[str, LoadPlan]:
    """Source name -> the files and hours that the lake does not have yet."""
    return {
        source.name: find_pending(
            source, settings.landing, settings.lake, rules_of(settings, source, config), within
        )
        for source in sources
    }


def landing_assets(
    settings: Settings, domain: str, sources: Sequence[Source]
) -> dg.AssetsDefinition:
    """Builds the step that loads a domain's sources, which share one ledger and one quarantine."""
    ledger, quarantine = sources[0].ledger, sources[0].quarantine
    tables = [source.table for source in sources]
    partitions = upload_days(settings)
    policy = dg.BackfillPolicy.single_run()

    @dg.multi_asset(
        name=landing_step(domain),
        specs=[
            *(_landed_spec(table, kinds={"duckdb"}) for table in tables),
            _landed_spec(ledger, deps=tables),
            _landed_spec(quarantine, deps=tables),
        ],
        check_specs=[
            *(spec for table in tables for spec in source_checks(table)),
            *ledger_checks(ledger),
            *quarantine_checks(
                quarantine, "Every file and every line could be read; warns with the reasons."
            ),
        ],
        partitions_def=partitions,
        backfill_policy=policy,
        can_subset=True,
        pool=f"{domain}_landing",
    )
    def landed(
        context: dg.AssetExecutionContext,
        config: LandingConfig,
        lake: dg.ResourceParam[Store],
        landing: dg.ResourceParam[Store],
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        days = config.days_or(run_days(context))
        within = config.within(days)
        materialized = partial(materialized_days, context, lake, days, partitions)
        if is_requested_by_name(context):
            config = config.model_copy(update={"reload": True})
            context.log.info("A person chose these days: every hour of them is loaded again.")
        selected = context.selected_asset_keys
        checks = {(key.asset_key, key.name) for key in context.selected_asset_check_keys}
        changed = False
        with dagster_failures():
            require(*landing_probes(landing), *lake_probes(lake))
        for source in sources:
            if key_of(source.table) not in selected:
                continue
            with dagster_failures():
                plan = find_pending(
                    source,
                    landing,
                    lake,
                    rules_of(settings, source, config),
                    within,
                    [stem for stem in config.stems if stem.startswith(f"{source.folder}/")],
                )
                report = load(
                    source, landing, lake, settings.personal_data_policy, plan, context.log.info
                )
            changed = changed or report.changed
            metadata = _source_metadata(context, lake, source, report, days)
            yield materialized(source.table, metadata)
        for table in (ledger, quarantine):
            if key_of(table) in selected:
                metadata = table_metadata(lake, table, changed=changed)
                yield materialized(table, metadata)
        for result in check_results(settings, lake, sources, days):
            if (result.asset_key, result.check_name) in checks:
                if result.description and not result.passed:
                    context.log.warning(result.description)
                yield result

    return landed


def run_days(context: dg.AssetExecutionContext) -> Window:
    """The days of a run's partitions, UTC."""
    span = context.partition_time_window
    return Window(span.start.astimezone(UTC), span.end.astimezone(UTC))


def _landed_spec(table: Table, **attributes: Any) -> dg.AssetSpec:
    """The asset spec of a table of a landing step, which may leave it out."""
    spec = table_spec(table, skippable=True, **attributes)
    return spec.replace_attributes(description=f"{spec.description}\n\n{PARTITIONS}")


def materialized_days(
    context: dg.AssetExecutionContext,
    lake: Store,
    days: Window,
    partitions: dg.PartitionsDefinition[str],
    table: Table,
    metadata: Mapping[str, Any],
) -> dg.MaterializeResult[Any]:
    """The loaded days, each with its row count; only the newest partition has the other metadata.

    Dagster writes an event for each partition: years of days with previews are a large log. It
    writes none for a day outside of the partitions of this process, so these are logged here.

    Args:
        partitions: of the table, as this process knows them.
    """
    known = set(partitions.get_partition_keys()).intersection(context.partition_keys)
    rows = count_by(lake, table, DAY_COLUMN)
    newest = context.partition_keys[-1]
    for day in sorted({*context.partition_keys, *map(str, days_of(days))}):
        of_day = {
            "dagster/partition_row_count": rows[day],
            **(metadata if day == newest else {}),
        }
        if day in known:
            context.add_asset_metadata(of_day, key_of(table), day)
        else:
            context.log_event(
                dg.AssetMaterialization(key_of(table), partition=day, metadata=of_day)
            )
    return dg.MaterializeResult(asset_key=key_of(table))


def _source_metadata(
    context: dg.AssetExecutionContext,
    lake: Store,
    source: Source,
    report: LoadReport,
    within: Window,
) -> dict[str, Any]:
    """The metadata of a load, with a chart of rows an hour."""
    metadata = table_metadata(lake, source.table, report.receipts)
    lines = report.lines
    metadata |= {
        **({"newest": str(newest_upload(lake, source))} if "newest" in metadata else {}),
        "files_read": lines.files,
        "files_refused": lines.refused_files,
        "lines": lines.lines,
        "lines_repeated": lines.repeated,
        "lines_quarantined": lines.quarantined,
        "lines_erased": lines.erased,
        "hours_loaded": report.hours,
    }
    metadata["rows_mended"] = dg.MetadataValue.json(_repairs_by_kind(lake, source))
    if metadata["dagster/row_count"] and day_of(within.end) - day_of(within.start) <= PICTURE_DAYS:
        drawn = previous_picture(context, key_of(source.table), "rows_by_hour", metadata)
        metadata["rows_by_hour"] = dg.MetadataValue.md(drawn or _rows_by_hour(lake, source))
    return metadata


def _repairs_by_kind(lake: Store, source: Source) -> dict[str, int]:
    """Kind of repair -> repaired rows of the table, from the ledger."""
    ledger = read(lake, source.ledger, columns=[MENDED], where={"source": source.name})
    counted: Counter[str] = Counter()
    for repairs in ledger[MENDED].drop_null().to_pylist():
        counted.update(json.loads(repairs))
    return dict(sorted(counted.items()))


def _rows_by_hour(lake: Store, source: Source) -> str:
    """A chart of rows an upload hour for the newest days, from the ledger."""
    files = read(
        lake, source.ledger, columns=["upload_hour", "rows"], where={"source": source.name}
    )
    by: dict[datetime, int] = {}
    for hour, rows in zip(files["upload_hour"].to_pylist(), files["rows"].to_pylist(), strict=True):
        if hour is not None:
            by[hour] = by.get(hour, 0) + rows
    at = [hour for hour in sorted(by) if hour > max(by) - PICTURE_DAYS]
    return charts.stacked_bars(
        f"{source.table.name}: rows an upload hour", at, {"rows": [by[a] for a in at]}, "rows"
    )
