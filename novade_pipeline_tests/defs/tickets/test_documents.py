"""The JSON documents: complete, in bounded parts, never half written for a reader."""

import json
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.tickets import documents
from novade_pipeline.defs.tickets.documents import (
    COUNTS,
    MANIFEST,
    PARTS,
    cut,
    publish,
    read_manifest,
    read_tickets,
)
from novade_pipeline.defs.tickets.request_counts import update_counts
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.defs.tickets.records import START, deletion, load, route, ticket

# The ten tickets of the seed's document: the request type as it was sent, and the team.
TEN = [
    *(("technical", "Tech Support"), ("billing", "Billing Team"), ("support", "Customer Service")),
    *(("other", "General Support"), ("technical", "Tech Support"), ("billing", "Billing Team")),
    *(("support", "Customer Service"), ("sales", "General Support"), ("TECHNICAL", "Tech Support")),
    ("facturation", "Billing Team"),
]


@pytest.fixture
def lake(tmp_path: Path) -> Store:
    lake = store(str(tmp_path / "lake"))
    route(lake)
    return lake


def _publish(lake: Store, *records: Any) -> documents.Published:
    load(lake, *records)
    update_counts(lake, lambda _: None)
    return publish(lake)


def test_ten_tickets_and_their_counts_are_documents(lake: Store) -> None:
    records = [
        ticket(n, f"TICKET-{n:04d}", request_type_sent=sent) for n, (sent, _) in enumerate(TEN)
    ]
    published = _publish(lake, *records)
    assert (published.tickets, published.parts) == (10, 1)
    rows = {row["ticket_id"]: row for row in read_tickets(lake)}
    assert [rows[f"TICKET-{n:04d}"]["team"] for n in range(10)] == [team for _, team in TEN]
    assert rows["TICKET-0000"] == {
        "ticket_id": "TICKET-0000",
        "client_id": "client",
        "created_at": "2026-03-02T10:00:00Z",
        "request": "Help",
        "request_type": "technical",
        "priority": "low",
        "team": "Tech Support",
    }
    counts = {"billing": 3, "other": 2, "support": 2, "technical": 3}
    assert json.loads(lake.read(*COUNTS)) == {"total": counts, "by_day": {"2026-03-02": counts}}


def test_a_ticket_is_written_as_it_is(lake: Store) -> None:
    odd = 'He said "é\n\u2028" \\ 😀'
    moment = START.replace(microsecond=250_000)
    _publish(lake, ticket(0, odd, request=odd, client_id=None, created_at=moment, priority=None))
    _publish(lake, ticket(1, "b", created_at=None))
    first, second = sorted(read_tickets(lake), key=lambda row: row["ticket_id"])
    assert (first["ticket_id"], first["request"]) == (odd, odd)
    assert (first["client_id"], first["priority"]) == (None, None)
    assert first["created_at"] == "2026-03-02T10:00:00.250000Z"
    assert second["created_at"] is None


def test_parts_are_bounded_by_tickets_and_by_bytes() -> None:
    rows = [{"n": n, "text": "é" * 10} for n in range(25)]
    texts = [json.dumps(row) for row in rows]
    parts = list(cut(texts, most=10))
    assert [count for count, _ in parts] == [10, 10, 5]
    assert [row for _, content in parts for row in json.loads(content)] == rows
    assert all(len(content) <= 100 for _, content in cut(texts, most_bytes=100))
    assert [count for count, _ in cut([f'"{"x" * 500}"', '""'], most_bytes=100)] == [
        1,
        1,
    ]


def test_only_parts_of_what_changed_are_written_and_readers_of_before_find_theirs(
    lake: Store,
) -> None:
    _publish(lake, *(ticket(n, f"a{n}") for n in range(5)))
    second = _publish(lake, *(ticket(n, f"b{n}") for n in range(5, 8)))
    assert (second.tickets, second.parts, second.written) == (8, 2, 1)
    before = read_manifest(lake)
    assert before is not None
    third = _publish(lake, deletion(8, "a0"), deletion(9, "b5"))
    assert third.tickets == 6
    assert {row["ticket_id"] for row in read_tickets(lake)} == {"a1", "a2", "a3", "a4", "b6", "b7"}
    begun = [row for part in before["parts"] for row in json.loads(lake.read(*PARTS, part["file"]))]
    assert len(begun) == 8
    _publish(lake, ticket(10, "c"))
    for part in before["parts"]:
        with pytest.raises(FileNotFoundError):
            lake.read(*PARTS, part["file"])


def test_an_interrupted_publication_leaves_the_former_document(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _publish(lake, ticket(0, "a"))
    load(lake, ticket(1, "b"))
    original = type(lake).write

    def failing(self: Store, content: bytes, *parts: str) -> None:
        if parts == MANIFEST:
            raise OSError("the disk is full")
        original(self, content, *parts)

    monkeypatch.setattr(type(lake), "write", failing)
    with pytest.raises(OSError, match="full"):
        publish(lake)
    assert [row["ticket_id"] for row in read_tickets(lake)] == ["a"]
    monkeypatch.undo()
    assert publish(lake).tickets == 2
    names = {entry.file.rsplit("/", 1)[-1] for entry in lake.entries("/".join(PARTS) + "/")}
    manifest = read_manifest(lake)
    assert manifest is not None
    assert {part["file"] for part in manifest["parts"]} <= names
    # What the interrupted one had written under no manifest is gone.
    assert len(names) == len(manifest["parts"])
