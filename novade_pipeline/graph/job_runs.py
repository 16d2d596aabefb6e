"""Runs of the graph: which job, for which days, and which of them are dead.

The command line and the sensors ask for the same job with the same tags, so either sees what the
other is doing, and both decide what is wanted from the lake.
"""

import hashlib
import os
import socket
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from novade_pipeline import errors
from novade_pipeline.landing.ledger import LoadPlan

JOB = "load_everything"
LOADED = dg.AssetSelection.all() - dg.AssetSelection.groups("operations")
"""What the job loads: all but what watches over it."""
WORK_TAG = "novade/wanted"
PROCESS_TAG = "novade/process"
RANGE_START_TAG = "dagster/asset_partition_range_start"
BACKFILL_TAG = "dagster/backfill"
SENSOR_TAG = "dagster/sensor_name"
RANGE_END_TAG = "dagster/asset_partition_range_end"
IN_PROGRESS = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
# A run of another process that has said nothing for so long is not believed to be at work.
SILENCE = timedelta(hours=1)


def work_key(wanted: Mapping[str, LoadPlan]) -> str:
    """Names exactly these versions of these files: the same work, the same key."""
    told = hashlib.sha256()
    for source, todo in sorted(wanted.items()):
        files = [file for group in todo.hours.values() for file in group]
        for file in [*files, *(todo.unplaced or ())]:
            told.update(f"{source}\0{file.file}\0{file.etag}\n".encode())
        # Of what is gone there is only an hour, or a name.
        gone = [*map(str, todo.hours), *(row.file for row in todo.missing)]
        told.update("\0".join([source, *gone, "\n"]).encode())
    return told.hexdigest()[:16]


def range_tags(days: Iterable[date]) -> dict[str, str]:
    """The tags of one run for all days from the first to the last; today where there is none."""
    ordered = sorted(days) or [datetime.now(UTC).date()]
    return {RANGE_START_TAG: str(ordered[0]), RANGE_END_TAG: str(ordered[-1])}


def process_tag() -> str:
    """Names this process on this host."""
    return f"{socket.gethostname()}:{os.getpid()}"


def runs_in_progress(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The runs of the job that are at work; dead ones are declared failed first."""
    alive = []
    for record in instance.get_run_records(
        dg.RunsFilter(job_name=JOB, statuses=list(IN_PROGRESS)), limit=100
    ):
        silent = datetime.now(UTC) - record.update_timestamp > SILENCE
        if _is_dead(record.dagster_run, silent):
            instance.report_run_failed(
                record.dagster_run, "The process that ran it ended without a word."
            )
            instance.event_log_storage.free_concurrency_slots_for_run(record.dagster_run.run_id)
        else:
            alive.append(record.dagster_run)
    return alive


def failed_attempts(instance: dg.DagsterInstance, key: str) -> int:
    """How many runs for the same work have failed since a run last succeeded.

    What was loaded in the end may have to be loaded again, when it is put back later.
    """
    done = dg.RunsFilter(job_name=JOB, statuses=[dg.DagsterRunStatus.SUCCESS])
    since = [record.create_timestamp for record in instance.get_run_records(done, limit=1)]
    failed = dg.RunsFilter(
        tags={WORK_TAG: key},
        statuses=[dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
        created_after=since[0] if since else None,
    )
    return instance.get_runs_count(failed)


def failure_reason(failure: Any) -> str:
    """The failure of a step or a run in one line: what the error that began it says of itself.

    Args:
        failure: the data of the event that tells of it.
    """
    told = getattr(failure, "user_failure_data", None)
    if told is not None and told.description:
        return str(told.description)
    error = getattr(failure, "error", None)
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return "unknown"
    told = str(error.message).strip().splitlines()[0]
    # Ours are sentences; of others the kind says more than the words.
    ours = f"{errors.__name__}.{error.cls_name}: "
    return told.removeprefix(ours)


def is_selected_explicitly(context: dg.AssetExecutionContext) -> bool:
    """The run is for assets that somebody named, not for all that there are, nor a backfill.

    What is not configured fails a run that asks for it, and is passed over in a run of everything.
    """
    return bool(context.run.asset_selection) and BACKFILL_TAG not in context.run.tags


def is_started_by_sensor(context: dg.AssetExecutionContext) -> bool:
    """A sensor began this run of everything, since something landed.

    What has a schedule of its own is passed over: nobody reads a whole API for each landed file.
    """
    return not context.run.asset_selection and SENSOR_TAG in context.run.tags


def _is_dead(run: dg.DagsterRun, silent: bool) -> bool:
    host, _, process = run.tags.get(PROCESS_TAG, "").rpartition(":")
    if host != socket.gethostname():
        return silent
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
