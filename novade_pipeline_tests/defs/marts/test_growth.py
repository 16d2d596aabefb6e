"""A refresh reads what is new: ten times the history, and no more rows of it are scanned."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from novade_pipeline.defs.amplitude.repeats import find_repeats
from novade_pipeline.defs.amplitude.tables import EVENTS
from novade_pipeline.defs.marts.project import Project
from novade_pipeline.defs.marts.refresh import refresh
from novade_pipeline.defs.tracking_plan.verdicts import judge_changes
from novade_pipeline.lake.delta import replace_window
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage import Store, store

FIRST_DAY = datetime(2025, 1, 6, tzinfo=UTC)
EVENTS_A_DAY = 48_000
PEOPLE = 500
EVENT_MODELS = ("event_enhanced", "coverage_by_day", "sessions", "user_days")


def _land(lake: Store, hours: range) -> None:
    """Events of some hours, evenly; each person has a session an hour."""
    start, end = (FIRST_DAY + timedelta(hours=hour) for hour in (hours.start, hours.stop))
    columns = {
        "uuid": "uuid()::varchar",
        "event_type": "['Home', 'Song', 'Logout'][1 + n % 3]",
        "event_time": "hour + n % 3600 * interval 1 second",
        "amplitude_id": f"n % {PEOPLE} + 1",
        "session_id": "epoch_ms(hour)",
        "event_properties": """'{"level":"free"}'""",
        "platform": "'Web'",
        "upload_date": "cast(hour as date)",
        "upload_hour": "hour",
        "file": "'a'",
        "line": "n + 1",
    }
    selected = ", ".join(
        f"cast({columns.get(c.name, 'null')} as {_type(c.name)}) as {c.name}"
        for c in EVENTS.columns
    )
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        rows = connection.execute(
            f"select {selected} from range($1::timestamptz, $2::timestamptz, interval 1 hour)"
            f" as hours(hour), range({EVENTS_A_DAY // 24}) as numbers(n)",
            [start, end],
        ).to_arrow_reader()
        replace_window(lake, EVENTS, rows, [Window(start, end)])


def _type(column: str) -> str:
    from novade_pipeline.lake.query import sql_type

    return sql_type(EVENTS.schema.field(column).type)


@contextmanager
def _scans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Table or file -> rows that the queries of dbt scan meanwhile."""
    from dbt.adapters.duckdb.environments import DuckDBCursorWrapper

    scanned: Counter[str] = Counter()
    execute = DuckDBCursorWrapper.execute

    def profiled(self: Any, sql: str, *args: Any) -> Any:
        self._cursor.execute("pragma enable_profiling = 'no_output'")
        result = execute(self, sql, *args)
        _count(json.loads(self._cursor.get_profiling_information()), scanned)
        return result

    with monkeypatch.context() as patched:
        patched.setattr(DuckDBCursorWrapper, "execute", profiled)
        yield scanned


def _count(node: dict[str, Any], scanned: Counter[str]) -> None:
    told = node.get("extra_info") or {}
    if table := told.get("Table"):
        scanned[table.split(".")[-1]] += node["operator_rows_scanned"]
    for child in node.get("children", []):
        _count(child, scanned)


@pytest.fixture(scope="module")
def warehouses(tmp_path_factory: pytest.TempPathFactory, project: Project) -> dict[int, Path]:
    """Days of history -> the folder of a lake and a warehouse that have them."""
    folders = {}
    for days in (4, 12):
        root = tmp_path_factory.mktemp(f"days-{days}")
        lake = store(str(root / "lake"))
        _land(lake, range(days * 24))
        _refresh(root, project)
        folders[days] = root
    return folders


def _refresh(root: Path, project: Project) -> None:
    lake = store(str(root / "lake"))
    find_repeats(lake)
    judge_changes(lake)
    models = [model.name for model in project.models]
    done = refresh(
        project,
        lake,
        root / "warehouse.duckdb",
        models=models,
        checks=[check.name for check in project.checks],
    )
    assert not done.failures


def test_one_more_hour_scans_no_more_rows_of_a_longer_history(
    warehouses: dict[int, Path], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans = {}
    for days, root in warehouses.items():
        _land(store(str(root / "lake")), range(days * 24, days * 24 + 1))
        with _scans(monkeypatch) as scanned:
            _refresh(root, project)
        scans[days] = scanned
    short, long = scans.values()
    assert short["event_enhanced"], "expected the hour's events to be read"
    for table in ("event_enhanced", "sessions", "user_days"):
        assert long[table] <= 1.2 * short[table], (table, short[table], long[table])
