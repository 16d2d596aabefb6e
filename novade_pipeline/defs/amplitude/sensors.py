"""The sensor of Amplitude's landing zone."""

import dagster as dg

from novade_pipeline.defs.amplitude.assets import SOURCES
from novade_pipeline.graph.landing_sensor import landing_sensor
from novade_pipeline.graph.load_jobs import load_job
from novade_pipeline.graph.upload_days import upload_days
from novade_pipeline.settings import Settings


def definitions(settings: Settings) -> dg.Definitions:
    """The sensor of Amplitude's exports."""
    return dg.Definitions(
        jobs=[load_job("amplitude", upload_days(settings))],
        sensors=[landing_sensor(settings, "amplitude", SOURCES)],
    )
