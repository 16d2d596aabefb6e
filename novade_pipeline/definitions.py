"""The code location: discovers the domains and merges their definitions."""

import gc
from datetime import timedelta
from typing import Any

import dagster as dg

from novade_pipeline.graph.domains import modules, tables
from novade_pipeline.graph.resources import resources
from novade_pipeline.settings import Settings, load_settings

# Garbage collections skip the modules imported so far while the domains load.
gc.freeze()

WIRING = ("assets", "checks", "sensors", "automation", "dbt")


def build_definitions(settings: Settings, **overrides: Any) -> dg.Definitions:
    """Builds the graph.

    Args:
        overrides: resources in place of those of the settings.
    """
    domains = [module.definitions(settings) for module in modules(*WIRING)]
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


@dg.definitions
def definitions() -> dg.Definitions:
    """The entry point of Dagster, which reads the settings when it loads."""
    return build_definitions(load_settings())
