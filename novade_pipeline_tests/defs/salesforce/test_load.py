"""What the organisation has is in the lake: each record once, none lost, nothing for nothing."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from novade_pipeline.defs.salesforce import load as loading
from novade_pipeline.defs.salesforce.tables import OBJECTS, QUARANTINE
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.sandbox.salesforce import currencies
from novade_pipeline.sandbox.salesforce.api import Faults
from novade_pipeline.sandbox.salesforce.fields import Field
from novade_pipeline_tests.defs.salesforce.same_state import differences, exact

World = Any


@pytest.mark.parametrize("bulk_from_rows", [0, 10_000], ids=["bulk", "rest"])
@pytest.mark.parametrize("name", OBJECTS)
def test_each_record_and_each_field_is_in_the_lake_however_it_is_read(
    world: World, name: str, bulk_from_rows: int
) -> None:
    currencies.enable(world.org, "EUR", {"JPY": 160.25, "USD": 1.087654})
    currencies.rate_from(world.org, "JPY", date(1, 1, 1), None, 155.5)
    loaded = world.load(name, bulk_from_rows=bulk_from_rows)
    assert world.rows(name)
    assert differences(world, name) == []
    assert loaded.apis == ("rest" if bulk_from_rows else "bulk",)
    assert (loaded.is_full, loaded.bad) == (True, 0)


@pytest.mark.parametrize("bulk_from_rows", [0, 10_000], ids=["bulk", "rest"])
def test_what_is_the_same_is_not_written(world: World, bulk_from_rows: int) -> None:
    world.load("Account", bulk_from_rows=bulk_from_rows)
    before = world.version("Account")
    loaded = world.load("Account", bulk_from_rows=bulk_from_rows, overlap_seconds=10**9)
    assert loaded.rows == len(world.records_by_id("Account"))
    assert (world.version("Account"), loaded.receipts) == (before, ())


def test_only_what_changed_is_read_and_written(world: World) -> None:
    world.load("Task")
    world.org.clock += timedelta(hours=1)
    changed = world.org.records("Task")[3]["Id"]
    world.org.update("Task", changed, {"Subject": "Call again"})
    loaded = world.load("Task")
    assert (loaded.rows, [receipt.rows for receipt in loaded.receipts]) == (1, [1])
    assert not loaded.is_full
    assert differences(world, "Task") == []


def test_two_changes_in_a_second_with_a_load_between_are_both_there(world: World) -> None:
    account = world.org.records("Account")[0]["Id"]
    world.org.clock = world.org.clock.replace(microsecond=0)
    world.org.update("Account", account, {"Name": "First"})
    world.load("Account")
    world.org.update("Account", account, {"Name": "Second"})
    stamps = {world.rows("Account")[account]["system_modstamp"]}
    stamps.add(world.org.record("Account", account)["SystemModstamp"])
    assert len(stamps) == 1
    world.load("Account", overlap_seconds=0)
    assert world.rows("Account")[account]["name"] == "Second"


def test_a_record_that_is_deleted_and_comes_back_is_marked_and_unmarked(world: World) -> None:
    world.load("Account")
    account = world.org.records("Account")[0]["Id"]
    world.org.delete("Account", account)
    world.load("Account")
    row = world.rows("Account")[account]
    assert (row["is_deleted"], row["vanished_at"]) == (True, None)
    world.org.undelete("Account", account)
    world.load("Account")
    assert not world.rows("Account")[account]["is_deleted"]


def test_records_that_change_while_they_are_read_are_there_once_in_their_newest_state(
    world: World,
) -> None:
    world.api.faults = Faults(changes=20, deletions=3)
    world.load("Contact", bulk_from_rows=0, slice_rows=10)
    world.load("Contact", bulk_from_rows=0, slice_rows=10)
    world.api.faults = Faults()
    world.load("Contact")
    assert differences(world, "Contact") == []


def test_a_long_history_is_read_in_slices_each_with_its_commit(world: World) -> None:
    loaded = world.load("Task", slice_rows=20)
    rows = len(world.records_by_id("Task"))
    assert loaded.slices >= rows // 20
    assert len(loaded.receipts) == loaded.slices
    assert max(receipt.rows for receipt in loaded.receipts) <= 20
    assert differences(world, "Task") == []


def test_a_load_that_is_stopped_goes_on_where_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, merge = [3], loading.merge

    def stop_after_three(*args: Any, **options: Any) -> Any:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return merge(*args, **options)

    monkeypatch.setattr(loading, "merge", stop_after_three)
    with pytest.raises(KeyboardInterrupt):
        world.load("Task", slice_rows=20)
    monkeypatch.undo()
    done = len(world.rows("Task"))
    assert 0 < done < len(world.records_by_id("Task"))
    loaded = world.load("Task", slice_rows=20)
    assert loaded.rows <= len(world.records_by_id("Task")) - done + 20
    assert differences(world, "Task") == []


def test_the_watermark_is_the_organisations_time_and_is_in_the_commit_of_the_rows(
    world: World,
) -> None:
    world.org.clock = datetime(2031, 5, 1, 12, 30, 7, 400_000, UTC)
    loaded = world.load("Account")
    assert loaded.watermark == datetime(2031, 5, 1, 12, 30, 7, tzinfo=UTC)
    assert world.version("Account") == 1


# fields


def test_a_new_field_is_read_of_all_records_although_none_has_changed(world: World) -> None:
    world.load("Account")
    world.org.add_field("Account", Field("Tier__c", "string", 10))
    for record in world.org.records("Account"):
        world.org.table("Account").store({**record, "Tier__c": "gold"})
    loaded = world.load("Account")
    assert loaded.is_full
    assert {row["tier__c"] for row in world.rows("Account").values()} == {"gold"}
    assert world.load("Account").rows <= 12


def test_a_dropped_field_keeps_its_values_and_nothing_is_read_again(world: World) -> None:
    world.load("Account")
    world.org.clock += timedelta(hours=1)
    first, second, *_ = world.org.records("Account")
    before = world.rows("Account")
    world.org.drop_field("Account", "Notes__c")
    world.org.update("Account", first["Id"], {"Name": "Renamed"})
    loaded = world.load("Account")
    assert (loaded.is_full, loaded.rows, loaded.fields.dropped) == (False, 1, ("notes__c",))
    assert world.rows("Account")[first["Id"]]["name"] == "Renamed"
    after = world.rows("Account")
    assert after[second["Id"]] == before[second["Id"]]
    assert after[first["Id"]]["notes__c"] == before[first["Id"]]["notes__c"]


def test_a_field_that_was_hidden_for_a_while_is_read_for_what_changed_meanwhile(
    world: World,
) -> None:
    world.load("Account")
    world.org.clock += timedelta(hours=1)
    changed = world.org.records("Account")[0]["Id"]
    world.org.hide_field("Account", "Industry")
    world.org.update("Account", changed, {"Industry": "Secret"})
    hidden = world.load("Account")
    assert (hidden.is_full, hidden.rows, hidden.fields.invisible) == (False, 1, ("Industry",))
    world.org.hide_field("Account", "Industry", False)
    world.org.clock += timedelta(hours=1)
    again = world.load("Account")
    assert (again.is_full, again.rows) == (False, 1)
    assert differences(world, "Account") == []


def test_a_field_that_becomes_text_has_a_column_of_its_own_and_the_old_one_stays(
    world: World,
) -> None:
    world.load("Account")
    account = next(r for r in world.org.records("Account") if r["Health_Score__c"] is not None)
    world.org.change_type("Account", "Health_Score__c", "string")
    world.org.update("Account", account["Id"], {"Health_Score__c": "very well"})
    loaded = world.load("Account")
    assert loaded.is_full
    row = world.rows("Account")[account["Id"]]
    assert row["health_score__c__text"] == "very well"
    assert row["health_score__c"] == exact(account["Health_Score__c"])
    assert "Health_Score__c" in loaded.fields.retyped
    others = [r for r in world.rows("Account").values() if r["id"] != account["Id"]]
    assert any(r["health_score__c__text"] is not None for r in others)


def test_an_object_with_more_fields_than_fit_into_a_url_is_read_by_a_job(world: World) -> None:
    for number in range(160):
        name = f"A_field_with_a_name_of_forty_letters_{number:03}__c"
        world.org.add_field("UserRole", Field(name, "string", 10))
    assert world.load("UserRole").apis == ("bulk",)
    assert differences(world, "UserRole") == []


# bad input


def test_a_record_that_breaks_its_types_is_kept_apart_until_it_is_mended(world: World) -> None:
    bad, good, *_ = world.org.records("Account")
    world.org.table("Account").store({**bad, "NumberOfEmployees": "many"})
    for bulk_from_rows in (0, 10_000):
        loaded = world.load("Account", bulk_from_rows=bulk_from_rows, overlap_seconds=10**9)
        assert loaded.bad == 1
        (kept,) = world.read(QUARANTINE)
        assert (kept["source"], kept["record"]) == ("account", bad["Id"])
        assert kept["reason"] == "NumberOfEmployees: expected a whole number, found a text"
        assert b'"NumberOfEmployees": "many"' in kept["raw"]
        assert bad["Id"] not in world.rows("Account")
        assert good["Id"] in world.rows("Account")
    version = world.read(QUARANTINE)
    world.load("Account", overlap_seconds=10**9)
    assert world.read(QUARANTINE) == version
    world.org.update("Account", bad["Id"], {"NumberOfEmployees": 7})
    world.load("Account")
    assert world.read(QUARANTINE) == []
    assert differences(world, "Account") == []


def test_an_object_whose_key_is_hidden_is_reported(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(loading.Organisation, "describe", lambda *_: {"fields": []})
    with pytest.raises(PermanentFailure, match="expected to see Id and SystemModstamp of Account"):
        world.load("Account")


def test_a_picklist_value_of_any_length_and_any_text_is_loaded_as_it_is(world: World) -> None:
    long_type = "x" * 300
    odd = 'a "quoted", 日本\r\nline\n, and a tab\t'
    account = world.org.insert("Account", {"Name": odd, "Type": long_type})
    for bulk_from_rows in (0, 10_000):
        world.load("Account", bulk_from_rows=bulk_from_rows, overlap_seconds=10**9)
        row = world.rows("Account")[account]
        assert (row["name"], row["type"]) == (odd, long_type)


# personal data


@pytest.mark.parametrize("mode", ["keep", "hash", "drop"])
def test_personal_data_obeys_the_policy_in_every_table(world: World, mode: Any) -> None:
    bad, good = [record for record in world.org.records("Contact") if record["Email"]][:2]
    world.org.add_field("Contact", Field("Private_Mail__c", "email", 80))
    world.org.update("Contact", good["Id"], {"Private_Mail__c": "secret@private.example"})
    world.org.table("Contact").store({**bad, "Private_Mail__c": None, "Birthdate": "none"})
    world.load("Contact", policy=PersonalDataPolicy(mode, b"key"))
    row, (kept,) = world.rows("Contact")[good["Id"]], world.read(QUARANTINE)
    stored = f"{world.rows('Contact')} {kept}"
    for text in (bad["Email"], good["Email"], "secret@private.example"):
        assert (text in stored) == (mode == "keep")
    assert (row["email"] is None) == (mode == "drop")
    assert (kept["raw"] is None) == (mode != "keep")


def test_a_field_that_the_settings_mark_is_read_once_more_under_the_policy(world: World) -> None:
    hashed = PersonalDataPolicy("hash", b"key")
    world.org.add_field("Contact", Field("Nickname__c", "string", 80))
    contact = world.org.insert("Contact", {"LastName": "Lovelace", "Nickname__c": "the Countess"})
    world.load("Contact", hashed)
    assert world.rows("Contact")[contact]["nickname__c"] == "the Countess"
    marked = {"personal_fields": "Contact.Nickname__c, Lead.Nickname__c"}
    assert world.load("Contact", hashed, **marked).is_full
    assert world.rows("Contact")[contact]["nickname__c"] == hashed.hash("the Countess")
    assert not world.load("Contact", hashed, **marked).is_full


def test_another_policy_reads_everything_once_more(world: World) -> None:
    world.load("Contact")
    assert world.load("Contact", policy=PersonalDataPolicy("drop")).is_full
    assert {row["email"] for row in world.rows("Contact").values()} == {None}
    assert not world.load("Contact", policy=PersonalDataPolicy("drop")).is_full


def test_an_object_without_records_is_an_empty_table(world: World) -> None:
    for record in world.org.records("Event"):
        world.org.table("Event").remove(record["Id"])
    for _ in range(2):
        loaded = world.load("Event", sweep_hours=0)
        assert (loaded.rows, loaded.apis) == (0, ())
    assert world.read(OBJECTS["Event"]) == []
