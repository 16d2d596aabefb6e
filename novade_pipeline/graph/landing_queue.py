"""The sensor of Event Grid's queue: the files of its notices become one run.

Notices are deleted once their run has succeeded, or if the lake has their files already. After a
failed run they become visible again, up to the maximum number of attempts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import dagster as dg
from pydantic import TypeAdapter

from novade_pipeline.graph.domains import modules
from novade_pipeline.graph.job_runs import JOB, runs_in_progress, work_key
from novade_pipeline.graph.landing_assets import rules_of
from novade_pipeline.graph.landing_sensor import failed_loads_check, request, versions
from novade_pipeline.graph.upload_days import landed_tables, missing_days, record_landed_days
from novade_pipeline.landing.blob_events import Notice, NoticeQueue
from novade_pipeline.landing.discovery import days_window, stems_of
from novade_pipeline.landing.poll import Poll
from novade_pipeline.landing.source import Source, find_pending
from novade_pipeline.settings import Settings
from novade_pipeline.storage.azure import AzureStore

RUN_KEY_TAG = "dagster/run_key"


@dataclass(frozen=True)
class RequestedRun:
    """A requested run and the notices that caused it."""

    run_key: str
    notices: tuple[Notice, ...] = field(default=())


_RUN = TypeAdapter(RequestedRun)


def queue_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensor of the queue; none if files are discovered by listing."""
    if settings.landing_discovery != "queue":
        return []
    domains = {
        module.__name__.split(".")[-2]: module.SOURCES
        for module in modules("assets")
        if hasattr(module, "SOURCES")
    }
    return [queue_sensor(settings, domains)]


def queue_sensor(
    settings: Settings, domains: Mapping[str, Sequence[Source]]
) -> dg.SensorDefinition:
    """Builds the sensor of the queue, for the sources of all domains."""

    @dg.sensor(
        name="landing_queue",
        job_name=JOB,
        minimum_interval_seconds=settings.landing_poll_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Loads the files that the queue announces, for every domain.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        queue = notice_queue(settings)
        requested = _RUN.validate_json(context.cursor) if context.cursor else None
        if requested is not None:
            result = _finish(context.instance, queue, requested)
            if result is not None:
                return result
        if alive := runs_in_progress(context.instance):
            return _skip(f"Run {alive[0].run_id} is in progress.")
        return _request_run(context.instance, settings, queue, domains)

    return watch


def notice_queue(settings: Settings) -> NoticeQueue:
    """The queue of the settings."""
    assert isinstance(settings.landing, AzureStore), "the settings are checked at the start"
    assert settings.landing_queue_url is not None, "the settings are checked at the start"
    return NoticeQueue(settings.landing, settings.landing_queue_url)


def _finish(
    instance: dg.DagsterInstance, queue: NoticeQueue, requested: RequestedRun
) -> dg.SensorResult | None:
    """Deletes or releases the notices of a run that has ended; skips while it is in progress."""
    runs = instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: requested.run_key}), limit=1)
    if runs and runs[0].status == dg.DagsterRunStatus.SUCCESS:
        queue.delete(requested.notices)
        return None
    if not runs or runs[0].is_finished:
        queue.hide(requested.notices, 0)
        return None
    renewed = RequestedRun(requested.run_key, tuple(queue.hide(requested.notices)))
    return _skip("The requested run has not ended.", _RUN.dump_json(renewed).decode())


def _request_run(
    instance: dg.DagsterInstance,
    settings: Settings,
    queue: NoticeQueue,
    domains: Mapping[str, Sequence[Source]],
) -> dg.SensorResult:
    notices = queue.receive()
    for notice in notices:
        if notice.problem is not None:
            queue.poison(notice, notice.problem)
        elif notice.file is None:
            queue.delete([notice])
    relevant = [notice for notice in notices if notice.file is not None]
    files = [notice.file for notice in relevant if notice.file is not None]
    all_polls = {
        domain: {source.name: _poll(settings, source, files) for source in sources}
        for domain, sources in domains.items()
    }
    for domain, of_domain in all_polls.items():
        plans = {name: poll.plan for name, poll in of_domain.items()}
        record_landed_days(settings, domains[domain], plans)
    polls = {
        domain: of_domain
        for domain, of_domain in all_polls.items()
        if any(not poll.plan.is_empty for poll in of_domain.values())
    }
    if not polls:
        queue.delete(relevant)
        return _skip(f"{len(notices)} notices; the lake has all of their files.")
    events = []
    for notice in [n for n in relevant if n.attempts > settings.landing_max_attempts]:
        relevant.remove(notice)
        failed_runs = notice.attempts - 1
        queue.poison(notice, f"{failed_runs} runs for {notice.file} failed; the newest says why")
        events += [
            failed_loads_check(source, failed_runs)
            for domain in polls
            for source in domains[domain]
            if _is_of(source, str(notice.file))
        ]
    if not relevant:
        return _skip("Runs for the files of the queue have failed too often.", events=events)
    plans = {
        f"{domain}/{name}": poll.plan
        for domain, of_domain in polls.items()
        for name, poll in of_domain.items()
    }
    attempts = max(notice.attempts for notice in relevant) - 1
    ledgers = versions(settings.lake, (source for name in polls for source in domains[name]))
    tables = [table for domain in polls for table in landed_tables(domains[domain])]
    missing = missing_days(instance, settings, tables)
    run_request = request(polls, work_key(plans), attempts, ledgers, missing)
    requested = RequestedRun(
        str(run_request.run_key), tuple(replace(notice, text="") for notice in relevant)
    )
    return dg.SensorResult(
        run_requests=[run_request], asset_events=events, cursor=_RUN.dump_json(requested).decode()
    )


def _poll(settings: Settings, source: Source, files: Sequence[str]) -> Poll:
    """Plans the load of the days of the source's own files."""
    hours = [(f, source.hour_of(f.rsplit("/", 1)[-1])) for f in files if _is_of(source, f)]
    if not hours:
        return Poll.empty()
    rules = rules_of(settings, source)
    days = [hour.date() for _, hour in hours if hour is not None]
    if len(days) < len(hours):
        # Files without an hour are planned all together.
        plan = find_pending(source, settings.landing, settings.lake, rules)
        return Poll(plan, (), None)
    stems = tuple(sorted(stems_of(hours)))
    plan = find_pending(source, settings.landing, settings.lake, rules, days_window(days), stems)
    return Poll(plan, stems, None)


def _is_of(source: Source, file: str) -> bool:
    name = file.rsplit("/", 1)[-1]
    is_claimed = source.claims is None or source.claims(name)
    return file.startswith(f"{source.folder}/") and is_claimed


def _skip(
    reason: str, cursor: str = "", events: Sequence[dg.AssetCheckEvaluation] = ()
) -> dg.SensorResult:
    return dg.SensorResult(
        skip_reason=dg.SkipReason(reason), cursor=cursor, asset_events=list(events)
    )
