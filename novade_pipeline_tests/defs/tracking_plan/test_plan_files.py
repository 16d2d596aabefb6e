"""The plan's file in landing: which one counts, and the table that it becomes."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from novade_pipeline.defs.tracking_plan import plan_files
from novade_pipeline.defs.tracking_plan.plan_files import (
    FOLDER,
    NO_PLAN,
    newest_file,
    newest_plan,
    pending_rows,
    plan_rows,
    read_plan,
    stored_plan,
)
from novade_pipeline.defs.tracking_plan.plan_formats import Plan, PlanError
from novade_pipeline.defs.tracking_plan.tables import PLAN
from novade_pipeline.errors import TransientFailure
from novade_pipeline.lake.delta import replace
from novade_pipeline.lake.read import read
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.places import NewStore, drop, on_disk


def _document(*events: str, maximum: int = 9) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            "properties": {
                "type": "object",
                "properties": {"n": {"type": "integer", "maximum": maximum, "description": "A n."}},
                "required": ["n"],
            }
        },
    }
    rules = [{"key": e, "type": "TRACK", "version": 1, "jsonSchema": schema} for e in events]
    return {"id": "tp_1", "name": "Shop", "rules": rules}


@pytest.fixture
def landing(new_store: NewStore) -> Store:
    return new_store("landing")


def _land(landing: Store, name: str, content: str) -> None:
    drop(landing, content.encode(), FOLDER, name)


def _newest(landing: Store) -> Plan:
    file = newest_file(landing)
    assert file is not None
    return read_plan(landing, file)


def test_without_a_file_there_is_no_plan(landing: Store) -> None:
    assert newest_file(landing) is None


def test_the_newest_file_counts_whatever_its_name(landing: Store) -> None:
    _land(landing, "z.json", json.dumps(_document("Old")))
    (before,) = landing.entries()
    while (file := newest_file(landing)) is None or file.modified == before.modified:
        # Azure tells the time in whole seconds.
        time.sleep(0.05)
        _land(landing, "a.json", json.dumps(_document("New")))
    assert [rule.event_type for rule in _newest(landing).rules] == ["New"]


# On Azure the moment cannot be chosen.
@on_disk
def test_of_two_files_of_one_moment_the_last_name_counts(landing: Store) -> None:
    for name in ("b.json", "c.json", "a.json"):
        landing.write(json.dumps(_document(name)).encode(), FOLDER, name)
        os.utime(landing.path(FOLDER, name), (1_000, 1_000))
    assert [rule.event_type for rule in _newest(landing).rules] == ["c.json"]


def test_an_upload_in_progress_does_not_count(landing: Store) -> None:
    _land(landing, "plan.json", json.dumps(_document("A")))
    _land(landing, ".plan.json.part", "{")
    assert [rule.event_type for rule in _newest(landing).rules] == ["A"]


def test_a_wrong_file_is_refused_with_its_name_and_reason(landing: Store) -> None:
    _land(landing, "plan.json", "[1, 2]")
    with pytest.raises(PlanError, match=r"tracking_plan/plan\.json: expected a tracking plan"):
        _newest(landing)


@on_disk
def test_a_file_that_cannot_be_opened_is_refused_with_what_to_do(landing: Store) -> None:
    _land(landing, "plan.json", json.dumps(_document("A")))
    loop = Path(landing.path("tracking_plan", "later.json"))
    loop.symlink_to(loop)
    with pytest.raises(PlanError, match=r"later\.json: .* cannot be opened .*; let this user read"):
        _newest(landing)


def test_a_file_that_is_too_large_is_refused_unread(
    landing: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_files, "MAX_BYTES", 2**20)
    monkeypatch.setattr(plan_files, "open_landed", None)
    _land(landing, "plan.json", " " * (3 * 2**20))
    with pytest.raises(PlanError, match="at most 1 MiB, found 3 MiB"):
        _newest(landing)


def test_a_file_that_changed_since_the_listing_is_a_failure_that_passes(landing: Store) -> None:
    _land(landing, "plan.json", json.dumps(_document("A")))
    file = newest_file(landing)
    assert file is not None
    _land(landing, "plan.json", json.dumps(_document("B")))
    with pytest.raises(TransientFailure, match="changed while it was read"):
        read_plan(landing, file)


def test_a_plan_has_a_row_an_event_and_a_row_a_property(landing: Store) -> None:
    _land(landing, "plan.json", json.dumps(_document("Sold", "Bought")))
    rows = plan_rows(_newest(landing), "plan.json").to_pylist()
    assert sorted((row["event_type"], row["property"]) for row in rows) == [
        ("Bought", ""),
        ("Bought", "n"),
        ("Sold", ""),
        ("Sold", "n"),
    ]
    (n,) = [row for row in rows if (row["event_type"], row["property"]) == ("Sold", "n")]
    assert (n["types"], n["required"], n["description"]) == ("integer", True, "A n.")
    assert n["rule"] is None
    assert {row["format"] for row in rows} == {"segment"}


def test_a_plan_comes_back_from_the_lake_as_it_was(landing: Store) -> None:
    _land(landing, "plan.json", json.dumps(_document("Sold", "Bought")))
    plan = _newest(landing)
    replace(landing, PLAN, plan_rows(plan, "plan.json"))
    found = stored_plan(landing)
    assert found.version == plan.version
    assert {r.event_type: r.schema for r in found.rules} == {
        r.event_type: r.schema for r in plan.rules
    }


def test_a_plan_with_versions_and_refused_rules_comes_back_as_it_was(landing: Store) -> None:
    document = _document("Sold", "Sold", "Bought", "Lost", "Lost", "Lost")
    for number, rule in enumerate(document["rules"], 1):
        rule["version"] = number
    document["rules"][2]["jsonSchema"] = {"$ref": "elsewhere.json"}
    document["rules"][5]["jsonSchema"] = 5
    _land(landing, "plan.json", json.dumps(document))
    plan = _newest(landing)
    assert (len(plan.rules), len(plan.refused)) == (4, 2)
    rows = plan_rows(plan, "plan.json")
    replace(landing, PLAN, rows)
    assert len(rows.group_by(list(PLAN.key)).aggregate([])) == len(rows)
    found = stored_plan(landing)
    # Of an event with one version its number says nothing.
    only = {rule.event_type: rule.version for rule in found.refused}
    assert only == {"Bought": 0, "Lost": 6}
    assert [(r.event_type, r.version, r.schema) for r in found.rules] == [
        (r.event_type, r.version, r.schema) for r in plan.rules
    ]
    assert [rule.reason for rule in found.refused] == [rule.reason for rule in plan.refused]


def test_where_versions_differ_the_newest_says_what_a_property_is(landing: Store) -> None:
    document = _document("Sold", "Sold")
    older, newer = (
        rule["jsonSchema"]["properties"]["properties"]
        for rule in (json.loads(json.dumps(rule)) for rule in document["rules"])
    )
    older |= {"properties": {"n": {"type": "string"}, "old": {}}, "required": ["n", "old"]}
    newer |= {"properties": {"n": {"type": "number"}, "new": {}}, "required": ["new"]}
    for rule, version, schema in zip(document["rules"], (1, 2), (older, newer), strict=True):
        rule |= {"version": version, "jsonSchema": {"properties": {"properties": schema}}}
    _land(landing, "plan.json", json.dumps(document))
    rows = plan_rows(_newest(landing), "plan.json").to_pylist()
    assert {row["property"]: (row["types"], row["required"]) for row in rows} == {
        "": (None, True),
        "n": ("number", False),
        "new": ("any", True),
        "old": ("any", False),
    }


def test_a_table_of_an_older_version_is_read_and_written_anew(landing: Store) -> None:
    _land(landing, "plan.json", json.dumps(_document("Sold")))
    file, plan = newest_plan(landing) or (None, None)
    assert file is not None
    assert plan is not None
    older = [field for field in PLAN.schema if field.name not in ("refused", "versions")]
    rows = plan_rows(plan, file.file).select([field.name for field in older])
    url = landing.table_url(*PLAN.path)
    write_deltalake(url, rows, storage_options=landing.options())
    (rule,) = stored_plan(landing).rules
    assert (rule.event_type, rule.schema["properties"]["n"]["type"]) == ("Sold", "integer")
    assert pending_rows(landing, file, plan) is None
    replace(landing, PLAN, plan_rows(plan, file.file))
    assert stored_plan(landing).rules[0].schema == plan.rules[0].schema


def test_a_pattern_that_only_an_older_version_could_read_is_left_out(landing: Store) -> None:
    _land(landing, "plan.json", json.dumps(_document("Sold")))
    rows = plan_rows(_newest(landing), "plan.json").to_pylist()
    rows[0]["rule"] = '{"properties": {"n": {"type": "string", "pattern": "(?P<only>Python)"}}}'
    replace(landing, PLAN, pa.Table.from_pylist(rows, schema=PLAN.schema))
    assert stored_plan(landing).rules[0].schema == {"properties": {"n": {"type": "string"}}}


def test_a_lake_without_a_plan_has_one_without_rules(landing: Store) -> None:
    assert stored_plan(landing) == NO_PLAN


def test_the_shared_plan_becomes_a_table(shared: Path, tmp_path: Path) -> None:
    landing, lake = store(str(shared / "landing")), store(str(tmp_path))
    replace(lake, PLAN, plan_rows(_newest(landing), "sparkify.json"))
    rows = read(lake, PLAN)
    expected = json.loads((shared / "expected/conformance.json").read_text())
    planned = set(rows["event_type"].to_pylist())
    assert set(expected["planned_never_seen"]) <= planned
    unplanned = [e for e, told in expected["by_event_type"].items() if "unplanned" in told]
    assert not planned & set(unplanned)
