"""The jobs of all marts: a rebuild, and the nightly tests of all rows."""

import dagster as dg

from novade_pipeline.defs.marts.assets import MARTS, parts, step_name
from novade_pipeline.defs.marts.project import prepared_project
from novade_pipeline.graph.job_runs import LOAD_TAG
from novade_pipeline.settings import Settings

CHECK_JOB = "check_marts"
REBUILD_JOB = "rebuild_marts"


def definitions(settings: Settings) -> dg.Definitions:
    """The jobs, and the schedule of the tests."""
    steps = [step_name(domain) for domain in parts(prepared_project(settings.warehouse_path))]
    rebuild = dg.define_asset_job(
        REBUILD_JOB,
        selection=MARTS,
        config={"ops": {step: {"config": {"full_refresh": True}} for step in steps}},
        tags={LOAD_TAG: "marts"},
        description="Rebuilds all marts from the tables of the lake, and publishes them.",
    )
    job = dg.define_asset_job(
        CHECK_JOB,
        selection=MARTS,
        config={"ops": {step: {"config": {"check_all": True}} for step in steps}},
        description="Brings the marts up to date and runs all of their tests on all rows.",
    )
    schedule = dg.ScheduleDefinition(
        job=job,
        description="Tests all rows of the marts each night.",
        cron_schedule="0 4 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(jobs=[rebuild, job], schedules=[schedule])
