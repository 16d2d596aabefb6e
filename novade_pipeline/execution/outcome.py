"""The outcome of a run, from its events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg

from novade_pipeline.graph.job_runs import failure_reason


@dataclass
class AssetOutcome:
    """The outcome of one asset.

    Attributes:
        rows: of the table after the run; None if it was not materialized.
        passed: number of checks that passed.
        warned: checks that failed as warnings, each with its reason.
        failed: checks that failed as errors, each with its reason.
        seconds: duration of the asset's own work.
    """

    rows: float | None = None
    unchanged: bool = False
    passed: int = 0
    warned: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def is_changed(self) -> bool:
        """Whether the run wrote to it."""
        return self.rows is not None and not self.unchanged


@dataclass(frozen=True)
class RunOutcome:
    """The outcome of a run.

    Attributes:
        failures: one sentence for each failed step.
        notes: note -> the assets that have it, for example that a system is not configured.
    """

    run_id: str
    success: bool
    assets: Mapping[str, AssetOutcome]
    failures: tuple[str, ...]
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def unchanged(self) -> bool:
        """Whether no materialized asset had anything to do."""
        return self.success and not any(asset.is_changed for asset in self.assets.values())


def outcome_of(run_id: str, result: dg.ExecuteInProcessResult) -> RunOutcome:
    """Collects the outcome of a run from its events."""
    assets: dict[str, AssetOutcome] = {}
    seconds: dict[str, float] = {}
    failures = []
    notes: dict[str, list[str]] = {}
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
                notes.setdefault(str(note), []).append(name)
        elif kind == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            outcome = assets.setdefault("/".join(check.asset_key.path), AssetOutcome())
            is_warning = check.severity == dg.AssetCheckSeverity.WARN
            if check.passed:
                outcome.passed += 1
            else:
                checks = outcome.warned if is_warning else outcome.failed
                checks[check.check_name] = check.description or "It did not pass."
        elif kind == dg.DagsterEventType.STEP_FAILURE:
            failures.append(f"{event.step_key}: {failure_reason(event.step_failure_data)}")
    for name, outcome in assets.items():
        outcome.seconds = seconds.get(name, 0.0)
    failed = any(outcome.failed for outcome in assets.values())
    return RunOutcome(run_id, result.success and not failed, assets, tuple(failures), notes)


def _number(value: object) -> int | float | None:
    return value if isinstance(value, int | float) else None
