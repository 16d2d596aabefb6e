"""The sensor that starts a run for new files of publications."""

import dagster as dg

from novade_pipeline.defs.publications.assets import SOURCES
from novade_pipeline.graph.landing_sensor import landing_sensor
from novade_pipeline.graph.load_jobs import load_job
from novade_pipeline.graph.upload_days import upload_days
from novade_pipeline.settings import Settings


def definitions(settings: Settings) -> dg.Definitions:
    """The sensor of publications."""
    return dg.Definitions(
        jobs=[load_job("publications", upload_days(settings))],
        sensors=[landing_sensor(settings, "publications", SOURCES)],
    )
