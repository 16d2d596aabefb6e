"""The newest state of each ticket, however its records were loaded."""

import random
from dataclasses import replace as with_changes
from datetime import timedelta
from pathlib import Path

import pytest

from novade_pipeline.defs.tickets.documents import publish, read_tickets
from novade_pipeline.defs.tickets.request_counts import update_counts
from novade_pipeline.defs.tickets.tables import REQUESTS_BY_TYPE, TICKET_EVENTS, TICKETS
from novade_pipeline.defs.tickets.teams import DEFAULT, Route
from novade_pipeline.lake.delta import current_version, open_table, replace
from novade_pipeline.lake.read import read
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.defs.tickets.records import (
    START,
    Row,
    append,
    deletion,
    load,
    route,
    ticket,
    tickets,
)


@pytest.fixture
def lake(tmp_path: Path) -> Store:
    lake = store(str(tmp_path / "lake"))
    route(lake)
    return lake


def test_of_several_updates_the_greatest_offset_is_the_newest(lake: Store) -> None:
    load(lake, ticket(0, "a", priority="low"), ticket(1, "a", priority="high", minutes=-5))
    assert tickets(lake)["a"]["priority"] == "high"
    load(lake, ticket(2, "a", priority="medium", minutes=-9))
    assert tickets(lake)["a"]["priority"] == "medium"


def test_in_another_partition_the_greatest_time_is_the_newest(lake: Store) -> None:
    load(lake, ticket(7, "a", priority="low", minutes=7))
    load(lake, ticket(0, "a", partition=1, priority="medium", minutes=5))
    assert tickets(lake)["a"]["priority"] == "low"
    load(lake, ticket(1, "a", partition=1, priority="high", minutes=8))
    assert tickets(lake)["a"]["priority"] == "high"


def test_a_deletion_keeps_the_last_values_and_a_later_record_brings_it_back(lake: Store) -> None:
    load(lake, ticket(0, "a", request="Hello"), ticket(1, "b"), deletion(2, "a"))
    row = tickets(lake)["a"]
    assert (row["is_deleted"], row["request"], row["team"]) == (True, "Hello", "Tech Support")
    load(lake, deletion(3, "never seen"), ticket(4, "a", request="Again"))
    row = tickets(lake)["a"]
    assert (row["is_deleted"], row["request"]) == (False, "Again")
    assert tickets(lake)["never seen"]["is_deleted"]


def test_a_topic_that_was_made_again_is_newer_whatever_its_offsets(lake: Store) -> None:
    load(lake, ticket(90, "a", priority="low"))
    load(lake, ticket(0, "a", priority="high", generation=2, minutes=1))
    assert tickets(lake)["a"]["priority"] == "high"


@pytest.mark.parametrize(
    ("created_at", "day"),
    [
        (START, 2),
        (None, 3),
        (START + timedelta(days=2), 4),
        (START + timedelta(days=2, seconds=1), 3),
        (START - timedelta(days=1), 1),
    ],
)
def test_a_ticket_without_a_possible_time_counts_when_the_broker_had_it(
    lake: Store, created_at: object, day: int
) -> None:
    load(lake, ticket(0, "a", created_at=created_at, minutes=24 * 60))
    row = tickets(lake)["a"]
    assert (row["created_at"], row["request_date"].day) == (created_at, day)


def test_former_records_that_come_again_bring_no_former_values_back(lake: Store) -> None:
    load(lake, ticket(0, "a", request="Former"), ticket(1, "other"))
    load(lake, ticket(2, "a", request="Newest"))
    # As an erasure does: the file is written anew, with the former record of "a" in it.
    table = open_table(lake, TICKET_EVENTS)
    assert table is not None
    table.delete("ticket_id = 'other'")
    load(lake, deletion(3, "a"))
    row = tickets(lake)["a"]
    assert (row["is_deleted"], row["request"]) == (True, "Newest")


