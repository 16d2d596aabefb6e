"""The Salesforce sandbox's bulk jobs, and what they tell of schemas and records that change."""

import csv
import io

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
    result = client.bulk("SELECT Id, Email FROM Contact", rows=7)
    assert result == [{"Id": row["Id"], "Email": row["Email"] or ""} for row in rows]
    last = client.results(job, rows=len(rows))
    assert last.headers["Sforce-Locator"] == "null"


def test_results_without_a_record_have_a_header(client: Client) -> None:
    job = client.job("SELECT Id, Name FROM Contact WHERE LastName = 'Nobody'")
    answer = client.results(job)
    assert answer.text == '"Id","Name"\n'
    assert answer.headers["Sforce-NumberOfRecords"] == "0"
    assert answer.headers["Sforce-Locator"] == "null"


def test_values_are_written_as_csv(client: Client) -> None:
    row = next(
        record for record in living(client, "Account") if record["Health_Score__c"] is not None
    )
    (row_of_csv,) = client.bulk(
        "SELECT IsDeleted, NumberOfEmployees, Health_Score__c, SystemModstamp, MasterRecordId, "
        f"Contract_Start__c, Description FROM Account WHERE Id = '{row['Id']}'"
    )
    assert row_of_csv == {
        "IsDeleted": "false",
        "NumberOfEmployees": str(row["NumberOfEmployees"]),
        "Health_Score__c": str(row["Health_Score__c"]),
        "SystemModstamp": f"{row['SystemModstamp']:%Y-%m-%dT%H:%M:%S}.000Z",
        "MasterRecordId": "",
        "Contract_Start__c": row["Contract_Start__c"].isoformat(),
        "Description": row["Description"],
    }
    assert '"' in row_of_csv["Description"]
    assert "\n" in row_of_csv["Description"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (100.0, "100.0"),
        (0.001, "0.001"),
        (0.0005, "5.0E-4"),
        (1_234_567.0, "1234567.0"),
        (9_999_999.99, "9999999.99"),
        (10_000_000.0, "1.0E7"),
        (-12_345_678.0, "-1.2345678E7"),
        (99_213_206.5, "9.92132065E7"),
        (16_147_805_824_397.0, "1.6147805824397E13"),
    ],
)
def test_a_number_is_written_as_java_writes_a_double_by_both_apis(
    value: float, text: str, own: Client
) -> None:
    own.api.org.add_field("Account", Field("Ratio__c", "double", precision=18, scale=4))
    record = own.api.org.insert("Account", {"Name": "Aster", "Ratio__c": value})
    soql = f"SELECT Ratio__c FROM Account WHERE Id = '{record}'"
    assert own.bulk(soql) == [{"Ratio__c": text}]
    answer = own.get("/query", q=soql)
    assert f'"Ratio__c":{text}}}' in answer.text
    assert answer.json()["records"][0]["Ratio__c"] == value


def test_a_whole_number_is_no_double(own: Client) -> None:
    record = own.api.org.insert("Account", {"Name": "Aster", "NumberOfEmployees": 25_000_000})
    soql = f"SELECT NumberOfEmployees FROM Account WHERE Id = '{record}'"
    assert own.bulk(soql) == [{"NumberOfEmployees": "25000000"}]


def test_a_job_may_ask_for_other_delimiters_and_line_ends(client: Client) -> None:
    soql = "SELECT Id, Name FROM Product2"
    job = client.job(soql, columnDelimiter="PIPE", lineEnding="CRLF")
    text = client.results(job).content.decode()
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter="|"))
    assert rows[0] == ["Id", "Name"]
    assert text.count("\r\n") == len(rows) == len(living(client, "Product2")) + 1


def test_a_job_tells_of_the_moment_when_it_completed(own: Client) -> None:
    org = own.api.org
    record = living(own, "Contact")[0]["Id"]
    job = own.new_job("SELECT Id, Title FROM Contact").json()["id"]
    org.update("Contact", record, {"Title": "before"})
    own.get(f"/jobs/query/{job}")
    org.update("Contact", record, {"Title": "after"})
    rows = csv.DictReader(io.StringIO(own.results(job).text))
    assert {row["Id"]: row["Title"] for row in rows}[record] == "before"


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
    own.api.faults = Faults(slow_polls=1)
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


