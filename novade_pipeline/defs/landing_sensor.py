"""Watching a landing zone: what is new becomes one run, what failed is asked for again.

What is wanted is decided from the listing and the ledger, never from the cursor: the cursor only
saves the listing while nothing has changed.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from novade_pipeline.defs.landing_assets import find_all_wanted
from novade_pipeline.defs.landing_checks import LOADS_CHECK
from novade_pipeline.defs.runs import (
    JOB,
    WANTED_TAG,
    failed_attempts,
    range_tags,
    runs_in_progress,
    wanted_key,
)
from novade_pipeline.defs.table_assets import key_of
from novade_pipeline.landing.files import folder_stamp
from novade_pipeline.landing.load import Source
from novade_pipeline.settings import Settings

# How often everything is listed although no folder changed, seconds: finds files that were
# rewritten in place or lie in folders of folders.
SWEEP_SECONDS = 300


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
        stamp = {source.name: folder_stamp(settings.landing, source.folder) for source in sources}
        if _is_quiet(context.cursor, stamp) and not _last_failed(context.instance):
            return dg.SkipReason("Nothing has landed since the last look.")
        wanted = find_all_wanted(settings, sources)
        days = {day for todo in wanted.values() for day in todo.days}
        if all(todo.is_empty for todo in wanted.values()):
            if not _last_failed(context.instance):
                context.update_cursor(_cursor(stamp))
                return dg.SkipReason("The lake holds all that has landed.")
            # A crash cut off what follows the load.
            key = _key_after_failure(context.instance)
        else:
            key = wanted_key(wanted)
        attempts = failed_attempts(context.instance, key)
        if attempts >= settings.landing_max_attempts:
            return dg.SensorResult(
                skip_reason=dg.SkipReason(
                    f"{attempts} runs for the same files have failed; the newest run tells why. "
                    "Mend it, then run `novade run`."
                ),
                asset_events=[_gave_up(sources[0], attempts)],
            )
        request = dg.RunRequest(
            run_key=f"{key}-{attempts + 1}",
            tags={WANTED_TAG: key, **range_tags(days)},
        )
        return dg.SensorResult(run_requests=[request])

    return watch


def _is_quiet(cursor: str | None, stamp: dict[str, str]) -> bool:
    seen = json.loads(cursor or "{}")
    looked = datetime.fromisoformat(seen.get("looked", "1970-01-01T00:00:00+00:00"))
    recent = (datetime.now(UTC) - looked).total_seconds() < SWEEP_SECONDS
    return recent and seen.get("stamp") == stamp


def _cursor(stamp: dict[str, str]) -> str:
    return json.dumps({"stamp": stamp, "looked": datetime.now(UTC).isoformat()})


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
    known = last.tags.get(WANTED_TAG, "")
    return known if known.startswith("after-") else f"after-{last.run_id}"


def _gave_up(source: Source, attempts: int) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=key_of(source.ledger),
        check_name=LOADS_CHECK,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"attempts": attempts},
    )
