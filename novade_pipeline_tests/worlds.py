"""A separate lake for a test, and its content in a comparable form."""

from pathlib import Path
from typing import Any

import duckdb

from novade_pipeline.defs.amplitude.tables import (
    EVENT_KEYS,
    EVENTS,
    IDENTITIES,
    MERGED_IDS,
    QUARANTINE,
    REPEATS,
)
from novade_pipeline.defs.tracking_plan.tables import EVENT_VERDICTS, PLAN, VERDICT_COUNTS
from novade_pipeline.lake.query import sql_literal
from novade_pipeline.lake.read import read
from novade_pipeline.settings import Settings, load_settings
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.places import credentials, lake_connection

MARTS = (
    *("event_enhanced", "sessions", "user_days", "user_enhanced"),
    *("daily_performance", "weekly_retention", "coverage_by_day", "tracking_plan_coverage"),
)
PRODUCT = " or ".join(
    ["group:amplitude", "group:tracking_plan", *(f'key:"marts/{mart}"' for mart in MARTS)]
)
"""All that is made of Amplitude's exports: half of the graph."""
TABLES = (
    *(EVENTS, MERGED_IDS, IDENTITIES, EVENT_KEYS, REPEATS, QUARANTINE),
    *(PLAN, EVENT_VERDICTS, VERDICT_COUNTS),
)


def settings_in(root: Path, landing: Path) -> Settings:
    """Settings whose lake, warehouse and runs are in `root`."""
    return settings_of(root, store(str(root / "lake")), store(str(landing)))


def settings_of(root: Path, lake: Store, landing: Store) -> Settings:
    """Settings whose warehouse and runs are in `root`."""
    return load_settings(
        lake_url=lake.url,
        landing_url=landing.url,
        warehouse_path=root / "warehouse.duckdb",
        dagster_home=root / "dagster",
        landing_grace_hours=0,
        **{f"azure_{name}": value for name, value in credentials(lake).items()},
    )


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment of another process on the same lake, warehouse and runs."""
    return {
        "NOVADE_LAKE_URL": settings.lake_url,
        "NOVADE_LANDING_URL": settings.landing_url,
        "NOVADE_WAREHOUSE_PATH": str(settings.warehouse_path),
        "NOVADE_DAGSTER_HOME": str(settings.dagster_home),
        "NOVADE_LANDING_GRACE_HOURS": str(settings.landing_grace_hours),
    }


def marts_of(settings: Settings, path: Path | None = None) -> dict[str, list[Any]]:
    """Every mart's rows, in one order, in the warehouse or in a copy of it."""
    with duckdb.connect(str(path or settings.warehouse_path), read_only=True) as connection:
        return {
            mart: sorted(map(repr, connection.execute(f"FROM marts.{mart}").fetchall()))
            for mart in MARTS
        }


def published_of(settings: Settings) -> dict[str, list[Any]]:
    """Every mart's rows as the lake has them, in one order."""
    with lake_connection(settings.lake) as connection:
        return {
            mart: sorted(
                map(repr, connection.execute(f"FROM delta_scan({sql_literal(place)})").fetchall())
            )
            for mart in MARTS
            for place in [settings.lake.duckdb_path("marts", mart)]
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
