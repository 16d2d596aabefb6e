"""Runs the graph in this process, through Dagster, so that the web page shows the run."""

import re
import uuid
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from typing import Any

import dagster as dg

from novade_pipeline.definitions import build_definitions
from novade_pipeline.errors import UserError
from novade_pipeline.execution.home import dagster_instance, only_command
from novade_pipeline.execution.interrupts import no_interruption_is_lost
from novade_pipeline.execution.outcome import RunOutcome, outcome_of
from novade_pipeline.execution.progress import DomainProgress, report_progress
from novade_pipeline.execution.run_origin import from_code_location
from novade_pipeline.graph.access import lake_probes, landing_probes, require
from novade_pipeline.graph.domains import landing_sources
from novade_pipeline.graph.job_runs import (
    JOB,
    LOADED,
    PROCESS_TAG,
    WORK_TAG,
    process_tag,
    range_tags,
    runs_in_progress,
    work_key,
)
from novade_pipeline.graph.landing_assets import LandingConfig, find_all_pending
from novade_pipeline.graph.table_assets import key_of
from novade_pipeline.graph.upload_days import (
    landed_tables,
    missing_days,
    record_landed_days,
    upload_days,
)
from novade_pipeline.lake.query import DatabaseHeldError, open_database
from novade_pipeline.lake.windows import Window, day_of
from novade_pipeline.landing.ledger import LoadPlan
from novade_pipeline.landing.source import Source
from novade_pipeline.settings import Settings

_NAME = re.compile(r"[\w-]+/([\w-]+|\*)")


def parse_window(text: str, history_start: date, now: datetime | None = None) -> Window:
    """`START..END`, days or hours, both included: `2018-11-01..2018-11-30`, `2018-11-05T09..…`.

    Raises:
        UserError: it is not of that form, ends before it starts, or lies outside the history.
    """
    now = now or datetime.now(UTC)
    start_text, dots, end_text = text.partition("..")
    try:
        if not dots:
            raise ValueError
        start, _ = _moment(start_text)
        end_start, unit = _moment(end_text)
    except ValueError:
        raise UserError(
            f"--window: expected START..END as 2018-11-01..2018-11-30 or "
            f"2018-11-05T09..2018-11-05T12, found {text!r}."
        ) from None
    if start > end_start:
        raise UserError(f"--window: expected START before END, found {text}.")
    if start > now:
        raise UserError(f"--window: expected a START in the past, found {start_text}.")
    if end_start.date() < history_start:
        raise UserError(
            f"--window: expected days from {history_start} on (NOVADE_HISTORY_START), found {text}."
        )
    first, tomorrow = (
        datetime.combine(day, time(), UTC)
        for day in (history_start, now.date() + timedelta(days=1))
    )
    return Window(max(start, first), min(end_start, tomorrow) + unit)


def check_storage(settings: Settings, *, needs_landing: bool = True) -> None:
    """Checks landing zone, lake and warehouse before a run.

    Raises:
        UserError: landing cannot be read, or the lake or the warehouse cannot be written.
        TransientFailure: storage does not answer.
    """
    if needs_landing:
        require(*landing_probes(settings.landing))
    require(*lake_probes(settings.lake))
    try:
        open_database(settings.warehouse_path).close()
    except DatabaseHeldError:
        # The marts wait for it, after all else has been loaded.
        return
    except OSError as error:
        raise UserError(
            f"Warehouse: expected to write {settings.warehouse_path}, found: "
            f"{error.strerror or error}; set NOVADE_WAREHOUSE_PATH."
        ) from None


def require_no_run_in_progress(instance: dg.DagsterInstance) -> None:
    """Raises a UserError if a run is in progress on the same lake."""
    if alive := runs_in_progress(instance):
        raise UserError(
            f"Run {alive[0].run_id} is in progress on the same lake; wait for it, or end it in the "
            "web page."
        )


