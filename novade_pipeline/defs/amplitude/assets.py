"""Amplitude in the graph: what landed, and who is who after all merges."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pyarrow as pa

from novade_pipeline.access import lake_probes, require
from novade_pipeline.defs.amplitude.export_files import EVENTS, MERGED_IDS
from novade_pipeline.defs.amplitude.identities import Merge, survivors
from novade_pipeline.defs.amplitude.tables import IDENTITIES
from novade_pipeline.defs.amplitude.tables import MERGED_IDS as MERGED_IDS_TABLE
from novade_pipeline.defs.landing_assets import landing_assets
from novade_pipeline.defs.table_assets import (
    check_columns,
    check_specs,
    follows_its_sources,
    key_of,
    table_metadata,
    table_spec,
    told_to_dagster,
)
from novade_pipeline.lake.delta import replace
from novade_pipeline.lake.derived import is_current, source_of
from novade_pipeline.lake.read import read
from novade_pipeline.settings import Settings
from novade_pipeline.storage import Store

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
def identities(lake: dg.ResourceParam[Store]) -> Iterator[dg.MaterializeResult[Any]]:
    """Follow all merges to their end, where there are new ones."""
    sources = dict([source_of(lake, MERGED_IDS_TABLE)])
    receipts = []
    with told_to_dagster():
        require(*lake_probes(lake))
        if not is_current(lake, IDENTITIES, sources, [MERGED_IDS_TABLE]):
            names = ["amplitude_id", "merged_amplitude_id", "merge_time"]
            merges = read(lake, MERGED_IDS_TABLE, columns=names)
            found = survivors(
                Merge(row["amplitude_id"], row["merged_amplitude_id"], row["merge_time"] or 0)
                for row in merges.to_pylist()
            )
            rows = pa.table(
                [list(found.keys()), list(found.values())], schema=IDENTITIES.schema
            ).sort_by("amplitude_id")
            receipts.append(replace(lake, IDENTITIES, rows, transactions=sources))
    yield dg.MaterializeResult(
        asset_key=key_of(IDENTITIES),
        metadata=table_metadata(lake, IDENTITIES, receipts),
        check_results=[check_columns(lake, IDENTITIES)],
    )


def definitions(settings: Settings) -> dg.Definitions:
    """The assets of Amplitude."""
    return dg.Definitions(assets=[landing_assets(settings, "amplitude", SOURCES), identities])
