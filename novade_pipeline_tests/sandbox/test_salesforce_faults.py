"""What goes wrong with the Salesforce sandbox goes wrong as often as it is asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from novade_pipeline.sandbox.salesforce.api import Access, Faults, SalesforceApi
from novade_pipeline_tests.sandbox.salesforce_client import Client, client_of, error_of


@contextmanager
def faulty(**what: Any) -> Iterator[Client]:
    with client_of(SalesforceApi(people=60, batch_size=20, faults=Faults(**what))) as client:
        yield client


def statuses(client: Client, requests: int) -> list[int]:
    return [client.get("/limits").status_code for _ in range(requests)]


@pytest.mark.parametrize(
    ("faults", "status", "code"),
    [
        ("limited_every", 429, "TOO_MANY_REQUESTS"),
        ("failing_every", 500, "UNKNOWN_EXCEPTION"),
        ("unavailable_every", 503, "SERVER_UNAVAILABLE"),
        ("locked_every", 400, "UNABLE_TO_LOCK_ROW"),
    ],
)
def test_every_nth_answer_fails(faults: str, status: int, code: str) -> None:
    with faulty(**{faults: 3}) as client:
        answers = [client.get("/limits") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200, 200, status, 200, 200, status]
    assert error_of(answers[2]) == (status, code)
    assert ("Retry-After" in answers[2].headers) == (status == 429)


def test_a_session_expires_after_so_many_requests_and_a_new_one_goes_on() -> None:
    with faulty(session_requests=3) as client:
        job = client.job("SELECT Id FROM Contact")
        first = client.results(job, rows=5)
        ended = client.results(job, first.headers["Sforce-Locator"], 5)
        assert error_of(ended) == (401, "INVALID_SESSION_ID")
        client.log_in()
        after = client.results(job, first.headers["Sforce-Locator"], 5)
        assert after.headers["Sforce-NumberOfRecords"] == "5"


def test_sessions_can_be_ended_by_hand() -> None:
    with faulty() as client:
        assert statuses(client, 1) == [200]
        client.api.expire_sessions()
        assert statuses(client, 1) == [401]


def test_jobs_fail_as_often_as_configured() -> None:
    with faulty(failing_jobs=2) as client:
        jobs = []
        for _ in range(3):
            job = client.new_job("SELECT Id FROM Contact").json()["id"]
            jobs.append(client.get(f"/jobs/query/{job}").json())
        assert [job["state"] for job in jobs] == ["Failed", "Failed", "JobComplete"]
        assert "InternalServerError" in jobs[0]["errorMessage"]
        assert "errorMessage" not in jobs[2]
        assert error_of(client.results(jobs[0]["id"])) == (400, "INVALIDJOBSTATE")


def test_a_slow_job_is_in_progress_for_so_many_polls() -> None:
    with faulty(slow_polls=2) as client:
        job = client.new_job("SELECT Id FROM Contact").json()["id"]
        states = [client.get(f"/jobs/query/{job}").json()["state"] for _ in range(4)]
    assert states == ["InProgress", "InProgress", "JobComplete", "JobComplete"]


def test_pages_of_results_fail_before_they_succeed() -> None:
    with faulty(results_unavailable=1, results_cut=1) as client:
        job, locator, rows = client.job("SELECT Id FROM Contact"), "", 0
        while locator != "null":
            assert client.results(job, locator, 20).status_code == 503
            with pytest.raises(httpx.RemoteProtocolError):
                client.results(job, locator, 20)
            answer = client.results(job, locator, 20)
            rows += int(answer.headers["Sforce-NumberOfRecords"])
            locator = answer.headers["Sforce-Locator"]
        assert rows == len(client.query("SELECT Id FROM Contact")) > 20


def test_a_body_that_is_cut_short_leaves_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    with faulty(results_cut=1) as client:
        job = client.job("SELECT Id FROM Contact")
        with pytest.raises(httpx.RemoteProtocolError):
            client.results(job)
    assert capfd.readouterr().err == ""


def test_records_change_while_they_are_read() -> None:
    with faulty(changes=2) as client:
        states = [client.api.org.records("Contact")]
        answer = client.get("/query", q="SELECT Id FROM Contact").json()
        states.append(client.api.org.records("Contact"))
        while not answer["done"]:
            answer = client.http.get(answer["nextRecordsUrl"]).json()
            states.append(client.api.org.records("Contact"))
        assert states[0] != states[1] != states[2]
        client.query("SELECT Id FROM Contact")
        assert client.api.org.records("Contact") == states[2]


def test_records_are_deleted_while_they_are_read() -> None:
    with faulty(deletions=1) as client:
        before = client.api.org.records("Contact")
        client.bulk("SELECT Id FROM Contact")
        after = client.api.org.records("Contact")
    assert sum(row["IsDeleted"] for row in after) == sum(row["IsDeleted"] for row in before) + 1


def test_a_page_tells_a_record_as_it_is_by_then() -> None:
    with faulty() as client:
        org = client.api.org
        first = client.get("/query", q="SELECT Id, Title FROM Contact").json()
        rows = [row["Id"] for row in org.records("Contact") if not row["IsDeleted"]]
        org.update("Contact", rows[20], {"Title": "CFO"})
        org.delete("Contact", rows[21])
        second = client.http.get(first["nextRecordsUrl"]).json()["records"]
    jobs = {row["Id"]: row["Title"] for row in second}
    assert jobs[rows[20]] == "CFO"
    assert rows[21] not in jobs


def test_fields_can_be_dropped_while_they_are_read() -> None:
    with faulty() as client:
        org = client.api.org
        org.fill("Task", 100)
        job = client.job("SELECT Id, Priority FROM Task")
        more = client.get("/query", q="SELECT Id, Priority FROM Task").json()["nextRecordsUrl"]
        org.drop_field("Task", "Priority")
        assert client.results(job).text.count("\n") == 101
        assert error_of(client.http.get(more)) == (400, "INVALID_FIELD")


def test_the_days_requests_can_be_used_up() -> None:
    with faulty(used=97, daily_limit=100) as client:
        answers = [client.get("/limits") for _ in range(5)]
        usage = [answer.headers["Sforce-Limit-Info"] for answer in answers]
        assert usage == [f"api-usage={n}/100" for n in (98, 99, 100, 100, 100)]
        assert error_of(answers[3]) == (403, "REQUEST_LIMIT_EXCEEDED")
        assert client.log_in().status_code == 200
        assert answers[2].json()["DailyApiRequests"]["Remaining"] == 0


def test_access_can_be_taken_back() -> None:
    with faulty(revoked_after=2) as client:
        assert statuses(client, 3) == [200, 200, 401]
        refused = client.log_in()
    assert refused.status_code == 400
    assert refused.json() == {
        "error": "invalid_grant",
        "error_description": "no client credentials user enabled",
    }


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"client_secret": "wrong"}, ("invalid_client", "invalid client credentials")),
        ({"client_id": "wrong"}, ("invalid_client_id", "client identifier invalid")),
        ({"grant_type": "magic"}, ("unsupported_grant_type", "grant type not supported")),
    ],
)
def test_wrong_credentials_are_refused(form: dict[str, str], expected: tuple[str, str]) -> None:
    with faulty() as client:
        refused = client.log_in(**form)
    assert refused.status_code == 400
    assert (refused.json()["error"], refused.json()["error_description"]) == expected


def test_client_credentials_go_to_the_organisations_own_domain() -> None:
    with faulty(another_domain=True) as client:
        refused = client.log_in()
        assert refused.json()["error_description"] == "request not supported on this domain"
        client.api.faults = Faults()
        assert client.log_in().status_code == 200
        client.http.headers["Host"] = "login.salesforce.com"
        assert client.log_in().status_code == 400


def test_trouble_can_be_exchanged_while_it_is_served() -> None:
    with faulty(failing_every=1) as client:
        assert statuses(client, 2) == [500, 500]
        client.api.faults = Faults()
        assert statuses(client, 2) == [200, 200]
        assert client.api.request_count == client.api.request_counts["limits"] == 4


def test_credentials_can_be_configured() -> None:
    access = Access(client_id="key", client_secret="secret")
    with client_of(SalesforceApi(people=20, access=access)) as client:
        assert client.log_in().status_code == 200
        assert client.log_in(client_secret=Access().client_secret).status_code == 400
