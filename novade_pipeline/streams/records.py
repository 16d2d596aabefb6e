"""Records of a topic, read range by range in bounded memory."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from novade_pipeline.errors import TransientFailure
from novade_pipeline.plurals import counted
from novade_pipeline.streams.broker import Broker, consumer, failure_of
from novade_pipeline.streams.offsets import OffsetRange

# Of one batch. librdkafka's queue is bounded in bytes, and in a tenth of a second little is added.
BATCH_RECORDS = 8192
_BATCH_SECONDS = 0.1
STALLED_SECONDS = 60.0


@dataclass(frozen=True)
class Records:
    """Records, column by column.

    Attributes:
        times: (kind, milliseconds since 1970); of kind 0 where the record has no timestamp.
        headers: (name, value) in order, or None.
    """

    partitions: list[int]
    offsets: list[int]
    times: list[tuple[int, int]]
    keys: list[bytes | None]
    values: list[bytes | None]
    headers: list[list[tuple[str, bytes | None]] | None]

    def __len__(self) -> int:
        return len(self.offsets)


def read_records(
    broker: Broker,
    topic: str,
    ranges: Sequence[OffsetRange],
    patience: float = STALLED_SECONDS,
) -> Iterator[Records]:
    """Yields the committed records of ranges, in batches; of a partition in their order.

    Offsets without a record (aborted or compacted records, marks of transactions) are passed over.

    Args:
        ranges: none empty; of one partition at most one.
        patience: seconds without any record after which the broker counts as silent.

    Raises:
        TransientFailure: the broker stopped answering, or it no longer has an offset.
        UserError: the broker refuses us.
    """
    from confluent_kafka import TopicPartition

    ends = {part.partition: part.end for part in ranges}
    with consumer(broker) as (client, reported):
        client.assign([TopicPartition(topic, part.partition, part.start) for part in ranges])
        latest = time.monotonic()
        while ends:
            messages = client.consume(BATCH_RECORDS, _BATCH_SECONDS)
            if messages:
                latest = time.monotonic()
            else:
                reported.raise_refusal()
                if time.monotonic() - latest > patience:
                    raise TransientFailure(
                        f"topic {topic}: expected records of "
                        f"{counted(len(ends), 'partition')}, found none "
                        f"for {patience:.0f} seconds; the step runs again."
                    )
            batch, done = _sort(broker, topic, messages, ends)
            if done:
                client.incremental_unassign([TopicPartition(topic, number) for number in done])
            if len(batch):
                yield batch


def _sort(
    broker: Broker, topic: str, messages: Sequence[Any], ends: dict[int, int]
) -> tuple[Records, list[int]]:
    """The records of messages that are within ranges, and the partitions whose range is read.

    Args:
        ends: partition -> where its range ends; those that are read are removed.
    """
    from confluent_kafka import KafkaError

    records = [m for m in messages if m.error() is None]
    partitions = [m.partition() for m in records]
    offsets = [m.offset() for m in records]
    # Of each partition the last one; a record's offset is where it was, the next one is behind it.
    reached = {p: offset + 1 for p, offset in zip(partitions, offsets, strict=True)}
    if len(records) < len(messages):
        for message in messages:
            if (error := message.error()) is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    raise _failure(broker, topic, error)
                reached[message.partition()] = message.offset()
    if any(offset > ends.get(p, -1) for p, offset in reached.items()):
        places = zip(partitions, offsets, records, strict=True)
        within = [place for place in places if place[1] < ends.get(place[0], -1)]
        partitions = [partition for partition, _, _ in within]
        offsets = [offset for _, offset, _ in within]
        records = [record for _, _, record in within]
    batch = Records(
        partitions=partitions,
        offsets=offsets,
        times=[m.timestamp() for m in records],
        keys=[m.key() for m in records],
        values=[m.value() for m in records],
        headers=[m.headers() for m in records],
    )
    done = [p for p, offset in reached.items() if offset >= ends.get(p, offset + 1)]
    for partition in done:
        del ends[partition]
    return batch, done


def _failure(broker: Broker, topic: str, error: Any) -> Exception:
    from confluent_kafka import KafkaError

    if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
        return TransientFailure(
            f"topic {topic}: expected the offsets that the load began with, found that the broker "
            "dropped some meanwhile; the step runs again and says which."
        )
    return failure_of(broker, error, topic)
