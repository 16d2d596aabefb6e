"""The jobs of upkeep in the graph: every table, shown where it is, and nothing made again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from novade_pipeline.definitions import build_definitions
from novade_pipeline.defs.amplitude.tables import EVENTS, FILES
from novade_pipeline.defs.marts.tables import mart_tables
from novade_pipeline.defs.operations.settings import OperationsSettings
from novade_pipeline.errors import UserError
from novade_pipeline.execution.home import dagster_instance
from novade_pipeline.execution.local_run import run_graph
from novade_pipeline.graph.domains import tables
from novade_pipeline.graph.job_runs import runs_in_progress
from novade_pipeline.lake.delta import open_table, replace, replace_window
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.sandbox import amplitude_exports
from novade_pipeline.settings import Settings, load_settings
from novade_pipeline.storage.local import LocalStore
from novade_pipeline.storage.store import Entry
from novade_pipeline_tests.worlds import settings_in

JOBS = ("optimize", "checkpoint", "vacuum")
GRAPH = "amplitude/*,tracking_plan/*,marts/*"
HOUR = datetime(2026, 3, 1, 5, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path, tmp_path / "landing")


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with dagster_instance(settings) as instance:
        yield instance


def _write_ledger(settings: Settings, hours: int) -> None:
    """A file an hour in the ledger, a commit each."""
    for hour in range(hours):
        at = HOUR + timedelta(hours=hour)
        row: dict[str, Any] = {
            field.name: _some(field.type) for field in FILES.schema if not field.nullable
        }
        row |= {"source": "events", "file": f"file {hour}", "upload_hour": at}
        replace_window(
            settings.lake,
            FILES,
            pa.Table.from_pylist([row], schema=FILES.schema),
            [Window(at, at + timedelta(hours=1))],
            where={"source": "events"},
        )


def _some(kind: pa.DataType) -> Any:
    if pa.types.is_timestamp(kind):
        return HOUR
    if pa.types.is_date(kind):
        return HOUR.date()
    return False if pa.types.is_boolean(kind) else "" if pa.types.is_string(kind) else 0


def _mart(settings: Settings) -> Table:
    return next(t for t in mart_tables(settings.warehouse_path) if t.write_mode == "replace")


def _run(
    settings: Settings, instance: dg.DagsterInstance, job: str, **resources: Any
) -> dg.ExecuteInProcessResult:
    definitions = build_definitions(settings, **resources)
    job_definition = definitions.resolve_job_def(job)
    return job_definition.execute_in_process(instance=instance, raise_on_error=False)


def _observed(instance: dg.DagsterInstance, table: Table) -> list[dict[str, Any]]:
    """What was observed of a table, in its order."""
    records = instance.fetch_observations(dg.AssetKey(list(table.path)), limit=10).records
    return [
        {name: value.value for name, value in record.asset_observation.metadata.items()}
        for record in reversed(records)
        if record.asset_observation is not None
    ]


def test_what_upkeep_did_is_shown_of_every_table_that_is_there(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    _write_ledger(settings, 3)
    mart = _mart(settings)
    replace(settings.lake, mart, pa.table([[]] * len(mart.schema), schema=mart.schema))
    for job in JOBS:
        assert _run(settings, instance, job).success, job
    optimized, checkpointed, swept = _observed(instance, FILES)
    assert [metadata["upkeep"] for metadata in (optimized, checkpointed, swept)] == [*JOBS]
    assert (optimized["files_before"], optimized["files_after"]) == (3, 1)
    assert 0 < optimized["bytes_after"] < optimized["bytes_before"]
    assert checkpointed["files_after"] == checkpointed["files_before"] + 2
    # What the compaction replaced stays for as long as it may be asked for.
    assert (swept["files_before"], swept["files_after"]) == (4, 4)
    assert swept["table_version"] == optimized["table_version"]
    assert [metadata["upkeep"] for metadata in _observed(instance, mart)] == [*JOBS]
    assert [name for name, t in tables().items() if t != FILES and _observed(instance, t)] == []
    assert open_table(settings.lake, EVENTS) is None


def test_upkeep_makes_no_run_of_the_graph_do_anything(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    for hours, select in ((2, "group:amplitude"), (4, GRAPH)):
        amplitude_exports.land(
            settings.landing.path(),
            first_hour=HOUR,
            hours=hours,
            events_per_hour=100,
            seed=1,
            faults=False,
        )
        assert run_graph(settings, select=select).success
    definitions = build_definitions(settings)
    requested = dg.evaluate_automation_conditions(definitions, instance)
    for job in JOBS:
        assert _run(settings, instance, job).success, job
    (optimized, *_) = _observed(instance, EVENTS)
    assert optimized["files_after"] < optimized["files_before"]
    again = dg.evaluate_automation_conditions(definitions, instance, cursor=requested.cursor)
    assert again.total_requested == 0
    assert run_graph(settings, select=GRAPH).unchanged


def test_a_table_that_cannot_be_kept_up_fails_the_run_after_all_others(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    class Refusing(LocalStore):
        def entries(self, prefix: str = "") -> Iterator[Entry]:
            if prefix.startswith(EVENTS.name):
                raise UserError("the lake may not be listed")
            return super().entries(prefix)

    _write_ledger(settings, 1)
    replace_window(settings.lake, EVENTS, pa.table([[]] * len(EVENTS.schema), EVENTS.schema), [])
    result = _run(settings, instance, "vacuum", lake=Refusing(settings.lake.url))
    assert not result.success
    assert [metadata["upkeep"] for metadata in _observed(instance, FILES)] == ["vacuum"]
    assert _observed(instance, EVENTS) == []
    (failure,) = (e for e in result.all_events if e.is_step_failure)
    assert "the lake may not be listed" in str(failure.step_failure_data)


def test_upkeep_in_progress_is_no_run_that_a_load_waits_for(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    job = build_definitions(settings).resolve_job_def("optimize")
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert runs_in_progress(instance) == []


def test_every_job_of_upkeep_runs_every_night(settings: Settings) -> None:
    repository = build_definitions(settings).get_repository_def()
    schedules = {s.job_name: s for s in repository.schedule_defs if s.job_name in JOBS}
    assert sorted(schedules) == sorted(JOBS)
    assert all(s.default_status == dg.DefaultScheduleStatus.RUNNING for s in schedules.values())
    hours = [int(str(schedules[job].cron_schedule).split()[1]) for job in JOBS]
    assert hours == sorted(set(hours))


def test_the_retention_is_a_setting(
    settings: Settings, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    _write_ledger(settings, 1)
    longer = load_settings(
        lake_url=settings.lake_url,
        landing_url=settings.landing_url,
        warehouse_path=settings.warehouse_path,
        time_travel_days=400,
    )
    assert longer.of(OperationsSettings).time_travel_days == 400
    assert _run(longer, instance, "vacuum").success
    job_definition = open_table(settings.lake, FILES)
    assert job_definition is not None
    retention = job_definition.metadata().configuration["delta.deletedFileRetentionDuration"]
    assert retention == "interval 400 days"
