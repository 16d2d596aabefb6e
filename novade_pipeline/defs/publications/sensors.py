"""The sensor that starts a run for new files of publications."""

import dagster as dg

from novade_pipeline.defs.publications.assets import SOURCES
from novade_pipeline.graph.landing_sensor import landing_sensor
from novade_pipeline.settings import Settings


def definitions(settings: Settings) -> dg.Definitions:
    """The sensor of publications."""
    return dg.Definitions(sensors=[landing_sensor(settings, "publications", SOURCES)])
