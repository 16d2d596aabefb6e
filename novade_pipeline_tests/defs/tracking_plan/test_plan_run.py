"""`novade run` with plans that are only in part, or not at all, what they should be."""

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from novade_pipeline.defs.tracking_plan.tables import EVENT_VERDICTS, PLAN
from novade_pipeline.lake.read import read
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.commands import CompletedCommand, novade
from novade_pipeline_tests.defs.tracking_plan.plans import envelope, segment, track

SELECTION = ",".join(
    [
        *("amplitude/events", "amplitude/merged_ids", "amplitude/identities", "amplitude/repeats"),
        *("tracking_plan/plan", "tracking_plan/event_verdicts"),
        *("marts/event_enhanced", "marts/coverage_by_day", "marts/tracking_plan_coverage"),
    ]
)
TOTAL = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
URN = "urn:uuid:deadbeef-1234-ffff-ffff-4321feebdaed"
NAME = {"properties": {"name": {"pattern": r"^[\p{L} '-]+$"}, "code": {"pattern": "("}}}
RULES = [
    track("Order Completed", schema=envelope(TOTAL), version=1),
    track(
        "Order Completed",
        schema=envelope({**TOTAL, "required": ["total", "currency"]}),
        version=2,
    ),
    track("Direct", schema=TOTAL),
    track("Named", schema=envelope(NAME)),
    track(
        "Referring",
        schema=envelope(
            {"properties": {"n": {"$ref": URN}}},
            definitions={"n": {"$id": URN, "type": "integer"}},
        ),
    ),
    track("Leaving", schema=envelope({"$ref": "https://acme.example/n.json"})),
]
V1 = {"context": {"protocols": {"event_version": 1}}}
# (event, properties, other fields, verdict)
EVENTS: list[tuple[str, Any, Any, str]] = [
    ("Order Completed", {"total": 5}, {}, "violating"),
    ("Order Completed", {"total": 5, **V1}, {}, "conforming"),
    ("Order Completed", {"total": 5}, V1, "conforming"),
    ("Order Completed", {"total": 5, "currency": "EUR"}, {}, "conforming"),
    ("Direct", {"total": "x"}, {}, "violating"),
    ("Direct", {"total": 5}, {}, "conforming"),
    ("Named", {"name": "Élodie O'Brien", "code": 1}, {}, "conforming"),
    ("Named", {"name": "4711"}, {}, "violating"),
    ("Named", {"name": "abc\n"}, {}, "violating"),
    ("Referring", {"n": 1}, {}, "conforming"),
    ("Referring", {"n": "x"}, {}, "violating"),
    ("Leaving", {"n": 1}, {}, "unjudged"),
    ("Other", {}, {}, "unplanned"),
]


@dataclass(frozen=True)
class Ran:
    """A folder after `novade run`, and what the command said."""

    folder: Path
    ended: CompletedCommand

    def verdicts(self) -> list[tuple[str, str]]:
        rows = read(store(str(self.folder / "data" / "lake")), EVENT_VERDICTS).to_pylist()
        rows.sort(key=lambda row: (row["upload_hour"], row["line"]))
        return [(row["event_type"], row["verdict"]) for row in rows]

    def coverage(self, columns: str) -> dict[tuple[str, str], tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / "data" / "warehouse.duckdb")) as connection:
            rows = connection.execute(
                f"SELECT event_type, property, {columns} FROM marts.tracking_plan_coverage"
            ).fetchall()
        return {(row[0], row[1]): row[2:] for row in rows}


def land_events(folder: Path, hour: int = 5) -> None:
    lines = []
    for number, (event_type, properties, others, _) in enumerate(EVENTS):
        line = {
            "uuid": f"00000000-0000-4000-8000-{hour:04}{number:08}",
            "event_type": event_type,
            "event_time": f"2026-03-02 {hour:02}:15:00.000000",
            "app": 187520,
            "amplitude_id": 900001,
            "session_id": 1772446500000,
            "user_id": "u-1",
            "device_id": "d-1",
            "event_properties": properties,
            "user_properties": {},
            "groups": {},
            **others,
        }
        lines.append(json.dumps(line) + "\n")
    path = folder / f"data/landing/amplitude/events/187520_2026-03-02_{hour}#0.json.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(lines).encode()))


