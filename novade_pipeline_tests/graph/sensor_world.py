"""A landing zone, the graph over it, and a real instance, for the sensors tick by tick."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from novade_pipeline.definitions import build_definitions
from novade_pipeline.defs.amplitude.tables import FILES
from novade_pipeline.graph.job_runs import RANGE_END_TAG, RANGE_START_TAG
from novade_pipeline.graph.table_assets import key_of
from novade_pipeline.sandbox import amplitude_exports
from novade_pipeline.settings import Settings
from novade_pipeline_tests.worlds import MARTS, TABLES, settings_in

FIRST = datetime(2026, 11, 2, tzinfo=UTC)


def days_of(request: dg.RunRequest) -> tuple[str, str]:
    """The first and the last day that a requested run loads, partitions or not."""
    configs = [op["config"] for op in request.run_config["ops"].values()]
    for config in configs:
        if days := config.get("days"):
            first, last = days.split("..")
            return first, last
    return request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]


class Sensors:
    """The sensors of a graph, evaluated one after the other with one cursor."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    cursor: str | None = None

    def tick(self, name: str = "amplitude_landing") -> Any:
        """A skip reason or run requests."""
        sensor = self.definitions.get_sensor_def(name)
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, definitions=self.definitions
        )
        result = sensor.evaluate_tick(context)
        self.cursor = result.cursor
        return result


class World(Sensors):
    """A landing zone, the graph over it, and an instance."""

    def __init__(self, root: Path, instance: dg.DagsterInstance) -> None:
        self.settings: Settings = settings_in(root, root / "landing")
        self.definitions = build_definitions(self.settings)
        self.instance = instance
        self.run_keys: set[str | None] = set()

    def land(self, hours: int, first_hour: datetime = FIRST) -> None:
        amplitude_exports.land(
            self.settings.landing.path(),
            first_hour=first_hour,
            hours=hours,
            events_per_hour=10,
            faults=False,
        )

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
        job = self.definitions.resolve_job_def(request.job_name)
        keys = {key_of(table) for table in (*TABLES, FILES)}
        keys |= {dg.AssetKey(["marts", mart]) for mart in MARTS if marts}
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=sorted(keys & job.asset_layer.executable_asset_keys),
            tags=dict(request.tags),
            run_config=run_config or request.run_config,
            raise_on_error=False,
        )
