"""The job of the whole graph, and the sensor that lets derived assets follow their sources."""

import dagster as dg

from novade_pipeline.defs.landing_assets import upload_days
from novade_pipeline.defs.runs import JOB
from novade_pipeline.settings import Settings


def definitions(settings: Settings) -> dg.Definitions:
    """What starts runs by itself, beside the landing sensors."""
    return dg.Definitions(
        jobs=[
            dg.define_asset_job(
                JOB,
                selection=dg.AssetSelection.all(),
                partitions_def=upload_days(settings),
                description="Everything that landing holds and the lake does not have yet.",
            )
        ],
        sensors=[
            dg.AutomationConditionSensorDefinition(
                "follow_sources",
                target=dg.AssetSelection.all(),
                default_status=dg.DefaultSensorStatus.RUNNING,
                minimum_interval_seconds=30,
            )
        ],
    )
