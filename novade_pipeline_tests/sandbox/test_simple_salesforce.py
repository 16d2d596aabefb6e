"""`simple-salesforce` itself, as it is, works with the sandbox."""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceOperationError,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

from novade_pipeline.sandbox.salesforce.api import Access, Faults, SalesforceApi
from novade_pipeline.sandbox.salesforce.client_session import sandbox_session
from novade_pipeline.sandbox.serving import serving

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def key_pair() -> tuple[str, str]:
    """A private and a public key, in PEM."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode(), public.decode()


PRIVATE, PUBLIC = key_pair()


@pytest.fixture(scope="module")
def url_and_api() -> Iterator[tuple[str, SalesforceApi]]:
    api = SalesforceApi(people=60, batch_size=20, access=Access(public_key=PUBLIC))
    with serving(api.app()) as url:
        yield url, api


@pytest.fixture
def url(url_and_api: tuple[str, SalesforceApi]) -> str:
    return url_and_api[0]


@pytest.fixture
def api(url_and_api: tuple[str, SalesforceApi]) -> Iterator[SalesforceApi]:
    """The sandbox, without the faults of the test before."""
    api = url_and_api[1]
    api.faults = Faults()
    yield api
    api.faults = Faults()


@pytest.fixture
def salesforce(url: str, api: SalesforceApi) -> Salesforce:
    return log_in(url, api)


def log_in(url: str, api: SalesforceApi, **overrides: Any) -> Salesforce:
    """By client credentials."""
    right: dict[str, Any] = {
        "consumer_key": api.access.client_id,
        "consumer_secret": api.access.client_secret,
        "domain": "novade.my",
    }
    return Salesforce(**{**right, **overrides}, session=sandbox_session(url))


def log_in_by_jwt(url: str, api: SalesforceApi, **overrides: Any) -> Salesforce:
    right: dict[str, Any] = {
        "username": api.access.username,
        "consumer_key": api.access.client_id,
        "privatekey": PRIVATE,
    }
    return Salesforce(**{**right, **overrides}, session=sandbox_session(url))


def living(api: SalesforceApi, of: str) -> list[str]:
    return [row["Id"] for row in api.org.records(of) if not row["IsDeleted"]]


def test_it_logs_in_by_client_credentials(salesforce: Salesforce) -> None:
    assert salesforce.sf_instance == "novade.my.salesforce.com"
    assert salesforce.limits()["DailyApiRequests"]["Max"] == 100_000


def test_it_logs_in_by_jwt_at_the_log_in_host(url: str, api: SalesforceApi) -> None:
    salesforce = log_in_by_jwt(url, api)
    assert salesforce.sf_instance == "novade.my.salesforce.com"
    assert salesforce.query("SELECT COUNT() FROM User")["totalSize"] == 11


def test_it_logs_in_by_jwt_from_a_file(url: str, api: SalesforceApi, tmp_path: Path) -> None:
    file = tmp_path / "server.key"
    file.write_text(PRIVATE)
    salesforce = log_in_by_jwt(url, api, privatekey=None, privatekey_file=str(file))
    assert salesforce.query("SELECT COUNT() FROM User")["totalSize"] == 11


def test_it_logs_in_by_password(url: str, api: SalesforceApi) -> None:
    whole = api.access.password
    credentials = {
        "username": api.access.username,
        "password": whole[:-5],
        "security_token": whole[-5:],
    }
    salesforce = Salesforce(**credentials, session=sandbox_session(url))
    assert salesforce.query("SELECT COUNT() FROM User")["totalSize"] == 11
    with pytest.raises(SalesforceAuthenticationFailed, match=r"INVALID_LOGIN\): Invalid"):
        Salesforce(**{**credentials, "password": "wrong"}, session=sandbox_session(url))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"consumer_secret": "wrong"}, r"invalid_client\): invalid client credentials"),
        ({"consumer_key": "wrong"}, r"invalid_client_id\): client identifier invalid"),
    ],
)
def test_wrong_client_credentials_are_refused(
    overrides: dict[str, str], message: str, url: str, api: SalesforceApi
) -> None:
    with pytest.raises(SalesforceAuthenticationFailed, match=message):
        log_in(url, api, **overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"privatekey": key_pair()[0]}, r"invalid_grant\): invalid assertion"),
        ({"consumer_key": "wrong"}, r"invalid_client_id\): client identifier invalid"),
        ({"username": "nobody@novade.example"}, "user hasn't approved this consumer"),
        ({"domain": "test"}, r"invalid_grant\): audience is invalid"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*self-authorize")
def test_wrong_assertions_are_refused(
    overrides: dict[str, str], message: str, url: str, api: SalesforceApi
) -> None:
    with pytest.raises(SalesforceAuthenticationFailed, match=message):
        log_in_by_jwt(url, api, **overrides)


@pytest.mark.parametrize(
    ("claims", "algorithm", "message"),
    [
        ({"exp": datetime.now(UTC) - timedelta(minutes=1)}, "RS256", "expired"),
        ({"exp": None}, "RS256", "invalid assertion"),
        ({"sub": None}, "RS256", "invalid assertion"),
        ({}, "RS512", "invalid assertion"),
        ({}, "none", "invalid assertion"),
    ],
)
def test_an_invalid_token_is_refused(
    claims: dict[str, Any], algorithm: str, message: str, url: str, api: SalesforceApi
) -> None:
    right = {
        "iss": api.access.client_id,
        "sub": api.access.username,
        "aud": "https://login.salesforce.com",
        "exp": datetime.now(UTC) + timedelta(minutes=3),
    }
    credentials = {name: value for name, value in {**right, **claims}.items() if value is not None}
    token = jwt.encode(credentials, PRIVATE if algorithm != "none" else "", algorithm)
    answer = sandbox_session(url).post(
        "https://login.salesforce.com/services/oauth2/token",
        {"grant_type": JWT_BEARER, "assertion": token},
        timeout=10,
    )
    assert answer.status_code == 400
    assert message in answer.json()["error_description"]


def test_a_sandbox_organisation_takes_assertions_for_test_alone() -> None:
    api = SalesforceApi(people=20, access=Access(public_key=PUBLIC, is_sandbox=True))
    with serving(api.app()) as url:
        with pytest.raises(SalesforceAuthenticationFailed, match="audience is invalid"):
            log_in_by_jwt(url, api)
        assert log_in_by_jwt(url, api, domain="test").session_id


def test_it_describes(salesforce: Salesforce, api: SalesforceApi) -> None:
    credentials = salesforce.describe()
    assert credentials is not None
    assert {page["name"] for page in credentials["sobjects"]} == {
        o.name for o in api.org.visible_objects()
    }
    fields = {field["name"]: field["type"] for field in salesforce.Contact.describe()["fields"]}
    assert fields["MailingAddress"] == "address"
    assert fields["Engagement__c"] == "double"


def test_it_queries_in_pages(salesforce: Salesforce, api: SalesforceApi) -> None:
    expected = living(api, "Contact")
    first = salesforce.query("SELECT Id FROM Contact")
    assert (first["totalSize"], first["done"], len(first["records"])) == (len(expected), False, 20)
    every = salesforce.query_all("SELECT Id FROM Contact")
    assert [row["Id"] for row in every["records"]] == expected
    lazily = salesforce.query_all_iter("SELECT Id FROM Contact", include_deleted=True)
    assert [row["Id"] for row in lazily] == [row["Id"] for row in api.org.records("Contact")]
    used = salesforce.api_usage["api-usage"]
    assert (used.total, used.used > 0) == (100_000, True)


def ids_in(pages: Iterator[Any]) -> list[str]:
    return [row["Id"] for page in pages for row in csv.DictReader(io.StringIO(page))]


@pytest.mark.parametrize("deleted_too", [False, True])
def test_it_queries_in_bulk(deleted_too: bool, salesforce: Salesforce, api: SalesforceApi) -> None:
    bulk = salesforce.bulk2.Contact
    ask: Callable[..., Iterator[Any]] = bulk.query_all if deleted_too else bulk.query
    pages = list(ask("SELECT Id, Name FROM Contact", max_records=15, wait=0.001))
    rows = api.org.records("Contact")
    expected = [row["Id"] for row in rows] if deleted_too else living(api, "Contact")
    assert ids_in(iter(pages)) == expected
    assert len(pages) == -(-len(expected) // 15)


def test_it_downloads_in_bulk(salesforce: Salesforce, api: SalesforceApi, tmp_path: Path) -> None:
    soql = "SELECT Id FROM Contact"
    credentials = salesforce.bulk2.Contact.download(soql, str(tmp_path), max_records=15, wait=0.001)
    expected = living(api, "Contact")
    assert sum(page["number_of_records"] for page in credentials) == len(expected)
    assert ids_in(Path(page["file"]).read_text() for page in credentials) == expected


def test_a_session_that_expired_is_renewed_for_queries(
    salesforce: Salesforce, api: SalesforceApi
) -> None:
    before = salesforce.session_id
    api.expire_sessions()
    assert salesforce.query("SELECT Id FROM Contact LIMIT 1")["totalSize"] == 1
    assert salesforce.session_id != before


def test_its_errors_are_those_of_the_real_one(salesforce: Salesforce, api: SalesforceApi) -> None:
    with pytest.raises(SalesforceMalformedRequest, match="INVALID_FIELD"):
        salesforce.query("SELECT Foo FROM Contact")
    with pytest.raises(SalesforceResourceNotFound, match="NOT_FOUND"):
        salesforce.Nothing__c.describe()
    bulk = salesforce.bulk2.Contact
    api.expire_sessions()
    with pytest.raises(SalesforceExpiredSession, match="INVALID_SESSION_ID"):
        next(bulk.query("SELECT Id FROM Contact", wait=0.001))
    api.faults = Faults(failing_jobs=10**9)
    salesforce.query("SELECT COUNT() FROM Contact")
    with pytest.raises(SalesforceOperationError, match="InternalServerError"):
        next(salesforce.bulk2.Contact.query("SELECT Id FROM Contact", wait=0.001))
    api.faults = Faults(daily_limit=1)
    with pytest.raises(SalesforceRefusedRequest, match="REQUEST_LIMIT_EXCEEDED"):
        salesforce.query("SELECT COUNT() FROM Contact")
