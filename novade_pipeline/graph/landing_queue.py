"""The sensor of Event Grid's queue: the files of its notices become one run for each domain.

Notices are deleted once their run has succeeded, or if the lake has their files already. After a
failed run they become visible again, up to the maximum number of attempts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import dagster as dg
from pydantic import TypeAdapter

from novade_pipeline.graph.domains import modules
from novade_pipeline.graph.job_runs import runs_in_progress, work_key
from novade_pipeline.graph.landing_assets import rules_of
from novade_pipeline.graph.landing_sensor import (
    failed_loads_check,
    ledger_versions,
    load_request,
)
from novade_pipeline.graph.load_jobs import load_job
from novade_pipeline.graph.upload_days import (
    landed_tables,
    missing_days,
    record_landed_days,
    upload_days,
)
from novade_pipeline.landing.blob_events import Notice, NoticeQueue
from novade_pipeline.landing.discovery import days_window, stems_of
from novade_pipeline.landing.poll import Poll
from novade_pipeline.landing.source import Source, find_pending
from novade_pipeline.plurals import counted
from novade_pipeline.settings import Settings
from novade_pipeline.storage.azure import AzureStore

RUN_KEY_TAG = "dagster/run_key"


@dataclass(frozen=True)
class RequestedRun:
    """A requested run and the notices that caused it."""

    run_key: str
    notices: tuple[Notice, ...] = field(default=())


_RUNS = TypeAdapter(list[RequestedRun])


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
    partitions = upload_days(settings)

    @dg.sensor(
        name="landing_queue",
        jobs=[load_job(domain, partitions) for domain in domains],
        minimum_interval_seconds=settings.landing_poll_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Loads the files that the queue announces, for every domain.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        queue = notice_queue(settings)
        requested = _RUNS.validate_json(context.cursor) if context.cursor else []
        if waiting := _finish(context.instance, queue, requested):
            return _skip("The requested runs have not ended.", waiting)
        if alive := [run for name in domains for run in runs_in_progress(context.instance, name)]:
            return _skip(f"Run {alive[0].run_id} is in progress.")
        return _request_runs(context.instance, settings, queue, domains, partitions)

    return watch


def notice_queue(settings: Settings) -> NoticeQueue:
    """The queue of the settings."""
    assert isinstance(settings.landing, AzureStore), "the settings are checked at the start"
    assert settings.landing_queue_url is not None, "the settings are checked at the start"
    return NoticeQueue(settings.landing, settings.landing_queue_url)


def _finish(
    instance: dg.DagsterInstance, queue: NoticeQueue, requested: Sequence[RequestedRun]
) -> list[RequestedRun]:
    """Deletes or releases the notices of runs that have ended; returns the other runs."""
    waiting = []
    for run in requested:
        runs = instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: run.run_key}), limit=1)
        if runs and runs[0].status == dg.DagsterRunStatus.SUCCESS:
            queue.delete(run.notices)
        elif not runs or runs[0].is_finished:
            queue.hide(run.notices, 0)
        else:
            waiting.append(RequestedRun(run.run_key, tuple(queue.hide(run.notices))))
    return waiting


def _request_runs(
    instance: dg.DagsterInstance,
    settings: Settings,
    queue: NoticeQueue,
    domains: Mapping[str, Sequence[Source]],
    partitions: dg.PartitionsDefinition[str],
) -> dg.SensorResult:
    notices = queue.receive()
    for notice in notices:
        if notice.problem is not None:
            queue.poison(notice, notice.problem)
        elif _domain_of(notice, domains) is None:
            queue.delete([notice])
    requests, requested, events = [], [], []
    for domain, sources in domains.items():
        relevant = [notice for notice in notices if _domain_of(notice, domains) == domain]
        files = [str(notice.file) for notice in relevant]
        polls = {source.name: _poll(settings, source, files) for source in sources}
        plans = {name: poll.plan for name, poll in polls.items()}
        record_landed_days(settings, sources, plans)
        if all(plan.is_empty for plan in plans.values()):
            queue.delete(relevant)
            continue
        for notice in [n for n in relevant if n.attempts > settings.landing_max_attempts]:
            relevant.remove(notice)
            failed_runs = notice.attempts - 1
            queue.poison(
                notice,
                f"{counted(failed_runs, 'run')} for {notice.file} failed; the newest says why",
            )
            events += [
                failed_loads_check(source, failed_runs)
                for source in sources
                if _is_of(source, str(notice.file))
            ]
        if not relevant:
            continue
        attempts = max(notice.attempts for notice in relevant) - 1
        versions = ledger_versions(settings.lake, sources)
        missing = missing_days(instance, settings, landed_tables(sources))
        run_request = load_request(
            domain, polls, work_key(plans), attempts, versions, missing, partitions
        )
        requests.append(run_request)
        without_text = tuple(replace(notice, text="") for notice in relevant)
        requested.append(RequestedRun(str(run_request.run_key), without_text))
    if not requests:
        reason = (
            "Runs for the files of the queue have failed too often."
            if events
            else f"{len(notices)} notices; the lake has all of their files."
        )
        return _skip(reason, events=events)
    return dg.SensorResult(run_requests=requests, asset_events=events, cursor=_dump(requested))


def _domain_of(notice: Notice, domains: Mapping[str, Sequence[Source]]) -> str | None:
    """The domain that loads the file of a notice."""
    return next(
        (
            domain
            for domain, sources in domains.items()
            if notice.file is not None and any(_is_of(source, notice.file) for source in sources)
        ),
        None,
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
    is_claimed = source.claims is None or source.claims(file)
    return file.startswith(f"{source.folder}/") and is_claimed


def _skip(
    reason: str,
    requested: Sequence[RequestedRun] = (),
    events: Sequence[dg.AssetCheckEvaluation] = (),
) -> dg.SensorResult:
    return dg.SensorResult(
        skip_reason=dg.SkipReason(reason),
        cursor=_dump(requested) if requested else "",
        asset_events=list(events),
    )


def _dump(requested: Sequence[RequestedRun]) -> str:
    return _RUNS.dump_json(list(requested)).decode()
