"""The sensor of a landing zone: it requests one run for new files, and a failed run again.

The listing and the ledger decide what is pending. The cursor only avoids listing old files again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from novade_pipeline.graph.job_runs import (
    FAILED,
    PROCESS_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    WORK_TAG,
    failed_runs,
    is_failed_attempt,
    job_of,
    load_tags,
    range_tags,
    runs_in_progress,
    work_key,
)
from novade_pipeline.graph.landing_assets import landing_step, rules_of
from novade_pipeline.graph.landing_checks import LOADS_CHECK
from novade_pipeline.graph.table_assets import key_of
from novade_pipeline.graph.upload_days import (
    begin_day,
    landed_tables,
    missing_days,
    record_landed_days,
    recorded_days,
    upload_days,
)
from novade_pipeline.lake.delta import current_version
from novade_pipeline.landing.discovery import dump_cursors, parse_cursors
from novade_pipeline.landing.poll import Poll, poll_source
from novade_pipeline.landing.source import Source
from novade_pipeline.plurals import counted
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store


def landing_sensor(
    settings: Settings, domain: str, sources: Sequence[Source]
) -> dg.SensorDefinition:
    """Builds the sensor of one domain's landing zone.

    A tick requests one run for all days between the first and the last with new files; the run
    loads only pending hours. A failed run is requested again, up to the maximum number of attempts;
    after that the check `loads_succeed` fails.
    """
    partitions = upload_days(settings)

    @dg.sensor(
        name=f"{domain}_landing",
        job_name=job_of(domain),
        minimum_interval_seconds=settings.landing_poll_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Loads what lands for {domain}.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if alive := runs_in_progress(context.instance, domain):
            return dg.SkipReason(f"Run {alive[0].run_id} is in progress.")
        polls = poll_all(settings, sources, context.cursor)
        plans = {name: poll.plan for name, poll in polls.items()}
        record_landed_days(settings, sources, plans)
        context.update_cursor(dump_cursor(polls))
        key = work_key(plans)
        if all(plan.is_empty for plan in plans.values()):
            last = _last_run(context.instance, domain)
            if last is None or last.status not in FAILED:
                return dg.SensorResult(
                    skip_reason=dg.SkipReason(_nothing_new(settings, polls)),
                    asset_events=begin_day(context.instance, settings, landed_tables(sources)),
                )
            # Its files are loaded, but its later steps did not finish.
            key = _key_after(last)
        failed = failed_runs(context.instance, domain, key)
        # A run that only waited for the warehouse is no attempt.
        attempts = sum(is_failed_attempt(context.instance, run) for run in failed)
        if attempts >= settings.landing_max_attempts:
            return dg.SensorResult(
                skip_reason=dg.SkipReason(
                    f"{counted(attempts, 'failed run')} for the same files; the newest says why. "
                    "Fix it, then run `novade run`."
                ),
                asset_events=[failed_loads_check(sources[0], attempts)],
            )
        versions = ledger_versions(settings.lake, sources)
        missing = missing_days(context.instance, settings, landed_tables(sources))
        run_request = load_request(domain, polls, key, len(failed), versions, missing, partitions)
        return dg.SensorResult(run_requests=[run_request])

    return watch


def poll_all(settings: Settings, sources: Sequence[Source], cursor: str | None) -> dict[str, Poll]:
    """Polls each source, from where its cursor is: source name -> poll.

    A source whose landed days are not recorded is listed completely.
    """
    cursors, recorded = parse_cursors(cursor), recorded_days(settings)
    period = timedelta(hours=settings.landing_sweep_hours)
    return {
        source.name: poll_source(
            source,
            settings.landing,
            settings.lake,
            rules_of(settings, source),
            cursors.get(source.name) if source.table.name in recorded else None,
            period,
            newest_days=settings.landing_discovery == "listing",
        )
        for source in sources
    }


def dump_cursor(polls: Mapping[str, Poll]) -> str:
    """The cursor of the next tick."""
    return dump_cursors({name: poll.cursor for name, poll in polls.items() if poll.cursor})


def ledger_versions(lake: Store, sources: Iterable[Source]) -> str:
    """The versions of the sources' ledgers, which change with each load that writes."""
    ledgers = dict.fromkeys(source.ledger for source in sources)
    return "-".join(str(current_version(lake, ledger)) for ledger in ledgers)


def load_request(
    domain: str,
    polls: Mapping[str, Poll],
    key: str,
    earlier_failures: int,
    versions: str,
    missing: Collection[date],
    partitions: dg.PartitionsDefinition[str],
) -> dg.RunRequest:
    """Builds the request of one run for all polls of a domain.

    Dagster never starts a second run with the same run key, but the same work may be pending again:
    after a failed run, or when a deleted file is restored.

    Args:
        polls: source name -> poll.
        key: identifies the work; from `work_key`.
        earlier_failures: how many runs for the same work have failed.
        versions: from `ledger_versions`.
        missing: days that no run has covered; those within reach of the polls' days are added.
        partitions: as this process has loaded them; Dagster refuses a run of any other day. Where
            files have landed on other days, the step's config has the whole range.
    """
    stems = sorted({stem for poll in polls.values() for stem in poll.stems})
    tags = range_tags({day for poll in polls.values() for day in poll.plan.days}, missing)
    first, last = partitions.get_first_partition_key(), partitions.get_last_partition_key()
    assert first is not None, "the definition of upload days has at least one"
    assert last is not None, "the definition of upload days has at least one"
    days = (tags[RANGE_START_TAG], tags[RANGE_END_TAG])
    # ISO dates sort as strings.
    clamped = [max(first, min(day, last)) for day in days]
    config: dict[str, Any] = {"stems": stems}
    if clamped != [*days]:
        config["days"] = "..".join(days)
    return dg.RunRequest(
        run_key=f"{key}-{earlier_failures + 1}-{versions}",
        job_name=job_of(domain),
        run_config={"ops": {landing_step(domain): {"config": config}}},
        tags={WORK_TAG: key, RANGE_START_TAG: clamped[0], RANGE_END_TAG: clamped[1]},
    )


def _nothing_new(settings: Settings, polls: Mapping[str, Poll]) -> str:
    if all(poll.cursor is None or poll.cursor.is_small for poll in polls.values()):
        return "The lake has all landed files."
    return (
        "The lake has all landed files of the newest days; older days are polled every "
        f"{settings.landing_sweep_hours:g} hours (NOVADE_LANDING_SWEEP_HOURS)."
    )


def _last_run(instance: dg.DagsterInstance, domain: str) -> dg.DagsterRun | None:
    """The newest run that loads a domain, except failed ones that a person started."""
    runs = instance.get_runs(dg.RunsFilter(tags=load_tags(domain)), limit=100)
    return next((run for run in runs if run.is_success or PROCESS_TAG not in run.tags), None)


def _key_after(last: dg.DagsterRun) -> str:
    """The same key for every attempt to finish the work of one failed run."""
    known = last.tags.get(WORK_TAG, "")
    return known if known.startswith("after-") else f"after-{last.run_id}"


def failed_loads_check(source: Source, attempts: int) -> dg.AssetCheckEvaluation:
    """The failed check `loads_succeed` of a source's ledger."""
    return dg.AssetCheckEvaluation(
        asset_key=key_of(source.ledger),
        check_name=LOADS_CHECK,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{counted(attempts, 'run')} for the same files failed, and none is started "
        "again; see why in the log of the newest, then start one: novade run.",
        metadata={"attempts": attempts},
    )
