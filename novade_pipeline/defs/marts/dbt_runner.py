"""Runs dbt inside this process.

A process of its own would take 4 s for each run, to start an interpreter and import dbt again.
"""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.graph.project_files import project_file
from novade_pipeline.lake.memory import duckdb_bytes
from novade_pipeline.storage.store import Store

DBT_DIR = project_file("dbt")
SLICE_ROWS = "slice_rows"
_ROW_BYTES = 600
"""Approximate memory of a row while DuckDB computes a slice; with half of it DuckDB spills."""
# Events replace dbt's own log; telemetry and version check are off.
_QUIET = (
    *("--log-level", "none", "--log-level-file", "none", "--no-print"),
    *("--no-send-anonymous-usage-stats", "--no-version-check", "--no-use-colors"),
)


@dataclass(frozen=True)
class Outcome:
    """The outcome of one node of a dbt invocation.

    Attributes:
        status: `success`, `error`, `skipped`; of tests `pass`, `warn`, `fail`, `error`, `skipped`.
        failures: number of rows that fail a test.
    """

    name: str
    status: str
    seconds: float
    message: str
    failures: int | None


def build(
    manifest: Any,
    warehouse_path: Path,
    lake: Store,
    names: Sequence[str],
    on_progress: Callable[[str], None] = lambda line: None,
    variables: Mapping[str, Any] = MappingProxyType({}),
) -> list[Outcome]:
    """Builds models and runs tests, in the order of the graph, in one dbt invocation.

    Args:
        manifest: `Project.parsed`.
        names: of models, snapshots and tests.
        variables: override those of `dbt_project.yml`.

    Raises:
        PermanentFailure: dbt itself failed, not one of its models or tests.
    """
    from novade_pipeline.defs.marts import dbt_plugin

    with (
        tempfile.TemporaryDirectory(prefix="novade-dbt-") as target,
        dbt_plugin.use_lake(lake),
    ):
        result = invoke(
            *("build", "--select", *names, "--indirect-selection", "empty"),
            "--no-write-json",
            target=target,
            warehouse_path=warehouse_path.absolute(),
            manifest=manifest,
            on_progress=on_progress,
            variables=variables,
        )
    return [
        Outcome(
            name=node.node.name,
            status=str(node.status),
            seconds=node.execution_time,
            message=node.message or "",
            failures=node.failures,
        )
        for node in result.results
    ]


def invoke(
    *args: str,
    target: str,
    warehouse_path: Path,
    manifest: Any,
    on_progress: Callable[[str], None] = lambda line: None,
    variables: Mapping[str, Any] = MappingProxyType({}),
) -> Any:
    """Runs a dbt command and returns its result.

    Raises:
        PermanentFailure: dbt itself failed, not one of its models or tests.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    from novade_pipeline.defs.marts.dbt_events import progress_callback

    rows = max(100_000, int(duckdb_bytes() // _ROW_BYTES))
    fixed = {"warehouse_path": str(warehouse_path), SLICE_ROWS: rows}
    options = (
        *("--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR)),
        *("--target-path", target, "--log-path", target),
        *("--vars", json.dumps(fixed | dict(variables))),
    )
    try:
        with progress_callback(on_progress) as callback:
            runner = dbtRunner(manifest=manifest, callbacks=[callback])
            result = runner.invoke([*args, *options, *_QUIET])
    finally:
        # dbt-duckdb would keep the file locked until the process ends.
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    if result.exception is not None:
        raise PermanentFailure(f"dbt {args[0]} failed: {result.exception}") from result.exception
    return result.result
