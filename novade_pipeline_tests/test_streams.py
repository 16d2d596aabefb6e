"""Tickets and readings from a real broker to tables, documents and marts, as a user has them."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.erasure.commands import erasure_scope
from novade_pipeline.defs.erasure.erase import erase
from novade_pipeline.defs.iot import tables as iot
from novade_pipeline.defs.tickets.documents import COUNTS, MANIFEST, PARTS, read_tickets
from novade_pipeline.defs.tickets.tables import QUARANTINE, REQUESTS_BY_TYPE, TEAMS, TICKETS
from novade_pipeline.execution.runner import LocalRunner
from novade_pipeline.lake.query import open_database
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.sandbox.broker import Broker
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.byte_search import files_below_with
from novade_pipeline_tests.commands import CompletedCommand, novade
from novade_pipeline_tests.worlds import settings_in

# The seed's document: the type as each of ten tickets has it, and its team.
TEN = [
    *(("technical", "Tech Support"), ("billing", "Billing Team"), ("support", "Customer Service")),
    *(("other", "General Support"), ("TECHNICAL", "Tech Support"), ("sales", "General Support")),
    *(("Facturation", "Billing Team"), ("", "General Support"), (None, "General Support")),
    ("technical", "Tech Support"),
]
DOOMED = "doomed.person@acme.example"
MARTS = ("readings_hourly", "ticket_volume", "ticket_backlog")
ASSETS = " or ".join(["group:tickets", "group:iot", *(f"key:marts/{name}" for name in MARTS)])
Row = dict[str, Any]


class World:
    """A folder in which commands run, and the broker that they read."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.folder = folder
        self.lake: Store = store(str(folder / "data" / "lake"))
        self.env = {"NOVADE_STREAMS_BROKERS": broker.address}

    def novade(self, *arguments: str) -> CompletedCommand:
        """Run a command."""
        done = novade(self.folder, *arguments, env=self.env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def rows(self, table: Table) -> list[Row]:
        """A table's rows."""
        rows: list[Row] = read(self.lake, table).to_pylist()
        return rows


@pytest.fixture(scope="module")
def world(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("streams"), broker)
    topics = [broker.create_topic(name, 2) for name in ("client_tickets", "iot_readings")]
    producer = broker.producer(linger_ms=0)
    for number, (sent, _) in enumerate(TEN, 9001):
        ticket = {"ticket_id": f"TICKET-{number}", "client_id": DOOMED, "request_type": sent}
        ticket |= {"created_at": "2026-03-02T10:00:00+02:00", "request": f"I, {DOOMED}, ask."}
        producer.produce(topics[0], json.dumps(ticket), ticket["ticket_id"])
    producer.flush()
    tickets = world.novade("sandbox", "tickets", "--count", "120", "--faults")
    assert "faults: " in tickets.stdout
    world.novade("sandbox", "readings", "--count", "600", "--devices", "6", "--faults")
    world.novade("run", "--select", ASSETS)
    yield world
    admin = broker.admin()
    for deleted in admin.delete_topics(topics).values():
        deleted.result()


def test_ten_tickets_have_the_teams_of_the_document(world: World) -> None:
    of_tickets = {row["ticket_id"]: row for row in read_tickets(world.lake)}
    ten = [of_tickets[f"TICKET-{number}"] for number in range(9001, 9011)]
    assert [row["team"] for row in ten] == [team for _, team in TEN]
    assert {row["created_at"] for row in ten} == {"2026-03-02T08:00:00Z"}


def test_documents_and_tables_agree(world: World) -> None:
    live = [row for row in world.rows(TICKETS) if not row["is_deleted"]]
    assert len(live) > 100
    documents = list(read_tickets(world.lake))
    assert {row["ticket_id"]: row["team"] for row in documents} == {
        row["ticket_id"]: row["team"] for row in live
    }
    manifest = json.loads(world.lake.read(*MANIFEST))
    assert manifest["tickets"] == len(live)
    counts = json.loads(world.lake.read(*COUNTS))
    assert sum(counts["total"].values()) == len(live)
    total = [row for row in world.rows(REQUESTS_BY_TYPE) if row["period"] == "total"]
    assert {row["request_type"]: row["tickets"] for row in total} == counts["total"]
    assert all(
        sum(row[kind] for row in total) for kind in ("exact", "spelling", "variant", "unknown")
    )


def test_what_is_no_ticket_is_in_quarantine_and_its_ticket_is_not_lost(world: World) -> None:
    reasons = {row["reason"] for row in world.rows(QUARANTINE)}
    assert any("created_at" in reason for reason in reasons)
    assert any("ticket_id" in reason for reason in reasons)
    assert any("JSON" in reason for reason in reasons)
    numbers = {row["ticket_id"] for row in world.rows(TICKETS)}
    assert {f"TICKET-{number:04d}" for number in range(1, 121)} <= numbers


def test_readings_stand_once_and_their_marts_count_each(world: World) -> None:
    rows = world.rows(iot.READINGS)
    assert len(rows) == len({(row["device_id"], row["sequence"]) for row in rows})
    assert len(rows) < len(world.rows(iot.READING_EVENTS))
    assert any(row["is_text"] for row in rows)
    missing = sum(row["missing"] for row in world.rows(iot.GAPS))
    assert missing == sum(device["missing"] for device in world.rows(iot.DEVICES)) > 0
    with closing(open_database(world.folder / "data" / "warehouse.duckdb")) as warehouse:
        assert warehouse.execute(
            "select sum(readings), sum(missing_readings), sum(sent_as_text)"
            " from marts.readings_hourly"
        ).fetchall() == [(len(rows), missing, sum(row["is_text"] for row in rows))]
        (tickets,) = warehouse.execute("select sum(tickets) from marts.ticket_volume").fetchone()
    assert tickets == len(world.rows(TICKETS))


def test_a_file_in_the_landing_zone_routes_anew(world: World) -> None:
    file = world.folder / "data" / "landing" / "tickets" / "teams.csv"
    file.parent.mkdir(parents=True)
    file.write_text("request_type,team\ntechnical,Engineers\nother,Desk\n")
    world.novade("run", "--select", "group:tickets")
    teams = {row["team"] for row in read_tickets(world.lake)}
    assert teams == {"Engineers", "Desk"}
    file.write_text("request_type,team\ntechnical,\n")
    refused = novade(world.folder, "run", "--select", "group:tickets", env=world.env)
    assert refused.returncode == 1
    assert "teams.csv line 2: expected a team, found none" in refused.stdout + refused.stderr
    assert len(world.rows(TEAMS)) == 2
    file.unlink()


def test_an_erased_person_is_in_no_table_and_no_document(world: World) -> None:
    parts = world.folder.joinpath("data", "lake", *PARTS)
    assert files_below_with(parts, DOOMED)
    before = len(world.rows(TICKETS))
    settings = settings_in(world.folder / "data", world.folder / "data" / "landing")
    # The rest of the graph has not been run, and is not built anew.
    scope = replace(erasure_scope(settings, LocalRunner()), rebuild=lambda _: ())
    assert not erase(settings, scope, DOOMED).failures
    assert len(world.rows(TICKETS)) == before - len(TEN)
    lake = world.folder / "data" / "lake"
    assert not any(files_below_with(lake / name, DOOMED) for name in ("tickets", "documents"))
    # The topic still has the records, and other loads will not bring them back.
    world.novade("run", "--select", ASSETS)
    assert len(world.rows(TICKETS)) == before - len(TEN)
