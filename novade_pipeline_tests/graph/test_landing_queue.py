"""The queue's sensor tick by tick: real messages, a real queue, real runs."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from novade_pipeline.definitions import build_definitions
from novade_pipeline.defs.amplitude.tables import EVENTS
from novade_pipeline.graph.landing_queue import RUN_KEY_TAG
from novade_pipeline.lake.read import read
from novade_pipeline.sandbox import amplitude_exports
from novade_pipeline.settings import load_settings
from novade_pipeline_tests.azurite import Azurite
from novade_pipeline_tests.event_grid import Queues
from novade_pipeline_tests.graph.sensor_world import Sensors, days_of

FIRST = datetime(2026, 11, 2, 12, tzinfo=UTC)
LANDED = {
    dg.AssetKey(["amplitude", "events"]),
    dg.AssetKey(["amplitude", "merged_ids"]),
    dg.AssetKey(["publications", "drugs"]),
}


class World(Sensors):
    """A landing zone on Azurite, its queue, the graph and an instance."""

    def __init__(self, root: Path, server: Azurite, instance: dg.DagsterInstance) -> None:
        landing = server.new_store("landing")
        self.queues = Queues(server, landing)
        self.settings = load_settings(
            lake_url=str(root / "lake"),
            landing_url=landing.url,
            azure_account_key=server.key,
            azure_endpoint=server.blob_url,
            landing_discovery="queue",
            landing_queue_url=self.queues.url,
            warehouse_path=root / "warehouse.duckdb",
            dagster_home=root / "dagster",
        )
        self.definitions = build_definitions(self.settings)
        self.instance = instance

    def land(self, hours: int) -> list[str]:
        """Land hours, and tell of each file that is new."""
        before = {entry.file for entry in self.settings.landing.entries("amplitude/")}
        amplitude_exports.land(
            self.settings.landing, first_hour=FIRST, hours=hours, events_per_hour=60, faults=False
        )
        now = {entry.file for entry in self.settings.landing.entries("amplitude/")}
        self.queues.notify(*sorted(now - before))
        return sorted(now - before)

    def run(self, request: dg.RunRequest) -> bool:
        """Run what was asked for, of it what the queue is about."""
        job = self.definitions.resolve_job_def(request.job_name)
        done = job.execute_in_process(
            instance=self.instance,
            tags={**request.tags, RUN_KEY_TAG: str(request.run_key)},
            run_config=request.run_config,
            asset_selection=sorted(LANDED & job.asset_layer.executable_asset_keys),
            raise_on_error=False,
        )
        return done.success

    def files(self) -> set[str]:
        """The files whose rows the lake holds."""
        return set(read(self.settings.lake, EVENTS, columns=["file"])["file"].to_pylist())


@pytest.fixture
def world(tmp_path: Path, azurite: Azurite) -> Iterator[World]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield World(tmp_path, azurite, instance)


def test_notices_are_deleted_only_after_their_run_has_succeeded(world: World) -> None:
    landed = world.land(3)
    (request,) = world.tick("landing_queue").run_requests
    assert days_of(request)[0] == "2026-11-02"
    assert world.queues.message_count() == len(landed)
    assert world.run(request)
    assert world.queues.message_count() == len(landed)
    assert not world.tick("landing_queue").run_requests
    assert world.queues.message_count() == 0
    assert world.files() == {file for file in landed if "/events/" in file}


def test_a_failed_run_lets_its_notices_come_again(world: World) -> None:
    landed = world.land(2)
    (request,) = world.tick("landing_queue").run_requests
    wall = Path(world.settings.lake.path())
    wall.touch()
    assert not world.run(request)
    wall.unlink()
    (again,) = world.tick("landing_queue").run_requests
    assert again.run_key != request.run_key
    assert world.queues.message_count() == len(landed)
    assert world.run(again)
    world.tick("landing_queue")
    assert world.queues.message_count() == 0
    assert world.queues.poison_messages() == []


def test_files_that_keep_failing_go_to_the_poison_queue_and_fail_a_check(world: World) -> None:
    (file, *rest) = world.land(1)
    wall = Path(world.settings.lake.path())
    wall.touch()
    for _ in range(world.settings.landing_max_attempts):
        (request,) = world.tick("landing_queue").run_requests
        assert not world.run(request)
    result = world.tick("landing_queue")
    assert not result.run_requests
    assert {event.check_name for event in result.asset_events} == {"loads_succeed"}
    assert len(world.queues.poison_messages()) == 1 + len(rest)
    assert f"3 runs for {file} failed" in world.queues.poison_messages()[0]["reason"]
    assert world.queues.message_count() == 0


def test_a_run_that_never_began_lets_its_notices_come_again(world: World) -> None:
    world.land(1)
    (request,) = world.tick("landing_queue").run_requests
    (again,) = world.tick("landing_queue").run_requests
    assert again.run_key != request.run_key


def test_files_of_two_domains_become_two_runs_with_notices_of_their_own(world: World) -> None:
    landed = world.land(1)
    world.settings.landing.write(b"atccode,drug\nA04AD,DIPHENHYDRAMINE\n", "publications/drugs.csv")
    world.queues.notify("publications/drugs.csv")
    requests = {request.job_name: request for request in world.tick("landing_queue").run_requests}
    assert set(requests) == {"load_amplitude", "load_publications"}
    assert world.run(requests["load_publications"])
    (again,) = world.tick("landing_queue").run_requests
    assert again.job_name == "load_amplitude"
    assert world.queues.message_count() == len(landed)
    assert world.run(again)
    world.tick("landing_queue")
    assert world.queues.message_count() == 0


def test_what_the_lake_holds_already_is_deleted_without_a_run(world: World) -> None:
    landed = world.land(2)
    (request,) = world.tick("landing_queue").run_requests
    assert world.run(request)
    world.tick("landing_queue")
    world.queues.notify(*landed, "elsewhere/file", "amplitude/events/gone_2026-11-02_1#0.json.gz")
    assert "has all" in world.tick("landing_queue").skip_message
    assert world.queues.message_count() == 0


def test_an_unreadable_notice_is_poison_and_stops_nothing(world: World) -> None:
    world.queues.send("hello")
    world.land(1)
    assert world.tick("landing_queue").run_requests
    ((reason,),) = [[one["reason"] for one in world.queues.poison_messages()]]
    assert "expected an Event Grid event" in reason


def test_a_new_file_of_an_old_day_is_found_without_listing_the_others(world: World) -> None:
    world.land(30)
    (request,) = world.tick("landing_queue").run_requests
    assert world.run(request)
    world.tick("landing_queue")
    (file, *_) = sorted(world.files())
    content = world.settings.landing.read(file)
    world.settings.landing.write(content, file.replace("#0", "#1"))
    world.queues.notify(file.replace("#0", "#1"))
    (request,) = world.tick("landing_queue").run_requests
    assert days_of(request)[1] == "2026-11-02"
    assert request.run_config["ops"]["amplitude_landing"]["config"]["stems"] == [
        file.partition("2026")[0]
    ]
    assert world.run(request)


def test_the_domains_own_sensor_finds_what_the_queue_lost(world: World) -> None:
    world.land(1)
    world.queues.queue.clear_messages()
    assert not world.tick("landing_queue").run_requests
    world.cursor = None
    assert world.tick("amplitude_landing").run_requests


def test_without_a_queue_there_is_no_such_sensor(tmp_path: Path) -> None:
    local = load_settings(lake_url=str(tmp_path), landing_url=str(tmp_path))
    names = {sensor.name for sensor in build_definitions(local).sensors or ()}
    assert "landing_queue" not in names
