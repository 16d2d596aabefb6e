"""A domain of topics in the graph: its step, its checks, its sensor."""

import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from novade_pipeline.graph import topic_sensor as sensors
from novade_pipeline.graph.job_runs import LOAD_TAG, WORK_TAG
from novade_pipeline.graph.resources import resources
from novade_pipeline.graph.spark_sessions import SparkSessions
from novade_pipeline.graph.table_assets import key_of
from novade_pipeline.graph.topic_assets import topic_definitions
from novade_pipeline.graph.topic_loads import lag_of, loader_of
from novade_pipeline.sandbox.broker import Broker as Server
from novade_pipeline.settings import Settings, load_settings
from novade_pipeline.streams.broker import BrokerClient
from novade_pipeline.streams.load import InProcess
from novade_pipeline_tests.streams.world import PLAYS, World, new_world


class Graph:
    """The graph of a domain with one topic, and an instance that runs it."""

    def __init__(self, server: Server, folder: Path, **settings: Any) -> None:
        self.settings: Settings = load_settings(
            lake_url=str(folder / "lake"),
            dagster_home=folder / "home",
            **{"streams_brokers": server.address, **settings},
        )
        self.world: World = new_world(server, self.settings.lake, 2)
        self.parts = topic_definitions(self.settings, "radio", [self.world.topic])
        self.instance = dg.DagsterInstance.ephemeral()

    def run(self, *, succeeds: bool = True, **options: Any) -> dg.ExecuteInProcessResult:
        """Materialize the domain's assets."""
        result = dg.materialize(
            list(self.parts.assets or []),
            instance=self.instance,
            resources=resources(self.settings, {}),
            raise_on_error=False,
            **options,
        )
        assert result.success is succeeds
        return result

    def tick(self) -> Any:
        """Evaluate the sensor once."""
        [sensor] = self.parts.sensors or []
        return sensor(dg.build_sensor_context(self.instance))


@pytest.fixture
def graph(broker: Server, tmp_path: Path) -> Graph:
    return Graph(broker, tmp_path)


def outcomes(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], str | None]:
    """(table, check) -> why it failed, None if it passed."""
    return {
        (one.asset_key.path[-1], one.check_name): None if one.passed else one.description
        for one in result.get_asset_check_evaluations()
    }


def metadata(result: dg.ExecuteInProcessResult, name: str) -> dict[str, Any]:
    [event] = [
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key and event.asset_key.path[-1] == name
    ]
    return {key: entry.value for key, entry in event.metadata.items()}


def test_the_lag_in_seconds_counts_from_the_newest_record_that_is_read(graph: Graph) -> None:
    world, now = graph.world, time.time()
    for minutes in (20, 10, 30):
        world.produce({"song": "a"}, timestamp=int((now - 60 * minutes) * 1000))
        world.load()
    world.produce({"song": "b"})
    lag = lag_of(BrokerClient(world.broker), world.lake, world.topic)
    assert lag["lag_records"] == 1
    assert 600 <= lag["lag_seconds"] < 660


