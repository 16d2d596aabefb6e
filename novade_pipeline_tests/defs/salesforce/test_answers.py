"""However the organisation answers, the lake has what it has: pages, forms of values, cascades."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.errors import TransientFailure
from novade_pipeline.sandbox.salesforce.api import Faults
from novade_pipeline_tests.defs.salesforce.conftest import new_world
from novade_pipeline_tests.defs.salesforce.same_state import differences

World = Any


@pytest.mark.parametrize("bulk_from_rows", [0, 10_000], ids=["bulk", "rest"])
@pytest.mark.parametrize("name", ["Contact", "Task"])
def test_pages_of_any_size_are_read_to_their_end(
    tmp_path: Path, name: str, bulk_from_rows: int
) -> None:
    faults = Faults(uneven_pages=True)
    with new_world(tmp_path, batch_size=20, results_rows=20, faults=faults) as world:
        loaded = world.load(name, bulk_from_rows=bulk_from_rows)
        assert loaded.rows == len(world.records_by_id(name))
        assert differences(world, name) == []


@pytest.mark.parametrize("back", [False, True])
def test_contacts_that_go_and_come_back_with_their_account_do_so_in_the_lake(
    world: World, back: bool
) -> None:
    family = ("Account", "Contact", "Opportunity", "OpportunityLineItem")
    for name in family:
        world.load(name)
    living = [row for row in world.org.records("Contact") if not row["IsDeleted"]]
    account = living[0]["AccountId"]
    world.org.clock += timedelta(hours=1)
    world.org.delete("Account", account)
    if back:
        world.org.undelete("Account", account)
    for name in family:
        world.load(name)
        assert differences(world, name) == []
    rows = world.rows("Contact")
    are_deleted = {rows[row["Id"]]["is_deleted"] for row in living if row["AccountId"] == account}
    assert are_deleted == {not back}


def test_a_query_whose_locator_expires_while_it_is_read_is_read_by_the_next_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_world(tmp_path, batch_size=20) as world:
        after_a_page = world.api._injector.after_page

        def wait(of: str) -> None:
            world.org.clock += timedelta(days=3)
            after_a_page(of)

        with monkeypatch.context() as patched:
            patched.setattr(world.api._injector, "after_page", wait)
            with pytest.raises(TransientFailure, match="INVALID_QUERY_LOCATOR"):
                world.load("Contact")
        assert world.rows("Contact") == {}
        world.load("Contact")
        assert differences(world, "Contact") == []


@pytest.mark.parametrize(
    ("to", "kind", "value", "text"),
    [
        ("double", "number", 12.5, "12.5"),
        ("double", "number", 25_000_000.0, "25000000.0"),
        ("double", "number", 0.0004, "0.0004"),
        ("currency", "number", -123_456_789.25, "-123456789.25"),
        ("int", "integer", 25_000_000, "25000000"),
        ("boolean", "boolean", True, "true"),
        ("date", "date", date(2026, 3, 1), "2026-03-01"),
        ("datetime", "time", datetime(2026, 3, 1, 12, tzinfo=UTC), "2026-03-01T12:00:00.000Z"),
    ],
)
def test_a_text_that_becomes_something_else_stays_in_its_column_as_the_same_text_by_either_api(
    world: World, to: str, kind: str, value: Any, text: str
) -> None:
    world.load("Account")
    world.org.change_type("Account", "Notes__c", to)
    account = world.org.records("Account")[0]["Id"]
    world.org.update("Account", account, {"Notes__c": value})
    for bulk_from_rows in (0, 10_000):
        loaded = world.load("Account", bulk_from_rows=bulk_from_rows, overlap_seconds=10**9)
        assert world.rows("Account")[account]["notes__c"] == text
        assert loaded.fields.retyped == {"Notes__c": f"was text, is {kind}: read as text"}
    assert loaded.receipts == ()
