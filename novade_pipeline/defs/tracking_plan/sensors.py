"""The sensor that starts a run for a new plan in landing."""

import dagster as dg

from novade_pipeline.defs.tracking_plan.plan_files import newest_file, newest_plan, pending_rows
from novade_pipeline.defs.tracking_plan.plan_formats import PlanError
from novade_pipeline.defs.tracking_plan.tables import PLAN
from novade_pipeline.graph.job_runs import job_of, runs_in_progress
from novade_pipeline.graph.load_jobs import load_job
from novade_pipeline.lake.delta import current_version
from novade_pipeline.settings import Settings


def definitions(settings: Settings) -> dg.Definitions:
    """The sensor of the tracking plan."""

    @dg.sensor(
        name="tracking_plan_landing",
        job_name=job_of("tracking_plan"),
        minimum_interval_seconds=settings.landing_poll_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Loads the newest tracking plan and judges all events by it.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        file = newest_file(settings.landing)
        if file is None or _is_loaded(settings):
            return dg.SkipReason("The lake has the newest landed plan.")
        if runs := runs_in_progress(context.instance, "tracking_plan"):
            return dg.SkipReason(f"Run {runs[0].run_id} is in progress.")
        # A file is requested once a version of the table; one that is no plan fails the check.
        version = current_version(settings.lake, PLAN)
        return dg.RunRequest(
            run_key=f"plan-{file.file}-{file.etag}-{version}", job_name=job_of("tracking_plan")
        )

    return dg.Definitions(jobs=[load_job("tracking_plan")], sensors=[watch])


def _is_loaded(settings: Settings) -> bool:
    try:
        newest = newest_plan(settings.landing)
        return newest is None or pending_rows(settings.lake, *newest) is None
    except PlanError:
        return False
