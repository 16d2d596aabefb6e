"""The sandbox's tickets and readings: seeded, realistic, with faults where they are requested."""

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.sandbox.producing import Record
from novade_pipeline.sandbox.reading_records import readings
from novade_pipeline.sandbox.ticket_records import tickets
from novade_pipeline_tests.commands import novade

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
FIELDS = ("ticket_id", "client_id", "created_at", "request", "request_type", "priority")


def _values(records: list[Record]) -> list[dict[str, Any]]:
    return [json.loads(record.value) for record in records if record.value is not None]


@pytest.mark.parametrize("make", [tickets, readings])
def test_the_same_seed_gives_the_same_records(make: Any) -> None:
    assert list(make(3, 300, NOW, faults=True)) == list(make(3, 300, NOW, faults=True))
    assert list(make(3, 50, NOW)) != list(make(4, 50, NOW))


def test_without_faults_tickets_are_as_the_reference_says() -> None:
    records = list(tickets(1, 200, NOW, first=11))
    values = _values(records)
    assert {record.fault for record in records} == {None}
    assert all(tuple(value) == FIELDS for value in values)
    assert all(record.key == v["ticket_id"] for record, v in zip(records, values, strict=True))
    assert values[0]["ticket_id"] == "TICKET-0011"
    assert {value["request_type"] for value in values} == {
        *("support", "billing", "technical", "other"),
    }
    assert len({value["ticket_id"] for value in values}) == 200 < len(values)
    # Tickets and their updates do not depend on how many there are.
    assert values[:30] == _values(list(tickets(1, 100, NOW, first=11)))[:30]


def test_with_faults_no_ticket_is_lost() -> None:
    records = list(tickets(1, 600, NOW, faults=True))
    faults = Counter(record.fault for record in records)
    assert len(faults) == 12
    good = set()
    for record in records:
        try:
            good.add(json.loads(record.value or b"{}")["ticket_id"])
        except (ValueError, KeyError, TypeError):
            continue
    assert len(good) == 600


def test_a_device_counts_its_readings_by_one() -> None:
    records = list(readings(1, 90, NOW, devices=3))
    values = _values(records)
    assert len(values) == 90
    for device in {value["device_id"] for value in values}:
        of_device = [value for value in values if value["device_id"] == device]
        assert all(b["sequence"] == a["sequence"] + 1 for a, b in pairwise(of_device))
        assert all(b["measured_at"] > a["measured_at"] for a, b in pairwise(of_device))
    assert max(value["measured_at"] for value in values) == "2026-11-28T12:00:00Z"


def test_with_faults_readings_are_resent_missing_late_and_texts() -> None:
    records = list(readings(1, 6000, NOW, devices=20, faults=True))
    faults = Counter(record.fault for record in records)
    assert {"resent", "late", "a number as a text", "an impossible value", "no JSON"} <= {*faults}
    keys: list[tuple[str, int]] = []
    for record in records:
        if record.fault not in ("no JSON", "deleted", "no device"):
            value = json.loads(record.value or b"")
            keys.append((value["device_id"], value["sequence"]))
    assert len(keys) > len(set(keys))
    assert len(set(keys)) < 6000


def test_big_records_come_last() -> None:
    *others, last = tickets(1, 3, NOW, big=1)
    assert len(last.value or b"") > 20 * 2**20
    assert all(len(record.value or b"") < 1000 for record in others)


@pytest.mark.parametrize("command", ["tickets", "readings"])
def test_without_a_broker_a_command_says_what_to_set(command: str, tmp_path: Path) -> None:
    done = novade(tmp_path, "sandbox", command)
    assert done.returncode == 2
    assert "found none; set NOVADE_STREAMS_BROKERS or --brokers" in " ".join(done.stderr.split())
