"""Automation: the job of the whole graph, updates of derived assets, nightly maintenance."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial

import dagster as dg

from novade_pipeline.defs.marts.tables import mart_tables
from novade_pipeline.defs.operations.settings import OperationsSettings
from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.graph.domains import tables
from novade_pipeline.graph.landing_queue import queue_sensors
from novade_pipeline.graph.load_jobs import load_everything
from novade_pipeline.graph.table_assets import dagster_failures, key_of
from novade_pipeline.lake.maintenance import MaintenanceReceipt, checkpoint, compact, vacuum
from novade_pipeline.lake.table import Table
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store


def definitions(settings: Settings) -> dg.Definitions:
    """Jobs, schedules and sensors, without the landing sensors."""
    keep_days = settings.of(OperationsSettings).time_travel_days
    optimize = _upkeep(settings, "optimize", compact, "Compacts the small files of every table.")
    summarize = _upkeep(
        settings,
        "checkpoint",
        partial(checkpoint, keep_days=keep_days),
        "Writes a checkpoint of every table's log, and deletes its old part.",
    )
    sweep = _upkeep(
        settings,
        "vacuum",
        partial(vacuum, keep_days=keep_days),
        f"Deletes files unused for the last {keep_days} days (NOVADE_TIME_TRAVEL_DAYS).",
    )
    return dg.Definitions(
        jobs=[
            load_everything(settings),
            *(optimize, summarize, sweep),
        ],
        schedules=[_nightly(optimize, 1), _nightly(summarize, 2), _nightly(sweep, 3)],
        sensors=[
            *queue_sensors(settings),
            dg.AutomationConditionSensorDefinition(
                "follow_sources",
                target=dg.AssetSelection.all(),
                default_status=dg.DefaultSensorStatus.RUNNING,
                # Each evaluation that differs is stored: some 50 kB a round, for every run.
                minimum_interval_seconds=60,
                description="Updates derived tables and marts after runs that load their sources "
                "alone.",
            ),
        ],
    )


def _upkeep(
    settings: Settings,
    name: str,
    work: Callable[[Store, Table], MaintenanceReceipt | None],
    description: str,
) -> dg.JobDefinition:
    """A maintenance job, table by table, with an asset observation for each.

    It uses no pool: it is safe during a load, and must not wait for one that takes days.
    """

    @dg.op(name=f"{name}_every_table", description=description)
    def every_table(context: dg.OpExecutionContext, lake: dg.ResourceParam[Store]) -> None:
        failures: list[TransientFailure | UserError] = []
        for table in (*tables().values(), *mart_tables(settings.warehouse_path)):
            try:
                upkeep = work(lake, table)
            except (TransientFailure, UserError) as failure:
                # The run fails after the remaining tables.
                context.log.warning(str(failure))
                failures.append(failure)
                continue
            if upkeep is not None:
                context.log_event(
                    dg.AssetObservation(key_of(table), metadata={"upkeep": name, **asdict(upkeep)})
                )
        if failures:
            lasting = any(isinstance(failure, UserError) for failure in failures)
            with dagster_failures():
                raise (UserError if lasting else TransientFailure)("; ".join(map(str, failures)))

    @dg.job(name=name, description=description)
    def upkeep() -> None:
        every_table()

    return upkeep


def _nightly(job: dg.JobDefinition, hour: int) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        job=job,
        description=job.description,
        cron_schedule=f"0 {hour} * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
