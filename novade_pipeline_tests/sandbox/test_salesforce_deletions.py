"""What goes with a record that is deleted, what is archived, and what tells of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from novade_pipeline.sandbox.salesforce.org import Organisation
from novade_pipeline_tests.sandbox.salesforce_client import DATA, Client, error_of

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def org(own: Client) -> Organisation:
    own.api.org.clock = NOON
    return own.api.org


def family(org: Organisation) -> tuple[str, dict[str, list[str]]]:
    """An account with contacts, opportunities and line items of its own."""
    account = org.insert("Account", {"Name": "Aster Foods"})
    contacts = [
        org.insert("Contact", {"LastName": f"No {n}", "AccountId": account}) for n in range(2)
    ]
    deal = org.insert("Opportunity", {"Name": "Deal", "AccountId": account})
    item = org.insert("OpportunityLineItem", {"OpportunityId": deal, "Quantity": 1})
    children = {"Contact": contacts, "Opportunity": [deal], "OpportunityLineItem": [item]}
    return account, children


def are_deleted(org: Organisation, children: dict[str, list[str]]) -> set[bool]:
    return {org.record(of, record)["IsDeleted"] for of, ids in children.items() for record in ids}


def test_an_account_takes_its_children_with_it_and_brings_them_back(org: Organisation) -> None:
    account, children = family(org)
    unrelated = org.insert("Contact", {"LastName": "Other"})
    org.clock += timedelta(hours=1)
    org.delete("Account", account)
    assert are_deleted(org, children) == {True}
    assert not org.record("Contact", unrelated)["IsDeleted"]
    stamps = {org.record(of, record)["SystemModstamp"] for of, (record, *_) in children.items()}
    assert stamps == {org.record("Account", account)["SystemModstamp"]}
    org.undelete("Account", account)
    assert are_deleted(org, children) == {False}


def test_what_was_deleted_before_its_parent_does_not_come_back_with_it(org: Organisation) -> None:
    account, children = family(org)
    first, second = children["Contact"]
    org.delete("Contact", first)
    org.delete("Account", account)
    org.undelete("Account", account)
    assert org.record("Contact", first)["IsDeleted"]
    assert not org.record("Contact", second)["IsDeleted"]


@pytest.mark.parametrize("deleted_first", [True, False])
def test_purging_a_record_purges_its_children(deleted_first: bool, org: Organisation) -> None:
    account, children = family(org)
    if deleted_first:
        org.delete("Account", account)
    org.purge("Account", account)
    left = {row["Id"] for of in children for row in org.records(of)}
    assert not left & {record for ids in children.values() for record in ids}


def deleted(client: Client, of: str, start: datetime, end: datetime) -> dict[str, Any]:
    span = {"start": start.isoformat(), "end": end.isoformat()}
    answer = client.get(f"/sobjects/{of}/deleted/", **span).raise_for_status()
    payload: dict[str, Any] = answer.json()
    return payload


def test_deleted_tells_what_was_deleted_in_a_timespan_and_when(
    own: Client, org: Organisation
) -> None:
    account, children = family(org)
    org.clock = NOON + timedelta(minutes=30)
    org.delete("Account", account)
    payload = deleted(own, "Contact", NOON, NOON + timedelta(hours=1))
    assert [record["id"] for record in payload["deletedRecords"]] == children["Contact"]
    assert {record["deletedDate"] for record in payload["deletedRecords"]} == {
        "2026-03-10T12:30:00.000+0000"
    }
    assert payload["latestDateCovered"] == "2026-03-10T12:30:00.000+0000"
    later = deleted(own, "Contact", NOON + timedelta(minutes=31), NOON + timedelta(hours=1))
    assert later["deletedRecords"] == []


@pytest.mark.parametrize("of", ["Contact", "UserRole"])
def test_deleted_tells_of_what_no_query_finds_any_more(
    of: str, own: Client, org: Organisation
) -> None:
    record = org.insert(of, {"LastName" if of == "Contact" else "Name": "Gone"})
    org.delete(of, record)
    if of == "Contact":
        org.clock += timedelta(hours=1)
        org.purge(of, record)
    payload = deleted(own, of, NOON - timedelta(hours=1), NOON + timedelta(hours=2))
    assert record in [each["id"] for each in payload["deletedRecords"]]
    assert payload["deletedRecords"][-1]["deletedDate"].startswith("2026-03-10T12:00:0")


def test_deleted_does_not_tell_of_what_came_back(own: Client, org: Organisation) -> None:
    record = org.insert("Contact", {"LastName": "Back"})
    org.delete("Contact", record)
    org.undelete("Contact", record)
    payload = deleted(own, "Contact", NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    assert record not in [each["id"] for each in payload["deletedRecords"]]


def test_deleted_forgets_after_15_days(own: Client, org: Organisation) -> None:
    record = org.insert("Contact", {"LastName": "Old"})
    org.delete("Contact", record)
    org.clock += timedelta(days=16)
    payload = deleted(own, "Contact", NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    assert record not in [each["id"] for each in payload["deletedRecords"]]


def test_updated_tells_what_lives_and_was_changed(own: Client, org: Organisation) -> None:
    org.clock = NOON + timedelta(minutes=5)
    kept, gone = (org.insert("Contact", {"LastName": name}) for name in ("A", "B"))
    org.delete("Contact", gone)
    span = {"start": "2026-03-10T13:00:59+01:00", "end": "2026-03-10T12:10:00Z"}
    payload = own.get("/sobjects/Contact/updated", **span).json()
    assert payload == {"ids": [kept], "latestDateCovered": "2026-03-10T12:05:00.000+0000"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "MISSING_ARGUMENT"),
        ("start=2026-03-10T12:00:00Z", "MISSING_ARGUMENT"),
        ("start=yesterday&end=2026-03-10T12:00:00Z", "INVALID_FIELD"),
        ("start=2026-03-10T12:00:00Z&end=2026-03-10T12:01:30Z", "INVALID_REPLICATION_DATE"),
        ("start=2026-03-10T12:00:00Z&end=2026-03-09T12:00:00Z", "INVALID_REPLICATION_DATE"),
        ("start=2026-02-01T12:00:00Z&end=2026-03-09T12:00:00Z", "INVALID_REPLICATION_DATE"),
    ],
)
@pytest.mark.parametrize("what", ["deleted", "updated"])
@pytest.mark.usefixtures("org")
def test_an_invalid_timespan_is_refused(what: str, query: str, code: str, own: Client) -> None:
    answer = own.http.get(f"{DATA}/sobjects/Contact/{what}?{query}")
    assert error_of(answer) == (400, code)


def test_deletions_of_an_unknown_object_are_not_found(client: Client) -> None:
    assert error_of(client.get("/sobjects/Nothing__c/deleted")) == (404, "NOT_FOUND")


@pytest.mark.parametrize("of", ["Task", "Event"])
def test_archived_activities_are_in_query_all_alone(of: str, client: Client) -> None:
    archived = {row["Id"] for row in client.api.org.records(of) if row["IsArchived"]}
    assert archived
    soql = f"SELECT Id FROM {of}"
    assert not archived & {row["Id"] for row in client.query(soql)}
    assert archived <= {row["Id"] for row in client.query(soql, "queryAll")}
    assert not archived & {row["Id"] for row in client.bulk(soql)}
    assert archived <= {row["Id"] for row in client.bulk(soql, "queryAll")}
    result = client.query(f"{soql} WHERE IsArchived = true", "queryAll")
    assert {row["Id"] for row in result} == archived


@pytest.mark.parametrize(
    ("of", "values", "days", "is_archived"),
    [
        ("Task", {"IsClosed": True, "ActivityDate": NOON.date()}, 364, False),
        ("Task", {"IsClosed": True, "ActivityDate": NOON.date()}, 365, True),
        ("Task", {"IsClosed": False, "ActivityDate": NOON.date()}, 800, False),
        ("Task", {"IsClosed": True}, 364, False),
        ("Task", {"IsClosed": True}, 365, True),
        ("Event", {"ActivityDate": NOON.date()}, 365, True),
        ("Event", {"ActivityDate": (NOON + timedelta(days=9)).date()}, 365, False),
    ],
)
def test_activities_are_archived_when_they_are_a_year_old(
    of: str, values: dict[str, Any], days: int, is_archived: bool, org: Organisation
) -> None:
    record = org.insert(of, values)
    before = org.record(of, record)
    org.clock += timedelta(days=days)
    org.archive_activities()
    assert org.record(of, record) == {**before, "IsArchived": is_archived}


def test_activities_cannot_be_archived_by_an_update(org: Organisation) -> None:
    with pytest.raises(ValueError, match=r"Task\.IsArchived is the system's own field"):
        org.insert("Task", {"Subject": "Call", "IsArchived": True})
