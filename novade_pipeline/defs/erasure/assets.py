"""The asset of the tombstones, which `novade erase` writes and every load obeys."""

import dagster as dg

from novade_pipeline.graph.table_assets import COLUMNS_CHECK, check_columns, key_of, table_spec
from novade_pipeline.lake.tombstones import TOMBSTONES
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store


@dg.asset_check(
    asset=key_of(TOMBSTONES),
    name=COLUMNS_CHECK,
    blocking=True,
    description="The lake's columns are those of the code, in name and type.",
)
def tombstone_columns(lake: dg.ResourceParam[Store]) -> dg.AssetCheckResult:
    """Compare the declared columns with those in the lake."""
    return check_columns(lake, TOMBSTONES)


def definitions(settings: Settings) -> dg.Definitions:
    """The table as an external asset."""
    return dg.Definitions(assets=[table_spec(TOMBSTONES)], asset_checks=[tombstone_columns])
