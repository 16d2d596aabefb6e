"""The tombstones in the graph: written by `novade erase`, obeyed by every load."""

import dagster as dg

from novade_pipeline.defs.table_assets import table_spec
from novade_pipeline.lake.tombstones import TOMBSTONES
from novade_pipeline.settings import Settings


def definitions(settings: Settings) -> dg.Definitions:
    """The table as something that the graph sees and does not make."""
    return dg.Definitions(assets=[table_spec(TOMBSTONES)])
