"""A lake of its own for a test, and all that it holds in a form that can be compared."""

from pathlib import Path
from typing import Any

import duckdb

from novade_pipeline.defs.amplitude.tables import EVENTS, IDENTITIES, MERGED_IDS, QUARANTINE
from novade_pipeline.defs.tracking_plan.tables import EVENT_VERDICTS, PLAN
from novade_pipeline.lake.read import read
from novade_pipeline.settings import Settings, load_settings

MARTS = (
    *("event_enhanced", "sessions", "user_enhanced"),
    *("daily_performance", "weekly_retention", "tracking_plan_coverage"),
)
TABLES = (EVENTS, MERGED_IDS, IDENTITIES, QUARANTINE, PLAN, EVENT_VERDICTS)


def settings_in(root: Path, landing: Path) -> Settings:
    """Settings whose lake, warehouse and runs are in `root`."""
    return load_settings(
        lake_url=str(root / "lake"),
        landing_url=str(landing),
        warehouse_path=root / "warehouse.duckdb",
        dagster_home=root / "dagster",
        landing_grace_hours=0,
    )


def marts_of(settings: Settings) -> dict[str, list[Any]]:
    """Every mart's rows, in one order."""
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        return {
            mart: sorted(map(repr, connection.execute(f"FROM marts.{mart}").fetchall()))
            for mart in MARTS
        }


def tables_of(settings: Settings) -> dict[str, list[Any]]:
    """Every table's rows, in one order; etags tell of copies, not of content."""
    return {
        table.name: sorted(
            repr({k: v for k, v in row.items() if k != "etag"})
            for row in read(settings.lake, table).to_pylist()
        )
        for table in TABLES
    }
