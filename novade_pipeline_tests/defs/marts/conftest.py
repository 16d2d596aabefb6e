"""A small world of landed events whose Delta tables the marts are made from."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from novade_pipeline.defs.amplitude.repeats import find_repeats
from novade_pipeline.defs.amplitude.tables import EVENTS, IDENTITIES
from novade_pipeline.defs.marts import previews, warehouse
from novade_pipeline.defs.marts.dbt_sources import SOURCES, source_name
from novade_pipeline.defs.marts.pinning import pin
from novade_pipeline.defs.marts.project import Project, prepared_project
from novade_pipeline.defs.marts.refresh import RefreshReport, refresh
from novade_pipeline.defs.tracking_plan.tables import EVENT_VERDICTS, PLAN
from novade_pipeline.lake.delta import replace, replace_window
from novade_pipeline.lake.query import open_database, sql_literal
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.settings import Settings
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.places import NewStore, copy, lake_connection
from novade_pipeline_tests.worlds import settings_in

DAY = datetime(2026, 3, 2, tzinfo=UTC)
Row = dict[str, Any]
Rows = dict[str, list[tuple[Any, ...]]]
MARTS = (
    *("event_enhanced", "sessions", "user_days", "user_enhanced"),
    *("daily_performance", "weekly_retention", "coverage_by_day", "tracking_plan_coverage"),
)


class World:
    """Landed events by upload hour, merges and a plan; `write` brings the lake to them."""

    def __init__(self, root: Path, lake: Store) -> None:
        self.root = root
        self.lake = lake
        self.warehouse = root / "warehouse.duckdb"
        self.events: dict[datetime, list[Row]] = {}
        self.identities: dict[int, int] = {}
        self.plan: list[Row] = []
        self._written: dict[Any, Any] = {}

    def land(self, hour: int, *events: Row, file: str = "a") -> None:
        """Put events into an upload hour, counted from the start of the world."""
        moment = DAY + timedelta(hours=hour)
        rows = self.events.setdefault(moment, [])
        for line, event in enumerate(events, 1):
            place = {"upload_date": moment.date(), "upload_hour": moment, "file": file}
            rows.append({**place, "line": line, **event})

    def empty(self, hour: int) -> None:
        """Take all events of an upload hour away."""
        self.events[DAY + timedelta(hours=hour)] = []

    def write(self) -> None:
        """Commit to the lake what differs from what it holds, as the loads do."""
        for hour, rows in sorted(self.events.items()):
            state = json.dumps(rows, default=str)
            if self._written.get(hour) != state:
                window = [Window(hour, hour + timedelta(hours=1))]
                verdicts = [_verdict(row) for row in rows]
                for table, of_hour in ((EVENTS, rows), (EVENT_VERDICTS, verdicts)):
                    replace_window(self.lake, table, _as_table(table, of_hour), window)
                self._written[hour] = state
        find_repeats(self.lake)
        for table, rows in ((IDENTITIES, self._merges()), (PLAN, self.plan)):
            if self._written.get(table.name) != rows:
                replace(self.lake, table, _as_table(table, rows))
                self._written[table.name] = list(rows)

    def _merges(self) -> list[Row]:
        return [{"amplitude_id": a, "survivor_id": b} for a, b in self.identities.items()]

    def refresh(
        self,
        project: Project,
        *models: str,
        checks: bool = False,
        rebuild: bool = False,
        **options: Any,
    ) -> RefreshReport:
        """Refresh the models (all, when none is named), with or without their checks."""
        chosen = models or MARTS
        return refresh(
            project,
            self.lake,
            self.warehouse,
            models=chosen,
            checks=[c.name for c in project.checks if checks and c.model in chosen],
            rebuild=rebuild,
            **options,
        )

    def marts(self, names: Sequence[str] = MARTS) -> Rows:
        """All rows of the marts, in an order of their own."""
        with closing(open_database(self.warehouse)) as connection:
            return _rows(connection, names)

    def published(self, names: Sequence[str] = MARTS) -> Rows:
        """The same from the lake."""
        places = {name: sql_literal(self.lake.duckdb_path("marts", name)) for name in names}
        with lake_connection(self.lake) as connection:
            return {
                name: connection.execute(
                    f"select * from delta_scan({place}) order by all"
                ).fetchall()
                for name, place in places.items()
            }

    def whole(self, project: Project, names: Sequence[str] = MARTS) -> Rows:
        """What the marts are when they are made from nothing, by the very SQL of a whole build."""
        read = {source for m in project.models if m.name in names for source in m.sources}
        sources = [table for table in SOURCES if source_name(table) in read]
        with lake_connection(self.lake) as connection:
            connection.execute("attach ':memory:' as warehouse; use warehouse")
            warehouse.read_state(connection, project.models)
            versions = warehouse.source_versions(self.lake, sources)
            pin(connection, self.lake, sources, versions)
            connection.execute("create schema marts")
            for name, sql in _sql_of_whole_builds(project, tuple(names)).items():
                connection.execute(f"create table marts.{name} as {sql}")
            return _rows(connection, names)

    @staticmethod
    def event(uuid: str, hour: float, **fields: Any) -> Row:
        """An event `hour` hours after the start of the world.

        Args:
            fields: columns; and `breaks`, the paths and keywords of the plan that it breaks.
        """
        moment = DAY + timedelta(hours=hour)
        return {
            "uuid": uuid,
            "event_type": "Home",
            "event_time": moment,
            "amplitude_id": 1,
            "session_id": int(moment.timestamp()) // 3600 * 3_600_000,
            "platform": "Web",
            "event_properties": '{"level":"free"}',
            **fields,
        }

    @staticmethod
    def planned(event_type: str, *properties: str) -> list[Row]:
        """The plan's rows for one event."""
        shared = {"plan_version": "1", "plan_name": "p", "format": "segment", "file": "p.json"}
        return [
            {**shared, "event_type": event_type, "property": name, "required": bool(name)}
            for name in ("", *properties)
        ]


