"""Topics that change, and brokers that refuse: what is lost is named, all else is a sentence."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.streams import broker as client
from novade_pipeline.streams.broker import Broker
from novade_pipeline.streams.load import restart
from novade_pipeline_tests.streams.world import World

NewWorld = Callable[..., World]


def test_partitions_added_later_are_read_from_their_beginning(new: NewWorld) -> None:
    world = new()
    world.produce({"song": "a"})
    world.load()
    world.add_partitions(3)
    world.produce({"song": "b"}, {"song": "c"}, partition=2)
    world.load()
    assert world.rows("partition", "song") == [(0, "a"), (2, "b"), (2, "c")]


def test_offsets_that_retention_took_are_in_quarantine_as_a_lost_range(new: NewWorld) -> None:
    world = new()
    world.produce(*({"count": number} for number in range(5)))
    world.drop_before(1)
    # Nothing is lost before the first load.
    assert world.load(most_records=1).lost == ()
    world.drop_before(4)
    report = world.load()
    assert [(part.start, part.end) for part in report.lost] == [(2, 4)]
    assert world.rows("offset") == [1, 4]
    assert world.quarantined("offset", "lost", "reason") == [
        (2, 2, "expected offsets 2 to 3, found that the broker no longer has them")
    ]
    assert world.load().lost == ()


def test_all_of_a_partition_added_later_may_be_lost(new: NewWorld) -> None:
    world = new()
    world.load()
    world.add_partitions(2)
    world.produce({"song": "a"}, {"song": "b"}, partition=1)
    world.drop_before(1, partition=1)
    world.load()
    assert world.quarantined("partition", "offset", "lost") == [(1, 0, 1)]


def test_a_topic_made_again_is_refused_until_it_is_restarted(new: NewWorld) -> None:
    world = new()
    world.produce({"song": "a"}, {"song": "b"})
    world.load()
    world.recreate()
    # Even where it has as many records.
    world.produce({"song": "c"}, {"song": "d"}, {"song": "e"})
    with pytest.raises(PermanentFailure, match=r"deleted and made again.*novade streams restart"):
        world.load()
    assert world.rows("song") == ["a", "b"]
    assert restart(world.topic, "default", world.lake) == 2
    world.load()
    assert world.load().receipt is None
    assert world.rows("generation", "offset", "song") == [
        *[(1, 0, "a"), (1, 1, "b"), (2, 0, "c"), (2, 1, "d"), (2, 2, "e")]
    ]


def failing(world: World, **changes: Any) -> str:
    broker = replace(world.broker, **changes)
    with pytest.raises((UserError, TransientFailure)) as failure:
        world.load(broker=broker)
    return f"{type(failure.value).__name__}: {failure.value}"


def test_each_refusal_is_one_sentence_that_says_what_to_do(
    new: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new()
    sasl = {
        "servers": world.server.addresses["SASL_PLAINTEXT"],
        "protocol": "SASL_PLAINTEXT",
        "mechanism": "SCRAM-SHA-256",
        "user": world.server.user,
    }
    world.load(broker=Broker(**sasl, password=world.server.password))
    refused = failing(world, **sasl, password="not this")
    assert refused.startswith("UserError: broker 127.0.0.1:")
    assert "SCRAM-SHA-256 refused them; set NOVADE_STREAMS_USER" in refused
    assert "not this" not in refused
    assert "none of this name" in failing_topic(world, "no-such-topic")
    assert "expected a valid name" in failing_topic(world, "no such topic")
    monkeypatch.setattr(client.BrokerClient.__init__, "__defaults__", (1.0,))
    silent = failing(world, servers="127.0.0.1:1")
    assert silent.startswith("TransientFailure: broker 127.0.0.1:1: expected an answer")


def failing_topic(world: World, name: str) -> str:
    with pytest.raises(PermanentFailure) as failure:
        replace(world, topic=replace(world.topic, name=name)).load()
    return str(failure.value)


def test_a_partition_without_a_leader_is_one_sentence(
    new: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new(2)
    real = client.BrokerClient._metadata

    def leaderless(self: client.BrokerClient, topic: str | None) -> Any:
        metadata = real(self, topic)
        metadata.topics[topic].partitions[1].leader = -1
        return metadata

    monkeypatch.setattr(client.BrokerClient, "_metadata", leaderless)
    with pytest.raises(TransientFailure, match=r"found none for 1 partition \(1\)"):
        world.load()
