"""A client of a Salesforce sandbox, without a client library."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from novade_pipeline.sandbox.salesforce.api import SalesforceApi
from novade_pipeline.sandbox.serving import serving

DATA = "/services/data/v60.0"


@dataclass
class Client:
    """A client with a session."""

    api: SalesforceApi
    http: httpx.Client

    def log_in(self, **form: str) -> httpx.Response:
        """Log in with valid credentials, or with `form` instead, and use the session."""
        right = {
            "grant_type": "client_credentials",
            "client_id": self.api.access.client_id,
            "client_secret": self.api.access.client_secret,
        }
        answer = self.http.post("/services/oauth2/token", data={**right, **form})
        if answer.status_code == 200:
            self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return answer

    def get(self, path: str, **params: Any) -> httpx.Response:
        """Request a path below the data resource."""
        return self.http.get(f"{DATA}{path}", params=params)

    def query(self, soql: str, kind: str = "query") -> list[dict[str, Any]]:
        """All records of a query, from all pages."""
        answer = self.get(f"/{kind}", q=soql).raise_for_status().json()
        records = answer["records"]
        while not answer["done"]:
            answer = self.http.get(answer["nextRecordsUrl"]).raise_for_status().json()
            records += answer["records"]
        return [{k: v for k, v in record.items() if k != "attributes"} for record in records]

    def new_job(self, soql: str, operation: str = "query", **more: str) -> httpx.Response:
        """A new query job."""
        parameters = {"operation": operation, "query": soql, **more}
        return self.http.post(f"{DATA}/jobs/query", json=parameters)

    def job(self, soql: str, operation: str = "query", **more: str) -> str:
        """A query job that has completed."""
        job = str(self.new_job(soql, operation, **more).raise_for_status().json()["id"])
        while (state := self.get(f"/jobs/query/{job}").json()["state"]) != "JobComplete":
            assert state in ("UploadComplete", "InProgress")
        return job

    def results(self, job: str, locator: str = "", rows: int = 1_000) -> httpx.Response:
        """One page of a job's results."""
        parameters = {"maxRecords": rows, **({"locator": locator} if locator else {})}
        return self.get(f"/jobs/query/{job}/results", **parameters)

    def bulk(self, soql: str, operation: str = "query", rows: int = 1_000) -> list[dict[str, str]]:
        """All records of a query job, from all pages."""
        job, locator, records = self.job(soql, operation), "", []
        while locator != "null":
            answer = self.results(job, locator, rows).raise_for_status()
            page = list(csv.DictReader(io.StringIO(answer.text, newline="")))
            assert len(page) == int(answer.headers["Sforce-NumberOfRecords"])
            records += page
            locator = answer.headers["Sforce-Locator"]
        return records


@contextmanager
def client_of(api: SalesforceApi) -> Iterator[Client]:
    """Serve a sandbox, and log in to it."""
    with serving(api.app()) as url, httpx.Client(base_url=url) as http:
        client = Client(api, http)
        client.log_in()
        yield client


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error."""
    (error,) = answer.json()
    assert set(error) == {"message", "errorCode"}
    return answer.status_code, error["errorCode"]


def living(client: Client, of: str) -> list[dict[str, Any]]:
    """The records of a plain query."""
    return [
        row
        for row in client.api.org.records(of)
        if not row.get("IsDeleted") and not row.get("IsArchived")
    ]
