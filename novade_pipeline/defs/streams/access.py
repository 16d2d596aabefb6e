"""Access probes of topics: the broker, each topic and its offsets, Java and jars for Spark."""

import socket
from collections.abc import Iterator

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.graph.access import Probe
from novade_pipeline.graph.spark_sessions import spark_options
from novade_pipeline.graph.stream_settings import StreamSettings
from novade_pipeline.graph.topic_loads import all_topics
from novade_pipeline.settings import Settings
from novade_pipeline.streams.broker import Broker
from novade_pipeline.streams.topic import Topic

SECONDS = 5.0


def probes(settings: Settings) -> Iterator[Probe]:
    """Yields the probes of the broker, of each topic, and of Spark."""
    if settings.of(StreamSettings).brokers is None:
        return
    broker = settings.of(StreamSettings).broker
    location = f"Broker {broker.servers}"
    remedy = "look at NOVADE_STREAMS_BROKERS"
    yield Probe(
        "streams", "connect", "Topics are read.", location, remedy, lambda: _connect(broker)
    )
    yield Probe(
        "streams",
        "authenticate",
        "The broker knows who reads.",
        location,
        "look at NOVADE_STREAMS_USER and NOVADE_STREAMS_PASSWORD",
        lambda: _authenticate(broker),
    )
    for domain, topics in all_topics().items():
        for topic in topics:
            name = f"{domain}_{topic.source}"
            yield _topic_probe(broker, topic, f"read_{name}")
            yield _retention_probe(settings, broker, topic, f"retain_{name}")
    yield from _spark_probes(settings)


def not_configured(settings: Settings) -> dict[str, str]:
    """Says what to set where no topics are read."""
    is_read = settings.of(StreamSettings).brokers is not None
    return {} if is_read else {"streams": "Set NOVADE_STREAMS_BROKERS to read topics."}


def _connect(broker: Broker) -> str:
    """Open a connection to one of the servers."""
    failures = []
    for server in broker.servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            number = int(port)
        except ValueError:
            raise UserError(
                f"NOVADE_STREAMS_BROKERS: expected host:port, found {server.strip()}."
            ) from None
        try:
            socket.create_connection((host.strip("[]"), number), SECONDS).close()
            return f"{server.strip()} accepts connections."
        except OSError as error:
            failures.append(f"{server.strip()}: {error.strerror or error}")
    raise TransientFailure(
        f"broker: expected a connection, found none ({'; '.join(failures)}); start the broker, or "
        "set NOVADE_STREAMS_BROKERS."
    )


def _authenticate(broker: Broker) -> str:
    from novade_pipeline.streams.broker import BrokerClient

    topics = BrokerClient(broker, SECONDS).topics()
    who = f"user {broker.user}" if broker.user else "a user without a name"
    return f"The broker lets {who} see {len(topics):,} topics."


def _topic_probe(broker: Broker, topic: Topic, right: str) -> Probe:
    def read() -> str:
        from novade_pipeline.streams.broker import BrokerClient
        from novade_pipeline.streams.offsets import OffsetRange
        from novade_pipeline.streams.records import read_records

        state = BrokerClient(broker, SECONDS).state(topic.name)
        last = [
            OffsetRange(partition, end - 1, end)
            for partition, end in state.latest.items()
            if end > state.earliest[partition]
        ][:1]
        for _ in read_records(broker, topic.name, last, SECONDS) if last else ():
            return f"A record of {topic.name} was read."
        return f"Topic {topic.name} is there, with {len(state.latest)} partitions."

    location = f"Topic {topic.name} at {broker.servers}"
    remedy = "create the topic, and grant READ and DESCRIBE"
    return Probe("streams", right, f"{topic.table.name} is loaded.", location, remedy, read)


def _retention_probe(settings: Settings, broker: Broker, topic: Topic, right: str) -> Probe:
    def compare() -> str:
        from novade_pipeline.lake.delta import open_table
        from novade_pipeline.streams.broker import BrokerClient
        from novade_pipeline.streams.offsets import names_of, plan_of

        target = open_table(settings.lake, topic.table)
        state = BrokerClient(broker, SECONDS).state(topic.name)
        plan = plan_of(topic, names_of(topic, broker.cluster, target), target, state, 1)
        if plan.lost:
            lost = plan.lost[0]
            raise PermanentFailure(
                f"topic {topic.name}: expected every offset to be there until it is read, found "
                f"that the broker no longer has {lost.start:,} to {lost.end - 1:,} of partition "
                f"{lost.partition}; load more often, or raise retention.ms of the topic."
            )
        return f"The broker has all offsets of {topic.name} that are not read yet."

    location = f"Topic {topic.name} at {broker.servers}"
    purpose = "No record is lost before it is read."
    return Probe("streams", right, purpose, location, "raise retention.ms of the topic", compare)


def _spark_probes(settings: Settings) -> Iterator[Probe]:
    options = spark_options(settings)
    if options.remote is not None:
        return

    def java() -> str:
        from novade_pipeline.spark.session import java_problem

        if (problem := java_problem()) is not None:
            raise UserError(problem)
        return "Java is new enough."

    def jars() -> str:
        from novade_pipeline.spark.jars import missing_jars

        if missing := missing_jars(options.packages, options.cache):
            return f"{', '.join(missing)}: resolved by the first session, and kept then."
        return f"All jars are in {options.cache}."

    remedy = "install Java 17 or newer"
    yield Probe("spark", "start", "Large loads run in Spark.", "Java", remedy, java)
    if options.packages:
        remedy = "set NOVADE_SPARK_REPOSITORY"
        yield Probe("spark", "resolve", "Its connectors.", str(options.cache), remedy, jars)
