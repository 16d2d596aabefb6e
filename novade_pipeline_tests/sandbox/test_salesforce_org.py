"""The Salesforce organisation: whom it knows, what may change in it, and when that was."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from random import Random

import pytest
from isal import igzip

from novade_pipeline.defs.salesforce import tables
from novade_pipeline.sandbox.amplitude_exports import land
from novade_pipeline.sandbox.business import FREE_MAILBOX, company, staff
from novade_pipeline.sandbox.salesforce.api import AS_OF, SalesforceApi
from novade_pipeline.sandbox.salesforce.fields import Field
from novade_pipeline.sandbox.salesforce.ids import (
    record_id,
)
from novade_pipeline.sandbox.salesforce.objects import OBJECTS
from novade_pipeline.sandbox.salesforce.org import Organisation
from novade_pipeline.sandbox.salesforce.rows import Record
from novade_pipeline.sandbox.salesforce.setup_objects import CURRENCY_OBJECTS

NAMES = [sobject.name for sobject in OBJECTS]
WITHOUT = {
    **{"User": {"IsDeleted"}, "UserRole": {"IsDeleted", "CreatedDate"}},
    **{"Organization": {"IsDeleted"}},
    # Until several currencies are turned on.
    **{name: {"CurrencyIsoCode"} for name in ("Account", "Opportunity", "Order")},
}
"""What the real objects do not have."""


@pytest.fixture
def org() -> Organisation:
    return SalesforceApi(people=40).org


@pytest.fixture(scope="module")
def large() -> Organisation:
    return SalesforceApi(companies=60, people=500).org


def test_the_same_seed_and_day_are_the_same_organisation() -> None:
    def rows(**what: int | date) -> list[list[Record]]:
        made = SalesforceApi(people=30, **what).org  # type: ignore[arg-type]
        return [made.records(name) for name in NAMES]

    assert rows() == rows()
    assert rows() != rows(seed=2)
    assert rows() != rows(as_of=date(2026, 3, 3))


@pytest.mark.parametrize("name", NAMES)
def test_an_object_has_all_that_the_tables_name(name: str, org: Organisation) -> None:
    # Columns of ours have no other name at the source.
    columns = tables.OBJECTS[name].row.model_fields.items()
    named = {field.alias for column, field in columns if field.alias not in (None, column)}
    assert named - {field.name for field in org.object(name).fields} == WITHOUT.get(name, set())


def test_the_objects_are_those_of_the_tables() -> None:
    of_currencies = {sobject.name for sobject in CURRENCY_OBJECTS}
    assert {*NAMES, *of_currencies} == set(tables.OBJECTS)


def test_there_are_fields_of_every_kind() -> None:
    custom = {field.type for sobject in OBJECTS for field in sobject.fields if field.is_custom}
    assert custom >= {
        *("string", "double", "boolean", "date", "datetime", "picklist", "email"),
        *("multipicklist", "location", "base64", "percent"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_record_is_whole_and_of_the_past(name: str, large: Organisation) -> None:
    described = large.object(name)
    stored = [field.name for field in described.fields if field.is_stored]
    rows = large.records(name)
    assert [row["Id"] for row in rows] == sorted({row["Id"] for row in rows})
    for row in rows:
        assert list(row) == stored
        made = row.get("CreatedDate", row["LastModifiedDate"])
        assert made <= row["LastModifiedDate"] <= row["SystemModstamp"] < large.clock
        assert row["SystemModstamp"].tzinfo is UTC


@pytest.mark.parametrize("name", NAMES)
def test_referenced_records_exist(name: str, large: Organisation) -> None:
    known = {sobject: {row["Id"] for row in large.records(sobject)} for sobject in NAMES}
    for field in large.object(name).fields:
        objects = [sobject for sobject in field.refers_to if sobject in known]
        if objects:
            existing = set().union(*(known[sobject] for sobject in objects))
            assert {row[field.name] for row in large.records(name)} - {None} <= existing


def test_accounts_are_the_companies_and_users_the_staff(large: Organisation) -> None:
    firms = [company(1, index) for index in range(60)]
    accounts = large.records("Account")
    assert [row["Name"] for row in accounts] == [firm.name for firm in firms]
    assert [row["Website"] is not None for row in accounts] == [f.has_website for f in firms]
    assert [row["Email"] for row in large.records("User")] == [
        colleague.email for colleague in staff(1)
    ]


def test_contacts_are_those_whom_the_exports_name(tmp_path: Path) -> None:
    midnight = datetime.combine(AS_OF, datetime.min.time(), UTC)
    land(tmp_path, first_hour=midnight - timedelta(hours=24), hours=24, events_per_hour=40)
    lines = [
        json.loads(line)
        for file in (tmp_path / "amplitude" / "events").iterdir()
        for line in igzip.decompress(file.read_bytes()).splitlines()
        if line.startswith(b"{") and line.endswith(b"}")
    ]
    users = {line["user_id"] for line in lines if line.get("user_id")}
    at_work = {email for email in users if not email.endswith(f"@{FREE_MAILBOX}")}
    org = SalesforceApi(events_per_hour=40, people=900).org
    contacts = {row["Email"].lower() for row in org.records("Contact") if row["Email"]}
    assert len(at_work) > 20
    assert at_work <= contacts
    assert len(users & contacts) > len(at_work)
    groups = {name for line in lines for name in (line.get("groups") or {}).get("company", [])}
    assert groups
    assert groups <= {row["Name"] for row in org.records("Account")}


def test_some_contacts_never_used_the_product_and_leads_have_no_company(
    large: Organisation,
) -> None:
    emails = [row["Email"] for row in large.records("Contact")]
    assert None in emails
    assert any(".n" in email for email in emails if email)
    fresh = [row for row in large.records("Lead") if not row["IsConverted"]]
    assert fresh
    assert all(row["Email"].endswith(f"@{FREE_MAILBOX}") for row in fresh)
    converted = [row for row in large.records("Lead") if row["IsConverted"]]
    contacts = {row["Id"]: row["Email"] for row in large.records("Contact")}
    assert converted
    assert all(contacts[row["ConvertedContactId"]] == row["Email"] for row in converted)


def test_opportunities_make_sense_but_for_a_few(large: Organisation) -> None:
    rows = large.records("Opportunity")
    assert {row["IsWon"] for row in rows if row["IsClosed"]} == {True, False}
    assert {row["ForecastCategory"] for row in rows if not row["IsClosed"]} == {
        *("Pipeline", "BestCase", "Forecast", "Omitted"),
    }
    backwards = [row for row in rows if row["CloseDate"] < row["CreatedDate"].date()]
    assert 0 < len(backwards) < len(rows) / 10
    assert all(row["IsClosed"] for row in backwards if row["CloseDate"] < AS_OF - timedelta(30))
    assert all(row["CloseDate"] <= AS_OF for row in rows if row["IsClosed"])
    assert any(row["Amount"] is None for row in rows)


def test_an_opportunity_is_worth_its_line_items(large: Organisation) -> None:
    items: dict[str, float] = {}
    for row in large.records("OpportunityLineItem"):
        of = row["OpportunityId"]
        items[of] = round(items.get(of, 0.0) + row["TotalPrice"], 2)
    rows = {row["Id"]: row["Amount"] for row in large.records("Opportunity")}
    assert items
    assert all(rows[of] == total for of, total in items.items())


def test_there_are_long_picklist_values_and_accounts_without_a_website(
    large: Organisation,
) -> None:
    rows = large.records("Account")
    (long,) = {row["Segment__c"] for row in rows if len(row["Segment__c"]) > 255}
    assert len(long) == 300
    assert any(row["Website"] is None for row in rows)


def test_too_few_companies_are_refused() -> None:
    with pytest.raises(ValueError, match="companies must be at least 12, not 3"):
        SalesforceApi(companies=3)


def test_a_change_moves_the_clock_and_is_stamped_in_full_seconds(org: Organisation) -> None:
    new = org.insert("Account", {"Name": "Aster Foods"})
    stamps = [org.record("Account", new)["SystemModstamp"]]
    for number in range(5):
        org.update("Account", new, {"Health_Score__c": float(number)})
        stamps.append(org.record("Account", new)["SystemModstamp"])
    assert stamps == sorted(stamps)
    assert 1 < len(set(stamps)) < len(stamps)
    assert all(stamp.microsecond == 0 for stamp in stamps)
    row = org.record("Account", new)
    assert (row["Name"], row["Health_Score__c"], row["IsDeleted"]) == ("Aster Foods", 4.0, False)
    assert row["CreatedDate"] == stamps[0]
    assert org.records("Account")[-1] == row


def test_changes_can_share_a_second(org: Organisation) -> None:
    with org.same_moment():
        ids = [org.insert("Account", {"Name": f"A{number}"}) for number in range(9)]
    assert len({org.record("Account", record_id)["SystemModstamp"] for record_id in ids}) == 1


def test_a_record_is_deleted_comes_back_and_goes_for_good(org: Organisation) -> None:
    record_id = next(row["Id"] for row in org.records("Contact") if not row["IsDeleted"])
    before = org.record("Contact", record_id)["SystemModstamp"]
    org.delete("Contact", record_id)
    deleted = org.record("Contact", record_id)
    assert deleted["IsDeleted"]
    assert deleted["SystemModstamp"] > before
    with pytest.raises(KeyError):
        org.update("Contact", record_id, {"Title": "CTO"})
    with pytest.raises(KeyError):
        org.delete("Contact", record_id)
    org.undelete("Contact", record_id)
    assert not org.record("Contact", record_id)["IsDeleted"]
    with pytest.raises(KeyError):
        org.undelete("Contact", record_id)
    org.purge("Contact", record_id)
    with pytest.raises(KeyError):
        org.record("Contact", record_id)
    assert record_id not in {row["Id"] for row in org.records("Contact")}


def test_users_are_not_deleted_and_roles_permanently(org: Organisation) -> None:
    with pytest.raises(ValueError, match="a User cannot be deleted; make it inactive"):
        org.delete("User", org.records("User")[0]["Id"])
    role = org.records("UserRole")[-1]["Id"]
    org.delete("UserRole", role)
    assert role not in {row["Id"] for row in org.records("UserRole")}


def test_the_whole_name_follows_its_parts(org: Organisation) -> None:
    record_id = org.insert("Contact", {"LastName": "Quispe"})
    assert org.record("Contact", record_id)["Name"] == "Quispe"
    org.update("Contact", record_id, {"FirstName": "Inés"})
    assert org.record("Contact", record_id)["Name"] == "Inés Quispe"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"Nmae": "x"}, "Account has no field Nmae that holds a value"),
        ({"BillingAddress": "x"}, "Account has no field BillingAddress that holds a value"),
        ({"SystemModstamp": None}, "Account.SystemModstamp is the system's own field"),
    ],
)
def test_values_of_no_such_field_are_refused(
    values: Record, message: str, org: Organisation
) -> None:
    with pytest.raises(ValueError, match=message):
        org.insert("Account", values)


def test_values_are_held_as_salesforce_holds_them(org: Organisation) -> None:
    noon = datetime(2026, 3, 1, 13, 0, 0, 5, timezone(timedelta(hours=1)))
    rows = {"Health_Score__c": 4, "Notes__c": "", "Last_Synced__c": noon, "NumberOfEmployees": 3}
    row = org.record("Account", org.insert("Account", rows))
    assert repr(row["Health_Score__c"]) == "4.0"
    assert row["Notes__c"] is None
    assert row["Last_Synced__c"] == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert repr(row["NumberOfEmployees"]) == "3"


def test_a_change_that_is_refused_changes_nothing(org: Organisation) -> None:
    before, clock = org.records("Account"), org.clock
    with pytest.raises(ValueError, match="no field Nmae"):
        org.update("Account", before[0]["Id"], {"Nmae": "x"})
    assert (org.records("Account"), org.clock) == (before, clock)


def test_fields_come_go_and_change_their_type(org: Organisation) -> None:
    org.add_field("Account", Field("Tier__c", "string", 40))
    record_id = org.insert("Account", {"Name": "Aster Foods", "Tier__c": "12.5"})
    other_id = org.insert("Account", {"Name": "Borage Bank", "Tier__c": "gold"})
    stamp = org.record("Account", record_id)["SystemModstamp"]
    org.change_type("Account", "Tier__c", "double")
    assert org.record("Account", record_id)["Tier__c"] == 12.5
    assert org.record("Account", other_id)["Tier__c"] is None
    assert org.record("Account", record_id)["SystemModstamp"] == stamp
    org.drop_field("Account", "Tier__c")
    assert "Tier__c" not in org.record("Account", record_id)
    with pytest.raises(ValueError, match="Account has no field Tier__c"):
        org.drop_field("Account", "Tier__c")
    with pytest.raises(ValueError, match="Account has a field Name already"):
        org.add_field("Account", Field("Name", "string"))
    with pytest.raises(ValueError, match="'money' is no type of a Salesforce field"):
        org.change_type("Account", "Notes__c", "money")


@pytest.fixture
def many(org: Organisation) -> Organisation:
    org.fill("Task", 10_000)
    return org


def test_many_records_are_generated_on_demand(many: Organisation) -> None:
    rows = many.records("Task")
    assert len({row["Id"] for row in rows}) == len(rows) == 10_000
    assert [row["SystemModstamp"] for row in rows] == sorted(
        {row["SystemModstamp"] for row in rows}
    )
    assert many.record("Task", rows[8_765]["Id"]) == rows[8_765]
    with pytest.raises(KeyError):
        many.record("Task", record_id("00T", 10_000))


def test_many_records_change_like_few(many: Organisation) -> None:
    rows = many.records("Task")
    many.update("Task", rows[5_000]["Id"], {"Subject": "Call back"})
    many.delete("Task", rows[5_001]["Id"])
    many.purge("Task", rows[5_002]["Id"])
    new = many.insert("Task", {"Subject": "New"})
    now = {row["Id"]: row for row in many.records("Task")}
    assert len(now) == 10_000
    assert now[rows[5_000]["Id"]]["Subject"] == "Call back"
    assert now[rows[5_001]["Id"]]["IsDeleted"]
    assert rows[5_002]["Id"] not in now
    assert now[new]["Subject"] == "New"
    unchanged = [
        row for row in rows if row["Id"] not in {rows[n]["Id"] for n in (5_000, 5_001, 5_002)}
    ]
    assert all(now[row["Id"]] == row for row in unchanged)


@pytest.mark.parametrize("name", NAMES)
def test_any_object_can_be_touched(name: str, org: Organisation) -> None:
    before, rng = org.records(name), Random(3)
    for _ in range(6):
        org.touch(name, rng)
        org.touch(name, rng, "delete")
    after = org.records(name)
    assert before != after
    assert {row["Id"] for row in after} >= {row["Id"] for row in before} or name == "UserRole"
