"""The sensor of a domain's topics: it requests a run for records that the tables do not have.

There is no cursor: the offsets in the tables' own commits say what is pending. What a run did not
load is requested again, later each time.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from novade_pipeline.graph.job_runs import WORK_TAG, job_of, runs_in_progress
from novade_pipeline.graph.stream_settings import NOT_CONFIGURED, StreamSettings
from novade_pipeline.graph.topic_loads import client_of
from novade_pipeline.lake.delta import open_table
from novade_pipeline.plurals import counted
from novade_pipeline.settings import Settings
from novade_pipeline.streams.offsets import is_behind, names_of, pending_offsets
from novade_pipeline.streams.topic import Topic

LONGEST_WAIT = timedelta(hours=1)


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
        tries, latest = _tries(context.instance, key)
        due = latest + wait_after(tries, streams.poll_seconds)
        if tries and datetime.now(UTC) < due:
            return dg.SkipReason(
                f"{counted(tries, 'run')} did not load these offsets; the newest says why. The "
                f"next is requested at {due:%H:%M:%S} UTC."
            )
        return dg.RunRequest(
            # Dagster starts one run a key.
            run_key=f"{key}-{tries}",
            tags={WORK_TAG: key, "novade/offsets": str(offsets)},
        )

    return watch


def pending_work(settings: Settings, topics: Sequence[Topic]) -> tuple[int, str | None]:
    """Returns the number of pending offsets and a key of the work; None where nothing is to do.

    The key is a hash of the offsets from which the tables read on: more records do not change it.

    Raises:
        UserError: the broker rejects the credentials, or a topic does not exist.
        TransientFailure: the broker does not answer.
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


def wait_after(tries: int, poll_seconds: float) -> timedelta:
    """Returns the wait after so many runs for the same work: it doubles, up to `LONGEST_WAIT`."""
    return min(timedelta(seconds=poll_seconds * 2 ** min(tries, 20)), LONGEST_WAIT)


def _tries(instance: dg.DagsterInstance, key: str) -> tuple[int, datetime]:
    """Returns how many runs were requested for this work, and when the newest changed last."""
    of_work = dg.RunsFilter(tags={WORK_TAG: key})
    newest = instance.get_run_records(of_work, limit=1)
    latest = newest[0].update_timestamp if newest else datetime.min.replace(tzinfo=UTC)
    return instance.get_runs_count(of_work), latest
