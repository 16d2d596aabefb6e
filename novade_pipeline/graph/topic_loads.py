"""Loads of topics with the graph's settings: what the steps, the sensor and `follow` share."""

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from novade_pipeline.graph.domains import modules
from novade_pipeline.graph.spark_sessions import SparkSessions
from novade_pipeline.graph.stream_settings import StreamSettings
from novade_pipeline.lake.delta import open_table
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store
from novade_pipeline.streams.broker import Broker, BrokerClient
from novade_pipeline.streams.offsets import names_of, pending_offsets, recorded
from novade_pipeline.streams.topic import Topic

if TYPE_CHECKING:
    from novade_pipeline.streams.load import Executors, Loader


def topics_of(domain: str) -> Sequence[Topic]:
    """The topics that a domain's module `topic` declares; none for any other name."""
    return all_topics().get(domain, ())


def all_topics() -> dict[str, Sequence[Topic]]:
    """Domain -> its topics."""
    return {m.__name__.split(".")[-2]: m.TOPICS for m in modules("topic")}


def loader_of(settings: Settings, lake: Store, spark: SparkSessions) -> "Loader":
    """A loader; small loads run in this process, and need no Java."""
    # Compiled parsers cost a second, which a process that only loads the graph need not pay.
    from novade_pipeline.streams.load import InProcess, Loader

    streams = settings.of(StreamSettings)

    def executors(offsets: int) -> "Executors":
        return InProcess() if offsets < streams.spark_records else spark.executors()

    return Loader(
        broker=streams.broker,
        lake=lake,
        policy=settings.personal_data_policy,
        executors_for=executors,
        registry=streams.registry,
        most_records=streams.max_records,
    )


def lag_of(client: BrokerClient, lake: Store, topic: Topic) -> dict[str, Any]:
    """How far a table is behind its topic: `lag_records`, and `lag_seconds` of what it has last."""
    target = open_table(lake, topic.table)
    names = names_of(topic, client.broker.cluster, target)
    pending = pending_offsets(names, target, client.state(topic.name))
    records = sum(part.size for part in pending.values())
    newest = recorded(target, names.broker_time) if records else None
    seconds = 0.0 if newest is None else max(0.0, time.time() - newest / 1000)
    return {
        "lag_records": records,
        "lag_seconds": round(seconds, 1),
        "lag_partitions": {str(p): part.size for p, part in sorted(pending.items())},
    }


@lru_cache(maxsize=8)
def client_of(broker: Broker) -> BrokerClient:
    """A client that stays connected between the ticks of a sensor."""
    return BrokerClient(broker)
