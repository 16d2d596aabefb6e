"""Shared by the domains that read an API: schedule, skipped runs, metadata, checks."""

from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg

from novade_pipeline.graph.job_runs import is_selected_explicitly, is_started_by_sensor
from novade_pipeline.graph.table_assets import (
    QUARANTINE_CHECK,
    check_result,
    key_of,
    table_metadata,
)
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store

NEWEST_CHECK = "rows_read_are_the_newest"
PASSED_OVER = "rows_passed_over"

TableMetadata = tuple[Table, dict[str, Any]]
"""A table and the metadata of its materialization; a skipped one has a `note` with the reason."""


def on_schedule(cron: str, missing: str | None) -> dg.AutomationCondition[Any] | None:
    """Materializes by a cron schedule in UTC; never, if `missing` says what is not configured."""
    return None if missing else dg.AutomationCondition.on_cron(cron)


def reason_to_skip(context: dg.AssetExecutionContext, api: str, missing: str | None) -> str | None:
    """Returns why this run does not read an API; None if it does.

    Args:
        api: for messages: `The music API`.
        missing: a sentence that says what is not configured; None if nothing is missing.

    Raises:
        dg.Failure: the API is not configured, and its assets were selected explicitly.
    """
    if missing is not None:
        if is_selected_explicitly(context):
            raise dg.Failure(missing, allow_retries=False)
        return missing
    if is_started_by_sensor(context):
        return f"{api} is read on its schedule, not after each landing."
    return None


def skipped_tables(lake: Store, tables: Iterable[Table], reason: str) -> Iterator[TableMetadata]:
    """The metadata of tables that this run does not read."""
    return ((table, table_metadata(lake, table) | {"note": reason}) for table in tables)


def materialized(
    context: dg.AssetExecutionContext,
    table: Table,
    metadata: dict[str, Any],
    results: Iterable[dg.AssetCheckResult],
) -> dg.MaterializeResult[Any]:
    """A table's materialization, with the results of the selected checks."""
    requested = {(key.asset_key, key.name) for key in context.selected_asset_check_keys}
    return dg.MaterializeResult(
        asset_key=key_of(table),
        metadata=metadata,
        check_results=[r for r in results if (r.asset_key, r.check_name) in requested],
    )


def check_quarantine(quarantine: Table, metadata: dict[str, Any]) -> dg.AssetCheckResult:
    """Warns if the quarantine has rows."""
    rows = metadata["dagster/row_count"]
    return check_result(quarantine, QUARANTINE_CHECK, not rows, {"rows": rows})


def newest_check(table: Table) -> dg.AssetCheckSpec:
    """The check that the lake had no newer row than those that were read."""
    return dg.AssetCheckSpec(
        NEWEST_CHECK,
        asset=key_of(table),
        description="Warns where rows were not written because the lake has them in a state that "
        "was read later: another load ran meanwhile, or a clock is wrong.",
    )


def check_newest(table: Table, metadata: dict[str, Any]) -> dg.AssetCheckResult:
    """Warns if rows were passed over."""
    rows = metadata[PASSED_OVER]
    return check_result(table, NEWEST_CHECK, not rows, {PASSED_OVER: rows})
