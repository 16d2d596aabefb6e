"""Reads problems from Dagster's event log: ended runs, checks, freshness."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from novade_pipeline.defs.operations import alerts
from novade_pipeline.defs.operations.alerts import Memory, Problem, RunChange
from novade_pipeline.graph.job_runs import failure_reason
from novade_pipeline.graph.upload_days import NEW_DAY_TAG

# At the first tick, runs that ended within this time count.
FIRST_PERIOD = timedelta(days=1)
# Ended runs that one tick processes; the rest follows at the next tick.
RUNS_PER_TICK = 50
# Executions of a check that are searched for one with a result.
CHECK_EXECUTIONS = 20
# Materializations that are searched for one that is no report that a day has begun.
MATERIALIZATIONS = 20
# Dagster retries such a run, and the result of the retry counts.
WILL_RETRY_TAG = "dagster/will_retry"
BLOCKING_CHECK_FAILED = "DagsterAssetCheckFailedError"


def ended_runs(
    instance: dg.DagsterInstance, repository: dg.RepositoryDefinition, memory: Memory, now: datetime
) -> tuple[int | None, list[RunChange]]:
    """The runs that ended since the last tick, in order of their end."""
    began = datetime.fromisoformat(memory.began) if memory.began else now
    ended: list[dg.EventLogRecord] = []
    complete = None
    for kind in (dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS):
        where = dg.RunStatusChangeRecordsFilter(
            kind,
            after_storage_id=memory.position,
            after_timestamp=(began - FIRST_PERIOD).timestamp() if memory.position is None else None,
        )
        records = instance.fetch_run_status_changes(where, limit=RUNS_PER_TICK, ascending=True)
        ended += records.records
        if len(records.records) == RUNS_PER_TICK:
            last = records.records[-1].storage_id
            complete = last if complete is None else min(complete, last)
    ended = sorted(
        (e for e in ended if complete is None or e.storage_id <= complete),
        key=lambda record: record.storage_id,
    )
    steps = {assets.node_def.name: assets.keys for assets in repository.asset_graph.assets_defs}
    changes = [_change(instance, repository, steps, record) for record in ended]
    position = ended[-1].storage_id if ended else memory.position
    return position, [change for change in changes if change is not None]


def _change(
    instance: dg.DagsterInstance,
    repository: dg.RepositoryDefinition,
    steps: dict[str, Any],
    record: dg.EventLogRecord,
) -> RunChange | None:
    """The result of one ended run."""
    run = instance.get_run_by_id(record.run_id)
    if run is None:
        return None
    selected = run.asset_selection or _assets_of(repository, run.job_name)
    at = _iso(record.timestamp)
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.STEP_SUCCESS}
    events = [
        record.event_log_entry.dagster_event
        for record in instance.get_records_for_run(run.run_id, of_type=kinds).records
    ]
    job = f"job {run.job_name}"
    well, failed = set(), []
    for event in events:
        assert event is not None, "asked for by its type"
        # The name of the op or graph without nested and mapped parts.
        name = str(event.step_key).split(".")[0].split("[")[0]
        subject = name if name in steps else f"{job}: {name}"
        if event.event_type == dg.DagsterEventType.STEP_SUCCESS:
            well.add(subject)
        else:
            failed.append((subject, name, event.step_failure_data))
    ending = record.event_log_entry.dagster_event
    assert ending is not None, "asked for by its type"
    if ending.event_type == dg.DagsterEventType.RUN_SUCCESS:
        return RunChange(went_well=well | {job}, at=at, run_id=run.run_id)
    problems = []
    if run.tags.get(WILL_RETRY_TAG) != "true":
        for subject, name, failure in failed:
            # A failed check has an alert of its own.
            if failure.error is None or failure.error.cls_name != BLOCKING_CHECK_FAILED:
                stopped = _stopped(repository.asset_graph, steps.get(name, ()), selected)
                problems.append(_failure(run, at, subject, f"{name} failed", failure, stopped))
        if not failed:
            failure_data = ending.event_specific_data
            why = ending.message if getattr(failure_data, "error", None) is None else None
            title = f"{run.job_name} failed"
            problems.append(_failure(run, at, job, title, failure_data, len(selected), why=why))
    return RunChange(problems, well, at, run.run_id)


def _failure(
    run: dg.DagsterRun,
    at: str,
    subject: str,
    title: str,
    failure: Any,
    stopped: int,
    why: str | None = None,
) -> Problem:
    sentence = alerts.shortened(why or failure_reason(failure))
    error = getattr(failure, "error", None)
    kind = "" if error is None else str(error.cls_name)
    if stopped:
        last_materialized = "1 asset was" if stopped == 1 else f"{stopped} assets were"
        sentence = f"{sentence.rstrip('.')}. {last_materialized} not made."
    return Problem(
        cause=f"run: {subject}: {alerts.fingerprint(kind, why or failure_reason(failure))}",
        subject=subject,
        kind="run",
        severity="error",
        title=title,
        text=sentence,
        assets=stopped,
        run_id=run.run_id,
        at=at,
    )


def _assets_of(repository: dg.RepositoryDefinition, job: str) -> Collection[dg.AssetKey]:
    """The assets that a job makes; none where it is a job of ops, or of another code location."""
    if not repository.has_job(job):
        return ()
    return repository.get_job(job).asset_layer.selected_asset_keys


def _stopped(graph: Any, keys: Collection[dg.AssetKey], of: Collection[dg.AssetKey]) -> int:
    """How many assets of a run were not made: those of a step, and what follows from them."""
    failed = set(keys)
    return sum(
        1
        for key in of
        if key in failed or not failed.isdisjoint(graph.get_ancestor_asset_keys(key))
    )


def failed_checks(instance: dg.DagsterInstance, graph: Any) -> tuple[list[Problem], dict[str, str]]:
    """The checks whose newest result is a failure; for each check that passed, its run."""
    failing, passed_in = [], {}
    log = instance.event_log_storage
    keys = list(graph.asset_check_keys)
    for key, newest in log.get_latest_asset_check_execution_by_key(keys).items():
        result = newest.evaluation
        if not isinstance(result, dg.AssetCheckEvaluation):
            # A run in progress, or one that died before the check: the last result counts.
            records = log.get_asset_check_execution_history(key, limit=CHECK_EXECUTIONS)
            results = [r for r in records if isinstance(r.evaluation, dg.AssetCheckEvaluation)]
            if not results:
                continue
            newest, result = results[0], results[0].evaluation
            assert isinstance(result, dg.AssetCheckEvaluation), "chosen for it"
        name = f"{key.asset_key.to_user_string()}: {key.name}"
        if result.passed:
            passed_in[f"check: {name}"] = newest.run_id
        else:
            failing.append(_failed_check(graph, name, newest, result))
    return failing, passed_in


def _failed_check(graph: Any, name: str, record: Any, result: dg.AssetCheckEvaluation) -> Problem:
    # Numbers only, since text in a check's metadata may show data.
    figures = ", ".join(
        f"{label} {value.value:,}"
        for label, value in result.metadata.items()
        if isinstance(value, dg.IntMetadataValue | dg.FloatMetadataValue)
        and value.value is not None
    )
    promise = graph.get_check_spec(record.key).description or "It did not pass."
    text = result.description or f"Expected: {promise}"
    return Problem(
        cause=f"check: {name}",
        subject=f"check: {name}",
        kind="check",
        severity="warning" if result.severity == dg.AssetCheckSeverity.WARN else "error",
        title=f"{name} {'warns' if result.severity == dg.AssetCheckSeverity.WARN else 'failed'}",
        text=alerts.shortened(f"{text} Found: {figures}." if figures else text),
        assets=1,
        run_id=record.run_id,
        asset=record.key.asset_key.to_user_string(),
        check=record.key.name,
        at=_iso(record.event.timestamp),
    )


def late_assets(
    instance: dg.DagsterInstance, graph: Any, now: datetime
) -> tuple[list[Problem], dict[str, str]]:
    """The assets that miss their freshness policy without a late ancestor; the last run of each.

    Decides as Dagster does, whose own record is private, from the newest materialization; a report
    that a day has begun does not count. An asset that was never materialized is not late.
    """
    policies = {
        key: policy
        for key in graph.get_all_asset_keys()
        if (policy := graph.get(key).freshness_policy) is not None
    }
    last_materialized = {
        record.asset_entry.asset_key: event
        for record in instance.get_asset_records(list(policies))
        if (event := _last_made(instance, record.asset_entry)) is not None
    }
    late = {
        key: record
        for key, event in last_materialized.items()
        if (record := lateness(policies[key], datetime.fromtimestamp(event.timestamp, UTC), now))
    }
    problems = []
    for key, (severity, expected) in late.items():
        ancestors = graph.get_ancestor_asset_keys(key)
        if any(late_key in ancestors for late_key in late):
            continue
        name = key.to_user_string()
        follow = sum(1 for late_key in late if key in graph.get_ancestor_asset_keys(late_key))
        newest = f"{datetime.fromtimestamp(last_materialized[key].timestamp, UTC):%Y-%m-%d %H:%M}"
        with_it = f" Late with it: {follow} that follow from it." if follow else ""
        problems.append(
            Problem(
                cause=f"freshness: {name}",
                subject=f"freshness: {name}",
                kind="freshness",
                severity=severity,
                title=f"{name} is late",
                text=f"Expected it made {expected}, found it last made {newest} UTC.{with_it}",
                assets=1 + follow,
                run_id=last_materialized[key].run_id,
                asset=name,
                at=now.isoformat(),
            )
        )
    made_in = {
        f"freshness: {k.to_user_string()}": event.run_id for k, event in last_materialized.items()
    }
    return problems, made_in


def _last_made(instance: dg.DagsterInstance, entry: Any) -> Any:
    """The newest materialization that is no report that a day has begun."""
    event = entry.last_materialization
    if event is None or NEW_DAY_TAG not in event.asset_materialization.tags:
        return event
    newest = instance.fetch_materializations(entry.asset_key, limit=MATERIALIZATIONS).records
    return next(
        (
            record.event_log_entry
            for record in newest
            if record.asset_materialization is not None
            and NEW_DAY_TAG not in (record.asset_materialization.tags or {})
        ),
        None,
    )


def lateness(
    policy: Any, last_materialized: datetime, now: datetime
) -> tuple[alerts.Severity, str] | None:
    """The severity and the expected time; None if the asset is not late."""
    if hasattr(policy, "fail_window"):
        windows: Iterator[tuple[alerts.Severity, Any]] = iter(
            (("error", policy.fail_window), ("warning", policy.warn_window))
        )
        for severity, window in windows:
            if window is not None and now - last_materialized >= window.to_timedelta():
                hours = window.to_timedelta() / timedelta(hours=1)
                return severity, f"within {hours:g} hours"
        return None
    ticks = dg.TimeWindowPartitionsDefinition(
        start=now - timedelta(days=400),
        fmt="%Y-%m-%dT%H:%M",
        cron_schedule=policy.deadline_cron,
        timezone=policy.timezone,
    )
    with dg.partition_loading_context(effective_dt=now):
        window = ticks.get_last_partition_window()
    if window is None or last_materialized >= window.end - policy.lower_bound_delta:
        return None
    return "error", f"by {policy.deadline_cron} ({policy.timezone})"


def _iso(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat()
