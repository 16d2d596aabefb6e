"""Rebuilds tables that are derived from tables of the lake, without reading any source."""

from collections.abc import Sequence

import dagster as dg

from novade_pipeline.definitions import build_definitions
from novade_pipeline.defs.marts.tables import mart_tables
from novade_pipeline.execution.local_run import run_graph
from novade_pipeline.graph.domains import tables
from novade_pipeline.graph.job_runs import LOADED
from novade_pipeline.settings import Settings


def rebuild_derived(settings: Settings, *, rebuild_marts: bool = False) -> Sequence[str]:
    """Rebuilds the derived tables whose sources have changed.

    Args:
        rebuild_marts: rebuild all marts, from all rows, and nothing else.

    Returns:
        One sentence for each step or asset that failed.
    """
    names = [mart.name for mart in mart_tables(settings.warehouse_path)]
    if not rebuild_marts:
        names = derived_tables(settings)
    outcome = run_graph(settings, select=",".join(names), full_refresh=rebuild_marts)
    failed = [
        f"{name}: {', '.join(asset.failed)}"
        for name, asset in outcome.assets.items()
        if asset.failed
    ]
    return [*outcome.failures, *failed]


def derived_tables(settings: Settings) -> list[str]:
    """The tables derived from other assets alone, including the marts."""
    definitions = build_definitions(settings)
    loaded = LOADED.resolve(definitions.resolve_asset_graph())
    known = {*tables(), *(mart.name for mart in mart_tables(settings.warehouse_path))}
    derived = []
    for assets in definitions.assets or ():
        if not isinstance(assets, dg.AssetsDefinition):
            continue
        sources = {dep.asset_key for spec in assets.specs for dep in spec.deps} - assets.keys
        reads_api = any("api" in spec.kinds for spec in assets.specs)
        if sources and not reads_api:
            derived += ["/".join(key.path) for key in assets.keys & loaded]
    return sorted(known.intersection(derived))
