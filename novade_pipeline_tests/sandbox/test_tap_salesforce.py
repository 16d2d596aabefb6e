"""Singer's `tap-salesforce` discovers and reads the sandbox by just the requests that it makes.

Its packages cannot be installed beside ours (it pins requests and jsonschema 2.6), so the requests
are replayed: those of tap-salesforce 2.8.1, recorded against this sandbox with its code unchanged,
and those of Meltano's variant 1.9, which asks for describes in batches and reads results of jobs.
What the tap does with the answers is done here as well: `schema_of` maps types as its catalog does.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from novade_pipeline.sandbox.salesforce.api import SalesforceApi
from novade_pipeline.sandbox.salesforce.client_session import sandbox_session
from novade_pipeline.sandbox.serving import serving

HOST = "https://novade.my.salesforce.com"
START = "2020-01-01T00:00:00Z"
STRINGS = frozenset(
    {
        *("id", "string", "picklist", "textarea", "phone", "url", "reference", "multipicklist"),
        *("combobox", "encryptedstring", "email", "complexvalue", "masterrecord"),
    }
)
JSON_TYPES = {
    **dict.fromkeys(STRINGS, str),
    **dict.fromkeys(("date", "datetime", "time"), str),
    **dict.fromkeys(("double", "currency", "percent"), float),
    **dict.fromkeys(("int", "long"), int),
    **dict.fromkeys(("address", "location"), dict),
    "boolean": bool,
}
UNSUPPORTED = frozenset({"base64", "byte"})


@pytest.fixture(scope="module")
def api() -> SalesforceApi:
    return SalesforceApi(people=60, batch_size=25, results_rows=40)


@pytest.fixture(scope="module")
def tap(api: SalesforceApi) -> Iterator[requests.Session]:
    """A session that has logged in as the tap does, by a refresh token at the log-in host."""
    with serving(api.app()) as url, sandbox_session(url) as session:
        form = {
            "grant_type": "refresh_token",
            "client_id": api.access.client_id,
            "client_secret": api.access.client_secret,
            "refresh_token": api.access.refresh_token,
        }
        answer = session.post("https://login.salesforce.com/services/oauth2/token", form)
        answer.raise_for_status()
        payload = answer.json()
        assert payload["instance_url"] == HOST
        assert payload.get("refresh_token", form["refresh_token"]) == form["refresh_token"]
        session.headers["Authorization"] = f"Bearer {payload['access_token']}"
        yield session


def send(tap: requests.Session, method: str, path: str, **how: Any) -> requests.Response:
    """An answer as the tap takes it: no error, and the quota in the header that it reads."""
    url = path if path.startswith("https://") else f"{HOST}/services/data/{path}"
    answer = tap.request(method, url, timeout=30, **how)
    answer.raise_for_status()
    assert re.search(r"^api-usage=(\d+)/(\d+)$", answer.headers["Sforce-Limit-Info"])
    return answer


def names_of(tap: requests.Session, version: str) -> list[str]:
    listed = send(tap, "GET", f"{version}/sobjects").json()["sobjects"]
    return [row["name"] for row in listed if not row["name"].endswith("ChangeEvent")]


def one_by_one(tap: requests.Session) -> list[dict[str, Any]]:
    """The describes as tap-salesforce 2.8.1 asks for them."""
    names = names_of(tap, "v61.0")
    return [send(tap, "GET", f"v61.0/sobjects/{name}/describe").json() for name in names]


def in_batches(tap: requests.Session) -> list[dict[str, Any]]:
    """The describes as Meltano's variant asks for them, 25 at once."""
    parts = [
        {"method": "GET", "url": f"/services/data/v60.0/sobjects/{name}/describe"}
        for name in names_of(tap, "v60.0")
    ]
    payload = []
    for at in range(0, len(parts), 25):
        body = json.dumps({"batchRequests": parts[at : at + 25]})
        headers = {"Content-Type": "application/json"}
        answer = send(tap, "POST", "v60.0/composite/batch", data=body, headers=headers).json()
        payload += [row["result"] for row in answer["results"]]
    return payload


