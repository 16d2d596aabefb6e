"""Following topics: records are rows within seconds, and a follower may be killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.execution.home import dagster_instance
from novade_pipeline.graph import topic_follow
from novade_pipeline.graph.spark_sessions import SparkSessions
from novade_pipeline.graph.topic_follow import Follower
from novade_pipeline.sandbox.broker import Broker as Server
from novade_pipeline.settings import load_settings
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.commands import novade
from novade_pipeline_tests.streams.world import World, new_world

MOST_SECONDS = 5.0


@pytest.fixture
def world(broker: Server, tmp_path: Path) -> World:
    return new_world(broker, store(str(tmp_path / "data" / "lake")), 2)


def follower(world: World, loads: list[int], failures: list[str]) -> Follower:
    settings = load_settings(lake_url=world.lake.url, streams_brokers=world.server.address)
    return Follower(
        settings,
        [world.topic],
        0.2,
        lambda _, report: loads.append(report.work.records),
        failures.append,
    )


def test_records_are_rows_within_seconds_of_being_produced(world: World) -> None:
    loads: list[int] = []
    following = follower(world, loads, [])
    until = time.monotonic() + 60
    thread = threading.Thread(
        target=following.follow, args=[SparkSessions(following.settings)], kwargs={"until": until}
    )
    ends = topic_follow.time.monotonic
    thread.start()
    waits = []
    for number in range(3):
        started = time.monotonic()
        world.produce({"count": number}, partition=number % 2)
        while len(world.rows("count")) <= number and time.monotonic() - started < 30:
            time.sleep(0.05)
        waits.append(time.monotonic() - started)
    topic_follow.time.monotonic = lambda: ends() + 100
    try:
        thread.join(30)
    finally:
        topic_follow.time.monotonic = ends
    assert not thread.is_alive()
    assert sorted(world.rows("count")) == [0, 1, 2]
    # The first one also imports the parser.
    assert max(waits[1:]) < MOST_SECONDS
    # It commits when there is something, and not else.
    assert sum(loads) == 3


def test_what_may_pass_is_tried_again_and_what_may_not_ends_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.produce({"song": "a"})
    loads, failures = list[int](), list[str]()
    following = follower(world, loads, failures)
    real, left = topic_follow.pending_work, [1]

    def failing_once(*args: Any) -> Any:
        if left:
            left.pop()
            raise topic_follow.TransientFailure("the broker is away")
        return real(*args)

    monkeypatch.setattr(topic_follow, "pending_work", failing_once)
    following.follow(SparkSessions(following.settings), until=time.monotonic() + 2)
    assert (loads, failures) == ([1], ["the broker is away"])
    world.recreate(2)
    with pytest.raises(PermanentFailure, match="made again"):
        following.follow(SparkSessions(following.settings), until=time.monotonic() + 30)


def test_the_command_may_be_killed_at_any_time_and_tells_dagster_of_new_rows(
    broker: Server, tmp_path: Path
) -> None:
    """With the domain of tickets, whose topic has a fixed name."""
    from novade_pipeline.defs.tickets.tables import TICKET_EVENTS
    from novade_pipeline.lake.read import read

    server = broker
    if "client_tickets" not in server.admin().list_topics(timeout=30).topics:
        server.create_topic("client_tickets")
    lake = store(str(tmp_path / "data" / "lake"))
    environment = {
        **os.environ,
        "NOVADE_STREAMS_BROKERS": server.address,
        "NOVADE_STREAMS_MAX_RECORDS": "7",
    }
    values = [json.dumps({"ticket_id": f"follow-{n}"}) for n in range(60)]
    with_them = server.producer()
    for value in values:
        with_them.produce("client_tickets", value)
    with_them.flush()
    command = [sys.executable, "-m", "novade_pipeline", "streams", "follow", "tickets"]
    for _ in range(2):
        process = subprocess.Popen(
            [*command, "--every", "0.1"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert "tickets/ticket_events: " in "".join(lines)
    done = novade(
        tmp_path,
        *("streams", "follow", "tickets", "--every", "0.1", "--seconds", "8"),
        env={"NOVADE_STREAMS_BROKERS": server.address},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = read(lake, TICKET_EVENTS, columns=["ticket_id"])["ticket_id"].to_pylist()
    followed = sorted(row for row in rows if row.startswith("follow-"))
    assert followed == sorted(json.loads(value)["ticket_id"] for value in values)
    settings = load_settings(dagster_home=tmp_path / "data" / "dagster")
    with dagster_instance(settings) as instance:
        key = dg.AssetKey(["tickets", "ticket_events"])
        event = instance.get_latest_materialization_event(key)
    assert event is not None


def test_wrong_arguments_are_one_sentence(tmp_path: Path) -> None:
    for arguments, message in (
        (("follow", "tickets"), "NOVADE_STREAMS_BROKERS is not set: no topic is read."),
        (("restart", "tickets/no"), "expected the table of a topic (iot/"),
    ):
        failed = novade(tmp_path, "streams", *arguments)
        assert failed.returncode == 2
        assert message in " ".join(failed.stderr.split())
