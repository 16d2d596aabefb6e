"""The Salesforce sandbox answers as its documentation says the real one does."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from novade_pipeline.sandbox.salesforce.api import SalesforceApi, Trouble
from novade_pipeline.sandbox.salesforce.fields import Field
from novade_pipeline_tests.sandbox.salesforce_client import DATA, Client, client_of, error_of


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """One that changes nothing."""
    with client_of(SalesforceApi(people=60, batch_size=20)) as client:
        yield client


@pytest.fixture
def own() -> Iterator[Client]:
    """One whose organisation the test may change."""
    with client_of(SalesforceApi(people=60, batch_size=20)) as client:
        yield client


def living(client: Client, of: str) -> list[dict[str, Any]]:
    return [row for row in client.api.org.records(of) if not row.get("IsDeleted")]


def test_a_token_names_the_instance(client: Client) -> None:
    answer = client.log_in()
    told = answer.json()
    assert answer.status_code == 200
    assert told["token_type"] == "Bearer"
    assert told["instance_url"] == str(client.http.base_url).rstrip("/")


def test_anybody_may_ask_for_the_versions(client: Client) -> None:
    told = httpx.get(f"{client.http.base_url}/services/data/").json()
    assert {"label": "60.0", "url": DATA, "version": "60.0"} in told


def test_without_a_session_there_is_no_answer(client: Client) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = httpx.get(f"{client.http.base_url}{DATA}/limits", headers=headers)
        assert error_of(answer) == (401, "INVALID_SESSION_ID")


def test_what_is_not_there_is_not_found(client: Client) -> None:
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
    told = client.get("/sobjects/Account/describe").json()
    fields = {field["name"]: field for field in told["fields"]}
    assert (told["name"], told["keyPrefix"], told["queryable"]) == ("Account", "001", True)
    assert fields["BillingAddress"]["type"] == "address"
    assert fields["BillingCity"]["compoundFieldName"] == "BillingAddress"
    assert fields["Headquarters__c"]["type"] == "location"
    assert fields["Headquarters__Latitude__s"]["compoundFieldName"] == "Headquarters__c"
    assert (fields["Segment__c"]["custom"], fields["Segment__c"]["length"]) == (True, 255)
    assert [one["value"] for one in fields["Regions__c"]["picklistValues"]] == [
        *("EMEA", "AMER", "APAC"),
    ]
    assert fields["OwnerId"]["referenceTo"] == ["User"]
    contact = {f["name"]: f for f in client.get("/sobjects/Contact/describe").json()["fields"]}
    assert contact["FirstName"]["compoundFieldName"] == "Name"
    assert (contact["Name"]["type"], contact["Name"]["compoundFieldName"]) == ("string", None)
    order = {f["name"]: f["type"] for f in client.get("/sobjects/Order/describe").json()["fields"]}
    assert order["Signed_Copy__c"] == "base64"


def test_what_the_user_may_not_see_is_as_if_it_were_not_there(own: Client) -> None:
    own.api.org.hide_field("Contact", "Birthdate")
    own.api.org.hide_object("Order")
    fields = own.get("/sobjects/Contact/describe").json()["fields"]
    assert "Birthdate" not in {field["name"] for field in fields}
    asked = own.get("/query", q="SELECT Id, Birthdate FROM Contact")
    assert error_of(asked) == (400, "INVALID_FIELD")
    assert "No such column 'Birthdate' on entity 'Contact'" in asked.json()[0]["message"]
    assert error_of(own.get("/query", q="SELECT Id FROM Order")) == (400, "INVALID_TYPE")
    assert error_of(own.get("/sobjects/Order/describe")) == (404, "NOT_FOUND")
    assert error_of(own.new_job("SELECT Id FROM Order")) == (400, "INVALID_TYPE")
    seen = {one["name"] for one in own.get("/sobjects").json()["sobjects"]}
    assert "Order" not in seen
    assert "Contact" in seen
    own.api.org.hide_object("Order", hidden=False)
    assert own.query("SELECT Id FROM Order")


def test_a_field_that_cannot_be_hidden_stays(own: Client) -> None:
    with pytest.raises(ValueError, match=r"Contact\.Id is the system's own field"):
        own.api.org.hide_field("Contact", "Id")


def test_a_query_is_told_page_by_page(client: Client) -> None:
    rows = living(client, "Contact")
    first = client.get("/query", q="SELECT Id FROM Contact").json()
    assert (len(first["records"]), first["totalSize"], first["done"]) == (20, len(rows), False)
    again = [client.http.get(first["nextRecordsUrl"]).json()["records"] for _ in range(2)]
    assert again[0] == again[1]
    found = client.query("SELECT Id, Name FROM Contact")
    assert found == [{"Id": row["Id"], "Name": row["Name"]} for row in rows]
    assert error_of(client.get("/query/nothing-20")) == (400, "INVALID_QUERY_LOCATOR")


def test_values_are_told_as_json_tells_them(client: Client) -> None:
    row = next(one for one in living(client, "Account") if one["Headquarters__Latitude__s"])
    (told,) = client.query(
        "SELECT Id, IsDeleted, NumberOfEmployees, AnnualRevenue, CreatedDate, LastActivityDate, "
        f"BillingAddress, Headquarters__c, MasterRecordId FROM Account WHERE Id = '{row['Id']}'"
    )
    assert told["CreatedDate"] == f"{row['CreatedDate']:%Y-%m-%dT%H:%M:%S}.000+0000"
    assert told["LastActivityDate"] == row["LastActivityDate"].isoformat()
    assert (told["IsDeleted"], told["MasterRecordId"]) == (False, None)
    assert told["NumberOfEmployees"] == row["NumberOfEmployees"]
    assert told["BillingAddress"]["city"] == row["BillingCity"]
    assert told["BillingAddress"]["postalCode"] == row["BillingPostalCode"]
    assert told["Headquarters__c"] == {
        "latitude": row["Headquarters__Latitude__s"],
        "longitude": row["Headquarters__Longitude__s"],
    }


def test_the_bytes_of_a_base64_field_stand_at_a_place_of_their_own(client: Client) -> None:
    row = next(one for one in living(client, "Order") if one["Signed_Copy__c"])
    soql = f"SELECT Signed_Copy__c FROM Order WHERE Id = '{row['Id']}'"
    (told,) = client.query(soql)
    assert client.http.get(told["Signed_Copy__c"]).content == row["Signed_Copy__c"]


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
    wanted = [row["Id"] for row in living(client, "Account") if holds(row)]
    assert wanted
    found = client.query(f"SELECT Id FROM Account WHERE {where}")
    assert [row["Id"] for row in found] == wanted


def test_quotes_in_texts_are_escaped(own: Client) -> None:
    name = "D'Arc \\ Söhne"
    one = own.api.org.insert("Account", {"Name": name})
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    assert own.query(f"SELECT Id FROM Account WHERE Name = '{escaped}'") == [{"Id": one}]


def test_records_are_ordered_and_limited(client: Client) -> None:
    rows = living(client, "Contact")
    found = client.query("SELECT Birthdate FROM Contact ORDER BY Birthdate DESC NULLS LAST, Id")
    told = sorted((row["Birthdate"] for row in rows if row["Birthdate"]), reverse=True)
    assert [row["Birthdate"] for row in found][: len(told)] == [one.isoformat() for one in told]
    assert {row["Birthdate"] for row in found[len(told) :]} == {None}
    ids = sorted(row["Id"] for row in rows)
    found = client.query(f"SELECT Id FROM Contact WHERE Id > '{ids[3]}' ORDER BY Id ASC LIMIT 25")
    assert [row["Id"] for row in found] == ids[4:29]
    assert len(client.query("SELECT Id FROM Contact LIMIT 3")) == 3


def test_an_id_may_be_told_without_its_checksum(client: Client) -> None:
    one = living(client, "Contact")[5]["Id"]
    assert client.query(f"SELECT Id FROM Contact WHERE Id = '{one[:15]}'") == [{"Id": one}]


def test_counts_and_extremes_are_told(client: Client) -> None:
    rows = living(client, "Contact")
    count = client.get("/query", q="SELECT COUNT() FROM Contact").json()
    assert count == {"totalSize": len(rows), "done": True, "records": []}
    told = client.query(
        "SELECT MAX(SystemModstamp), MIN(SystemModstamp), COUNT(Birthdate) FROM Contact"
    )
    stamps = sorted(row["SystemModstamp"] for row in rows)
    assert told == [
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
    ],
)
def test_wrong_queries_are_told_what_is_wrong(
    soql: str, code: str, says: str, client: Client
) -> None:
    answer = client.get("/query", q=soql)
    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"].startswith(code)
    assert says in answer.json()[0]["message"]
    assert error_of(client.new_job(soql)) == error_of(answer)


def test_a_job_goes_from_made_to_complete(client: Client) -> None:
    made = client.new_job("SELECT Id FROM Contact").json()
    assert (made["state"], made["operation"], made["object"]) == (
        *("UploadComplete", "query", "Contact"),
    )
    assert error_of(client.results(made["id"])) == (400, "INVALIDJOBSTATE")
    done = client.get(f"/jobs/query/{made['id']}").json()
    assert (done["state"], done["jobType"]) == ("JobComplete", "V2Query")
    assert done["numberRecordsProcessed"] == len(living(client, "Contact"))
    assert made["id"] in {job["id"] for job in client.get("/jobs/query").json()["records"]}


def test_results_come_in_pages_with_a_header_each(client: Client) -> None:
    rows = living(client, "Contact")
    job = client.job("SELECT Id, Email FROM Contact")
    first = client.results(job, rows=7)
    assert first.headers["Content-Type"] == "text/csv; charset=UTF-8"
    assert first.headers["Sforce-NumberOfRecords"] == "7"
    assert first.text.startswith('"Id","Email"\n"003')
    second = [client.results(job, first.headers["Sforce-Locator"], 7).text for _ in range(2)]
    assert second[0] == second[1]
    assert second[0].startswith('"Id","Email"\n')
    found = client.bulk("SELECT Id, Email FROM Contact", rows=7)
    assert found == [{"Id": row["Id"], "Email": row["Email"] or ""} for row in rows]
    last = client.results(job, rows=len(rows))
    assert last.headers["Sforce-Locator"] == "null"


def test_results_without_a_record_have_a_header(client: Client) -> None:
    job = client.job("SELECT Id, Name FROM Contact WHERE LastName = 'Nobody'")
    answer = client.results(job)
    assert answer.text == '"Id","Name"\n'
    assert answer.headers["Sforce-NumberOfRecords"] == "0"
    assert answer.headers["Sforce-Locator"] == "null"


def test_values_are_told_as_csv_tells_them(client: Client) -> None:
    row = next(one for one in living(client, "Account") if one["Health_Score__c"] is not None)
    (told,) = client.bulk(
        "SELECT IsDeleted, NumberOfEmployees, Health_Score__c, SystemModstamp, MasterRecordId, "
        f"Contract_Start__c, Description FROM Account WHERE Id = '{row['Id']}'"
    )
    assert told == {
        "IsDeleted": "false",
        "NumberOfEmployees": str(row["NumberOfEmployees"]),
        "Health_Score__c": str(row["Health_Score__c"]),
        "SystemModstamp": f"{row['SystemModstamp']:%Y-%m-%dT%H:%M:%S}.000Z",
        "MasterRecordId": "",
        "Contract_Start__c": row["Contract_Start__c"].isoformat(),
        "Description": row["Description"],
    }
    assert '"' in told["Description"]
    assert "\n" in told["Description"]


def test_a_job_may_ask_for_other_delimiters_and_line_ends(client: Client) -> None:
    soql = "SELECT Id, Name FROM Product2"
    job = client.job(soql, columnDelimiter="PIPE", lineEnding="CRLF")
    text = client.results(job).content.decode()
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter="|"))
    assert rows[0] == ["Id", "Name"]
    assert text.count("\r\n") == len(rows) == len(living(client, "Product2")) + 1


def test_a_job_tells_of_the_moment_when_it_completed(own: Client) -> None:
    org = own.api.org
    one = living(own, "Contact")[0]["Id"]
    job = own.new_job("SELECT Id, Title FROM Contact").json()["id"]
    org.update("Contact", one, {"Title": "before"})
    own.get(f"/jobs/query/{job}")
    org.update("Contact", one, {"Title": "after"})
    rows = csv.DictReader(io.StringIO(own.results(job).text))
    assert {row["Id"]: row["Title"] for row in rows}[one] == "before"


@pytest.mark.parametrize(
    ("soql", "says"),
    [
        ("SELECT Id, BillingAddress FROM Account", "compound data not supported in Bulk Query"),
        ("SELECT Headquarters__c FROM Account", "compound data not supported in Bulk Query"),
        ("SELECT Signed_Copy__c FROM Order", "binary data not supported in Bulk Query"),
        ("SELECT COUNT() FROM Order", "Aggregate functions are not supported in Bulk Query"),
    ],
)
def test_jobs_refuse_what_csv_cannot_tell(soql: str, says: str, client: Client) -> None:
    answer = client.new_job(soql)
    assert error_of(answer) == (400, "API_ERROR")
    assert says in answer.json()[0]["message"]


def test_a_job_is_aborted_and_deleted(own: Client) -> None:
    own.api.trouble = Trouble(slow_polls=1)
    job = own.new_job("SELECT Id FROM Contact").json()["id"]
    place = f"{DATA}/jobs/query/{job}"
    assert error_of(own.http.delete(place)) == (400, "INVALIDJOBSTATE")
    aborted = own.http.patch(place, json={"state": "Aborted"}).json()
    assert (aborted["id"], aborted["state"]) == (job, "Aborted")
    assert own.get(f"/jobs/query/{job}").json()["state"] == "Aborted"
    assert error_of(own.http.patch(place, json={"state": "Aborted"})) == (400, "INVALIDJOBSTATE")
    assert own.http.delete(place).status_code == 204
    assert error_of(own.get(f"/jobs/query/{job}")) == (404, "NOT_FOUND")


def test_bad_jobs_are_refused(client: Client) -> None:
    assert error_of(client.new_job("SELECT Id FROM Contact", "insert")) == (400, "INVALIDJOB")
    assert error_of(client.http.post(f"{DATA}/jobs/query", content=b"{")) == (
        *(400, "JSON_PARSER_ERROR"),
    )
    job = client.job("SELECT Id FROM Contact")
    assert error_of(client.results(job, "wrong")) == (400, "INVALIDQUERYLOCATOR")
    assert error_of(client.results(job, rows=0)) == (400, "INVALIDJOB")


def test_what_changes_in_a_schema_is_seen_at_once(own: Client) -> None:
    own.api.org.add_field("Contact", Field("Nickname__c", "string", 40))
    one = own.api.org.insert("Contact", {"LastName": "Xu", "Nickname__c": "Xx"})
    soql = f"SELECT Nickname__c FROM Contact WHERE Id = '{one}'"
    assert own.bulk(soql) == own.query(soql) == [{"Nickname__c": "Xx"}]
    own.api.org.drop_field("Contact", "Nickname__c")
    assert error_of(own.get("/query", q=soql)) == (400, "INVALID_FIELD")


def test_many_records_are_told_as_if_they_were_held(own: Client) -> None:
    org = own.api.org
    org.fill("Task", 5_000, columns=20)
    rows = org.records("Task")
    for number in (0, 1_999, 2_000, 4_999):
        org.update("Task", rows[number]["Id"], {"Subject": '100 % "sure"'})
    org.delete("Task", rows[2_500]["Id"])
    org.purge("Task", rows[3_000]["Id"])
    org.insert("Task", {"Subject": "New"})
    names = [field["name"] for field in own.get("/sobjects/Task/describe").json()["fields"]]
    assert len(names) == 20
    every = f"SELECT {', '.join(names)} FROM Task"
    # A condition that always holds is answered from the records, one by one.
    for operation in ("query", "queryAll"):
        quickly = own.bulk(every, operation, rows=1_234)
        slowly = own.bulk(f"{every} WHERE Id > '0'", operation, rows=50_000)
        assert len(quickly) == 5_000 - (operation == "query")
        assert sorted(quickly, key=lambda row: row["Id"]) == sorted(
            slowly, key=lambda row: row["Id"]
        )
    assert len(own.bulk("SELECT Subject FROM Task", rows=2_000)) == 4_999


def test_what_changed_among_many_is_found_by_its_time(own: Client) -> None:
    org = own.api.org
    org.fill("Task", 5_000)
    rows = org.records("Task")
    begin = f"{org.now():%Y-%m-%dT%H:%M:%SZ}"
    changed = {row["Id"] for row in rows[17::100]}
    for one in changed:
        org.update("Task", one, {"Subject": "Changed"})
    found = own.bulk(f"SELECT Id, Subject FROM Task WHERE SystemModstamp >= {begin}")
    assert {row["Id"] for row in found} == changed
    assert {row["Subject"] for row in found} == {"Changed"}
    middle = f"{rows[2_500]['SystemModstamp']:%Y-%m-%dT%H:%M:%SZ}"
    soql = f"SELECT COUNT() FROM Task WHERE SystemModstamp >= {middle}"
    told = own.get("/query", q=soql).json()["totalSize"]
    assert told == 2_500 + sum(row["Id"] in changed for row in rows[:2_500])
