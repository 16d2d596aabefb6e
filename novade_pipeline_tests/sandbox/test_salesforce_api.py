"""The Salesforce sandbox answers as its documentation says the real one does."""

from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from novade_pipeline_tests.sandbox.salesforce_client import DATA, Client, error_of, living


def test_a_token_names_the_instance(client: Client) -> None:
    answer = client.log_in()
    payload = answer.json()
    assert answer.status_code == 200
    assert payload["token_type"] == "Bearer"
    assert payload["instance_url"] == str(client.http.base_url).rstrip("/")


def test_anybody_may_ask_for_the_versions(client: Client) -> None:
    payload = httpx.get(f"{client.http.base_url}/services/data/").json()
    assert {"label": "Spring '24", "url": DATA, "version": "60.0"} in payload


def test_a_request_without_a_session_is_refused(client: Client) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = httpx.get(f"{client.http.base_url}{DATA}/limits", headers=headers)
        assert error_of(answer) == (401, "INVALID_SESSION_ID")


def test_an_unknown_resource_is_not_found(client: Client) -> None:
    for path in ("/sobjects/Nothing__c/describe", "/jobs/query/750x", "/nothing"):
        assert error_of(client.get(path)) == (404, "NOT_FOUND")


def test_every_answer_tells_the_usage_and_the_organisations_time(own: Client) -> None:
    answers = [own.get("/limits") for _ in range(3)]
    assert [a.headers["Sforce-Limit-Info"] for a in answers] == [
        f"api-usage={n}/100000" for n in (1, 2, 3)
    ]
    assert answers[2].json()["DailyApiRequests"] == {"Max": 100_000, "Remaining": 99_997}
    own.api.org.clock = datetime(2026, 5, 1, 12, 0, 0, 700_000, UTC)
    assert parsedate_to_datetime(own.get("/limits").headers["Date"]) == datetime(
        2026, 5, 1, 12, tzinfo=UTC
    )


def test_describe_tells_types_compounds_and_picklists(client: Client) -> None:
    payload = client.get("/sobjects/Account/describe").json()
    fields = {field["name"]: field for field in payload["fields"]}
    assert (payload["name"], payload["keyPrefix"], payload["queryable"]) == ("Account", "001", True)
    assert fields["BillingAddress"]["type"] == "address"
    assert fields["BillingCity"]["compoundFieldName"] == "BillingAddress"
    assert fields["Headquarters__c"]["type"] == "location"
    assert fields["Headquarters__Latitude__s"]["compoundFieldName"] == "Headquarters__c"
    assert (fields["Segment__c"]["custom"], fields["Segment__c"]["length"]) == (True, 255)
    assert [row["value"] for row in fields["Regions__c"]["picklistValues"]] == [
        *("EMEA", "AMER", "APAC"),
    ]
    assert fields["OwnerId"]["referenceTo"] == ["User"]
    contact = {f["name"]: f for f in client.get("/sobjects/Contact/describe").json()["fields"]}
    assert contact["FirstName"]["compoundFieldName"] == "Name"
    assert (contact["Name"]["type"], contact["Name"]["compoundFieldName"]) == ("string", None)
    order = {f["name"]: f["type"] for f in client.get("/sobjects/Order/describe").json()["fields"]}
    assert order["Signed_Copy__c"] == "base64"


def test_hidden_objects_and_fields_do_not_exist_for_the_user(own: Client) -> None:
    own.api.org.hide_field("Contact", "Birthdate")
    own.api.org.hide_object("Order")
    fields = own.get("/sobjects/Contact/describe").json()["fields"]
    assert "Birthdate" not in {field["name"] for field in fields}
    response = own.get("/query", q="SELECT Id, Birthdate FROM Contact")
    assert error_of(response) == (400, "INVALID_FIELD")
    assert "No such column 'Birthdate' on entity 'Contact'" in response.json()[0]["message"]
    assert error_of(own.get("/query", q="SELECT Id FROM Order")) == (400, "INVALID_TYPE")
    assert error_of(own.get("/sobjects/Order/describe")) == (404, "NOT_FOUND")
    assert error_of(own.new_job("SELECT Id FROM Order")) == (400, "INVALID_TYPE")
    names = {row["name"] for row in own.get("/sobjects").json()["sobjects"]}
    assert "Order" not in names
    assert "Contact" in names
    own.api.org.hide_object("Order", hidden=False)
    assert own.query("SELECT Id FROM Order")


