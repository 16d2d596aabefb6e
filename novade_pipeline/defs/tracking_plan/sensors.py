"""The plan's folder in landing is watched: a new plan becomes a run."""

import dagster as dg

from novade_pipeline.defs.runs import JOB, range_tags, runs_in_progress
from novade_pipeline.defs.tracking_plan.plan_files import newest_file
from novade_pipeline.settings import Settings


def definitions(settings: Settings) -> dg.Definitions:
    """The sensor of the tracking plan."""

    @dg.sensor(
        name="tracking_plan_landing",
        job_name=JOB,
        minimum_interval_seconds=settings.landing_poll_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Takes in the newest tracking plan and has all events judged by it.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        file = newest_file(settings.landing)
        if file is None:
            return dg.SkipReason("No plan has landed.")
        key = f"plan-{file.file}-{file.etag}"
        if context.cursor == key:
            return dg.SkipReason("The newest plan has been taken in.")
        if alive := runs_in_progress(context.instance):
            return dg.SkipReason(f"Run {alive[0].run_id} is at work.")
        request = dg.RunRequest(run_key=key, tags=range_tags([], settings.history_start))
        return dg.SensorResult(run_requests=[request], cursor=key)

    return dg.Definitions(sensors=[watch])
