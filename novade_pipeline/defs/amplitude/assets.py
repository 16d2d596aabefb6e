"""The assets of Amplitude: landed tables, identities after merges, repeats of events."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from novade_pipeline.defs.amplitude.export_files import EVENTS, MERGED_IDS
from novade_pipeline.defs.amplitude.identities import MERGE_COLUMNS, survivors
from novade_pipeline.defs.amplitude.repeats import find_repeats
from novade_pipeline.defs.amplitude.tables import EVENT_KEYS, IDENTITIES, REPEATS
from novade_pipeline.defs.amplitude.tables import EVENTS as EVENTS_TABLE
from novade_pipeline.defs.amplitude.tables import MERGED_IDS as MERGED_IDS_TABLE
from novade_pipeline.graph.access import lake_probes, require
from novade_pipeline.graph.landing_assets import landing_assets
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
from novade_pipeline.lake.delta import replace
from novade_pipeline.lake.derived import is_current, source_of
from novade_pipeline.lake.read import read
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

SOURCES = (EVENTS, MERGED_IDS)


@dg.multi_asset(
    name="amplitude_identities",
    specs=[
        table_spec(
            IDENTITIES,
            kinds={"python"},
            deps=[MERGED_IDS_TABLE],
            automation_condition=follows_its_sources(),
        )
    ],
    check_specs=check_specs(IDENTITIES),
    pool="amplitude_identities",
)
def identities(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Store]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Follow all merges to their end, if there are new ones."""
    sources = dict([source_of(lake, MERGED_IDS_TABLE)])
    receipts = []
    with dagster_failures():
        require(*lake_probes(lake))
        if not is_current(lake, IDENTITIES, sources, [MERGED_IDS_TABLE]):
            rows = survivors(read(lake, MERGED_IDS_TABLE, columns=MERGE_COLUMNS))
            receipts.append(replace(lake, IDENTITIES, rows, transactions=sources))
    metadata = table_metadata(lake, IDENTITIES, receipts)
    yield materialized(context, key_of(IDENTITIES), metadata, [check_columns(lake, IDENTITIES)])


@dg.multi_asset(
    name="amplitude_repeats",
    specs=[
        table_spec(
            table,
            kinds={"python"},
            deps=[EVENTS_TABLE],
            automation_condition=follows_its_sources(),
        )
        for table in (EVENT_KEYS, REPEATS)
    ],
    check_specs=[spec for t in (EVENT_KEYS, REPEATS) for spec in check_specs(t)],
    pool="amplitude_repeats",
)
def repeats(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Store]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Find the repeats among events that changed."""
    with dagster_failures():
        require(*lake_probes(lake))
        receipts = find_repeats(lake, context.log.info)
    for number, table in enumerate((EVENT_KEYS, REPEATS)):
        metadata = table_metadata(lake, table, receipts[number : number + 1])
        yield materialized(context, key_of(table), metadata, [check_columns(lake, table)])


def definitions(settings: Settings) -> dg.Definitions:
    """The assets of Amplitude."""
    return dg.Definitions(
        assets=[landing_assets(settings, "amplitude", SOURCES), identities, repeats]
    )