def test_a_field_that_cannot_be_hidden_stays(own: Client) -> None:
    with pytest.raises(ValueError, match=r"Contact\.Id is the system's own field"):
        own.api.org.hide_field("Contact", "Id")


def test_a_query_is_answered_page_by_page(client: Client) -> None:
    rows = living(client, "Contact")
    first = client.get("/query", q="SELECT Id FROM Contact").json()
    assert (len(first["records"]), first["totalSize"], first["done"]) == (20, len(rows), False)
    again = [client.http.get(first["nextRecordsUrl"]).json()["records"] for _ in range(2)]
    assert again[0] == again[1]
    result = client.query("SELECT Id, Name FROM Contact")
    assert result == [{"Id": row["Id"], "Name": row["Name"]} for row in rows]
    assert error_of(client.get("/query/nothing-20")) == (400, "INVALID_QUERY_LOCATOR")


def test_values_are_written_as_json(client: Client) -> None:
    row = next(row for row in living(client, "Account") if row["Headquarters__Latitude__s"])
    (payload,) = client.query(
        "SELECT Id, IsDeleted, NumberOfEmployees, AnnualRevenue, CreatedDate, LastActivityDate, "
        f"BillingAddress, Headquarters__c, MasterRecordId FROM Account WHERE Id = '{row['Id']}'"
    )
    assert payload["CreatedDate"] == f"{row['CreatedDate']:%Y-%m-%dT%H:%M:%S}.000+0000"
    assert payload["LastActivityDate"] == row["LastActivityDate"].isoformat()
    assert (payload["IsDeleted"], payload["MasterRecordId"]) == (False, None)
    assert payload["NumberOfEmployees"] == row["NumberOfEmployees"]
    assert payload["BillingAddress"]["city"] == row["BillingCity"]
    assert payload["BillingAddress"]["postalCode"] == row["BillingPostalCode"]
    assert payload["Headquarters__c"] == {
        "latitude": row["Headquarters__Latitude__s"],
        "longitude": row["Headquarters__Longitude__s"],
    }


def test_the_bytes_of_a_base64_field_stand_at_a_place_of_their_own(client: Client) -> None:
    row = next(row for row in living(client, "Order") if row["Signed_Copy__c"])
    soql = f"SELECT Signed_Copy__c FROM Order WHERE Id = '{row['Id']}'"
    (payload,) = client.query(soql)
    assert client.http.get(payload["Signed_Copy__c"]).content == row["Signed_Copy__c"]


