"""The landing sensor tick by tick, on a real instance, with failed runs and runs at work."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from novade_pipeline.graph.job_runs import (
    EVERYTHING,
    LOAD_TAG,
    PROCESS_TAG,
    WORK_TAG,
    failure_reason,
    process_tag,
)
from novade_pipeline.storage import store as storage
from novade_pipeline.storage.local import LocalStore
from novade_pipeline_tests.graph.sensor_world import FIRST, World, days_of
from novade_pipeline_tests.holding import open_client
from novade_pipeline_tests.worlds import marts_of, tables_of


def _break_the_lake(world: World) -> Path:
    """Make every run fail: a file stands where the lake's folder should be."""
    wall = Path(world.settings.lake.path())
    wall.touch()
    return wall


def test_an_empty_landing_zone_asks_for_nothing(world: World) -> None:
    assert not world.tick().run_requests


def test_what_landed_becomes_one_run_for_all_its_days(world: World) -> None:
    world.land(50)
    (request,) = world.tick().run_requests
    assert days_of(request)[0] == "2026-11-02"
    assert days_of(request)[1] == "2026-11-04"


def test_what_a_run_loaded_is_not_requested_again(world: World) -> None:
    world.land(3)
    (request,) = world.tick().run_requests
    assert world.run(request).success
    result = world.tick()
    assert not result.run_requests
    assert "all landed files" in result.skip_message


def test_what_is_old_is_not_listed_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "PAGE_ENTRIES", 4)
    for day in (0, 6):
        world.land(20, FIRST + timedelta(days=day))
    assert [file for file in _files(world) if "events/187520_2026-11-02" in file]
    (request,) = world.tick().run_requests
    assert world.run(request).success
    world.tick()
    listed: list[str] = []
    entries = LocalStore.entries

    def counted(store: LocalStore, prefix: str = "") -> Iterator[storage.Entry]:
        for entry in entries(store, prefix):
            listed.append(entry.file)
            yield entry

    monkeypatch.setattr(LocalStore, "entries", counted)
    world.land(20, FIRST + timedelta(days=7))
    (request,) = world.tick().run_requests
    assert days_of(request)[0] == "2026-11-09"
    assert world.run(request).success
    assert listed
    assert not [file for file in listed if "events/187520_2026-11-02" in file]
    result = world.tick()
    assert not result.run_requests
    assert "of the newest days; older days are polled every 6 hours" in result.skip_message


def _files(world: World) -> list[str]:
    return sorted(entry.file for entry in world.settings.landing.entries("amplitude/events/"))


def test_what_vanishes_comes_back_and_vanishes_again_is_requested_each_time(world: World) -> None:
    world.land(30)
    (request,) = world.tick().run_requests
    assert world.run(request).success
    landing = world.settings.landing
    first, second, *_ = _files(world)
    content, times = landing.read(first), Path(landing.path(first)).stat().st_mtime_ns
    for _ in range(2):
        for file in (first, second):
            landing.delete(file)
            (request,) = world.tick().run_requests
            assert world.run(request).success
            assert "all landed files" in world.tick().skip_message
            # The same version of it, put back.
            landing.write(content, file)
            os.utime(landing.path(file), ns=(times, times))
            (request,) = world.tick().run_requests
            assert world.run(request).success
            assert "all landed files" in world.tick().skip_message


def test_an_old_hour_that_is_exported_again_is_requested_at_once_in_a_small_zone(
    world: World,
) -> None:
    for day in (0, 20):
        world.land(20, FIRST + timedelta(days=day))
    (request,) = world.tick().run_requests
    assert world.run(request).success
    assert not world.tick().run_requests
    landing = world.settings.landing
    landing.write(landing.read(_files(world)[-1]), "amplitude/events/187520_2026-11-02_7#9.json.gz")
    (request,) = world.tick().run_requests
    assert days_of(request)[1] == "2026-11-02"


def test_a_new_file_is_requested_although_the_zone_was_quiet(world: World) -> None:
    world.land(3)
    (request,) = world.tick().run_requests
    world.run(request)
    world.tick()
    world.land(12)
    assert world.tick().run_requests


COMMAND = {LOAD_TAG: EVERYTHING, PROCESS_TAG: process_tag()}
OTHER_DOMAIN = {LOAD_TAG: "publications", PROCESS_TAG: process_tag()}


@dg.job
def _empty() -> None: ...


def test_nothing_is_requested_while_a_run_is_in_progress(world: World) -> None:
    world.land(3)
    world.instance.create_run_for_job(_empty, tags=COMMAND)
    assert "in progress" in world.tick().skip_message


