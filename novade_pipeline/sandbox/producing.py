"""Sends generated records to a topic, at a rate, and reports what the broker did not take."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from novade_pipeline.errors import UserError
from novade_pipeline.plurals import counted
from novade_pipeline.streams.broker import Broker, BrokerClient

GREATEST_BYTES = 32 * 2**20
FLUSH_SECONDS = 60.0


@dataclass(frozen=True)
class Record:
    """One record of a topic.

    Attributes:
        key: of the record.
        value: None deletes the key.
        fault: what is wrong with it; None for a record as most are.
    """

    key: str
    value: bytes | None
    fault: str | None = None


@dataclass(frozen=True)
class Sent:
    """What was sent.

    Attributes:
        records: how many.
        faults: what is wrong -> how many.
    """

    records: int
    faults: Counter[str]

    @property
    def text(self) -> str:
        """`100 records; faults: 3 no JSON, 2 resent`."""
        faults = ", ".join(f"{number} {fault}" for fault, number in sorted(self.faults.items()))
        return counted(self.records, "record") + (f"; faults: {faults}" if faults else "")


def is_empty(broker: Broker, topic: str) -> bool:
    """Whether no record has ever been committed to a topic.

    Raises:
        UserError: there is no such topic, or the broker refuses us.
        TransientFailure: it does not answer.
    """
    return not any(BrokerClient(broker).state(topic).latest.values())


def send(
    broker: Broker,
    topic: str,
    records: Iterable[Record],
    rate: float = 0.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Sent:
    """Send records, in order for each key.

    Args:
        rate: records a second; 0 for as many as the broker takes.
        sleep: waits a number of seconds.

    Raises:
        UserError: there is no such topic, the broker refuses us or a record.
        TransientFailure: it does not answer.
    """
    from confluent_kafka import Producer

    BrokerClient(broker).state(topic)
    producer = Producer(
        {
            **broker.conf(),
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": 20,
            "message.max.bytes": GREATEST_BYTES,
        }
    )
    refused: list[str] = []

    def delivered(error: Any, _: Any) -> None:
        if error is not None:
            refused.append(error.str())

    faults: Counter[str] = Counter()
    started, number = time.monotonic(), 0
    for number, record in enumerate(records, 1):
        if rate and (wait := started + number / rate - time.monotonic()) > 0:
            producer.poll(0)
            sleep(wait)
        _produce(producer, topic, record, delivered)
        faults.update([record.fault] if record.fault else [])
    left = producer.flush(FLUSH_SECONDS)
    if refused or left:
        reason = f"refused: {refused[0]}" if refused else f"not delivered in {FLUSH_SECONDS:.0f} s"
        raise UserError(
            f"topic {topic}: expected the broker {broker.servers} to take "
            f"{counted(number, 'record')}, found {len(refused) + left} {reason}."
        )
    return Sent(number, faults)


def _produce(
    producer: Any, topic: str, record: Record, delivered: Callable[[Any, Any], None]
) -> None:
    while True:
        try:
            producer.produce(topic, record.value, record.key, on_delivery=delivered)
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return