def test_the_recycle_bin_is_in_query_all_alone(own: Client) -> None:
    org = own.api.org
    kept, binned, gone = (row["Id"] for row in living(own, "Contact")[:3])
    org.delete("Contact", binned)
    org.purge("Contact", gone)
    plain = {row["Id"] for row in own.query("SELECT Id FROM Contact")}
    every = {row["Id"] for row in own.query("SELECT Id, IsDeleted FROM Contact", "queryAll")}
    assert (kept in plain, binned in plain, gone in plain) == (True, False, False)
    assert (kept in every, binned in every, gone in every) == (True, True, False)
    soql = f"SELECT IsDeleted FROM Contact WHERE Id = '{binned}'"
    assert own.query(soql, "queryAll") == [{"IsDeleted": True}]
    assert {row["Id"] for row in own.bulk("SELECT Id FROM Contact")} == plain
    assert {row["Id"] for row in own.bulk("SELECT Id FROM Contact", "queryAll")} == every


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ("Type = 'customer'", lambda row: row["Type"] == "Customer"),
        ("Type != 'Customer'", lambda row: row["Type"] != "Customer"),
        ("Website = null", lambda row: row["Website"] is None),
        ("Website != NULL", lambda row: row["Website"] is not None),
        ("NumberOfEmployees > 500", lambda row: row["NumberOfEmployees"] > 500),
        ("Health_Score__c <= 50.5", lambda row: (row["Health_Score__c"] or 99) <= 50.5),
        ("Is_Reference__c = false", lambda row: not row["Is_Reference__c"]),
        ("Name IN ('fjord media', 'x')", lambda row: row["Name"] == "Fjord Media"),
        ("Type NOT IN ('Customer')", lambda row: row["Type"] != "Customer"),
        (
            "LastActivityDate >= 2026-01-15",
            lambda row: (row["LastActivityDate"] or date.min) >= date(2026, 1, 15),
        ),
        (
            "SystemModstamp >= 2025-06-01T00:00:00Z AND SystemModstamp < 2026-01-01T01:00:00+01:00",
            lambda row: "2025-06" <= f"{row['SystemModstamp']}" < "2026",
        ),
        (
            "CreatedDate > 2025-06-01T00:00:00.000Z and CreatedDate <= 2026-01-01T00:00:00Z",
            lambda row: "2025-06" <= f"{row['CreatedDate']}" < "2026",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_conditions_choose_records(where: str, holds: Any, client: Client) -> None:
    expected = [row["Id"] for row in living(client, "Account") if holds(row)]
    assert expected
    result = client.query(f"SELECT Id FROM Account WHERE {where}")
    assert [row["Id"] for row in result] == expected


def test_quotes_in_texts_are_escaped(own: Client) -> None:
    name = "D'Arc \\ Söhne"
    row = own.api.org.insert("Account", {"Name": name})
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    assert own.query(f"SELECT Id FROM Account WHERE Name = '{escaped}'") == [{"Id": row}]


def test_records_are_ordered_and_limited(client: Client) -> None:
    rows = living(client, "Contact")
    result = client.query("SELECT Birthdate FROM Contact ORDER BY Birthdate DESC NULLS LAST, Id")
    payload = sorted((row["Birthdate"] for row in rows if row["Birthdate"]), reverse=True)
    assert [row["Birthdate"] for row in result][: len(payload)] == [
        row.isoformat() for row in payload
    ]
    assert {row["Birthdate"] for row in result[len(payload) :]} == {None}
    ids = sorted(row["Id"] for row in rows)
    result = client.query(f"SELECT Id FROM Contact WHERE Id > '{ids[3]}' ORDER BY Id ASC LIMIT 25")
    assert [row["Id"] for row in result] == ids[4:29]
    assert len(client.query("SELECT Id FROM Contact LIMIT 3")) == 3


def test_records_can_be_counted_up_to_a_limit(client: Client) -> None:
    payload = client.get("/query", q="SELECT COUNT() FROM Contact LIMIT 7").json()
    assert payload["totalSize"] == 7


def test_an_id_without_its_checksum_is_accepted(client: Client) -> None:
    row = living(client, "Contact")[5]["Id"]
    assert client.query(f"SELECT Id FROM Contact WHERE Id = '{row[:15]}'") == [{"Id": row}]


def test_counts_and_extremes_are_computed(client: Client) -> None:
    rows = living(client, "Contact")
    count = client.get("/query", q="SELECT COUNT() FROM Contact").json()
    assert count == {"totalSize": len(rows), "done": True, "records": []}
    payload = client.query(
        "SELECT MAX(SystemModstamp), MIN(SystemModstamp), COUNT(Birthdate) FROM Contact"
    )
    stamps = sorted(row["SystemModstamp"] for row in rows)
    assert payload == [
        {
            "expr0": f"{stamps[-1]:%Y-%m-%dT%H:%M:%S}.000+0000",
            "expr1": f"{stamps[0]:%Y-%m-%dT%H:%M:%S}.000+0000",
            "expr2": sum(row["Birthdate"] is not None for row in rows),
        }
    ]
    none = client.query("SELECT MAX(Amount) FROM Opportunity WHERE Name = 'nothing'")
    assert none == [{"expr0": None}]


@pytest.mark.parametrize(
    ("soql", "code", "says"),
    [
        ("SELECT Foo FROM Account", "INVALID_FIELD", "No such column 'Foo' on entity 'Account'"),
        ("SELECT Id FROM Accounts", "INVALID_TYPE", "sObject type 'Accounts' is not supported"),
        ("SELECT Id FROM Account WHERE Foo = 1", "INVALID_FIELD", "No such column 'Foo'"),
        ("SELECT IsDeleted FROM User", "INVALID_FIELD", "No such column 'IsDeleted'"),
        ("SELECT CreatedDate FROM UserRole", "INVALID_FIELD", "No such column 'CreatedDate'"),
        ("SELECT Id FROM Account WHERE Name = 5", "INVALID_FIELD", "be enclosed in quotes"),
        ("SELECT Id FROM Account WHERE CreatedDate > 2026-01-01", "INVALID_FIELD", "datetime"),
        ("SELECT Id FROM Account WHERE CreatedDate > 2026-13-01T00:00:00Z", "MALFORMED", "Invalid"),
        ("SELECT FROM Account", "MALFORMED_QUERY", "unexpected token: 'Account'"),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM Account LIMIT x", "MALFORMED_QUERY", "unexpected token: 'x'"),
        ("SELECT Id FROM Account GROUP BY Id", "MALFORMED_QUERY", "unexpected token: 'GROUP'"),
        ("SELECT SUM(Amount) FROM Opportunity", "MALFORMED_QUERY", "unexpected token: 'SUM'"),
        ("SELECT Id, COUNT(Id) FROM Account", "MALFORMED_QUERY", "must be grouped"),
        ("SELECT Id FROM Account WHERE Name = 'x", "MALFORMED_QUERY", "unexpected token: '''"),
        ("SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM Account LIMIT 1.5", "MALFORMED_QUERY", "unexpected token: '1.5'"),
        ("SELECT Id FROM Account WHERE Name ( 'x'", "MALFORMED_QUERY", "unexpected token: '('"),
        ("", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM Account ORDER BY Description", "MALFORMED", "can not be sorted in a quer"),
        ("SELECT Id FROM Account ORDER BY Id, Regions__c", "MALFORMED", "can not be sorted in a q"),
        ("SELECT Id FROM Account ORDER BY BillingAddress", "MALFORMED", "can not be sorted in a q"),
        ("SELECT Id FROM Account ORDER BY Headquarters__c", "MALFORMED", "can not be sorted in a "),
        ("SELECT Id FROM Order ORDER BY Signed_Copy__c", "MALFORMED", "can not be sorted in a qu"),
        ("SELECT Id FROM Account WHERE BillingAddress = 'x'", "INVALID_FIELD", "using Distance ex"),
        ("SELECT Id, Name, Id FROM Account", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Name, NAME FROM Account", "INVALID_FIELD", "duplicate field selected: Name"),
        ("SELECT MAX(Amount) FROM Opportunity LIMIT 1", "MALFORMED", "cannot also use LIMIT"),
        ("SELECT COUNT(Id), MIN(Name) FROM Account LIMIT 9", "MALFORMED", "cannot also use LIMIT"),
        (
            "SELECT MAX(Amount) FROM Opportunity ORDER BY Name",
            "MALFORMED",
            "grouped or aggregated",
        ),
        ("SELECT COUNT() FROM Account ORDER BY Name", "MALFORMED", "ORDER BY is not allowed"),
        ("SELECT MAX(Description) FROM Account", "MALFORMED", "does not support aggregate operato"),
        ("SELECT MIN(BillingAddress) FROM Account", "MALFORMED", "does not support aggregate oper"),
        ("SELECT COUNT(IsDeleted) FROM Account", "MALFORMED", "does not support aggregate operato"),
        ("SELECT Id FROM Account LIMIT 2147483648", "MALFORMED", "numeric value out of range"),
        ("SELECT Id FROM Account WHERE CreatedDate > 0001-01-01T00:00:00+10:00", "MALFORMED", "I"),
    ],
)
def test_errors_of_wrong_queries_are_reported(
    soql: str, code: str, says: str, client: Client
) -> None:
    answer = client.get("/query", q=soql)
    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"].startswith(code)
    assert says in answer.json()[0]["message"]
    assert error_of(client.new_job(soql)) == error_of(answer)
