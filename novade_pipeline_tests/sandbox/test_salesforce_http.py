"""What the Salesforce sandbox says to requests that no resource answers; how answers are sent."""

import gzip

import httpx
import pytest

from novade_pipeline_tests.sandbox.salesforce_client import DATA, Client, error_of

LIMITS = f"{DATA}/limits"
JOB = "/services/data/v60.0/jobs/query"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("vabc", (404, "NOT_FOUND")),
        ("v", (404, "NOT_FOUND")),
        ("v60", (404, "NOT_FOUND")),
        ("v999.0", (404, "NOT_FOUND")),
        ("v30.0", (410, "UNSUPPORTED_API_VERSION")),
    ],
)
@pytest.mark.parametrize("path", ["/limits", "/jobs/query", "/sobjects/Account/describe"])
def test_an_unknown_version_has_no_resources(
    path: str, version: str, expected: tuple[int, str], client: Client
) -> None:
    assert error_of(client.http.get(f"/services/data/{version}{path}")) == expected
    if path == "/jobs/query":
        posted = {"operation": "query", "query": "SELECT Id FROM Account"}
        assert (
            error_of(client.http.post(f"/services/data/{version}{path}", json=posted)) == expected
        )


@pytest.mark.parametrize("version", ["31.0", "66.0"])
def test_each_version_that_is_listed_answers(version: str, client: Client) -> None:
    place = f"/services/data/v{version}"
    assert place in [part["url"] for part in client.http.get("/services/data").json()]
    assert client.http.get(place).json()["sobjects"] == f"{place}/sobjects"
    assert client.http.get(f"{place}/sobjects/Account/describe").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", LIMITS, "HEAD,GET"),
        ("PATCH", f"{DATA}/sobjects/Account/describe", "HEAD,GET"),
        ("PUT", JOB, "HEAD,GET,POST"),
        ("POST", f"{JOB}/750", "HEAD,GET,PATCH,DELETE"),
        ("GET", f"{DATA}/composite/batch", "POST"),
        ("GET", "/services/oauth2/token", "POST"),
    ],
)
def test_the_error_for_a_wrong_method_lists_the_right_ones(
    method: str, path: str, allowed: str, client: Client
) -> None:
    answer = client.http.request(method, path)
    assert error_of(answer) == (405, "METHOD_NOT_ALLOWED")
    says = f"HTTP Method '{method}' not allowed. Allowed are {allowed}"
    assert answer.json()[0]["message"] == says
    assert answer.headers["Allow"] == allowed


def _query_of(uri_bytes: int) -> str:
    """The path of a query whose URI has so many bytes."""
    path = f"{DATA}/query?q=SELECT+Id+FROM+Account+WHERE+Name+=+'"
    return f"{path}{'x' * (uri_bytes - len(path) - 1)}'"


@pytest.mark.parametrize(
    ("uri_bytes", "expected"),
    [
        (14_000, None),
        (16_383, (431, "REQUEST_HEADER_FIELDS_TOO_LARGE")),
        (16_384, (431, "REQUEST_HEADER_FIELDS_TOO_LARGE")),
        (16_385, (414, "URI_TOO_LONG")),
        (40_000, (414, "URI_TOO_LONG")),
    ],
)
def test_a_long_uri_is_refused_alone_or_with_its_headers(
    uri_bytes: int, expected: tuple[int, str] | None, client: Client
) -> None:
    answer = client.http.get(_query_of(uri_bytes))
    assert len(answer.request.url.raw_path) == uri_bytes
    if expected is None:
        assert answer.status_code == 200
    else:
        assert error_of(answer) == expected


def _raw(client: Client, path: str, accepted: str) -> httpx.Response:
    """An answer whose body is as it was sent."""
    with client.http.stream("GET", path, headers={"Accept-Encoding": accepted}) as answer:
        answer.extensions["sent"] = b"".join(answer.iter_raw())
        return answer


@pytest.mark.parametrize("accepted", ["gzip", "gzip, deflate, br", "br;q=1, GZIP;q=0.5"])
def test_an_answer_is_compressed_where_the_client_takes_gzip(accepted: str, client: Client) -> None:
    job = client.job("SELECT Id, Name FROM Contact")
    for path in (LIMITS, f"{DATA}/query?q=SELECT+Id+FROM+Contact", f"{JOB}/{job}/results"):
        plain, packed = _raw(client, path, "identity"), _raw(client, path, accepted)
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.headers["Content-Length"] == str(len(packed.extensions["sent"]))
        assert "Content-Encoding" not in plain.headers
        if path != LIMITS and "query?" not in path:
            assert gzip.decompress(packed.extensions["sent"]) == plain.extensions["sent"]
            assert len(packed.extensions["sent"]) < len(plain.extensions["sent"])


