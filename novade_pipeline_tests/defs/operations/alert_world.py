"""A small graph that fails as it is told to, and the sensor that tells of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from novade_pipeline.defs.operations.alerts import Memory
from novade_pipeline.defs.operations.sensors import alert_sensor
from novade_pipeline.settings import load_settings

FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=24))
ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


class World:
    """A small graph that fails as it is told to, its instance, and the sensor over it."""

    def __init__(self, root: Path, instance: dg.DagsterInstance, webhook: str, **more: Any) -> None:
        self.root, self.instance, self.cursor = root, instance, None
        self.errors: dict[str, Exception] = {}
        self.not_passing: dict[str, dg.AssetCheckSeverity] = {}
        self.passed_hours = 0.0
        self.skip_message = ""
        self.webhook = webhook
        self.definitions = self._graph()
        self.set(**more)

    def set(self, **settings: Any) -> None:
        self.settings = load_settings(
            lake_url=str(self.root / "lake"), alert_webhook=self.webhook, **settings
        )
        self.sensor = alert_sensor(self.settings, now=self.now)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(hours=self.passed_hours)

    def _graph(self) -> dg.Definitions:
        def result(name: str) -> dg.AssetCheckResult:
            severity = self.not_passing.get(name)
            return dg.AssetCheckResult(
                passed=severity is None,
                check_name=name,
                severity=severity or ERROR,
                metadata={"rows": 1200, "shown": "jane@example.com"},
            )

        @dg.asset(
            freshness_policy=FRESH,
            check_specs=[
                dg.AssetCheckSpec("is_whole", asset="orders", description="Every order is there."),
                dg.AssetCheckSpec("is_blocking", asset="orders", blocking=True),
            ],
        )
        def orders() -> Iterator[Any]:
            if "orders" in self.errors:
                raise self.errors["orders"]
            yield dg.MaterializeResult()
            yield result("is_whole")
            yield result("is_blocking")

        @dg.asset(deps=[orders], freshness_policy=FRESH)
        def revenue() -> None:
            if "revenue" in self.errors:
                raise self.errors["revenue"]

        @dg.op
        def tidy(context: dg.OpExecutionContext) -> None:
            if context.job_name in self.errors:
                raise self.errors[context.job_name]

        @dg.job
        def maintenance() -> None:
            tidy()

        @dg.job
        def clearance() -> None:
            tidy()

        return dg.Definitions(
            assets=[orders, revenue],
            jobs=[
                maintenance,
                clearance,
                dg.define_asset_job("load", selection=dg.AssetSelection.all()),
            ],
            executor=dg.in_process_executor,
        )

    def run(self, job: str = "load", **more: Any) -> str:
        done = self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, raise_on_error=False, **more
        )
        return done.run_id

    def tick(self) -> None:
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            repository_def=self.definitions.get_repository_def(),
        )
        result = self.sensor.evaluate_tick(context)
        assert not result.run_requests
        self.cursor, self.skip_message = result.cursor, result.skip_message or ""

    @property
    def memory(self) -> Memory:
        return Memory.from_json(self.cursor)


def failing_with(sentence: str) -> dg.Failure:
    return dg.Failure(description=sentence, allow_retries=False)
