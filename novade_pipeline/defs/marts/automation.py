"""The nightly job that tests all rows of the marts; other runs test only changed rows."""

import dagster as dg

from novade_pipeline.defs.marts.assets import GROUP, parts, step_name
from novade_pipeline.defs.marts.project import prepared_project
from novade_pipeline.settings import Settings

CHECK_JOB = "check_marts"


def definitions(settings: Settings) -> dg.Definitions:
    """The job and its schedule."""
    steps = parts(prepared_project(settings.warehouse_path))
    config = {"config": {"check_all": True}}
    job = dg.define_asset_job(
        CHECK_JOB,
        selection=dg.AssetSelection.groups(GROUP),
        config={"ops": {step_name(domain): config for domain in steps}},
        description="Brings the marts up to date and runs all of their tests on all rows.",
    )
    schedule = dg.ScheduleDefinition(
        job=job,
        cron_schedule="0 4 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(jobs=[job], schedules=[schedule])
