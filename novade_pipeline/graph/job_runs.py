"""Runs that load: their jobs and tags, and which are still in progress.

The command line, the sensors and the schedules start runs with the same tags, so each sees the
others'.
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
"""The job of all domains."""
ON_REQUEST = "novade/on_request"
"""The tag of assets that only a person materializes."""
LOADED = (
    dg.AssetSelection.all()
    - dg.AssetSelection.groups("operations")
    - dg.AssetSelection.tag(ON_REQUEST, "")
)
"""What it loads: every asset but those that monitor the graph, and those on request."""
# Dagster's lists of runs hide tags with this prefix.
LOAD_TAG = ".dagster/novade_load"
"""On each run that loads: the domain, or `EVERYTHING`."""
EVERYTHING = "everything"
WORK_TAG = ".dagster/novade_work"
PROCESS_TAG = ".dagster/novade_process"
"""On runs that a person started with a command."""
PARTITION_TAG = "dagster/partition"
RANGE_START_TAG = "dagster/asset_partition_range_start"
BACKFILL_TAG = "dagster/backfill"
SENSOR_TAG = "dagster/sensor_name"
SCHEDULE_TAG = "dagster/schedule_name"
WEB_PAGE_TAG = "dagster/from_ui"
RANGE_END_TAG = "dagster/asset_partition_range_end"
IN_PROGRESS = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
FAILED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
REACH = timedelta(days=31)
"""How far a run extends to days that no run has covered: Dagster stores an event for each."""
HELD_BY = "held_by"
"""Metadata of a step's failure: the process that has held the warehouse."""
# After so long without an event, a run of another host counts as dead.
SILENCE = timedelta(hours=1)


def job_of(domain: str) -> str:
    """The name of a domain's job."""
    return f"load_{domain}"


def work_key(plans: Mapping[str, LoadPlan]) -> str:
    """Identifies these versions of these files: equal work has an equal key."""
    digest = hashlib.sha256()
    for source, plan in sorted(plans.items()):
        files = [file for group in plan.hours.values() for file in group]
        for file in [*files, *(plan.unplaced or ())]:
            digest.update(f"{source}\0{file.file}\0{file.etag}\n".encode())
        # A missing file has only an hour, or a name.
        missing = [*map(str, plan.hours), *(row.file for row in plan.missing)]
        digest.update("\0".join([source, *missing, "\n"]).encode())
    return digest.hexdigest()[:16]


def range_tags(days: Iterable[date], missing: Iterable[date] = ()) -> dict[str, str]:
    """The tags of one run for all days from the first to the last; today if there are none.

    Args:
        missing: days that no run has covered; those within reach of the others are added.
    """
    ordered = sorted(days) or [datetime.now(UTC).date()]
    first, last = ordered[0], ordered[-1]
    near = [day for day in missing if first - REACH <= day <= last + REACH]
    return {RANGE_START_TAG: str(min([first, *near])), RANGE_END_TAG: str(max([last, *near]))}


def process_tag() -> str:
    """Identifies this process on this host."""
    return f"{socket.gethostname()}:{os.getpid()}"


def load_tags(domain: str) -> dict[str, Any]:
    """Filters runs by whether they load a domain, alone or with everything."""
    return {LOAD_TAG: [domain, EVERYTHING]}


def runs_in_progress(
    instance: dg.DagsterInstance, domain: str | None = None
) -> list[dg.DagsterRun]:
    """Returns the runs in progress that load, after reporting dead ones as failed.

    Args:
        domain: only those that load it.
    """
    of_domain = load_tags(domain) if domain else {}
    alive = []
    for record in instance.get_run_records(
        dg.RunsFilter(tags=of_domain, statuses=list(IN_PROGRESS)), limit=100
    ):
        if LOAD_TAG not in record.dagster_run.tags:
            continue
        silent = datetime.now(UTC) - record.update_timestamp > SILENCE
        if _is_dead(record.dagster_run, silent):
            instance.report_run_failed(
                record.dagster_run, "The process that ran it ended unexpectedly."
            )
            instance.event_log_storage.free_concurrency_slots_for_run(record.dagster_run.run_id)
        else:
            alive.append(record.dagster_run)
    return alive


def failed_runs(instance: dg.DagsterInstance, domain: str, key: str) -> list[dg.DagsterRun]:
    """Returns the failed automatic runs for the same work since the domain's last success."""
    done = dg.RunsFilter(tags=load_tags(domain), statuses=[dg.DagsterRunStatus.SUCCESS])
    since = [record.create_timestamp for record in instance.get_run_records(done, limit=1)]
    failed = dg.RunsFilter(
        tags={WORK_TAG: key},
        statuses=list(FAILED),
        created_after=since[0] if since else None,
    )
    return [run for run in instance.get_runs(failed) if PROCESS_TAG not in run.tags]


def is_failed_attempt(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether a failed run counts, and not only waited in vain for a warehouse that was held."""
    held_up = steps_held_up(instance, run.run_id)
    return not (held_up and all(held_up))


def steps_held_up(instance: dg.DagsterInstance, run_id: str) -> list[bool]:
    """Returns for each failed step of a run whether it waited in vain for the warehouse."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    events = [record.event_log_entry.dagster_event for record in records]
    failures = [event.step_failure_data.user_failure_data for event in events if event is not None]
    return [failure is not None and HELD_BY in failure.metadata for failure in failures]


def failure_reason(failure: Any) -> str:
    """Returns the root cause in the data of Dagster's failure event, in one line."""
    user_failure = getattr(failure, "user_failure_data", None)
    if user_failure is not None and user_failure.description:
        return str(user_failure.description)
    error = getattr(failure, "error", None)
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return "unknown"
    # Errors of this package are sentences; any other error keeps its class name.
    message = str(error.message).strip().splitlines()[0]
    return message.removeprefix(f"{errors.__name__}.{error.cls_name}: ")


def is_selected_explicitly(context: dg.AssetExecutionContext) -> bool:
    """Whether the run selects assets, and is no backfill.

    A system that is not configured fails such a run; a run of all assets skips it.
    """
    return bool(context.run.asset_selection) and BACKFILL_TAG not in context.run.tags


def is_requested_by_name(context: dg.AssetExecutionContext) -> bool:
    """Whether a person chose the run's partitions in the web page, or in a backfill.

    A retry or re-execution is of the same kind as the run that it repeats, of which the web page
    passes on only some tags.
    """
    run = context.run
    if run.root_run_id is not None:
        run = context.instance.get_run_by_id(run.root_run_id) or run
    if run.tags.keys() & {WORK_TAG, PROCESS_TAG, SENSOR_TAG, SCHEDULE_TAG}:
        return False
    return bool(run.tags.keys() & {PARTITION_TAG, BACKFILL_TAG, WEB_PAGE_TAG})


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
