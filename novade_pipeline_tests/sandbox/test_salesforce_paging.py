"""How the Salesforce sandbox's queries are read page by page."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from novade_pipeline.sandbox.salesforce.api import Faults, SalesforceApi
from novade_pipeline.sandbox.salesforce.fields import Field
from novade_pipeline_tests.sandbox.salesforce_client import (
    DATA,
    Client,
    client_of,
    error_of,
    living,
)

EVERY = "SELECT Id FROM Contact"


def test_a_locator_has_18_characters_and_begins_with_0r8(client: Client) -> None:
    place = client.get("/query", q=EVERY).json()["nextRecordsUrl"]
    locator, _, offset = place.removeprefix(f"{DATA}/query/").partition("-")
    assert (locator[:3], len(locator), offset) == ("0r8", 18, "20")


def test_the_next_page_of_query_all_is_at_query_and_deleted_records_are_in_it(own: Client) -> None:
    last = own.api.org.records("Contact")[-1]["Id"]
    own.api.org.delete("Contact", last)
    place = own.get("/queryAll", q=EVERY).json()["nextRecordsUrl"]
    assert place.startswith(f"{DATA}/query/0r8")
    assert own.query(EVERY, "queryAll")[-1] == {"Id": last}
    either = (place, place.replace("/query/", "/queryAll/"))
    pages = [own.http.get(url).json()["records"] for url in either]
    assert pages[0] == pages[1]


@pytest.mark.parametrize(("age", "status"), [(0, 200), (48, 200), (49, 400)])
def test_a_locator_lives_for_two_days(age: int, status: int, own: Client) -> None:
    place = own.get("/query", q=EVERY).json()["nextRecordsUrl"]
    own.api.org.clock += timedelta(hours=age)
    answer = own.http.get(place)
    assert answer.status_code == status
    if status == 400:
        assert error_of(answer) == (400, "INVALID_QUERY_LOCATOR")


@pytest.mark.parametrize("place", ["0r85g0000000001AAA", "nothing-20", "{}-x", "{}-99999999", "-1"])
def test_an_invalid_locator_is_refused(place: str, client: Client) -> None:
    known = client.get("/query", q=EVERY).json()["nextRecordsUrl"].partition("/query/")[2]
    answer = client.get(f"/query/{place.format(known.partition('-')[0])}")
    assert error_of(answer) == (400, "INVALID_QUERY_LOCATOR")


@pytest.fixture(scope="module")
def filled() -> Iterator[Client]:
    """One with more tasks than a page holds."""
    with client_of(SalesforceApi(people=30)) as client:
        client.api.org.fill("Task", 5_000)
        for name in ("Minutes__c", "Agenda__c"):
            client.api.org.add_field("Task", Field(name, "textarea", 32_000))
        yield client


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ("", 2_000),
        ("batchSize=1000", 1_000),
        ("batchSize = 250", 250),
        ("batchsize=2000", 2_000),
        ("batchSize=10", 200),
        ("batchSize=9000", 2_000),
        ("nothing", 2_000),
    ],
)
def test_a_page_has_as_many_records_as_the_header_asks_for_within_limits(
    options: str, rows: int, filled: Client
) -> None:
    headers = {"Sforce-Query-Options": options} if options else {}
    first = filled.http.get(
        f"{DATA}/query", params={"q": "SELECT Id FROM Task"}, headers=headers
    ).json()
    assert len(first["records"]) == rows
    assert len(filled.http.get(first["nextRecordsUrl"]).json()["records"]) == rows


@pytest.mark.parametrize(
    ("fields", "rows"),
    [("Minutes__c", 2_000), ("Minutes__c, Description", 2_000), ("Minutes__c, Agenda__c", 200)],
)
def test_two_long_texts_of_the_organisations_own_make_pages_small(
    fields: str, rows: int, filled: Client
) -> None:
    first = filled.get("/query", q=f"SELECT {fields} FROM Task").json()
    assert len(first["records"]) == rows


def test_smaller_pages_than_requested_have_all_records(own: Client) -> None:
    own.api.faults = Faults(uneven_pages=True)
    first = own.get("/query", q=EVERY).json()
    sizes = {len(own.get("/query", q=EVERY).json()["records"]) for _ in range(20)}
    assert first["totalSize"] == len(living(own, "Contact"))
    assert len(sizes) > 5
    assert max(sizes) <= 20
    expected = [row["Id"] for row in living(own, "Contact")]
    assert [row["Id"] for row in own.query(EVERY)] == expected
    assert [row["Id"] for row in own.bulk(EVERY, rows=20)] == expected
