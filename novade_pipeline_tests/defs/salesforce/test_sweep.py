"""Sweeps load what incremental loads miss: hard deletes, late changes, values of formulas."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from novade_pipeline.defs.salesforce import sweep as sweeping
from novade_pipeline.defs.salesforce.tables import OBJECTS, QUARANTINE
from novade_pipeline.defs.salesforce.watermark import SWEEP, moment
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.delta import transaction_version
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.sandbox.salesforce.fields import Field
from novade_pipeline.sandbox.salesforce.transport import LONGEST_URI
from novade_pipeline_tests.defs.salesforce.conftest import new_world
from novade_pipeline_tests.defs.salesforce.same_state import differences, exact

World = Any


def test_a_sweep_marks_what_is_gone_for_good_and_nothing_else(world: World) -> None:
    world.load("Account")
    gone, binned, *_ = (record["Id"] for record in world.org.records("Account"))
    world.org.purge("Account", gone)
    world.org.delete("Account", binned)
    assert world.load("Account").swept is None
    swept = world.load("Account", sweep_hours=0).swept
    assert (swept.vanished, swept.returned, swept.ids) == (1, 0, 11)
    row = world.rows("Account")[gone]
    assert (row["is_deleted"], row["vanished_at"]) == (True, world.org.clock.replace(microsecond=0))
    assert world.rows("Account")[binned]["vanished_at"] is None
    before = world.rows("Account")
    assert world.load("Account", sweep_hours=0).swept.vanished == 0
    assert world.rows("Account") == before


@pytest.mark.parametrize("bulk_from_rows", [0, 10_000], ids=["bulk", "rest"])
def test_a_sweep_reads_again_what_is_back_and_what_was_missed(
    world: World, bulk_from_rows: int
) -> None:
    first, second, *_ = world.org.records("Account")
    world.org.table("Account").remove(first["Id"])
    world.load("Account")
    world.org.table("Account").remove(second["Id"])
    world.load("Account", sweep_hours=0)
    assert world.rows("Account")[second["Id"]]["vanished_at"]
    world.org.table("Account").store(first)
    world.org.table("Account").store(second)
    swept = world.load("Account", sweep_hours=0, bulk_from_rows=bulk_from_rows).swept
    assert (swept.vanished, swept.returned) == (0, 2)
    assert differences(world, "Account") == []


# what came late


def _put_late(world: World, of: str, seconds: float, **values: Any) -> dict[str, Any]:
    """A change that gets its stamp now, and is visible only so much later."""
    record = world.org.records(of)[0]
    stamp = world.org.clock.replace(microsecond=0)
    world.org.clock += timedelta(seconds=seconds)
    # The watermark moves with what is read.
    world.org.update(of, world.org.records(of)[-1]["Id"], {"Description": "in between"})
    world.load(of)
    world.org.table(of).store({**record, "SystemModstamp": stamp, **values})
    return {**record, "SystemModstamp": stamp, **values}


@pytest.mark.parametrize("bulk_from_rows", [0, 10_000], ids=["bulk", "rest"])
@pytest.mark.parametrize("change", [{"Name": "Late"}, {"IsDeleted": True}])
def test_a_change_that_becomes_visible_after_the_overlap_is_read_by_the_sweep(
    world: World, bulk_from_rows: int, change: dict[str, Any]
) -> None:
    world.load("Account")
    late = _put_late(world, "Account", 3600, **change)
    world.load("Account", bulk_from_rows=bulk_from_rows)
    assert differences(world, "Account") != []
    swept = world.load("Account", sweep_hours=0, bulk_from_rows=bulk_from_rows).swept
    assert (swept.late, swept.returned, swept.vanished, swept.recalculated) == (1, 0, 0, 0)
    assert differences(world, "Account") == []
    assert world.rows("Account")[late["Id"]]["returned_at"] is None
    assert world.load("Account", sweep_hours=0).swept.late == 0


def test_a_deletion_that_changes_no_stamp_is_read_by_the_sweep(world: World) -> None:
    world.load("Account")
    record = next(record for record in world.org.records("Account") if not record["IsDeleted"])
    world.org.table("Account").store({**record, "IsDeleted": True})
    world.org.clock += timedelta(hours=1)
    assert world.load("Account", sweep_hours=0).swept.late == 1
    assert differences(world, "Account") == []


def test_a_record_that_comes_late_is_read_by_the_sweep(world: World) -> None:
    late = world.org.records("Account")[0]
    world.org.table("Account").remove(late["Id"])
    world.load("Account")
    world.org.table("Account").store(late)
    swept = world.load("Account", sweep_hours=0).swept
    assert (swept.returned, swept.late) == (1, 0)
    assert world.rows("Account")[late["Id"]]["returned_at"] is None
    assert differences(world, "Account") == []


def test_what_the_organisation_has_counts_although_the_lake_has_it_newer(world: World) -> None:
    # A sandbox that is made anew from its production has older records under the same ids.
    world.load("Account")
    before = world.org.records("Account")[0]
    world.org.clock += timedelta(hours=1)
    world.org.update("Account", before["Id"], {"Name": "Never happened"})
    world.load("Account")
    world.org.table("Account").store(before)
    world.org.clock += timedelta(hours=1)
    assert world.load("Account", sweep_hours=0).swept.late == 1
    assert differences(world, "Account") == []


def test_many_late_changes_are_read_by_their_stamps(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(sweeping, "MOST_BY_ID", 2)
    world.load("Account")
    world.org.clock += timedelta(hours=1)
    stamps = [world.org.clock.replace(microsecond=0) + timedelta(minutes=n) for n in range(5)]
    world.org.clock += timedelta(hours=1)
    world.org.update("Account", world.org.records("Account")[-1]["Id"], {"Name": "In between"})
    world.load("Account")
    for record, stamp in zip(world.org.records("Account"), stamps, strict=False):
        world.org.table("Account").store({**record, "SystemModstamp": stamp, "Name": f"{stamp}"})
    swept = world.load("Account", sweep_hours=0, slice_rows=2).swept
    assert swept.late == 5
    assert sum(receipt.rows for receipt in swept.receipts) == 5
    assert differences(world, "Account") == []


def test_a_late_record_that_breaks_its_types_is_in_quarantine(world: World) -> None:
    world.load("Account")
    late = _put_late(world, "Account", 3600, NumberOfEmployees="many")
    before = world.rows("Account")[late["Id"]]
    swept = world.load("Account", sweep_hours=0).swept
    assert len(swept.quarantine) == 1
    (kept,) = world.read(QUARANTINE)
    assert (kept["record"], kept["reason"][:17]) == (late["Id"], "NumberOfEmployees")
    assert world.rows("Account")[late["Id"]] == before
    world.org.table("Account").store({**late, "NumberOfEmployees": 7})
    world.load("Account", sweep_hours=0)
    assert world.read(QUARANTINE) == []
    assert differences(world, "Account") == []


def test_a_record_that_is_back_says_since_when_until_it_changes(world: World) -> None:
    world.load("Account")
    hidden = next(record for record in world.org.records("Account") if not record["IsDeleted"])
    world.org.clock += timedelta(days=1)
    world.org.table("Account").remove(hidden["Id"])
    world.load("Account", sweep_hours=0)
    world.org.clock += timedelta(days=1)
    world.org.table("Account").store(hidden)
    assert world.load("Account", sweep_hours=0).swept.returned == 1
    back = world.org.clock.replace(microsecond=0)
    row = world.rows("Account")[hidden["Id"]]
    assert (row["vanished_at"], row["is_deleted"], row["returned_at"]) == (None, False, back)
    # Read once more by the overlap, it is as it was.
    assert world.load("Account", overlap_seconds=10**9).receipts == ()
    world.org.update("Account", hidden["Id"], {"Name": "Changed"})
    world.load("Account")
    assert world.rows("Account")[hidden["Id"]]["returned_at"] is None


def test_a_record_that_a_load_finds_back_says_so_as_well(world: World) -> None:
    world.load("Account")
    hidden = world.org.insert("Account", {"Name": "Hidden"})
    world.load("Account")
    record = world.org.record("Account", hidden)
    world.org.table("Account").remove(hidden)
    world.load("Account", sweep_hours=0)
    world.org.clock += timedelta(days=1)
    world.org.table("Account").store(record)
    assert world.load("Account", sweep_hours=10_000).swept is None
    row = world.rows("Account")[hidden]
    assert (row["vanished_at"], row["returned_at"]) == (None, world.org.now())


def test_a_sweep_reads_again_as_many_records_and_fields_as_a_uri_may_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths, send = [], requests.Session.send

    def measured(session: Any, request: Any, **options: Any) -> Any:
        lengths.append(len(request.url))
        return send(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", measured)
    with new_world(tmp_path, people=240) as world:
        for number in range(595):
            world.org.add_field("Task", Field(f"F{number:03}__c", "string", 10))
        missed = world.org.records("Task")[: sweeping.IDS_A_QUERY]
        for record in missed:
            world.org.table("Task").remove(record["Id"])
        world.load("Task")
        for record in missed:
            world.org.table("Task").store(record)
        swept = world.load("Task", sweep_hours=0).swept
        assert len(missed) == swept.returned == sweeping.IDS_A_QUERY
        assert 12_000 < max(lengths) < LONGEST_URI
        assert differences(world, "Task") == []


def test_a_sweep_is_due_by_the_organisations_clock(world: World) -> None:
    world.load("Account")
    world.org.clock += timedelta(hours=23)
    assert world.load("Account").swept is None
    world.org.clock += timedelta(hours=2)
    assert world.load("Account").swept is not None
    swept_at = transaction_version(world.lake, OBJECTS["Account"], SWEEP)
    assert moment(swept_at) == world.org.clock.replace(microsecond=0)
    assert world.load("Account").swept is None


def test_a_sweep_that_sees_much_less_than_before_marks_nothing_unless_configured(
    world: World,
) -> None:
    world.load("Task")
    for record in world.org.records("Task")[:100]:
        world.org.purge("Task", record["Id"])
    with pytest.raises(PermanentFailure, match="View All Records' on Task"):
        world.load("Task", sweep_hours=0)
    assert not any(row["vanished_at"] for row in world.rows("Task").values())
    swept = world.load("Task", sweep_hours=0, accept_vanished=True).swept
    assert swept.vanished == 100
    assert differences(world, "Task") == []


@pytest.mark.parametrize("bulk_from_rows", [0, 10_000], ids=["bulk", "rest"])
@pytest.mark.parametrize("name", ["Task", "Event"])
def test_activities_that_are_archived_without_a_stamp_are_taken_in_by_a_sweep(
    world: World, name: str, bulk_from_rows: int
) -> None:
    world.load(name)
    before = sum(row["is_archived"] for row in world.rows(name).values())
    world.org.clock += timedelta(days=300)
    world.org.archive_activities()
    archived = sum(record["IsArchived"] for record in world.org.records(name))
    assert archived > before > 0
    swept = world.load(name, bulk_from_rows=bulk_from_rows).swept
    assert (swept.vanished, swept.returned) == (0, 0)
    assert swept.recalculated == archived - before
    assert differences(world, name) == []


# formulas


@pytest.fixture
def scored(world: World) -> World:
    """An organisation whose accounts have two formula fields, loaded once."""
    world.org.add_field("Account", Field("Score__c", "double", calculated=True))
    world.org.add_field("Account", Field("Rank__c", "string", 80, calculated=True))
    world.org.recalculate("Account", "Score__c", lambda row: len(row["Name"]))
    world.load("Account")
    return world


def _modified(world: World) -> dict[str, Any]:
    return {key: row["system_modstamp"] for key, row in world.rows("Account").items()}


@pytest.mark.parametrize("bulk_from_rows", [0, 10_000], ids=["bulk", "rest"])
def test_a_formula_that_tells_something_else_is_taken_in_by_a_sweep(
    scored: World, bulk_from_rows: int
) -> None:
    before, (first, second, *_) = _modified(scored), scored.org.records("Account")
    scores = {first["Id"]: 7.5, second["Id"]: None}
    scored.org.recalculate("Account", "Score__c", lambda r: scores.get(r["Id"], r["Score__c"]))
    scored.load("Account")
    assert differences(scored, "Account") != []
    swept = scored.load("Account", sweep_hours=0, bulk_from_rows=bulk_from_rows).swept
    assert (swept.recalculated, swept.vanished, swept.returned) == (2, 0, 0)
    assert differences(scored, "Account") == []
    assert _modified(scored) == before
    version = scored.version("Account")
    assert scored.load("Account", sweep_hours=10_000).swept is None
    assert scored.version("Account") == version


def test_a_sweep_that_finds_every_formula_as_it_was_writes_no_row(scored: World) -> None:
    swept = scored.load("Account", sweep_hours=0).swept
    assert swept.recalculated == 0
    assert [receipt.rows for receipt in swept.receipts] == [0]


def test_formulas_of_many_rows_are_written_slice_by_slice(scored: World) -> None:
    scored.org.recalculate("Account", "Rank__c", lambda row: f"{row['Name']}, first")
    swept = scored.load("Account", sweep_hours=0, slice_rows=5).swept
    assert swept.recalculated == len(scored.org.records("Account")) == 12
    assert [receipt.rows for receipt in swept.receipts] == [5, 5, 2, 0]
    assert differences(scored, "Account") == []


def test_a_sweep_that_is_cut_off_between_its_slices_is_done_again(
    scored: World, monkeypatch: Any
) -> None:
    scored.org.recalculate("Account", "Rank__c", lambda row: "first")
    swept_at = transaction_version(scored.lake, OBJECTS["Account"], SWEEP)
    merge, left = sweeping.merge, [2]

    def cut_off(*args: Any, **options: Any) -> Any:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return merge(*args, **options)

    monkeypatch.setattr(sweeping, "merge", cut_off)
    with pytest.raises(KeyboardInterrupt):
        scored.load("Account", sweep_hours=0, slice_rows=4)
    assert transaction_version(scored.lake, OBJECTS["Account"], SWEEP) == swept_at
    monkeypatch.undo()
    assert scored.load("Account", sweep_hours=0).swept.recalculated == 4
    assert differences(scored, "Account") == []


def test_a_formula_of_what_is_gone_for_good_stays_as_it_was(scored: World) -> None:
    gone = scored.org.records("Account")[0]
    scored.org.purge("Account", gone["Id"])
    scored.org.recalculate("Account", "Score__c", lambda row: 1.0)
    scored.load("Account", sweep_hours=0)
    row = scored.rows("Account")[gone["Id"]]
    assert (row["score__c"], row["is_deleted"]) == (exact(gone["Score__c"]), True)
    assert differences(scored, "Account") == []


def test_a_formula_about_a_person_obeys_the_policy(scored: World) -> None:
    policy = PersonalDataPolicy("hash", b"key")
    marked = {"personal_fields": "Account.Rank__c"}
    scored.load("Account", policy, **marked)
    scored.org.recalculate("Account", "Rank__c", lambda row: "Ada Lovelace")
    swept = scored.load("Account", policy, sweep_hours=0, **marked).swept
    assert swept.recalculated == 12
    assert {row["rank__c"] for row in scored.rows("Account").values()} == {
        policy.hash("Ada Lovelace")
    }
    assert scored.load("Account", policy, sweep_hours=0, **marked).swept.recalculated == 0


def test_a_formula_that_breaks_its_type_marks_no_record_as_gone(scored: World) -> None:
    odd = scored.org.records("Account")[0]
    scored.org.table("Account").store({**odd, "Score__c": "none"})
    swept = scored.load("Account", sweep_hours=0).swept
    assert (swept.ids, swept.vanished, swept.recalculated) == (12, 0, 0)
