"""The landing sensor tick by tick, on a real instance, with failed runs and runs at work."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from novade_pipeline.definitions import build_definitions
from novade_pipeline.defs.amplitude.tables import FILES
from novade_pipeline.defs.tracking_plan.assets import PLAN_CHECK, RULES_CHECK
from novade_pipeline.graph.job_runs import JOB, PROCESS_TAG, WORK_TAG, process_tag
from novade_pipeline.graph.table_assets import key_of
from novade_pipeline.sandbox import amplitude_exports
from novade_pipeline.settings import Settings
from novade_pipeline.storage import store as storage
from novade_pipeline.storage.local import LocalStore
from novade_pipeline_tests.worlds import MARTS, TABLES, marts_of, settings_in, tables_of

FIRST = datetime(2026, 11, 2, tzinfo=UTC)


class World:
    """A landing zone, the graph over it, and an instance."""

    def __init__(self, root: Path, instance: dg.DagsterInstance) -> None:
        self.settings: Settings = settings_in(root, root / "landing")
        self.definitions = build_definitions(self.settings)
        self.instance = instance
        self.cursor: str | None = None
        self.run_keys: set[str | None] = set()

    def land(self, hours: int, first_hour: datetime = FIRST) -> None:
        amplitude_exports.land(
            self.settings.landing.path(),
            first_hour=first_hour,
            hours=hours,
            events_per_hour=10,
            faults=False,
        )

    def tick(self, name: str = "amplitude_landing") -> Any:
        """What the sensor says: a SkipReason, or run requests."""
        sensor = self.definitions.get_sensor_def(name)
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, definitions=self.definitions
        )
        result = sensor.evaluate_tick(context)
        self.cursor = result.cursor
        return result

    def run(
        self,
        request: dg.RunRequest,
        run_config: Any = None,
        *,
        marts: bool = False,
        again: bool = False,
    ) -> dg.ExecuteInProcessResult:
        """What is asked for, as far as it lands or is made of that at once; or its marts too.

        Args:
            again: a person begins it, and not Dagster's daemon, which passes over a request whose
                key a run has already.
        """
        assert again or request.run_key not in self.run_keys
        self.run_keys.add(request.run_key)
        job = self.definitions.resolve_job_def(JOB)
        keys = [key_of(table) for table in (*TABLES, FILES)]
        keys += [dg.AssetKey(["marts", mart]) for mart in MARTS if marts]
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=keys,
            tags=dict(request.tags),
            run_config=run_config or request.run_config,
            raise_on_error=False,
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield World(tmp_path, instance)


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
    assert request.tags["dagster/asset_partition_range_start"] == "2026-11-02"
    assert request.tags["dagster/asset_partition_range_end"] == "2026-11-04"


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
    assert request.tags["dagster/asset_partition_range_start"] == "2026-11-09"
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
    assert request.tags["dagster/asset_partition_range_end"] == "2026-11-02"


def test_a_new_file_is_requested_although_the_zone_was_quiet(world: World) -> None:
    world.land(3)
    (request,) = world.tick().run_requests
    world.run(request)
    world.tick()
    world.land(12)
    assert world.tick().run_requests


@dg.job(name=JOB)
def _command() -> None: ...


def test_nothing_is_requested_while_a_run_is_in_progress(world: World) -> None:
    world.land(3)
    world.instance.create_run_for_job(_command, tags={PROCESS_TAG: process_tag()})
    assert "in progress" in world.tick().skip_message


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
    run = world.instance.create_run_for_job(_command, tags={PROCESS_TAG: process_tag()})
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


def test_a_new_plan_becomes_a_run(world: World) -> None:
    world.land(3)
    (request,) = world.tick("tracking_plan_landing").run_requests
    assert world.run(request).success
    world.cursor = None
    assert "newest landed plan" in world.tick("tracking_plan_landing").skip_message


def test_a_plan_that_is_the_newest_again_is_taken_in_again(world: World) -> None:
    world.land(3)
    landing = world.settings.landing
    (first,) = (entry.file for entry in landing.entries("tracking_plan/"))
    for _ in range(2):
        (request,) = world.tick("tracking_plan_landing").run_requests
        assert world.run(request).success
        assert not world.tick("tracking_plan_landing").run_requests
        landing.write(_with_fewer_rules(landing.read(first)), "tracking_plan/later.json")
        (request,) = world.tick("tracking_plan_landing").run_requests
        assert world.run(request).success
        assert not world.tick("tracking_plan_landing").run_requests
        landing.delete("tracking_plan/later.json")


def test_a_plan_with_a_refused_rule_is_taken_in_once_and_reported(world: World) -> None:
    world.land(3)
    landing = world.settings.landing
    (first,) = (entry.file for entry in landing.entries("tracking_plan/"))
    document = json.loads(landing.read(first))
    document["rules"][0]["jsonSchema"] = {"$ref": "elsewhere.json"}
    landing.write(json.dumps(document).encode(), "tracking_plan/later.json")
    (request,) = world.tick("tracking_plan_landing").run_requests
    result = world.run(request)
    assert result.success
    checks = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert checks[PLAN_CHECK].passed
    assert not checks[RULES_CHECK].passed
    assert checks[RULES_CHECK].severity == dg.AssetCheckSeverity.WARN
    event = document["rules"][0]["key"]
    assert f'rule for "{event}": expected every $ref' in str(
        checks[RULES_CHECK].metadata["why"].value
    )
    assert not world.tick("tracking_plan_landing").run_requests


def _with_fewer_rules(plan: bytes) -> bytes:
    document = json.loads(plan)
    document["rules"] = document["rules"][:1]
    return json.dumps(document).encode()


def test_an_invalid_plan_is_reported_and_the_previous_plan_applies(world: World) -> None:
    world.land(3)
    (request,) = world.tick().run_requests
    assert world.run(request, marts=True).success
    plan = tables_of(world.settings)["tracking_plan/plan"]
    world.settings.landing.write(b"{}", "tracking_plan/later.json")
    world.cursor = None
    (request,) = world.tick("tracking_plan_landing").run_requests
    result = world.run(request, marts=True)
    assert result.success
    (check,) = (one for one in result.get_asset_check_evaluations() if one.check_name == PLAN_CHECK)
    assert not check.passed
    assert "later.json: expected a tracking plan" in str(check.metadata["why"].value)
    assert tables_of(world.settings)["tracking_plan/plan"] == plan
    # A new export is in the marts all the same.
    world.land(30)
    world.cursor = None
    (request,) = world.tick().run_requests
    before = len(marts_of(world.settings)["event_enhanced"])
    assert world.run(request, marts=True).success
    assert len(marts_of(world.settings)["event_enhanced"]) > before


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