def run_graph(
    settings: Settings,
    *,
    job_name: str = JOB,
    select: str | None = None,
    window: Window | None = None,
    config: LandingConfig | None = None,
    full_refresh: bool = False,
    again: bool = False,
    on_message: Callable[[str], None] = lambda _: None,
    on_domain: Callable[[DomainProgress], None] = lambda _: None,
) -> RunOutcome:
    """Loads pending files and data of APIs, and updates the derived tables.

    Args:
        job_name: the job of assets to run.
        select: some of its assets, in Dagster's selection syntax or as names between commas.
        window: loads only these hours.
        config: which files a load reads.
        full_refresh: rebuilds the marts.
        again: fetches history that was fetched before.
        on_message: called with each line that the run logs.
        on_domain: called with the progress of a domain.

    Raises:
        UserError: the run cannot start until the user has fixed something.
        TransientFailure: storage does not answer.
        KeyboardInterrupt: the run was interrupted; the next one continues it.
    """
    definitions, partitions = build_definitions(settings), upload_days(settings)
    job = definitions.resolve_job_def(job_name)
    keys = _selected(definitions, select)
    if keys is None and job_name != JOB:
        keys = sorted(job.asset_layer.executable_asset_keys)
    landed = [
        sources for sources in landing_sources() if keys is None or _keys(sources) & set(keys)
    ]
    check_storage(settings, needs_landing=bool(landed))
    config = _with_hours(config or LandingConfig(), window)
    with only_command(settings), dagster_instance(settings) as instance:
        require_no_run_in_progress(instance)
        plans: dict[str, LoadPlan] = {}
        for sources in landed:
            plans |= find_all_pending(settings, sources, config, window)
            record_landed_days(settings, sources, plans)
        days = [day for plan in plans.values() for day in plan.days]
        tables = [table for sources in landed for table in landed_tables(sources)]
        missing = missing_days(instance, settings, tables)
        if window is not None:
            missing = {day for day in missing if _contains(window, day)}
            days = days or _days_of(window, settings, landed=bool(landed))
        if upload_days(settings) != partitions:
            definitions = build_definitions(settings)
            job = definitions.resolve_job_def(job_name)
        run_id = str(uuid.uuid4())
        with report_progress(instance, run_id, on_message, on_domain), no_interruption_is_lost():
            result = job.execute_in_process(
                instance=from_code_location(instance, job_name),
                run_id=run_id,
                asset_selection=keys,
                tags={
                    PROCESS_TAG: process_tag(),
                    WORK_TAG: work_key(plans),
                    **range_tags(days, missing),
                },
                run_config=_run_config(
                    definitions,
                    keys or set(job.asset_layer.executable_asset_keys),
                    config.model_dump() | {"full_refresh": full_refresh, "again": again},
                ),
                raise_on_error=False,
            )
        if any(_is_interruption(event) for event in result.all_events):
            raise KeyboardInterrupt
        return outcome_of(run_id, result)


def _keys(sources: Sequence[Source]) -> set[dg.AssetKey]:
    """The assets that are loaded from a domain's landed files."""
    return {key_of(table) for table in landed_tables(sources)}


def _days_of(window: Window, settings: Settings, *, landed: bool) -> list[date]:
    """The days of a run that has nothing to load of a window: one of landed files, else all."""
    first = max(day_of(window.start), settings.history_start)
    return [first] if landed else [first, day_of(window.end - timedelta(microseconds=1))]


def _contains(window: Window, day: date) -> bool:
    """Whether the whole day is in the window."""
    begin = datetime.combine(day, time(), UTC)
    return window.start <= begin and begin + timedelta(days=1) <= window.end


def _is_interruption(event: dg.DagsterEvent) -> bool:
    error = event.step_failure_data.error if event.is_step_failure else None
    return error is not None and error.cls_name == dg.DagsterExecutionInterruptedError.__name__


def _moment(text: str) -> tuple[datetime, timedelta]:
    hourly = "T" in text
    moment = datetime.strptime(text.strip(), "%Y-%m-%dT%H" if hourly else "%Y-%m-%d")
    return moment.replace(tzinfo=UTC), timedelta(hours=1) if hourly else timedelta(days=1)


def _selected(definitions: dg.Definitions, select: str | None) -> list[dg.AssetKey] | None:
    """The selected assets; None for all."""
    if not select:
        return None
    names = [name.strip() for name in select.split(",")]
    text = select
    if all(_NAME.fullmatch(name) for name in names):
        text = " or ".join(f'key:"{name}"' for name in names)
    graph = definitions.resolve_asset_graph()
    try:
        with warnings.catch_warnings():
            # About a parameter that Dagster itself sets.
            warnings.simplefilter("ignore", dg.BetaWarning)
            selected = dg.AssetSelection.from_string(text) & LOADED
            # A step without subsets makes all of its tables.
            keys = selected.required_multi_asset_neighbors().resolve(graph)
    except (dg.DagsterError, ValueError) as error:
        raise UserError(
            f"--select: expected asset names between commas or Dagster's selection syntax, found "
            f"{select!r} ({str(error).splitlines()[0]})."
        ) from None
    if not keys:
        names = sorted(key.to_user_string() for key in LOADED.resolve(graph))
        similar = get_close_matches(select, names, n=3)
        hint = f"did you mean {' or '.join(similar)}?" if similar else ", ".join(names)
        raise UserError(f"--select: expected assets, found none named {select!r}: {hint}")
    return sorted(keys)


def _with_hours(config: LandingConfig, window: Window | None) -> LandingConfig:
    if window is None:
        return config
    first, end = (f"{moment:%Y-%m-%dT%H:%M}" for moment in (window.start, window.end))
    return config.model_copy(update={"first_hour": first, "end_hour": end})


def _run_config(
    definitions: dg.Definitions,
    keys: Collection[dg.AssetKey],
    values: Mapping[str, Any],
) -> dict[str, Any]:
    """The config of each op of the run that accepts some of these values."""
    ops = {}
    for assets in definitions.assets or ():
        if isinstance(assets, dg.AssetsDefinition) and not assets.keys.isdisjoint(keys):
            accepted = getattr(assets.op.config_schema.config_type, "fields", {})
            if config := {name: value for name, value in values.items() if name in accepted}:
                ops[assets.op.name] = {"config": config}
    quiet = {"console": {"config": {"log_level": "CRITICAL"}}}
    return {"ops": ops, "loggers": quiet}
