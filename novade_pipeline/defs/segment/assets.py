"""Assets of Segment's history: the landed tables, their ledger and their quarantine."""

import dagster as dg

from novade_pipeline.defs.segment.landed_files import SOURCES
from novade_pipeline.graph.landing_assets import landing_assets
from novade_pipeline.settings import Settings


def definitions(settings: Settings) -> dg.Definitions:
    """The assets of Segment's history."""
    return dg.Definitions(assets=[landing_assets(settings, "segment", SOURCES)])
