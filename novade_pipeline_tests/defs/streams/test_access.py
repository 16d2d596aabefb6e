"""What `novade doctor` says of the broker, of topics and of Java."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.streams import access
from novade_pipeline.graph.access import try_all
from novade_pipeline.sandbox.broker import Broker as Server
from novade_pipeline.settings import load_settings
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.streams.world import World, new_world

NAMES = [
    *("streams_connect", "streams_authenticate"),
    *("streams_read_radio_plays", "streams_retain_radio_plays", "spark_start"),
]


@pytest.fixture
def world(broker: Server, tmp_path: Path) -> World:
    return new_world(broker, store(str(tmp_path / "lake")), 2)


@pytest.fixture
def answers(world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Probe -> whether it passed and its message."""
    monkeypatch.setattr(access, "SECONDS", 2.0)

    def answers(**changes: Any) -> dict[str, tuple[bool, str]]:
        topic = replace(world.topic, name=changes.pop("topic", world.topic.name))
        monkeypatch.setattr(access, "all_topics", lambda: {"radio": [topic]})
        servers = {"streams_brokers": world.server.address}
        settings = load_settings(lake_url=world.lake.url, **{**servers, **changes})
        results = try_all(access.probes(settings))
        assert [result.probe.name for result in results] == NAMES
        return {result.probe.name: (result.passed, result.message) for result in results}

    return answers


def test_all_is_well_with_records_and_without(world: World, answers: Any) -> None:
    empty = answers()
    assert {passed for passed, _ in empty.values()} == {True}
    assert "is there, with 2 partitions" in empty["streams_read_radio_plays"][1]
    world.produce({"song": "a"}, partition=1)
    assert answers()["streams_read_radio_plays"][1] == f"A record of {world.topic.name} was read."


def test_a_wrong_password_is_said_to_be_one(world: World, answers: Any) -> None:
    secure = {
        "streams_brokers": world.server.addresses["SASL_PLAINTEXT"],
        "streams_protocol": "SASL_PLAINTEXT",
        "streams_user": world.server.user,
    }
    right = answers(**secure, streams_password=world.server.password)
    assert "lets user novade see" in right["streams_authenticate"][1]
    wrong = answers(**secure, streams_password="not this")
    assert wrong["streams_connect"][0]
    passed, message = wrong["streams_authenticate"]
    assert not passed
    assert "SCRAM-SHA-256 refused them" in message
    assert "not this" not in str(wrong)


def test_what_is_missing_is_named(world: World, answers: Any) -> None:
    away = answers(streams_brokers="127.0.0.1:1")
    assert away["streams_connect"] == (
        False,
        "broker: expected a connection, found none (127.0.0.1:1: Connection refused); start the "
        "broker, or set NOVADE_STREAMS_BROKERS.",
    )
    assert "expected host:port" in answers(streams_brokers="no port")["streams_connect"][1]
    absent = answers(topic="no-such-topic")
    assert "there is none of this name" in absent["streams_read_radio_plays"][1]


def test_offsets_that_are_lost_are_named(world: World, answers: Any) -> None:
    world.load()
    world.produce({"song": "a"}, {"song": "b"})
    world.drop_before(1)
    passed, message = answers()["streams_retain_radio_plays"]
    assert not passed
    assert "no longer has 0 to 0 of partition 0" in message


def test_without_a_broker_nothing_is_tried(tmp_path: Path) -> None:
    settings = load_settings(lake_url=str(tmp_path))
    assert list(access.probes(settings)) == []
    assert access.not_configured(settings) == {
        "streams": "Set NOVADE_STREAMS_BROKERS to read topics."
    }
