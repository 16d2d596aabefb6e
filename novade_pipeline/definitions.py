"""The code location: every domain's folder is found by itself, nothing is listed here."""

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from types import ModuleType
from typing import Any

import dagster as dg

from novade_pipeline import defs
from novade_pipeline.defs.resources import resources
from novade_pipeline.lake.table import Table
from novade_pipeline.landing.load import Source
from novade_pipeline.settings import Settings, load_settings

WIRING = ("assets", "checks", "sensors", "automation", "dbt")


def build_definitions(settings: Settings, **overrides: Any) -> dg.Definitions:
    """The whole graph for some settings.

    Args:
        overrides: resources that take the place of those that the settings ask for.
    """
    domains = [module.definitions(settings) for module in _modules(WIRING)]
    fresh = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=settings.freshness_hours))
    assets = dg.map_asset_specs(
        lambda spec: (
            spec if spec.freshness_policy else spec.replace_attributes(freshness_policy=fresh)
        ),
        [asset for domain in domains for asset in domain.assets or ()],
    )
    return dg.Definitions(
        assets=assets,
        asset_checks=[check for domain in domains for check in domain.asset_checks or ()],
        jobs=[job for domain in domains for job in domain.jobs or ()],
        schedules=[schedule for domain in domains for schedule in domain.schedules or ()],
        sensors=[sensor for domain in domains for sensor in domain.sensors or ()],
        resources=resources(settings, tables()) | overrides,
        executor=dg.in_process_executor,
    )


def tables() -> dict[str, Table]:
    """Every declared table by its name."""
    return {
        table.name: table
        for module in _modules(("tables",))
        for table in getattr(module, "TABLES", ())
    }


def landing_sources() -> list[Sequence[Source]]:
    """Of each domain that loads files, its sources."""
    return [m.SOURCES for m in _modules(("assets",)) if hasattr(m, "SOURCES")]


def _modules(names: tuple[str, ...]) -> Iterator[ModuleType]:
    """The modules of these names in each domain's folder, where it has them."""
    for domain in sorted(pkgutil.iter_modules(defs.__path__, f"{defs.__name__}.")):
        if domain.ispkg:
            package = importlib.import_module(domain.name)
            there = {module.name for module in pkgutil.iter_modules(package.__path__)}
            for name in names:
                if name in there:
                    yield importlib.import_module(f"{domain.name}.{name}")


@dg.definitions
def definitions() -> dg.Definitions:
    """What Dagster loads; reads the settings when it does."""
    return build_definitions(load_settings())
