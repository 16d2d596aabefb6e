"""Reads the comparison from the lake."""

from datetime import date

from novade_pipeline.defs.marts.tables import mart_tables
from novade_pipeline.defs.reconciliation.comparison import MART, Comparison, compare
from novade_pipeline.defs.reconciliation.settings import ReconciliationSettings
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.read import read
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store


def stored_comparison(
    settings: Settings, lake: Store, days: tuple[date, date] | None = None
) -> Comparison:
    """The comparison as it is published; empty if it never was.

    Args:
        days: the first and the last day; by default those of the settings, or all of the mart.
    """
    own = settings.of(ReconciliationSettings)
    (table,) = (t for t in mart_tables(settings.warehouse_path) if t.path[-1] == MART)
    rows = [] if open_table(lake, table) is None else read(lake, table).to_pylist()
    return compare(rows, own.matched_share, days or own.days)
