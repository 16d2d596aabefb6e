"""Watching the queue of notices: what they tell of becomes one run.

Notices are deleted only when the run that they asked for has succeeded, or the lake held what they
tell of already; a failed run lets them come again, until the set number of attempts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import dagster as dg
from pydantic import TypeAdapter

from novade_pipeline.graph.domains import modules
from novade_pipeline.graph.job_runs import JOB, runs_in_progress, work_key
from novade_pipeline.graph.landing_assets import rules_of
from novade_pipeline.graph.landing_sensor import failed_loads_check, request, versions
from novade_pipeline.landing.blob_events import Notice, NoticeQueue
from novade_pipeline.landing.discovery import days_window, stems_of
from novade_pipeline.landing.poll import Poll
from novade_pipeline.landing.source import Source, find_pending
from novade_pipeline.settings import Settings
from novade_pipeline.storage.azure import AzureStore

RUN_KEY_TAG = "dagster/run_key"


@dataclass(frozen=True)
class Asked:
    """A run that was asked for, and the notices that asked for it."""

    run_key: str
    notices: tuple[Notice, ...] = field(default=())


_ASKED = TypeAdapter(Asked)


def queue_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensor of the queue, where new files are found by one."""
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
    """The sensor of the queue, for the sources of all domains."""

    @dg.sensor(
        name="landing_queue",
        job_name=JOB,
        minimum_interval_seconds=settings.landing_poll_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Loads what the queue tells of, for every domain.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        queue = notice_queue(settings)
        asked = _ASKED.validate_json(context.cursor) if context.cursor else None
        if asked is not None:
            told = _settle(context.instance, queue, asked)
            if told is not None:
                return told
        if alive := runs_in_progress(context.instance):
            return _skip(f"Run {alive[0].run_id} is at work.")
        return _received(settings, queue, domains)

    return watch


def notice_queue(settings: Settings) -> NoticeQueue:
    """The queue that the settings name."""
    assert isinstance(settings.landing, AzureStore), "the settings are checked at the start"
    assert settings.landing_queue_url is not None, "the settings are checked at the start"
    return NoticeQueue(settings.landing, settings.landing_queue_url)


def _settle(
    instance: dg.DagsterInstance, queue: NoticeQueue, asked: Asked
) -> dg.SensorResult | None:
    """What becomes of the notices of the run that was asked for; None where it has ended."""
    runs = instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: asked.run_key}), limit=1)
    if runs and runs[0].status == dg.DagsterRunStatus.SUCCESS:
        queue.delete(asked.notices)
        return None
    if not runs or runs[0].is_finished:
        queue.hide(asked.notices, 0)
        return None
    kept = Asked(asked.run_key, tuple(queue.hide(asked.notices)))
    return _skip("The run that was asked for has not ended.", _ASKED.dump_json(kept).decode())


def _received(
    settings: Settings, queue: NoticeQueue, domains: Mapping[str, Sequence[Source]]
) -> dg.SensorResult:
    notices = queue.receive()
    for notice in notices:
        if notice.problem is not None:
            queue.poison(notice, notice.problem)
        elif notice.file is None:
            queue.delete([notice])
    ours = [notice for notice in notices if notice.file is not None]
    files = [notice.file for notice in ours if notice.file is not None]
    found = {
        domain: {source.name: _look(settings, source, files) for source in sources}
        for domain, sources in domains.items()
    }
    looks = {
        domain: of_domain
        for domain, of_domain in found.items()
        if any(not one.plan.is_empty for one in of_domain.values())
    }
    if not looks:
        queue.delete(ours)
        return _skip(f"{len(notices)} notices; the lake holds all that they tell of.")
    events = []
    for notice in [one for one in ours if one.attempts > settings.landing_max_attempts]:
        ours.remove(notice)
        tried = notice.attempts - 1
        queue.poison(notice, f"{tried} runs for {notice.file} have failed; the newest tells why")
        events += [
            failed_loads_check(source, tried)
            for domain in looks
            for source in domains[domain]
            if _is_of(source, str(notice.file))
        ]
    if not ours:
        return _skip("Runs for what the queue tells of have failed too often.", events=events)
    wanted = {
        f"{domain}/{name}": one.plan
        for domain, of_domain in looks.items()
        for name, one in of_domain.items()
    }
    attempts = max(notice.attempts for notice in ours) - 1
    ledgers = versions(settings.lake, (source for name in looks for source in domains[name]))
    asking = request(looks, work_key(wanted), attempts, ledgers)
    asked = Asked(str(asking.run_key), tuple(replace(notice, text="") for notice in ours))
    return dg.SensorResult(
        run_requests=[asking], asset_events=events, cursor=_ASKED.dump_json(asked).decode()
    )


def _look(settings: Settings, source: Source, files: Sequence[str]) -> Poll:
    """What is wanted of the days that the source's own files are of."""
    hours = [(f, source.hour_of(f.rsplit("/", 1)[-1])) for f in files if _is_of(source, f)]
    if not hours:
        return Poll.empty()
    rules = rules_of(settings, source)
    days = [hour.date() for _, hour in hours if hour is not None]
    if len(days) < len(hours):
        # Files without a place are accounted for all together.
        todo = find_pending(source, settings.landing, settings.lake, rules)
        return Poll(todo, (), None)
    stems = tuple(sorted(stems_of(hours)))
    todo = find_pending(source, settings.landing, settings.lake, rules, days_window(days), stems)
    return Poll(todo, stems, None)


def _is_of(source: Source, file: str) -> bool:
    name = file.rsplit("/", 1)[-1]
    is_claimed = source.claims is None or source.claims(name)
    return file.startswith(f"{source.folder}/") and is_claimed


def _skip(
    told: str, cursor: str = "", events: Sequence[dg.AssetCheckEvaluation] = ()
) -> dg.SensorResult:
    return dg.SensorResult(
        skip_reason=dg.SkipReason(told), cursor=cursor, asset_events=list(events)
    )
