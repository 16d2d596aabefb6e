"""Shared by the domains that read an API: skipped runs, metadata, checks."""

from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg

from novade_pipeline.graph.job_runs import is_selected_explicitly
from novade_pipeline.graph.table_assets import (
    QUARANTINE_CHECK,
    check_result,
    key_of,
    reasons_of,
    table_metadata,
)
from novade_pipeline.lake.read import count_by
from novade_pipeline.lake.table import Table
from novade_pipeline.plurals import counted
from novade_pipeline.storage.store import Store

NEWEST_CHECK = "rows_read_are_the_newest"
PASSED_OVER = "rows_passed_over"

TableMetadata = tuple[Table, dict[str, Any]]
"""A table and the metadata of its materialization; a skipped one has a `note` with the reason."""


def require_configured(context: dg.AssetExecutionContext, missing: str | None) -> None:
    """Fails a run that selects the assets of a system which is not configured.

    Args:
        missing: a sentence that says what is not configured; None if nothing is missing.

    Raises:
        dg.Failure: the system is not configured, and its assets were selected explicitly.
    """
    if missing is not None and is_selected_explicitly(context):
        raise dg.Failure(missing, allow_retries=False)


def skipped_tables(lake: Store, tables: Iterable[Table], reason: str) -> Iterator[TableMetadata]:
    """The metadata of tables that this run does not read."""
    return ((table, table_metadata(lake, table) | {"note": reason}) for table in tables)


def check_quarantine(
    lake: Store, quarantine: Table, metadata: dict[str, Any]
) -> dg.AssetCheckResult:
    """Warns if the quarantine has rows."""
    rows, problem = metadata["dagster/row_count"], None
    if rows:
        counts = count_by(lake, quarantine, "reason")
        problem = (
            f"{counted(rows, 'record')} could not be read: {reasons_of(counts)}. Correct them at "
            "the source; all others are loaded."
        )
    return check_result(quarantine, QUARANTINE_CHECK, problem, {"rows": rows})


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
    rows, problem = metadata[PASSED_OVER], None
    if rows:
        problem = (
            f"{counted(rows, 'row')} of this read were not written, since the lake has a newer "
            "state: end other loads of the same lake, or correct the clocks."
        )
    return check_result(table, NEWEST_CHECK, problem, {PASSED_OVER: rows})