@pytest.mark.parametrize("accepted", ["identity", "deflate", "br", "gzip;q=0", "x-gzip2"])
def test_any_other_encoding_is_ignored(accepted: str, client: Client) -> None:
    answer = _raw(client, f"{DATA}/sobjects/Account/describe", accepted)
    assert "Content-Encoding" not in answer.headers
    assert answer.extensions["sent"].startswith(b"{")


def test_the_limits_are_those_of_a_real_organisation(own: Client) -> None:
    own.job("SELECT Id FROM Contact")
    payload = own.get("/limits").json()
    assert payload["DailyApiRequests"] == {"Max": 100_000, "Remaining": 99_997}
    assert payload["DailyBulkV2QueryJobs"] == {"Max": 10_000, "Remaining": 9_999}
    assert payload["PermissionSets"]["CreateCustom"] == {"Max": 1_000, "Remaining": 1_000}
    assert {"DailyBulkApiBatches", "DataStorageMB", "HourlySyncReportRuns", "SingleEmail"} <= set(
        payload
    )
    assert all(0 <= part["Remaining"] <= part["Max"] for part in payload.values())


def test_a_batch_is_answered_part_by_part_and_each_counts(own: Client) -> None:
    used = int(own.get("/limits").headers["Sforce-Limit-Info"].split("=")[1].partition("/")[0])
    revenue = own.api.org.insert("Account", {"Name": "Aster", "AnnualRevenue": 25_000_000})
    soql = f"SELECT AnnualRevenue FROM Account WHERE Id = '{revenue}'"
    parts = [
        {"method": "GET", "url": "/services/data/v60.0/sobjects/Account/describe"},
        {"method": "GET", "url": "v60.0/sobjects/Nothing__c/describe"},
        {"method": "Get", "url": f"v60.0/query?q={soql}"},
        {"method": "GET", "url": "v60.0/query?q=SELECT+COUNT%28%29+FROM+Account"},
        {"method": "GET", "url": "v60.0/jobs/query"},
    ]
    answer = own.http.post(f"{DATA}/composite/batch", json={"batchRequests": parts})
    payload = answer.json()
    assert payload["hasErrors"]
    assert [part["statusCode"] for part in payload["results"]] == [200, 404, 200, 200, 404]
    results = [part["result"] for part in payload["results"]]
    assert results[0] == own.get("/sobjects/Account/describe").json()
    assert results[1][0]["errorCode"] == "NOT_FOUND"
    assert results[3]["totalSize"] == len(own.query("SELECT Id FROM Account"))
    assert '"AnnualRevenue":2.5E7}' in answer.text
    assert answer.headers["Sforce-Limit-Info"] == f"api-usage={used + 6}/100000"


def test_a_batch_can_halt_at_its_first_error(client: Client) -> None:
    parts = [{"method": "GET", "url": f"v60.0/{path}"} for path in ("limits", "nothing", "limits")]
    posted = {"batchRequests": parts, "haltOnError": True}
    payload = client.http.post(f"{DATA}/composite/batch", json=posted).json()
    assert [part["statusCode"] for part in payload["results"]] == [200, 404, 412]
    assert payload["results"][2]["result"][0]["errorCode"] == "BATCH_PROCESSING_HALTED"


@pytest.mark.parametrize(
    ("posted", "code"),
    [
        ([], "JSON_PARSER_ERROR"),
        ({"batchRequests": [{"url": "v60.0/limits"}]}, "JSON_PARSER_ERROR"),
        ({"batchRequests": []}, "LIMIT_EXCEEDED"),
        ({"batchRequests": [{"method": "GET", "url": "v60.0/limits"}] * 26}, "LIMIT_EXCEEDED"),
    ],
)
def test_what_is_no_batch_is_refused(posted: object, code: str, client: Client) -> None:
    answer = client.http.post(f"{DATA}/composite/batch", json=posted)
    assert error_of(answer) == (400, code)