def _as_table(table: Table, rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=table.schema)


def _rows(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> Rows:
    return {
        name: connection.execute(f"select * from marts.{name} order by all").fetchall()
        for name in names
    }


@cache
def _sql_of_whole_builds(project: Project, names: tuple[str, ...]) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        compiled = project.compiled(Path(folder, "warehouse.duckdb"), names)
    return {model.name: compiled[model.name] for model in project.models if model.name in names}


def _violation(path: str, keyword: str) -> Row:
    return {"path": path, "keyword": keyword, "expected": "[]", "found": "string"}


def _verdict(row: Row) -> Row:
    bad = '"bad"' in row["event_properties"]
    violations = [_violation(*where) for where in row.get("breaks", [("level.deep", "enum")] * bad)]
    names = ("upload_date", "upload_hour", "file", "line", "uuid", "event_type")
    return {
        **{name: row[name] for name in names},
        "event_date": row["event_time"].date(),
        "verdict": "violating" if violations else "conforming",
        "violations": violations,
        "plan_version": "1",
    }


@pytest.fixture(scope="session")
def project() -> Project:
    return prepared_project(Path("warehouse.duckdb"))


@pytest.fixture(autouse=True)
def _no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than all the rest; who looks at pictures asks for them."""
    if "pictures" not in request.fixturenames:
        monkeypatch.setattr(previews, "PICTURES", {})


@pytest.fixture
def pictures() -> None:
    """The marts are drawn."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, real_data: Settings, shared: Path) -> Settings:
    """A copy of the real data's lake and warehouse, loaded in one run."""
    root = tmp_path_factory.mktemp("loaded") / "copy"
    shutil.copytree(real_data.warehouse_path.parent, root)
    return settings_in(root, shared / "landing")


@pytest.fixture
def world(tmp_path: Path, new_store: NewStore) -> World:
    return World(tmp_path, new_store("lake"))


@pytest.fixture(scope="session")
def _built(tmp_path_factory: pytest.TempPathFactory, project: Project) -> Path:
    root = tmp_path_factory.mktemp("built")
    world = World(root, store(str(root / "lake")))
    _settle(world)
    world.write()
    assert not world.refresh(project).failures
    return world.root


@pytest.fixture
def built(world: World, _built: Path) -> World:
    """A world of three days whose marts are up to date: a copy, made in no time."""
    shutil.copy(_built / "warehouse.duckdb", world.warehouse)
    copy(store(str(_built / "lake")), world.lake)
    _settle(world)
    world._written = {hour: json.dumps(rows, default=str) for hour, rows in world.events.items()}
    world._written |= {IDENTITIES.name: world._merges(), PLAN.name: list(world.plan)}
    return world


def _settle(world: World) -> None:
    known = {"amplitude_id": 2, "user_id": "u2@example.com", "device_id": "d2"}
    known["groups"] = '{"company":["Acme"]}'
    world.land(
        0,
        world.event("a", 0.1),
        world.event("b", 0.2, event_type="Song"),
        world.event("k", 0.5, **known),
    )
    world.land(1, world.event("c", 1.1, session_id=-1))
    # Late: it happened the day before, and one event of that day comes again.
    world.land(
        25, world.event("d", 23.5, amplitude_id=3), world.event("a", 0.1), world.event("e", 24.9)
    )
    world.land(50, world.event("f", 49.5, event_type="Song", event_properties='{"level":"bad"}'))
    world.identities = {3: 2}
    world.plan = [*world.planned("Home", "level", "never"), *world.planned("Song", "level")]
