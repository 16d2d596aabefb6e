"""The sensor that starts a run for new files of Segment's tables."""

import dagster as dg

from novade_pipeline.defs.segment.landed_files import SOURCES
from novade_pipeline.graph.landing_sensor import landing_sensor
from novade_pipeline.graph.load_jobs import load_job
from novade_pipeline.graph.upload_days import upload_days
from novade_pipeline.settings import Settings


def definitions(settings: Settings) -> dg.Definitions:
    """The sensor of Segment's tables."""
    return dg.Definitions(
        jobs=[load_job("segment", upload_days(settings))],
        sensors=[landing_sensor(settings, "segment", SOURCES)],
    )
