"""What every domain that reads an API has: when it is read, when passed over, what is told."""

from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg

from novade_pipeline.graph.job_runs import is_selected_explicitly, is_started_by_sensor
from novade_pipeline.graph.table_assets import QUARANTINE_CHECK, key_of, table_metadata
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store

NEWEST_CHECK = "rows_read_are_the_newest"
PASSED_OVER = "rows_passed_over"

TableMetadata = tuple[Table, dict[str, Any]]
"""A table and the metadata of its materialization; with a `note` where it was passed over."""


def on_schedule(cron: str, missing: str | None) -> dg.AutomationCondition[Any] | None:
    """Reads what is configured by its schedule, cron in UTC; what is not, never by itself."""
    return None if missing else dg.AutomationCondition.on_cron(cron)


def reason_to_skip(context: dg.AssetExecutionContext, api: str, missing: str | None) -> str | None:
    """Why this run does not read an API; None where it does.

    Args:
        context: of the step.
        api: as people call it: `The music API`.
        missing: a sentence that says what is not configured; None where all is.

    Raises:
        dg.Failure: somebody named its assets, and it is not configured.
    """
    if missing is not None:
        if is_selected_explicitly(context):
            raise dg.Failure(missing, allow_retries=False)
        return missing
    if is_started_by_sensor(context):
        return f"{api} is read on its schedule, not after each landing."
    return None


def skipped_tables(lake: Store, tables: Iterable[Table], why: str) -> Iterator[TableMetadata]:
    """What is told of tables that are not read now."""
    return ((table, table_metadata(lake, table) | {"note": why}) for table in tables)


def materialized(
    context: dg.AssetExecutionContext,
    table: Table,
    metadata: dict[str, Any],
    results: Iterable[dg.AssetCheckResult],
) -> dg.MaterializeResult[Any]:
    """A table's materialization, with the results of those checks that the run asks for."""
    asked = {(key.asset_key, key.name) for key in context.selected_asset_check_keys}
    return dg.MaterializeResult(
        asset_key=key_of(table),
        metadata=metadata,
        check_results=[r for r in results if (r.asset_key, r.check_name) in asked],
    )


def check_quarantine(quarantine: Table, metadata: dict[str, Any]) -> dg.AssetCheckResult:
    """Warn where the quarantine has rows."""
    rows = metadata["dagster/row_count"]
    return warning(quarantine, QUARANTINE_CHECK, not rows, {"rows": rows})


def newest_check(table: Table) -> dg.AssetCheckSpec:
    """The spec of the check that no row was passed over for a newer one in the lake."""
    return dg.AssetCheckSpec(
        NEWEST_CHECK,
        asset=key_of(table),
        description="Warns where rows were not written because the lake has them in a state that "
        "was read later: another load ran meanwhile, or a clock is wrong.",
    )


def check_newest(table: Table, metadata: dict[str, Any]) -> dg.AssetCheckResult:
    """Warn where rows were passed over, and say how many."""
    rows = metadata[PASSED_OVER]
    return warning(table, NEWEST_CHECK, not rows, {PASSED_OVER: rows})


def warning(table: Table, name: str, passed: bool, metadata: dict[str, Any]) -> dg.AssetCheckResult:
    """The result of a check that warns and stops nothing."""
    return dg.AssetCheckResult(
        passed=passed,
        check_name=name,
        asset_key=key_of(table),
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )
