"""The verdicts on the shared events, beside those of the reference library."""

import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from novade_pipeline.defs.amplitude.export_files import EVENTS
from novade_pipeline.defs.tracking_plan.plan_files import newest_file, plan_rows, read_plan
from novade_pipeline.defs.tracking_plan.tables import EVENT_VERDICTS, PLAN
from novade_pipeline.defs.tracking_plan.verdicts import (
    judge_changes,
)
from novade_pipeline.lake.delta import replace
from novade_pipeline.lake.read import read
from novade_pipeline.landing.ledger import Rules
from novade_pipeline.landing.load import load
from novade_pipeline.landing.source import find_pending
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.places import NewStore


@pytest.fixture
def lake(new_store: NewStore) -> Store:
    return new_store("lake")


def test_the_shared_events_are_judged_as_the_reference_library_does(
    shared: Path, lake: Store
) -> None:
    landing = store(str(shared / "landing"))
    rules = Rules(1, "keep", date(2018, 1, 1), timedelta(0))
    todo = find_pending(EVENTS, landing, lake, rules)
    load(EVENTS, landing, lake, PersonalDataPolicy(), todo)
    file = newest_file(landing)
    assert file is not None
    replace(lake, PLAN, plan_rows(read_plan(landing, file), file.file))
    judge_changes(lake)
    rows = {row["uuid"]: row for row in read(lake, EVENT_VERDICTS).to_pylist()}
    expected = json.loads((shared / "expected/conformance.json").read_text())
    assert Counter(row["verdict"] for row in rows.values()) == expected["verdicts"]
    by_type: dict[str, Counter[str]] = {}
    for row in rows.values():
        by_type.setdefault(row["event_type"], Counter())[row["verdict"]] += 1
    assert by_type == expected["by_event_type"]
    violations = Counter(
        f"{row['event_type']}/{violation['path']}/{violation['keyword']}"
        for row in rows.values()
        for violation in row["violations"]
    )
    assert violations == expected["violations"]
