"""Records of a topic, read range by range in bounded memory."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from novade_pipeline.errors import TransientFailure
from novade_pipeline.streams.broker import Broker, consumer, failure_of
from novade_pipeline.streams.offsets import OffsetRange

# Of one batch. librdkafka's queue is bounded in bytes, and in a tenth of a second little is added.
BATCH_RECORDS = 8192
_BATCH_SECONDS = 0.1
STALLED_SECONDS = 60.0


@dataclass
class Records:
    """Records, column by column.

    Attributes:
        times: milliseconds since 1970; -1 where the record has no timestamp.
        headers: (name, value) in order, or None.
    """

    partitions: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)
    headers: list[list[tuple[str, bytes | None]] | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.offsets)


def read_records(broker: Broker, topic: str, ranges: Sequence[OffsetRange]) -> Iterator[Records]:
    """Yields the committed records of ranges, in batches; of a partition in their order.

    Offsets without a record (aborted or compacted records, marks of transactions) are passed over.

    Args:
        ranges: none empty; of one partition at most one.

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
                if time.monotonic() - latest > STALLED_SECONDS:
                    raise TransientFailure(
                        f"topic {topic}: expected records of {len(ends)} partitions, found none "
                        f"for {STALLED_SECONDS:.0f} seconds; the step runs again."
                    )
            batch = Records()
            for done in _sort(broker, topic, messages, ends, batch):
                client.incremental_unassign([TopicPartition(topic, done)])
            if len(batch):
                yield batch


def _sort(
    broker: Broker, topic: str, messages: Sequence[Any], ends: dict[int, int], batch: Records
) -> list[int]:
    """Add messages to a batch; the partitions whose range is read are removed and returned."""
    from confluent_kafka import KafkaError

    done = []
    for message in messages:
        partition, offset, error = message.partition(), message.offset(), message.error()
        end = ends.get(partition)
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:
                raise _failure(broker, topic, error)
        elif end is not None and offset < end:
            kind, moment = message.timestamp()
            batch.partitions.append(partition)
            batch.offsets.append(offset)
            batch.times.append(moment if kind else -1)
            batch.keys.append(message.key())
            batch.values.append(message.value())
            batch.headers.append(message.headers())
            # The record's offset is where it was; the range is read if the next one is its end.
            offset += 1
        if end is not None and offset >= end:
            del ends[partition]
            done.append(partition)
    return done


def _failure(broker: Broker, topic: str, error: Any) -> Exception:
    from confluent_kafka import KafkaError

    if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
        return TransientFailure(
            f"topic {topic}: expected the offsets that the load began with, found that the broker "
            "dropped some meanwhile; the step runs again and says which."
        )
    return failure_of(broker, error, topic)
