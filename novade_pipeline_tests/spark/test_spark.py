"""Work handed to the executors of a real Spark, one session for all of it."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.graph.spark_sessions import SparkSessions
from novade_pipeline.sandbox.broker import Broker as Server
from novade_pipeline.settings import load_settings
from novade_pipeline.spark.executors import SparkExecutors
from novade_pipeline.storage.locations import store
from novade_pipeline.streams import load as loading
from novade_pipeline.streams.broker import Broker
from novade_pipeline_tests.azurite import Azurite
from novade_pipeline_tests.graph.test_topic_assets import Graph, metadata, outcomes
from novade_pipeline_tests.spark import work
from novade_pipeline_tests.streams.world import World, new_world

COUNT = 2000


@pytest.fixture(scope="module")
def event_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("events")


@pytest.fixture(scope="module")
def sessions(event_log: Path) -> Iterator[SparkSessions]:
    conf = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": event_log.as_uri(),
    }
    sessions = SparkSessions(
        load_settings(spark_master="local[2]", spark_conf=json.dumps(conf), memory=2**30)
    )
    yield sessions
    sessions.stop()


@pytest.fixture(scope="module")
def executors(sessions: SparkSessions) -> SparkExecutors:
    return sessions.executors()


@pytest.fixture
def world(broker: Server, executors: SparkExecutors, tmp_path: Path) -> World:
    world = new_world(broker, store(str(tmp_path / "lake")), 2)
    return replace(world, executors=executors)


def test_results_come_in_the_order_of_their_items(executors: SparkExecutors) -> None:
    assert executors.parallelism == 2
    assert executors.map(work.double, [], "none") == []
    assert executors.map(work.double, [*range(7)], "double") == [*range(0, 14, 2)]


@pytest.mark.parametrize(
    ("kind", "failure", "message"),
    [
        ("permanent", PermanentFailure, "^job, item 2 of 3: this will not do$"),
        ("user", UserError, "^job, item 2 of 3: mend this$"),
        ("program", PermanentFailure, r"^job, item 2 of 3: ValueError in .*work\.py, line \d+;"),
    ],
)
def test_what_would_happen_again_is_not_tried_again_and_names_its_item(
    executors: SparkExecutors, tmp_path: Path, kind: str, failure: type[Exception], message: str
) -> None:
    with pytest.raises(failure, match=message) as raised:
        executors.map(work.refusing(tmp_path, kind), [0, 1, 2], "job")
    assert type(raised.value) is failure
    assert "value of a row" not in str(raised.value)
    assert len(list(tmp_path.glob("1-*"))) == 1


def test_what_may_pass_is_tried_again_by_spark(executors: SparkExecutors, tmp_path: Path) -> None:
    assert executors.map(work.passing_later(tmp_path, 2), [0, 1], "job") == [2, 2]
    with pytest.raises(TransientFailure, match=r"^not yet$"):
        executors.map(work.passing_later(tmp_path, 99), [5], "job")
    assert len(list(tmp_path.glob("5-*"))) == 4


def test_too_little_memory_is_told_as_such(executors: SparkExecutors) -> None:
    with pytest.raises(PermanentFailure, match=r"^job: .*set NOVADE_MEMORY to more"):
        executors.map(work.exhausting, [1], "job")


def test_an_executor_that_is_killed_is_replaced(executors: SparkExecutors, tmp_path: Path) -> None:
    assert executors.map(work.killing(tmp_path, work.double), [1, 2, 3], "job") == [2, 4, 6]


def test_a_load_by_executors_equals_one_by_this_process_although_some_are_killed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.producing() as producer:
        for number in range(COUNT):
            value = b"{" if number % 100 == 7 else json.dumps({"count": number}).encode()
            producer.produce(world.topic.name, value, partition=number % 2, key=str(number))
    monkeypatch.setattr(loading, "ITEM_LEAST", 500)
    run = loading.run
    attempts = tmp_path / "attempts"
    attempts.mkdir()

    def dying(item: Any, ranges: Any) -> Any:
        result = run(item, ranges)
        if not work.attempts_in(attempts, ranges[0].partition):
            work.os.kill(work.os.getpid(), work.signal.SIGKILL)
        return result

    monkeypatch.setattr(loading, "run", dying)
    report = world.load()
    assert (report.work.rows, report.work.quarantined) == (COUNT - COUNT // 100, COUNT // 100)
    assert len(list(attempts.iterdir())) > 2

    monkeypatch.setattr(loading, "run", run)
    alone = replace(world, lake=store(str(tmp_path / "alone")), executors=loading.InProcess())
    alone.load()
    columns = [name for name in world.topic.table.schema.names if name != "headers"]
    assert world.rows(*columns) == alone.rows(*columns)
    assert world.quarantined("offset", "raw", "reason") == alone.quarantined(
        "offset", "raw", "reason"
    )
    assert world.load().receipt is None


def test_what_fails_in_an_executor_is_one_sentence_and_nothing_is_written(world: World) -> None:
    world.produce({"song": "a"})
    world.load()
    world.produce({"song": "b"})
    listener = world.server.addresses["SASL_PLAINTEXT"]
    wrong = Broker(listener, "default", "SASL_PLAINTEXT", "SCRAM-SHA-256", "novade", "wrong")
    before = world.version()
    with pytest.raises(UserError, match="SCRAM-SHA-256 refused them"):
        world.executors.map(_read_all(wrong, world.topic.name), [0], "read")
    assert world.version() == before


def _read_all(broker: Broker, topic: str) -> Any:
    def read(_: int) -> int:
        from novade_pipeline.streams.offsets import OffsetRange
        from novade_pipeline.streams.records import read_records

        return sum(len(records) for records in read_records(broker, topic, [OffsetRange(0, 0, 1)]))

    return read


def test_a_large_load_of_the_graph_uses_spark_and_links_its_page(
    broker: Server, executors: SparkExecutors, tmp_path: Path
) -> None:
    graph = Graph(broker, tmp_path, streams_spark_records=0)
    graph.world.produce({"song": "a"}, {"song": "b"})
    result = graph.run()
    plays = metadata(result, "plays")
    assert re.fullmatch(r"http://127.0.0.1:\d+", plays["spark_page"])
    assert plays["records_read"] == 2
    assert outcomes(result)["plays", "no_offsets_lost"] is None
    # The session was there before the run, which therefore does not end it.
    assert executors.map(work.double, [1], "still there") == [2]


def test_secrets_are_neither_in_sparks_page_nor_in_its_event_log(
    world: World, sessions: SparkSessions, event_log: Path
) -> None:
    secret = world.server.password
    world.produce({"song": "a"})
    world.load(
        broker=Broker(
            servers=world.server.addresses["SASL_PLAINTEXT"],
            protocol="SASL_PLAINTEXT",
            mechanism="SCRAM-SHA-256",
            user=world.server.user,
            password=secret,
        )
    )
    assert world.rows("song") == ["a"]
    page = sessions.web_address
    pages = ["environment/", "jobs/", "stages/", "SQL/", "SQL/execution/?id=0"]
    api = f"api/v1/applications/{sessions.session().sparkContext.applicationId}"
    pages += [f"{api}/environment", f"{api}/jobs", f"{api}/sql?details=true"]
    texts = []
    for path in pages:
        with urlopen(f"{page}/{path}", timeout=30) as answer:
            texts.append(answer.read())
    assert world.topic.table.name.encode() in b"".join(texts)
    events = b"".join(file.read_bytes() for file in event_log.rglob("*") if file.is_file())
    assert world.topic.table.name.encode() in events
    assert secret.encode() not in b"".join([*texts, events])


def test_executors_write_to_azure_and_its_key_is_not_in_the_event_log(
    world: World, azurite: Azurite, event_log: Path
) -> None:
    world = replace(world, lake=azurite.new_store("lake"))
    world.produce({"song": "a"}, b"{")
    world.produce({"song": "b"}, partition=1)
    world.load()
    assert world.rows("song") == ["a", "b"]
    assert world.quarantined("raw") == [b"{"]
    events = b"".join(file.read_bytes() for file in event_log.rglob("*") if file.is_file())
    assert world.topic.table.name.encode() in events
    assert azurite.key.encode() not in events