def test_so_many_records_as_the_setting_says_are_worth_a_spark_session(
    broker: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = Graph(broker, tmp_path, streams_spark_records=100)
    sessions = SparkSessions(graph.settings)
    started: list[int] = []
    monkeypatch.setattr(sessions, "executors", lambda: started.append(1))
    choose = loader_of(graph.settings, graph.world.lake, sessions).executors_for
    assert isinstance(choose(99), InProcess)
    assert not started
    choose(100)
    assert started == [1]


def test_a_run_loads_a_topic_and_reports_records_lag_and_quarantine(graph: Graph) -> None:
    world = graph.world
    world.produce({"song": "a"}, {"song": "b"}, b"{")
    world.produce({"song": "c"}, partition=1)

    first = graph.run()

    plays = metadata(first, "plays")
    assert (plays["dagster/row_count"], plays["records_read"]) == (3, 4)
    assert (plays["lag_records"], plays["lag_seconds"], plays["offsets_lost"]) == (0, 0, 0)
    assert "spark_page" not in plays
    checks = outcomes(first)
    reason = checks.pop(("quarantine", "nothing_in_quarantine"))
    assert reason is not None
    assert reason.startswith("1 record could not be read: expected JSON, found at character 2")
    assert set(checks.values()) == {None}
    assert {name for _, name in checks} == {
        *("columns_as_declared", "data_is_fresh", "no_offsets_lost", "lag_within_limit")
    }
    again = metadata(graph.run(), "plays")
    assert (again["unchanged"], again["records_read"]) == (True, 0)


def test_lost_offsets_fail_their_check_until_a_person_has_seen_to_it(graph: Graph) -> None:
    world = graph.world
    graph.run()
    world.produce(*({"count": number} for number in range(5)))
    world.drop_before(3)
    for _ in range(2):
        reason = outcomes(graph.run())["plays", "no_offsets_lost"]
        assert reason is not None
        assert "no longer had 3 offsets" in reason
        assert "partition 0, 0 to 2." in reason
    assert world.rows("count") == [3, 4]


def test_a_table_far_behind_fails_its_check(broker: Server, tmp_path: Path) -> None:
    graph = Graph(broker, tmp_path, streams_max_records=2, streams_max_lag_records=1)
    graph.world.produce(*({"count": number} for number in range(5)))
    result = graph.run()
    assert metadata(result, "plays")["lag_records"] == 3
    assert "3 offsets are not read yet" in str(outcomes(result)["plays", "lag_within_limit"])
    graph.run()
    assert outcomes(graph.run())["plays", "lag_within_limit"] is None


def test_without_a_broker_the_graph_is_whole_and_its_assets_are_skipped(
    broker: Server, tmp_path: Path
) -> None:
    graph = Graph(broker, tmp_path, streams_brokers=None)
    assert "is not set: no topic is read" in metadata(graph.run(), "plays")["note"]
    definitions = dg.Definitions(
        graph.parts.assets, jobs=graph.parts.jobs, resources=resources(graph.settings, {})
    )
    failed = definitions.resolve_job_def("load_radio").execute_in_process(
        instance=graph.instance, asset_selection=[key_of(PLAYS)], raise_on_error=False
    )
    [failure] = failed.get_step_failure_events()
    reason = failure.step_failure_data.user_failure_data.description
    assert reason == "NOVADE_STREAMS_BROKERS is not set: no topic is read."
    assert graph.tick().skip_message == "NOVADE_STREAMS_BROKERS is not set: no topic is read."


def test_a_missing_topic_fails_the_run_once_with_one_sentence(graph: Graph) -> None:
    topic = graph.world.topic
    admin = graph.world.server.admin()
    admin.delete_topics([topic.name])[topic.name].result()
    [failure] = graph.run(succeeds=False).get_step_failure_events()
    data = failure.step_failure_data
    assert "there is none of this name; create it" in data.user_failure_data.description


def test_the_sensor_requests_a_run_for_what_is_new_within_a_fifth_of_a_second(
    graph: Graph,
) -> None:
    graph.world.produce({"song": "a"})
    first = graph.tick()
    assert isinstance(first, dg.RunRequest)
    assert first.tags["novade/offsets"] == "1"
    graph.run()
    seconds = []
    for _ in range(5):
        started = time.monotonic()
        assert graph.tick().skip_message == "The tables have all records of their topics."
        seconds.append(time.monotonic() - started)
    assert min(seconds) < 0.2
    graph.world.produce({"song": "b"}, partition=1)
    second = graph.tick()
    assert second.tags["novade/offsets"] == "1"
    assert second.run_key != first.run_key
    # The same work is requested under the same key, which Dagster starts once.
    assert graph.tick().run_key == second.run_key


def test_a_failed_run_is_requested_again_later_each_time(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph.world.produce({"song": "b"})
    request = graph.tick()
    monkeypatch.setattr(
        "novade_pipeline.streams.load.run", lambda *_: (_ for _ in ()).throw(ValueError())
    )
    graph.run(succeeds=False, tags={LOAD_TAG: "radio", **request.tags})
    assert "1 run did not load these offsets" in graph.tick().skip_message
    monkeypatch.setattr(sensors, "wait_after", lambda *_: sensors.timedelta(0))
    assert graph.tick().run_key == f"{request.tags[WORK_TAG]}-1"
    # A run that a person started fails as well: no key of a run comes twice.
    graph.run(succeeds=False, tags={LOAD_TAG: "radio", WORK_TAG: "typed"})
    assert graph.tick().run_key == f"{request.tags[WORK_TAG]}-1"


@pytest.mark.parametrize(
    ("tries", "seconds"), [(0, 15), (1, 30), (5, 480), (10, 3600), (1000, 3600)]
)
def test_the_wait_doubles_up_to_an_hour(tries: int, seconds: float) -> None:
    assert sensors.wait_after(tries, 15).total_seconds() == seconds