def test_a_run_of_another_domain_delays_nothing(world: World) -> None:
    world.land(3)
    world.instance.create_run_for_job(_empty, tags=OTHER_DOMAIN)
    assert world.tick().run_requests


def test_a_success_of_another_domain_gives_no_more_attempts(world: World) -> None:
    world.land(3)
    _break_the_lake(world)
    for _ in range(world.settings.landing_max_attempts):
        (request,) = world.tick().run_requests
        assert not world.run(request).success
        assert _empty.execute_in_process(instance=world.instance, tags=OTHER_DOMAIN).success
    assert not world.tick().run_requests


def test_a_failed_run_is_requested_again_until_the_attempts_are_used_up(world: World) -> None:
    world.land(3)
    _break_the_lake(world)
    keys = []
    for _ in range(world.settings.landing_max_attempts):
        (request,) = world.tick().run_requests
        keys.append(request.run_key)
        assert not world.run(request).success
    assert len(set(keys)) == len(keys)
    result = world.tick()
    assert not result.run_requests
    (event,) = result.asset_events
    assert event.check_name == "loads_succeed"
    assert not event.passed


def test_what_was_given_up_once_is_tried_when_it_is_put_back(world: World) -> None:
    world.land(30)
    wall = _break_the_lake(world)
    for _ in range(world.settings.landing_max_attempts):
        (request,) = world.tick().run_requests
        assert not world.run(request).success
    assert not world.tick().run_requests
    wall.unlink()
    assert world.run(request, again=True).success
    landing = world.settings.landing
    contents = {e.file: landing.read(e.file) for e in landing.entries("amplitude/")}
    times = {file: Path(landing.path(file)).stat().st_mtime_ns for file in contents}
    for file in contents:
        landing.delete(file)
    (request,) = world.tick().run_requests
    assert world.run(request).success
    for file, content in contents.items():
        landing.write(content, file)
        os.utime(landing.path(file), ns=(times[file], times[file]))
    (request,) = world.tick().run_requests
    assert world.run(request).success


def test_a_new_file_is_tried_although_others_were_given_up(world: World) -> None:
    world.land(3)
    _break_the_lake(world)
    for _ in range(world.settings.landing_max_attempts):
        (request,) = world.tick().run_requests
        world.run(request)
    assert not world.tick().run_requests
    world.land(12)
    assert world.tick().run_requests


def test_a_command_that_failed_is_not_retried(world: World) -> None:
    run = world.instance.create_run_for_job(_empty, tags=COMMAND)
    world.instance.report_run_failed(run)
    assert not world.tick().run_requests


def test_what_a_crash_cut_off_after_the_load_is_requested(world: World) -> None:
    world.land(3)
    (request,) = world.tick().run_requests
    Path(world.settings.warehouse_path).mkdir()
    assert not world.run(request, marts=True).success
    Path(world.settings.warehouse_path).rmdir()
    (again,) = world.tick().run_requests
    assert again.tags[WORK_TAG].startswith("after-")
    assert world.run(again).success
    assert not world.tick().run_requests


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run waits for one second, and the sensor gives up after one failed attempt."""
    monkeypatch.setenv("NOVADE_WAREHOUSE_WAIT_MINUTES", str(1 / 60))
    monkeypatch.setenv("NOVADE_LANDING_MAX_ATTEMPTS", "1")


def test_a_warehouse_that_a_client_holds_is_no_failed_attempt(
    impatient: None, world: World
) -> None:
    world.land(3)
    path = world.settings.warehouse_path
    duckdb.connect(str(path)).close()
    (request,) = world.tick().run_requests
    with open_client(path, read_only=True) as client:
        # The second run has nothing to load, and only its own failures count.
        for _ in range(2):
            failed = world.run(request, marts=True)
            reasons = [
                failure_reason(event.step_failure_data)
                for event in failed.all_events
                if event.is_step_failure
            ]
            assert reasons
            assert all(f"held by another process (PID {client.pid}" in why for why in reasons)
            (request,) = world.tick().run_requests
    assert world.run(request, marts=True).success
    assert not world.tick().run_requests


def test_the_sensors_runs_give_what_one_load_gives(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for hours in (2, 30):
        world.land(hours)
        (request,) = world.tick().run_requests
        assert world.run(request, marts=True).success
    with dg.DagsterInstance.ephemeral() as instance:
        other = World(tmp_path_factory.mktemp("other"), instance)
        other.land(30)
        (request,) = other.tick().run_requests
        assert other.run(request, marts=True).success
    assert tables_of(world.settings) == tables_of(other.settings)
    assert marts_of(world.settings) == marts_of(other.settings)
