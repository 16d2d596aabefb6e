"""A topic of plays in the real broker, its table in a lake, and what the table should have."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import NewPartitions
from pydantic import BaseModel, Field

from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Json, Table
from novade_pipeline.privacy.marks import Identity
from novade_pipeline.privacy.policy import Personal, PersonalDataPolicy
from novade_pipeline.sandbox.broker import Broker as Server
from novade_pipeline.storage.store import Store
from novade_pipeline.streams.broker import Broker
from novade_pipeline.streams.load import Executors, InProcess, Loader, LoadReport
from novade_pipeline.streams.tables import STREAM_KEY, StreamRow, stream_quarantine_table
from novade_pipeline.streams.topic import Normalised, Topic
from novade_pipeline_tests.brokers import new_topic

SECONDS = 30


class Play(StreamRow):
    """One song that was played."""

    song: str | None = Field(None, description="The song.")
    count: int | None = Field(None, description="How often.")
    share: float | None = Field(None, description="A share.")
    at: datetime | None = Field(None, description="When, UTC.")
    user_id: Annotated[str | None, Personal(), Identity("user_id")] = Field(
        None, description="Who."
    )
    other_fields: Annotated[Json | None, Personal("**")] = Field(None, description="The rest.")


class PlayValue(BaseModel):
    """A play as it is produced, with a song that it must have."""

    song: str
    count: int | None = None
    share: float | None = None
    at: datetime | None = None
    user_id: str | None = None
    other_fields: Json | None = None


PLAYS = Table(
    name="radio/plays", row=Play, key=STREAM_KEY, write_mode="append_once", data_time="broker_time"
)
QUARANTINE = stream_quarantine_table("radio", PLAYS)


def in_capitals(rows: pa.Table) -> Normalised:
    """The song in capitals; plays of a negative count are wrong."""
    place = rows.schema.get_field_index("song")
    songs = rows.set_column(place, "song", pc.utf8_upper(rows["song"]))
    negative = pc.fill_null(pc.less(rows["count"], 0), False).to_pylist()
    return Normalised(
        songs,
        {n: "count: expected none below 0, found one" for n, is_ in enumerate(negative) if is_},
    )


@dataclass
class World:
    """A topic and the lake that it is loaded into."""

    server: Server
    lake: Store
    topic: Topic
    policy: PersonalDataPolicy = field(default_factory=PersonalDataPolicy)
    executors: Executors = field(default_factory=InProcess)
    most_records: int = 1_000_000

    @property
    def broker(self) -> Broker:
        """How the topic is reached."""
        return Broker(self.server.address)

    def load(self, **changes: Any) -> LoadReport:
        """Load what is new."""
        loader = Loader(
            self.broker,
            self.lake,
            self.policy,
            lambda _: self.executors,
            most_records=self.most_records,
        )
        return replace(loader, **changes).load(self.topic)

    def produce(self, *values: Any, partition: int = 0, **record: Any) -> None:
        """Produce values: bytes as they are, None as a tombstone, all else as JSON."""
        with self.producing() as producer:
            for value in values:
                producer.produce(self.topic.name, encoded(value), partition=partition, **record)

    @contextmanager
    def producing(self, **conf: Any) -> Iterator[Producer]:
        """A producer, whose records the broker has at the end of the block."""
        producer = self.server.producer(**conf)
        yield producer
        assert producer.flush(SECONDS) == 0

    @contextmanager
    def transaction(self, name: str, *, commits: bool) -> Iterator[Producer]:
        """A transaction, which is committed or aborted at the end of the block."""
        producer = self.server.producer(transactional_id=f"{self.topic.name}-{name}")
        producer.init_transactions(SECONDS)
        producer.begin_transaction()
        yield producer
        producer.flush(SECONDS)
        (producer.commit_transaction if commits else producer.abort_transaction)(SECONDS)

    def add_partitions(self, total: int) -> None:
        """Give the topic more partitions."""
        admin = self.server.admin()
        admin.create_partitions([NewPartitions(self.topic.name, total)])[self.topic.name].result()
        self.server.wait_for_topic(self.topic.name, total)

    def drop_before(self, offset: int, partition: int = 0) -> None:
        """Drop the records before an offset, as retention does."""
        admin = self.server.admin()
        place = TopicPartition(self.topic.name, partition, offset)
        for future in admin.delete_records([place]).values():
            future.result(SECONDS)

    def recreate(self, partitions: int = 1) -> None:
        """Delete the topic, and make another of its name."""
        admin = self.server.admin()
        admin.delete_topics([self.topic.name])[self.topic.name].result(SECONDS)
        for _ in range(100):
            try:
                self.server.create_topic(self.topic.name, partitions)
                return
            except Exception as error:
                if "already exists" not in str(error):
                    raise

    def rows(self, *columns: str) -> list[Any]:
        """The rows in the order of their offsets: tuples of columns, or values of one."""
        table = read(self.lake, self.topic.table).sort_by([(k, "ascending") for k in STREAM_KEY])
        return _values(table, columns)

    def quarantined(self, *columns: str) -> list[Any]:
        """The rows of the quarantine in the same order."""
        key = [(k, "ascending") for k in STREAM_KEY]
        return _values(read(self.lake, self.topic.quarantine).sort_by(key), columns)

    def version(self) -> int | None:
        """The version of the table."""
        target = open_table(self.lake, self.topic.table)
        return None if target is None else target.version()


def new_world(server: Server, lake: Store, partitions: int = 1, **topic: Any) -> World:
    """A world with an empty topic of its own.

    Args:
        topic: attributes of `Topic`; with `config_`, of the broker's topic.
    """
    config = {k.removeprefix("config_"): topic.pop(k) for k in [*topic] if k.startswith("config_")}
    name = new_topic(server, "plays", partitions, **config)
    return World(server, lake, Topic(name, PLAYS, QUARANTINE, **topic))


def encoded(value: Any) -> bytes | None:
    """A value as it is produced."""
    return value if value is None or isinstance(value, bytes) else json.dumps(value).encode()


def _values(table: pa.Table, columns: Sequence[str]) -> list[Any]:
    lists = [table[name].to_pylist() for name in columns]
    return lists[0] if len(lists) == 1 else list(zip(*lists, strict=True))


Rows = Mapping[str, Any]
Step = Callable[[World], None]