def schema_of(described: dict[str, Any]) -> dict[str, type]:
    """Which fields the tap selects, and the type of each; as its catalog says it."""
    return {
        field["name"]: JSON_TYPES[field["type"]]
        for field in described["fields"]
        if field["type"] not in UNSUPPORTED
    }


def test_discovery_finds_each_object_with_its_key_and_a_time_to_go_on_from(
    tap: requests.Session, api: SalesforceApi
) -> None:
    describes = one_by_one(tap)
    assert {row["name"] for row in describes} == {row.name for row in api.org.visible_objects()}
    for described in describes:
        assert {"Id", "SystemModstamp"} <= set(schema_of(described))
        assert described["customSetting"] is False
        assert all("relationshipName" in field for field in described["fields"])


def test_discovery_in_batches_finds_the_same(tap: requests.Session) -> None:
    several, batched = one_by_one(tap), in_batches(tap)
    assert [schema_of(row) for row in batched] == [schema_of(row) for row in several]


def records_of(tap: requests.Session, described: dict[str, Any]) -> list[dict[str, Any]]:
    """All records of an object as tap-salesforce 2.8.1 reads them by REST."""
    selected = ",".join(schema_of(described))
    soql = (
        f"SELECT {selected} FROM {described['name']} WHERE SystemModstamp >= {START}  "
        "ORDER BY SystemModstamp ASC"
    )
    records: list[dict[str, Any]] = []
    place: str | None = f"{HOST}/services/data/v61.0/queryAll"
    while place is not None:
        # It sends the query with each page, which the next page does not need.
        payload = send(tap, "GET", place, params={"q": soql}).json()
        records += payload["records"]
        place = f"{HOST}{payload['nextRecordsUrl']}" if payload.get("nextRecordsUrl") else None
    return records


def test_each_record_is_read_by_rest_in_the_types_that_were_discovered(
    tap: requests.Session, api: SalesforceApi
) -> None:
    for described in one_by_one(tap):
        records, types = records_of(tap, described), schema_of(described)
        assert {row["Id"] for row in records} == {
            row["Id"] for row in api.org.records(described["name"])
        }
        for record in records:
            for name, expected in types.items():
                assert record[name] is None or isinstance(record[name], expected), name


def test_each_record_is_read_by_a_job_as_meltanos_variant_does(
    tap: requests.Session, api: SalesforceApi
) -> None:
    jobs, headers = "v60.0/jobs/query", {"Content-Type": "application/json"}
    soql = f"SELECT Id,Name,SystemModstamp FROM Contact WHERE SystemModstamp >= {START} "
    posted = json.dumps({"operation": "query", "query": soql})
    job = send(tap, "POST", jobs, data=posted, headers=headers).json()["id"]
    while send(tap, "GET", f"{jobs}/{job}", headers=headers).json()["state"] != "JobComplete":
        pass
    rows, locator = [], ""
    while locator != "null":
        params = {"maxRecords": 50_000, **({"locator": locator} if locator else {})}
        answer = send(tap, "GET", f"{jobs}/{job}/results", headers=headers, params=params)
        rows += list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
        locator = answer.headers["Sforce-Locator"]
    living = [row["Id"] for row in api.org.records("Contact") if not row["IsDeleted"]]
    assert [row["Id"] for row in rows] == living


def test_an_invalid_refresh_token_is_refused(tap: requests.Session, api: SalesforceApi) -> None:
    form = {
        "grant_type": "refresh_token",
        "client_id": api.access.client_id,
        "client_secret": api.access.client_secret,
        "refresh_token": "another",
    }
    answer = tap.post("https://login.salesforce.com/services/oauth2/token", form, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_grant"
