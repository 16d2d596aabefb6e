"""What a run of the graph says: while it is at work, and when it has ended."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import dagster as dg

from novade_pipeline.graph.job_runs import failure_reason

POLL_SECONDS = 0.2
# Dagster says so of each check of a source that is not read; the run's notes say why it is not.
_OF_CHECKS_NOT_MADE = "did not yield or return expected outputs"


@dataclass
class AssetOutcome:
    """What became of one asset.

    Attributes:
        rows: rows of the table afterwards; None where it was not materialized.
        unchanged: there was nothing to do.
        passed: checks that passed.
        warned: checks that did not pass and stop nothing.
        failed: checks that did not pass and are errors.
        seconds: that its own work took.
    """

    rows: float | None = None
    unchanged: bool = False
    passed: int = 0
    warned: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class RunOutcome:
    """What became of a run.

    Attributes:
        run_id: as the web page knows it.
        success: nothing failed.
        assets: each asset's own outcome.
        failures: sentences, one a failed step.
        notes: sentences that assets want to be read, each once: that a system is not configured.
    """

    run_id: str
    success: bool
    assets: Mapping[str, AssetOutcome]
    failures: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def unchanged(self) -> bool:
        """Every asset that was made had nothing to do."""
        made = [asset for asset in self.assets.values() if asset.rows is not None]
        return self.success and all(asset.unchanged for asset in made)


@contextmanager
def told(
    instance: dg.DagsterInstance, run_id: str, on_message: Callable[[str], None]
) -> Iterator[None]:
    """Tell what a run logs while it is at work.

    Args:
        on_message: told what happens, a line each.
    """
    ended = Event()

    def follow() -> None:
        cursor = None
        while True:
            last_look = ended.wait(POLL_SECONDS)
            records = instance.get_records_for_run(run_id, cursor=cursor)
            cursor = records.cursor
            for record in records.records:
                if message := _message(record.event_log_entry):
                    on_message(message)
            if last_look and not records.has_more:
                return

    thread = Thread(target=follow, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def outcome_of(run_id: str, result: dg.ExecuteInProcessResult) -> RunOutcome:
    """What became of a run that ended."""
    assets: dict[str, AssetOutcome] = {}
    seconds: dict[str, float] = {}
    failures = []
    notes: dict[str, None] = {}
    for event in result.all_events:
        kind = event.event_type
        if kind == dg.DagsterEventType.ASSET_MATERIALIZATION:
            made = event.step_materialization_data.materialization
            name = "/".join(made.asset_key.path)
            told = {key: value.value for key, value in made.metadata.items()}
            outcome = assets.setdefault(name, AssetOutcome())
            if "dagster/row_count" not in told:
                # One of several partitions: the newest has what is told of all.
                continue
            outcome.rows = _number(told.get("dagster/row_count"))
            outcome.unchanged = bool(told.get("unchanged"))
            seconds[name] = _number(told.get("seconds")) or 0.0
            if note := told.get("note"):
                notes[str(note)] = None
        elif kind == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            outcome = assets.setdefault("/".join(check.asset_key.path), AssetOutcome())
            if check.passed:
                outcome.passed += 1
            elif check.severity == dg.AssetCheckSeverity.WARN:
                outcome.warned.append(check.check_name)
            else:
                outcome.failed.append(check.check_name)
        elif kind == dg.DagsterEventType.STEP_FAILURE:
            failures.append(f"{event.step_key}: {failure_reason(event.step_failure_data)}")
    for name, outcome in assets.items():
        outcome.seconds = seconds.get(name, 0.0)
    failed = any(outcome.failed for outcome in assets.values())
    return RunOutcome(run_id, result.success and not failed, assets, tuple(failures), tuple(notes))


def _number(value: object) -> int | float | None:
    return value if isinstance(value, int | float) else None


def _message(entry: dg.EventLogEntry) -> str | None:
    event = entry.dagster_event
    if event is None:
        if int(entry.level) < logging.INFO or _OF_CHECKS_NOT_MADE in entry.user_message:
            return None
        return entry.user_message
    if event.event_type == dg.DagsterEventType.STEP_START:
        return f"{event.step_key}: begins"
    if event.event_type == dg.DagsterEventType.STEP_SUCCESS:
        return f"{event.step_key}: done"
    if event.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY:
        return f"{event.step_key}: is tried again"
    if event.event_type == dg.DagsterEventType.STEP_FAILURE:
        return f"{event.step_key}: failed"
    return None
