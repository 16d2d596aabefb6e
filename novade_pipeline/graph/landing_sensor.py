"""Watching a landing zone: what is new becomes one run, what failed is asked for again.

What is wanted is decided from the listing and the ledger, never from the cursor: the cursor only
saves listing again what was there before.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from novade_pipeline.graph.job_runs import (
    JOB,
    WORK_TAG,
    failed_attempts,
    range_tags,
    runs_in_progress,
    work_key,
)
from novade_pipeline.graph.landing_assets import landing_step, rules_of
from novade_pipeline.graph.landing_checks import LOADS_CHECK
from novade_pipeline.graph.table_assets import key_of
from novade_pipeline.lake.delta import current_version
from novade_pipeline.landing.discovery import dump_cursors, parse_cursors
from novade_pipeline.landing.poll import Poll, poll_source
from novade_pipeline.landing.source import Source
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store


def landing_sensor(
    settings: Settings, domain: str, sources: Sequence[Source]
) -> dg.SensorDefinition:
    """The sensor of one domain's landing zone.

    A tick asks for one run, for all days between the first and the last that have something new.
    The run loads only the hours that are wanted. A failed run is asked for again, until the set
    number of attempts; then the tick fails and the check `loads_succeed` with it.
    """

    @dg.sensor(
        name=f"{domain}_landing",
        job_name=JOB,
        minimum_interval_seconds=settings.landing_poll_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Loads what lands for {domain}.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if alive := runs_in_progress(context.instance):
            return dg.SkipReason(f"Run {alive[0].run_id} is at work.")
        looks = poll_all(settings, sources, context.cursor)
        context.update_cursor(remember(looks))
        key = work_key({name: found.plan for name, found in looks.items()})
        if all(found.plan.is_empty for found in looks.values()):
            if not _last_failed(context.instance):
                return dg.SkipReason(_all_is_held(settings, looks))
            # A crash cut off what follows the load.
            key = _key_after_failure(context.instance)
        attempts = failed_attempts(context.instance, key)
        if attempts >= settings.landing_max_attempts:
            return dg.SensorResult(
                skip_reason=dg.SkipReason(
                    f"{attempts} runs for the same files have failed; the newest run tells why. "
                    "Mend it, then run `novade run`."
                ),
                asset_events=[failed_loads_check(sources[0], attempts)],
            )
        ledgers = versions(settings.lake, sources)
        return dg.SensorResult(run_requests=[request({domain: looks}, key, attempts, ledgers)])

    return watch


def poll_all(settings: Settings, sources: Sequence[Source], cursor: str | None) -> dict[str, Poll]:
    """Source name -> what a look found, after those that the cursor remembers."""
    cursors = parse_cursors(cursor)
    period = timedelta(hours=settings.landing_sweep_hours)
    return {
        source.name: poll_source(
            source,
            settings.landing,
            settings.lake,
            rules_of(settings, source),
            cursors.get(source.name),
            period,
            newest_days=settings.landing_discovery == "listing",
        )
        for source in sources
    }


def remember(looks: Mapping[str, Poll]) -> str:
    """The cursor of the next tick."""
    return dump_cursors({name: found.cursor for name, found in looks.items() if found.cursor})


def versions(lake: Store, sources: Iterable[Source]) -> str:
    """Of the sources' ledgers: others after each load that had something to do."""
    ledgers = dict.fromkeys(source.ledger for source in sources)
    return "-".join(str(current_version(lake, ledger)) for ledger in ledgers)


def request(
    looks: Mapping[str, Mapping[str, Poll]], key: str, attempts: int, ledgers: str
) -> dg.RunRequest:
    """One run for all that was found.

    Dagster never begins a second run of one key, whatever became of the first; but what was done
    once may have to be done again, when a file is put back that was there before.

    Args:
        looks: domain -> source name -> what a look found.
        key: names the work.
        attempts: how many runs for the same work have failed.
        ledgers: their versions.
    """
    every = [found for of_domain in looks.values() for found in of_domain.values()]
    ops: dict[str, Any] = {
        landing_step(domain): {
            "config": {"stems": sorted({s for f in of_domain.values() for s in f.stems})}
        }
        for domain, of_domain in looks.items()
    }
    return dg.RunRequest(
        run_key=f"{key}-{attempts + 1}-{ledgers}",
        run_config={"ops": ops},
        tags={WORK_TAG: key, **range_tags({day for f in every for day in f.plan.days})},
    )


def _all_is_held(settings: Settings, looks: Mapping[str, Poll]) -> str:
    if all(found.cursor is None or found.cursor.is_small for found in looks.values()):
        return "The lake holds all that has landed."
    return (
        "The lake holds all that has landed of the newest days; older ones are looked at once in "
        f"{settings.landing_sweep_hours:g} hours (NOVADE_LANDING_SWEEP_HOURS)."
    )


def _last(instance: dg.DagsterInstance) -> dg.DagsterRun | None:
    return next(iter(instance.get_runs(dg.RunsFilter(job_name=JOB), limit=1)), None)


def _last_failed(instance: dg.DagsterInstance) -> bool:
    last = _last(instance)
    return last is not None and last.status in (
        dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.CANCELED,
    )


def _key_after_failure(instance: dg.DagsterInstance) -> str:
    """The same for every attempt to finish what one failed run left."""
    last = _last(instance)
    assert last is not None, "asked for only after a failed run"
    known = last.tags.get(WORK_TAG, "")
    return known if known.startswith("after-") else f"after-{last.run_id}"


def failed_loads_check(source: Source, attempts: int) -> dg.AssetCheckEvaluation:
    """The check that tells that a source's files could not be loaded."""
    return dg.AssetCheckEvaluation(
        asset_key=key_of(source.ledger),
        check_name=LOADS_CHECK,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"attempts": attempts},
    )
