"""The marts of tickets and readings: whatever has come, in part they equal a whole build."""

import random
import tempfile
from contextlib import closing
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.iot.tables import GAPS, READINGS
from novade_pipeline.defs.marts import warehouse
from novade_pipeline.defs.marts.pinning import pin
from novade_pipeline.defs.marts.project import Project
from novade_pipeline.defs.marts.refresh import RefreshReport, refresh
from novade_pipeline.defs.tickets.tables import TICKET_EVENTS, TICKETS
from novade_pipeline.defs.tickets.teams import DEFAULT, Route, Teams
from novade_pipeline.lake.delta import replace
from novade_pipeline.lake.query import open_database
from novade_pipeline.lake.read import read
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.defs.iot import records as readings
from novade_pipeline_tests.defs.tickets import records as tickets
from novade_pipeline_tests.places import lake_connection

MARTS = ("ticket_volume", "client_tickets", "ticket_backlog", "readings_hourly")
Rows = dict[str, list[tuple[Any, ...]]]
OTHER_TEAMS = Teams((*DEFAULT.routes, Route("refund", "Refunds")))


class World:
    """A lake and a warehouse."""

    def __init__(self, root: Path, project: Project) -> None:
        self.lake: Store = store(str(root / "lake"))
        self.warehouse = root / "warehouse.duckdb"
        self.project = project

    def refresh(self, *, checks: bool = False) -> RefreshReport:
        """Refresh the marts."""
        return refresh(
            self.project,
            self.lake,
            self.warehouse,
            models=MARTS,
            checks=[c.name for c in self.project.checks if checks and c.model in MARTS],
        )

    def marts(self) -> Rows:
        """All rows of the warehouse."""
        with closing(open_database(self.warehouse)) as connection:
            return _rows(connection)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query of the warehouse."""
        with closing(open_database(self.warehouse)) as connection:
            return connection.execute(sql).fetchall()

    def whole(self) -> Rows:
        """What the marts are by the SQL of a whole build."""
        with lake_connection(self.lake) as connection:
            connection.execute("attach ':memory:' as warehouse; use warehouse")
            warehouse.read_state(connection, self.project.models)
            sources = [TICKETS, READINGS, GAPS]
            pin(connection, self.lake, sources, warehouse.source_versions(self.lake, sources))
            connection.execute("create schema marts")
            for name, sql in _sql_of_whole_builds(self.project).items():
                connection.execute(f"create table marts.{name} as {sql}")
            return _rows(connection)


def _rows(connection: Any) -> Rows:
    return {
        name: connection.execute(f"select * from marts.{name} order by all").fetchall()
        for name in MARTS
    }


@cache
def _sql_of_whole_builds(project: Project) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        compiled = project.compiled(Path(folder, "warehouse.duckdb"), MARTS)
    return {model.name: compiled[model.name] for model in project.models if model.name in MARTS}


@pytest.fixture
def world(tmp_path: Path, project: Project) -> World:
    world = World(tmp_path, project)
    tickets.route(world.lake)
    return world


def _some_tickets(rng: random.Random, first: int) -> list[tickets.Row]:
    made = []
    for offset in range(first, first + 15):
        make = tickets.deletion if rng.random() < 0.2 else tickets.ticket
        record = make(offset, f"t{rng.randrange(20)}")
        if not record["is_deleted"]:
            record |= {
                "created_at": tickets.START + timedelta(days=rng.randrange(-3, 3)),
                "client_id": rng.choice(["ann@acme.example", "c2", "c3", None]),
                "priority": rng.choice(["low", "high", "other", None]),
                "request_type_sent": rng.choice(["technical", "refund", "FACTURE"]),
            }
        made.append(record)
    return made


def _some_readings(rng: random.Random, first: int) -> list[readings.Row]:
    return [
        readings.reading(
            offset,
            rng.choice("ab"),
            sequence := rng.randrange(60),
            minutes=sequence * 40,
            value=rng.choice([0.1, 1e-7, 1 / 3, 25.0, -1e14]),
            metric=rng.choice(["temperature", None]),
            unit=rng.choice(["°C", None]),
            is_out_of_range=rng.random() < 0.2,
            is_text=rng.random() < 0.2,
        )
        for offset in range(first, first + 12)
    ]


def test_in_part_the_marts_are_what_a_whole_build_gives(world: World) -> None:
    rng = random.Random(5)
    for step in range(3):
        tickets.load(world.lake, *_some_tickets(rng, step * 15))
        readings.load(world.lake, *_some_readings(rng, step * 12))
        if step == 1:
            tickets.route(world.lake, OTHER_TEAMS)
            tickets.load(world.lake)
        done = world.refresh(checks=step == 2)
        assert not done.failures
        assert world.marts() == world.whole(), step
    assert {row[0] for row in world.query("select distinct team from marts.ticket_volume")} == {
        *("Tech Support", "Refunds", "Billing Team", "General Support"),
    } & {row["team"] for row in tickets.tickets(world.lake).values()}
    # An erasure takes tickets away; others have changed meanwhile.
    events = read(world.lake, TICKET_EVENTS)
    replace(world.lake, TICKET_EVENTS, events.filter(events["client_id"].is_valid()))
    tickets.load(world.lake, *_some_tickets(rng, 45))
    assert not world.refresh().failures
    assert world.marts() == world.whole()


def test_only_days_and_hours_that_are_touched_are_computed_again(world: World) -> None:
    day = timedelta(days=1)
    old = [tickets.ticket(n, f"t{n}", created_at=tickets.START - n * day) for n in range(5)]
    tickets.load(world.lake, *old)
    measured = [readings.reading(n, "a", n + 1, minutes=60 * n) for n in range(5)]
    readings.load(world.lake, *measured)
    assert not world.refresh().failures
    with closing(open_database(world.warehouse)) as connection:
        # A row that is computed again loses this mark.
        connection.execute(
            "update marts.ticket_volume set tickets = 99;"
            " update marts.readings_hourly set readings = 99"
        )
    tickets.load(world.lake, tickets.deletion(9, "t3"))
    impossible = {"value": -999.0, "is_out_of_range": True}
    readings.load(
        world.lake,
        readings.reading(9, "a", 99, minutes=61, value=4.0, is_text=True),
        readings.reading(10, "a", 100, minutes=62, **impossible),
    )
    assert not world.refresh().failures
    again = "select {} from marts.{} where {} <> 99"
    days = again.format("request_date, open_tickets", "ticket_volume", "tickets")
    assert world.query(days) == [((tickets.START - 3 * day).date(), 0)]
    measures = "readings, min_value, max_value, mean_value, out_of_range, sent_as_text, gaps"
    hours = again.format(f"{measures}, missing_readings", "readings_hourly", "readings")
    assert world.query(hours) == [(3, 2.0, 4.0, 3.0, 1, 1, 1, 93)]
    assert world.query("select open_tickets from marts.ticket_backlog") == [(4,)]
