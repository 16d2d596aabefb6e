"""The sensor that deletes ticks without a result, over a real home of Dagster."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from novade_pipeline.defs.operations.sensors import tick_sensor
from novade_pipeline.execution.home import dagster_instance
from novade_pipeline.settings import load_settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ERROR = {
    "__class__": "SerializableErrorInfo",
    "message": "No answer.",
    "stack": [],
    "cls_name": None,
}


class Sensor:
    """The state of a sensor and its ticks, as the daemon stores them."""

    def __init__(self, instance: dg.DagsterInstance, name: str) -> None:
        self.instance, self.name = instance, name
        location = {"__class__": "RegisteredRepositoryLocationOrigin", "location_name": "here"}
        repository = {
            "__class__": "ExternalRepositoryOrigin",
            "repository_location_origin": location,
            "repository_name": "__repository__",
        }
        origin = {
            "__class__": "ExternalJobOrigin",
            "external_repository_origin": repository,
            "job_name": name,
        }
        self.state: Any = _deserialized(
            {
                "__class__": "InstigatorState",
                "origin": origin,
                "job_type": {"__enum__": "InstigatorType.SENSOR"},
                "status": {"__enum__": "InstigatorStatus.DECLARED_IN_CODE"},
                "job_specific_data": None,
            }
        )
        instance.add_instigator_state(self.state)

    def tick(self, status: str, age: timedelta) -> None:
        tick = {
            "__class__": "TickData",
            "job_origin_id": self.state.instigator_origin_id,
            "selector_id": self.state.selector_id,
            "job_name": self.name,
            "job_type": {"__enum__": "InstigatorType.SENSOR"},
            "status": {"__enum__": f"TickStatus.{status}"},
            "timestamp": (NOW - age).timestamp(),
            "run_ids": [],
            "run_keys": [],
            "error": ERROR if status == "FAILURE" else None,
        }
        self.instance.create_tick(_deserialized(tick))

    def ticks(self) -> list[tuple[str, timedelta]]:
        """Status and age of each, newest first."""
        ticks = self.instance.get_ticks(self.state.instigator_origin_id, self.state.selector_id)
        return [
            (tick.status.value, NOW - datetime.fromtimestamp(tick.timestamp, UTC)) for tick in ticks
        ]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dagster_instance(load_settings(dagster_home=tmp_path / "home")) as instance:
        yield instance


def _deserialized(value: Any) -> Any:
    return dg.deserialize_value(json.dumps(value))


def _purge(instance: dg.DagsterInstance, **settings: Any) -> str:
    sensor = tick_sensor(load_settings(**settings), now=lambda: NOW)
    result = sensor(dg.build_sensor_context(instance=instance))
    assert isinstance(result, dg.SkipReason)
    return str(result.skip_message)


def test_old_ticks_that_found_nothing_are_deleted_of_every_sensor(
    instance: dg.DagsterInstance,
) -> None:
    sensors = [Sensor(instance, name) for name in ("first", "second")]
    for sensor in sensors:
        for hours in (5, 4, 1):
            sensor.tick("SKIPPED", timedelta(hours=hours))
    assert _purge(instance) == "Ticks without a result are shown for 2 hours."
    for sensor in sensors:
        assert sensor.ticks() == [("SKIPPED", timedelta(hours=1))]


def test_ticks_with_a_run_or_a_failure_are_left(instance: dg.DagsterInstance) -> None:
    sensor = Sensor(instance, "first")
    for status in ("SUCCESS", "SKIPPED", "FAILURE"):
        sensor.tick(status, timedelta(hours=9))
    _purge(instance)
    assert sorted(status for status, _ in sensor.ticks()) == ["FAILURE", "SUCCESS"]


def test_the_hours_are_a_setting(instance: dg.DagsterInstance) -> None:
    sensor = Sensor(instance, "first")
    sensor.tick("SKIPPED", timedelta(hours=5))
    _purge(instance, skipped_tick_hours=6)
    assert len(sensor.ticks()) == 1
    _purge(instance, skipped_tick_hours=4.5)
    assert sensor.ticks() == []
