"""Logging in to an organisation: with a secret, with a key, and what a refusal says."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr, ValidationError

from novade_pipeline.api.retry import Retry
from novade_pipeline.defs.salesforce.log_in import audience, token_of
from novade_pipeline.defs.salesforce.organisation import Organisation
from novade_pipeline.defs.salesforce.settings import SalesforceSettings
from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.sandbox.salesforce.api import Access, Faults, SalesforceApi
from novade_pipeline_tests.defs.salesforce.refusals import World, organisation_of, refusal

SECRET = SalesforceApi().access.client_secret


def _key() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


@pytest.fixture(scope="module")
def key() -> tuple[str, str]:
    return _key()


def _by_key(world: World, public: str, **more: Any) -> Organisation:
    world.api.access = Access(public_key=public)
    options = {"client_secret": None, "username": world.api.access.username, **more}
    return organisation_of(world, **options)


def test_a_client_with_its_secret_logs_in(world: World) -> None:
    with organisation_of(world) as org:
        assert org.describe("Account")["name"] == "Account"


@pytest.mark.parametrize("form", ["file", "variable", "one line"])
def test_a_private_key_logs_in(
    world: World, key: tuple[str, str], tmp_path: Path, form: str
) -> None:
    private, public = key
    if form == "file":
        (tmp_path / "key.pem").write_text(private)
        options: dict[str, Any] = {"private_key_file": tmp_path / "key.pem"}
    else:
        one_line = private.replace("\n", "\\n")
        options = {"private_key": SecretStr(private if form == "variable" else one_line)}
    with _by_key(world, public, **options) as org:
        assert org.describe("Order")["name"] == "Order"


REFUSALS = {
    "a wrong secret": (
        {"client_secret": "wr0ng"},
        {},
        "NOVADE_SALESFORCE_CLIENT_SECRET is not the secret of the app",
    ),
    "another client": (
        {"client_id": "unknown"},
        {},
        "NOVADE_SALESFORCE_CLIENT_ID is no app of this organisation",
    ),
    "a sandbox organisation's log-in at production": (
        {},
        {"another_domain": True},
        "a sandbox organisation accepts log-ins at its own My Domain only",
    ),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_a_refused_log_in_is_explained_in_one_sentence(world: World, why: str) -> None:
    settings, faults, message = REFUSALS[why]
    world.api.faults = Faults(**faults)
    with organisation_of(world, **settings) as org, pytest.raises(PermanentFailure) as failure:
        org.describe("Account")
    assert message in str(failure.value)
    assert "\n" not in str(failure.value)
    assert SECRET not in str(failure.value)
    assert "wr0ng" not in str(failure.value)
    assert world.api.request_counts["log_in"] == 1


def test_a_key_of_another_app_is_reported(world: World, key: tuple[str, str]) -> None:
    private = SecretStr(_key()[0])
    with _by_key(world, key[1], private_key=private) as org:
        assert "does not belong to the certificate of the app" in refusal(org)


def test_a_user_without_approval_is_reported(world: World, key: tuple[str, str]) -> None:
    private, public = key
    with _by_key(world, public, private_key=SecretStr(private), username="x@novade.example") as org:
        assert "let an administrator approve the app" in refusal(org)


def test_what_is_no_key_is_reported_without_showing_it(world: World) -> None:
    with _by_key(world, "x", private_key=SecretStr("-----BEGIN top s3cret")) as org:
        message = refusal(org)
    assert "expected an RSA private key in PEM" in message
    assert "s3cret" not in message
    missing = Path("nowhere.pem")
    with _by_key(world, "x", private_key_file=missing) as org:
        assert "private key in nowhere.pem, found no file" in refusal(org)


def test_an_organisation_that_cannot_be_reached_passes(world: World) -> None:
    with organisation_of(world, url="http://127.0.0.1:9") as org:
        assert "it cannot be reached" in refusal(org, TransientFailure)
    assert len(world.waited) == Retry().attempts - 1


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://novade.my.salesforce.com", "https://login.salesforce.com"),
        ("https://novade--uat.sandbox.my.salesforce.com", "https://test.salesforce.com"),
    ],
)
def test_an_assertion_is_for_the_log_in_host_of_its_kind_of_organisation(
    url: str, host: str
) -> None:
    assert audience(url) == host


@pytest.mark.parametrize(
    "url",
    [
        "http://novade.my.salesforce.com",
        "https://u:p@x.salesforce.com",
        "https://x.com/a",
        "novade",
    ],
)
def test_only_a_my_domain_is_an_address(url: str) -> None:
    with pytest.raises(ValidationError, match="expected the organisation's My Domain"):
        SalesforceSettings(_env_file=None, url=url)  # type: ignore[call-arg]


def test_nothing_is_sent_to_a_host_that_is_not_salesforces() -> None:
    settings = SalesforceSettings(_env_file=None, url="https://x.my.salesforce.com")  # type: ignore[call-arg]
    answer = {"access_token": "t", "instance_url": "https://salesforce.com.example"}
    with pytest.raises(PermanentFailure, match=r"found salesforce\.com\.example; nothing is sent"):
        token_of(settings, answer)
    answer["instance_url"] = "https://y.my.salesforce.com/"
    assert token_of(settings, answer).instance_url == "https://y.my.salesforce.com"
