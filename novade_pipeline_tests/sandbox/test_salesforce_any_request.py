"""Whatever a client asks of the Salesforce sandbox, it is answered, and never by an accident."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novade_pipeline.sandbox.salesforce.objects import OBJECTS
from novade_pipeline_tests.sandbox.salesforce_client import DATA, Client

# The same organisation for all examples, which none of them changes but by its jobs.
ONE_SERVER = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

_FIELDS = sorted({field.name for sobject in OBJECTS for field in sobject.fields} | {"Nothing__c"})
_FUNCTIONS = ("COUNT", "MAX", "MIN", "SUM")
_LITERALS = ("'x'", "''", "1", "-1.5", "null", "true", "2026-03-01", "2026-03-01T00:00:00Z")

fields = st.sampled_from(_FIELDS)
selected = st.one_of(
    fields,
    st.builds("{}({})".format, st.sampled_from(_FUNCTIONS), fields | st.just("")),
)
literals = st.one_of(
    st.sampled_from(_LITERALS),
    st.text(alphabet="0123456789-T:Z+", max_size=26),
    st.lists(st.sampled_from(_LITERALS), max_size=3).map(lambda several: f"({', '.join(several)})"),
)
conditions = st.builds(
    "{} {} {}".format, fields, st.sampled_from(("=", "!=", "<", ">=", "IN", "NOT IN")), literals
)
queries = st.builds(
    "SELECT {} FROM {}{}{}{}".format,
    st.lists(selected, min_size=1, max_size=4).map(", ".join),
    st.sampled_from([sobject.name for sobject in OBJECTS]),
    st.one_of(st.just(""), conditions.map(" WHERE {}".format)),
    st.one_of(st.just(""), fields.map(" ORDER BY {}".format)),
    st.one_of(st.just(""), st.integers(0, 10**30).map(" LIMIT {}".format)),
)
paths = st.lists(
    st.sampled_from(
        (
            *("limits", "sobjects", "Account", "Task", "describe", "deleted", "query", "queryAll"),
            *("jobs", "results", "resultPages", "composite", "batch", "750x", "0r8-1", "é", "%00"),
        )
    ),
    max_size=5,
).map("/".join)
keys = st.sampled_from(
    ("operation", "query", "columnDelimiter", "lineEnding", "batchRequests", "method", "url")
)
bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


def assert_no_accident(answer: httpx.Response) -> None:
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert set(answer.json()[0]) == {"message", "errorCode"}


@ONE_SERVER
@given(queries)
def test_any_query_is_answered_or_refused_by_both_apis_alike(client: Client, soql: str) -> None:
    answer = client.get("/query", q=soql)
    assert_no_accident(answer)
    job = client.new_job(soql)
    assert_no_accident(job)
    assert (answer.status_code == 400) <= (job.status_code == 400)
    if job.status_code == 200:
        place = f"/jobs/query/{job.json()['id']}"
        assert client.get(place).json()["state"] == "JobComplete"
        assert client.get(f"{place}/results").status_code == 200


@ONE_SERVER
@given(st.text(max_size=60))
def test_any_text_is_no_query(client: Client, text: str) -> None:
    assert_no_accident(client.get("/query", q=text.encode("utf-8", "replace").decode()))


@ONE_SERVER
@given(st.sampled_from(("GET", "POST", "PATCH", "PUT")), paths, bodies)
def test_any_path_method_and_body_is_answered(
    client: Client, method: str, path: str, body: Any
) -> None:
    assert_no_accident(client.http.request(method, f"{DATA}/{path}", content=json.dumps(body)))


@ONE_SERVER
@given(bodies)
def test_any_body_is_a_job_or_none(client: Client, body: Any) -> None:
    assert_no_accident(client.http.post(f"{DATA}/jobs/query", content=json.dumps(body)))


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 5_000, b'{"query": "\\ud800"}'])
@pytest.mark.parametrize("path", ["jobs/query", "composite/batch"])
def test_a_body_that_is_no_json_is_refused(path: str, body: bytes, client: Client) -> None:
    assert client.http.post(f"{DATA}/{path}", content=body).status_code == 400


@pytest.mark.parametrize("name", ["locator", "maxRecords", "start", "end"])
@pytest.mark.parametrize("value", ["", "é", "²", "-1", "9" * 40, "MDAw", "\x00", "2026-03-01"])
def test_any_parameter_is_taken_or_refused(name: str, value: str, client: Client) -> None:
    job = client.job("SELECT Id FROM Contact")
    for path in (f"/jobs/query/{job}/results", f"/jobs/query/{job}/resultPages"):
        assert_no_accident(client.get(path, **{name: value}))
    assert_no_accident(
        client.get("/sobjects/Contact/deleted", **{"start": value, "end": value, name: value})
    )
