"""The progress and the outcome of a run."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import dagster as dg

from novade_pipeline.graph.job_runs import failure_reason

POLL_SECONDS = 0.2
# Dagster logs this for each check of a skipped source; the run's notes say why it is skipped.
_MISSING_CHECKS = "did not yield or return expected outputs"


@dataclass
class AssetOutcome:
    """The outcome of one asset.

    Attributes:
        rows: of the table after the run; None if it was not materialized.
        passed: number of checks that passed.
        warned: checks that failed as warnings.
        failed: checks that failed as errors.
        seconds: duration of the asset's own work.
    """

    rows: float | None = None
    unchanged: bool = False
    passed: int = 0
    warned: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class RunOutcome:
    """The outcome of a run.

    Attributes:
        failures: one sentence for each failed step.
        notes: distinct notes of assets, for example that a system is not configured.
    """

    run_id: str
    success: bool
    assets: Mapping[str, AssetOutcome]
    failures: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def unchanged(self) -> bool:
        """Whether no materialized asset had anything to do."""
        materialized = [asset for asset in self.assets.values() if asset.rows is not None]
        return self.success and all(asset.unchanged for asset in materialized)


@contextmanager
def report_progress(
    instance: dg.DagsterInstance, run_id: str, on_message: Callable[[str], None]
) -> Iterator[None]:
    """Calls `on_message` with each line that a run logs while it is in progress."""
    ended = Event()

    def follow() -> None:
        cursor = None
        while True:
            has_ended = ended.wait(POLL_SECONDS)
            records = instance.get_records_for_run(run_id, cursor=cursor)
            cursor = records.cursor
            for record in records.records:
                if message := _message(record.event_log_entry):
                    on_message(message)
            if has_ended and not records.has_more:
                return

    thread = Thread(target=follow, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def outcome_of(run_id: str, result: dg.ExecuteInProcessResult) -> RunOutcome:
    """Collects the outcome of a run from its events."""
    assets: dict[str, AssetOutcome] = {}
    seconds: dict[str, float] = {}
    failures = []
    notes: dict[str, None] = {}
    for event in result.all_events:
        kind = event.event_type
        if kind == dg.DagsterEventType.ASSET_MATERIALIZATION:
            materialization = event.step_materialization_data.materialization
            name = "/".join(materialization.asset_key.path)
            metadata = {key: value.value for key, value in materialization.metadata.items()}
            outcome = assets.setdefault(name, AssetOutcome())
            if "dagster/row_count" not in metadata:
                # Of several partitions only the newest has the table's metadata.
                continue
            outcome.rows = _number(metadata.get("dagster/row_count"))
            outcome.unchanged = bool(metadata.get("unchanged"))
            seconds[name] = _number(metadata.get("seconds")) or 0.0
            if note := metadata.get("note"):
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
        if int(entry.level) < logging.INFO or _MISSING_CHECKS in entry.user_message:
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