def test_results_are_read_in_the_version_that_the_job_was_made_in(client: Client) -> None:
    job = client.job("SELECT Id FROM Contact")
    other_version = f"/services/data/v61.0/jobs/query/{job}"
    for resource in ("results", "resultPages"):
        assert client.get(f"/jobs/query/{job}/{resource}").status_code == 200
        assert client.http.get(f"{other_version}/{resource}").status_code == 409
    assert client.http.get(other_version).json()["apiVersion"] == 60.0


def _parallel_pages(client: Client, job: str) -> tuple[list[int], list[str]]:
    """How many pages each answer names, and where all of them are."""
    answer = client.get(f"/jobs/query/{job}/resultPages").json()
    sizes, places = [], []
    while True:
        sizes.append(len(answer["resultPages"]))
        places += [page["resultUrl"] for page in answer["resultPages"]]
        if answer["done"]:
            assert "nextRecordsUrl" not in answer
            return sizes, places
        answer = client.http.get(answer["nextRecordsUrl"]).json()


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [(0, [1]), (9, [1]), (10, [1]), (11, [2]), (50, [5]), (51, [5, 1]), (123, [5, 5, 3])],
)
@pytest.mark.parametrize("faults", [Faults(), Faults(uneven_pages=True)], ids=["", "uneven"])
def test_results_are_read_side_by_side(rows: int, sizes: list[int], faults: Faults) -> None:
    with client_of(SalesforceApi(people=20, results_rows=10, faults=faults)) as client:
        client.api.org.fill("Task", 200)
        ids = sorted(row["Id"] for row in client.api.org.records("Task"))
        job = client.job(f"SELECT Id FROM Task WHERE Id < '{ids[rows]}'")
        named, places = _parallel_pages(client, job)
        texts = [client.http.get(place).raise_for_status().text for place in reversed(places)]
    result = [row["Id"] for text in texts for row in csv.DictReader(io.StringIO(text))]
    assert named == sizes
    assert sorted(result) == ids[:rows]


def test_results_are_not_read_side_by_side_before_version_58(client: Client) -> None:
    posted = {"operation": "query", "query": "SELECT Id FROM Contact"}
    place = "/services/data/v57.0/jobs/query"
    job = client.http.post(place, json=posted).json()["id"]
    assert client.http.get(f"{place}/{job}").json()["state"] == "JobComplete"
    assert client.http.get(f"{place}/{job}/results").status_code == 200
    assert error_of(client.http.get(f"{place}/{job}/resultPages")) == (404, "NOT_FOUND")


def test_a_page_of_results_may_have_fewer_records_than_requested(own: Client) -> None:
    own.api.faults = Faults(uneven_pages=True)
    job = own.job("SELECT Id FROM Contact")
    counts = {own.results(job, rows=15).headers["Sforce-NumberOfRecords"] for _ in range(30)}
    assert len(counts) > 5
    assert max(map(int, counts)) <= 15


def test_what_changes_in_a_schema_is_seen_at_once(own: Client) -> None:
    own.api.org.add_field("Contact", Field("Nickname__c", "string", 40))
    record = own.api.org.insert("Contact", {"LastName": "Xu", "Nickname__c": "Xx"})
    soql = f"SELECT Nickname__c FROM Contact WHERE Id = '{record}'"
    assert own.bulk(soql) == own.query(soql) == [{"Nickname__c": "Xx"}]
    own.api.org.drop_field("Contact", "Nickname__c")
    assert error_of(own.get("/query", q=soql)) == (400, "INVALID_FIELD")


def test_generated_records_are_written_like_stored_ones(own: Client) -> None:
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


def test_changed_records_among_many_are_selected_by_their_time(own: Client) -> None:
    org = own.api.org
    org.fill("Task", 5_000)
    rows = org.records("Task")
    begin = f"{org.now():%Y-%m-%dT%H:%M:%SZ}"
    changed = {row["Id"] for row in rows[17::100]}
    for record in changed:
        org.update("Task", record, {"Subject": "Changed"})
    result = own.bulk(f"SELECT Id, Subject FROM Task WHERE SystemModstamp >= {begin}")
    assert {row["Id"] for row in result} == changed
    assert {row["Subject"] for row in result} == {"Changed"}
    middle = f"{rows[2_500]['SystemModstamp']:%Y-%m-%dT%H:%M:%SZ}"
    soql = f"SELECT COUNT() FROM Task WHERE SystemModstamp >= {middle}"
    row_of_csv = own.get("/query", q=soql).json()["totalSize"]
    assert row_of_csv == 2_500 + sum(row["Id"] in changed for row in rows[:2_500])
