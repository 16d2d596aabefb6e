"""The jobs that load: one of everything, and one for each domain with what is derived from it."""

from functools import cache
from typing import Any

import dagster as dg

from novade_pipeline.graph.job_runs import (
    EVERYTHING,
    JOB,
    LOAD_TAG,
    LOADED,
    job_of,
    runs_in_progress,
)
from novade_pipeline.graph.upload_days import upload_days
from novade_pipeline.settings import Settings


def load_everything(settings: Settings) -> Any:
    """The job of all domains."""
    return dg.define_asset_job(
        JOB,
        selection=LOADED,
        partitions_def=upload_days(settings),
        tags={LOAD_TAG: EVERYTHING},
        description="Loads all new data, and updates the tables derived from it.",
    )


@cache
def load_job(domain: str, partitions: dg.PartitionsDefinition[str] | None = None) -> Any:
    """The job of one domain: its tables, and every table and mart derived from them.

    Cached, since Dagster wants one object for each name.

    Args:
        partitions: of its landed tables.
    """
    selection = dg.AssetSelection.groups(domain).downstream() & LOADED
    return dg.define_asset_job(
        job_of(domain),
        selection=selection.required_multi_asset_neighbors(),
        partitions_def=partitions,
        tags={LOAD_TAG: domain},
        description=f"Loads the new data of {domain}, and updates the tables derived from it.",
    )


def load_schedule(
    domain: str, cron: str, missing: str | None, description: str
) -> dg.ScheduleDefinition:
    """The schedule of a domain's job, cron in UTC; stopped if the domain is not configured.

    Args:
        missing: a sentence that says what is not configured; None if nothing is missing.
    """

    @dg.schedule(
        name=domain,
        job_name=job_of(domain),
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=(
            dg.DefaultScheduleStatus.STOPPED if missing else dg.DefaultScheduleStatus.RUNNING
        ),
        description=f"{description} {missing}" if missing else description,
    )
    def start(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if alive := runs_in_progress(context.instance, domain):
            return dg.SkipReason(f"Run {alive[0].run_id} is in progress.")
        return dg.RunRequest()

    return start