def land_plan(folder: Path, content: bytes, name: str = "plan.json", second: int = 0) -> None:
    path = folder / "data/landing/tracking_plan" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (1_770_000_000 + second, 1_770_000_000 + second))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("ran")
    land_events(folder)
    land_plan(folder, segment(*RULES))
    return Ran(folder, novade(folder, "run", "--select", SELECTION))


def test_each_event_is_judged_by_the_rules_that_can_be_applied(ran: Ran) -> None:
    assert ran.verdicts() == [(event_type, verdict) for event_type, _, _, verdict in EVENTS]


def test_a_refused_rule_ends_with_0_and_is_told_with_its_reason(ran: Ran) -> None:
    assert ran.ended.returncode == 0, ran.ended.stderr
    assert (
        "Warning tracking_plan/plan: 2 rules cannot be applied, first: rule for "
        '"Leaving": expected every $ref to stay in its document, found'
    ) in ran.ended.stdout
    assert "(check every_rule_is_judged)" in ran.ended.stdout


def test_the_plans_table_has_each_event_and_property_once(ran: Ran) -> None:
    rows = read(store(str(ran.folder / "data" / "lake")), PLAN).to_pylist()
    keys = [(row["event_type"], row["property"]) for row in rows]
    assert sorted(keys) == [
        *(("Direct", ""), ("Direct", "total"), ("Leaving", ""), ("Named", "")),
        *(("Named", "code"), ("Named", "name"), ("Order Completed", "")),
        *(("Order Completed", "currency"), ("Order Completed", "total")),
        *(("Referring", ""), ("Referring", "n")),
    ]
    order, leaving = (
        next(r for r in rows if (r["event_type"], r["property"]) == (name, ""))
        for name in ("Order Completed", "Leaving")
    )
    assert json.loads(order["rule"])["required"] == ["total", "currency"]
    assert [one["version"] for one in json.loads(order["versions"])] == [1, 2]
    assert leaving["rule"] is None
    assert leaving["refused"].startswith("expected every $ref to stay in its document")


def test_an_event_with_two_versions_is_covered_once(ran: Ran) -> None:
    covered = ran.coverage("events, judged, seen, violations, planned, required")
    orders = {name: row for (event, name), row in covered.items() if event == "Order Completed"}
    assert orders == {
        "": (4, 4, 4, 0, True, True),
        "total": (4, 4, 4, 0, True, True),
        "currency": (4, 4, 1, 1, True, True),
        "context": (4, 4, 1, 0, False, False),
    }


def test_of_an_event_with_a_refused_rule_nothing_is_called_unplanned(ran: Ran) -> None:
    covered = ran.coverage("events, judged, event_planned, unplanned_event, unplanned_property")
    assert covered["Leaving", ""] == (1, 0, True, False, False)
    assert covered["Leaving", "n"] == (1, 0, True, False, False)
    assert covered["Other", ""] == (1, 1, False, True, False)
    assert covered["Order Completed", "context"] == (4, 4, True, False, True)


def test_a_file_that_is_no_plan_stops_no_events_and_the_plan_before_stands(ran: Ran) -> None:
    land_events(ran.folder, hour=6)
    land_plan(ran.folder, b'{"hello": "world"}', "later.json", second=1)
    again = Ran(ran.folder, novade(ran.folder, "run", "--select", SELECTION))
    assert again.ended.returncode == 1
    assert "(check newest_file_is_a_plan)" in again.ended.stdout
    assert "tracking_plan/later.json: expected a tracking plan" in again.ended.stdout
    assert again.verdicts() == [(kind, verdict) for kind, _, _, verdict in EVENTS] * 2


def test_the_first_plan_that_is_none_stops_no_events(tmp_path: Path) -> None:
    land_events(tmp_path)
    land_plan(tmp_path, b"{")
    selection = "amplitude/events,tracking_plan/plan,tracking_plan/event_verdicts"
    first = Ran(tmp_path, novade(tmp_path, "run", "--select", selection))
    assert first.ended.returncode == 1
    assert "(check newest_file_is_a_plan)" in first.ended.stdout
    assert "tracking_plan/plan.json: expected " in first.ended.stdout
    assert first.verdicts() == [(kind, "unplanned") for kind, *_ in EVENTS]