def test_other_routes_apply_to_all_tickets(lake: Store) -> None:
    load(lake, ticket(0, "a"), ticket(1, "b", request_type_sent="refund"))
    route(lake, with_changes(DEFAULT, routes=(*DEFAULT.routes, Route("refund", "Refunds"))))
    load(lake, ticket(2, "c"))
    teams = {name: row["team"] for name, row in tickets(lake).items()}
    assert teams == {"a": "Tech Support", "b": "Refunds", "c": "Tech Support"}


def test_nothing_new_commits_nothing(lake: Store) -> None:
    load(lake, ticket(0, "a"))
    before = current_version(lake, TICKETS)
    load_again = [update_counts(lake, lambda _: None), publish(lake)]
    versions = [current_version(lake, t) for t in (TICKETS, REQUESTS_BY_TYPE)]
    load_again += [update_counts(lake, lambda _: None), publish(lake)]
    assert load_again[2] == []
    assert (load_again[3].changed, load_again[3].changed_counts) == (False, False)
    assert [current_version(lake, t) for t in (TICKETS, REQUESTS_BY_TYPE)] == versions
    assert versions[0] == before


def _history(seed: int) -> list[Row]:
    """Records of some tickets in two partitions, in any order of times, some deletions."""
    rng = random.Random(seed)
    offsets = [0, 0]
    records = []
    for _ in range(60):
        partition = int(rng.random() < 0.3)
        make = deletion if rng.random() < 0.15 else ticket
        place = {"partition": partition, "minutes": rng.randrange(50)}
        sent = rng.choice(["technical", "Billing", "facture", "nothing known", None])
        record = make(offsets[partition], f"t{rng.randrange(12)}", **place)
        if not record["is_deleted"]:
            record |= {"request_type_sent": sent, "request": f"r{len(records)}"}
            record |= {"created_at": START + timedelta(days=rng.randrange(3))}
            record |= {"request_type_field": rng.choice(["request_type", "type"])}
        offsets[partition] += 1
        records.append(record)
    return records


@pytest.mark.parametrize("seed", [2, 3, 9])
def test_loads_in_any_pieces_give_what_one_load_gives(tmp_path: Path, seed: int) -> None:
    records = _history(seed)
    rng = random.Random(seed)
    pieces = [*sorted(rng.sample(range(1, len(records)), 4)), len(records)]
    whole, parts = (store(str(tmp_path / name)) for name in ("whole", "parts"))
    for lake in (whole, parts):
        route(lake)
    load(whole, *records)
    start = 0
    for end in pieces:
        load(parts, *records[start:end])
        update_counts(parts, lambda _: None)
        publish(parts)
        if end == pieces[2]:
            # A compaction gives all records again, in other files.
            table = open_table(parts, TICKET_EVENTS)
            assert table is not None
            table.optimize.compact()
        start = end
    update_counts(whole, lambda _: None)
    publish(whole)
    for of_lake in (tickets, _counts, _document):
        assert of_lake(parts) == of_lake(whole)
    live = [row for row in tickets(whole).values() if not row["is_deleted"]]
    assert len(live) == sum(row["tickets"] for row in _counts(whole) if row["period"] == "total")


def _counts(lake: Store) -> list[Row]:
    rows = read(lake, REQUESTS_BY_TYPE).to_pylist()
    return sorted(rows, key=lambda row: (row["period"], row["request_type"]))


def _document(lake: Store) -> list[Row]:
    return sorted(read_tickets(lake), key=lambda row: row["ticket_id"])


def test_records_that_were_erased_leave_the_tickets(lake: Store) -> None:
    load(lake, ticket(0, "a"), ticket(1, "b"))
    events = read(lake, TICKET_EVENTS)
    replace(lake, TICKET_EVENTS, events.slice(1, 1))
    append(lake, ticket(2, "c"))
    load(lake)
    assert sorted(tickets(lake)) == ["b", "c"]
