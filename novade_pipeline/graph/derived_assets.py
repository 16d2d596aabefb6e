"""The asset of a table that is derived from other tables when they change."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import dagster as dg

from novade_pipeline.graph.access import lake_probes, require
from novade_pipeline.graph.table_assets import (
    check_columns,
    check_specs,
    dagster_failures,
    follows_its_sources,
    key_of,
    materialized,
    table_metadata,
    table_spec,
)
from novade_pipeline.lake.delta import WriteReceipt
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store

Update = Callable[[Store, Callable[[str], None]], list[WriteReceipt]]
"""Writes what is missing, given the lake and a function that logs a sentence."""


def derived_asset(table: Table, update: Update, deps: Iterable[Table]) -> dg.AssetsDefinition:
    """Builds the asset of a table that `update` brings up to its sources.

    Args:
        table: the derived table; it need not be fresh by itself.
        update: called in each run; it decides from the lake whether there is anything to do.
        deps: the sources.
    """

    @dg.multi_asset(
        name=table.name.replace("/", "_"),
        specs=[
            table_spec(
                table,
                kinds={"python"},
                deps=list(deps),
                automation_condition=follows_its_sources(),
            )
        ],
        check_specs=check_specs(table, fresh=False),
        pool=table.name.replace("/", "_"),
    )
    def derived(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Store]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        with dagster_failures():
            require(*lake_probes(lake))
            receipts = update(lake, context.log.info)
        metadata = table_metadata(lake, table, receipts)
        yield materialized(context, key_of(table), metadata, [check_columns(lake, table)])

    return derived
