"""The sensor of a domain's topics: what the broker has and the tables do not becomes a run.

There is no cursor: the offsets in the tables' own commits say what is pending. A run that failed is
requested again, later each time.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from novade_pipeline.graph.job_runs import WORK_TAG, job_of, load_tags, runs_in_progress
from novade_pipeline.graph.stream_settings import NOT_CONFIGURED, StreamSettings
from novade_pipeline.graph.topic_loads import client_of
from novade_pipeline.lake.delta import open_table
from novade_pipeline.plurals import counted
from novade_pipeline.settings import Settings
from novade_pipeline.streams.offsets import is_behind, names_of, pending_offsets
from novade_pipeline.streams.topic import Topic

LONGEST_WAIT = timedelta(hours=1)
FAILED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def topic_sensor(settings: Settings, domain: str, topics: Sequence[Topic]) -> dg.SensorDefinition:
    """Builds the sensor `<domain>_topics`, which requests the job `load_<domain>`."""
    streams = settings.of(StreamSettings)

    @dg.sensor(
        name=f"{domain}_topics",
        job_name=job_of(domain),
        minimum_interval_seconds=streams.poll_seconds,
        default_status=(
            dg.DefaultSensorStatus.STOPPED
            if streams.brokers is None
            else dg.DefaultSensorStatus.RUNNING
        ),
        description=f"Loads what arrives in the topics of {domain}."
        + ("" if streams.brokers else f" {NOT_CONFIGURED}"),
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if streams.brokers is None:
            return dg.SkipReason(NOT_CONFIGURED)
        if alive := runs_in_progress(context.instance, domain):
            return dg.SkipReason(f"Run {alive[0].run_id} is in progress.")
        offsets, key = pending_work(settings, topics)
        if key is None:
            return dg.SkipReason("The tables have all records of their topics.")
        failed, latest = _failures(context.instance, domain, key)
        due = latest + wait_after(failed, streams.poll_seconds)
        if failed and datetime.now(UTC) < due:
            return dg.SkipReason(
                f"{counted(failed, 'failed run')} for the same offsets; the newest says why. The "
                f"next is requested at {due:%H:%M:%S} UTC."
            )
        return dg.RunRequest(
            run_key=f"{key}-{failed}",
            tags={WORK_TAG: key, "novade/offsets": str(offsets)},
        )

    return watch


def pending_work(settings: Settings, topics: Sequence[Topic]) -> tuple[int, str | None]:
    """How many offsets are pending, and a key of where the tables are; None if nothing is.

    Raises:
        UserError: the broker refuses us, or a topic does not exist.
        TransientFailure: it does not answer.
    """
    client = client_of(settings.of(StreamSettings).broker)
    digest, count, is_pending = hashlib.sha256(), 0, False
    for topic in topics:
        target = open_table(settings.lake, topic.table)
        state = client.state(topic.name)
        names = names_of(topic, client.broker.cluster, target)
        pending = pending_offsets(names, target, state)
        count += sum(part.size for part in pending.values())
        is_pending = is_pending or is_behind(names, target, state)
        starts = sorted((part.partition, part.start) for part in pending.values())
        digest.update(repr((topic.table.name, names, state.identity, starts)).encode())
    return count, digest.hexdigest()[:16] if is_pending else None


def wait_after(failed: int, poll_seconds: float) -> timedelta:
    """How long after so many failed runs for the same offsets the next is requested."""
    return min(timedelta(seconds=poll_seconds * 2 ** min(failed, 20)), LONGEST_WAIT)


def _failures(instance: dg.DagsterInstance, domain: str, key: str) -> tuple[int, datetime]:
    """How many runs for the same work failed one after the other, and when the newest did."""
    filter_ = dg.RunsFilter(tags=load_tags(domain))
    failed, latest = 0, datetime.min.replace(tzinfo=UTC)
    for record in instance.get_run_records(filter_, limit=50):
        run = record.dagster_run
        if run.tags.get(WORK_TAG) != key or run.status not in FAILED:
            break
        latest = max(latest, record.update_timestamp)
        failed += 1
    return failed, latest
