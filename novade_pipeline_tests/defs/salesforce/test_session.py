"""Logging in, being let in no more, asking again, and leaving calls to the people in the office."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from novade_pipeline.api.retry import Retry
from novade_pipeline.defs.salesforce.log_in import audience, token_of
from novade_pipeline.defs.salesforce.organisation import Organisation
from novade_pipeline.defs.salesforce.session import SalesforceSession
from novade_pipeline.defs.salesforce.settings import SalesforceSettings
from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.sandbox.salesforce.api import Access, SalesforceApi, Trouble
from novade_pipeline.sandbox.serving import serving

World = Any
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


def _asked_by(world: World, **more: Any) -> Organisation:
    organisation: Organisation = world.asked(**more)
    return organisation


def _by_key(world: World, public: str, **more: Any) -> Organisation:
    world.api.access = Access(public_key=public)
    told = {"client_secret": None, "username": world.api.access.username, **more}
    return _asked_by(world, **told)


def _refusal(org: Organisation, kind: type[Exception] = PermanentFailure) -> str:
    """What is told where it is asked for and not answered."""
    with pytest.raises(kind) as failure:
        org.describe("Account")
    return str(failure.value)


# logging in


def test_a_client_with_its_secret_is_let_in(world: World) -> None:
    with _asked_by(world) as org:
        assert org.describe("Account")["name"] == "Account"


@pytest.mark.parametrize("form", ["file", "variable", "one line"])
def test_a_private_key_lets_in(
    world: World, key: tuple[str, str], tmp_path: Path, form: str
) -> None:
    private, public = key
    if form == "file":
        (tmp_path / "key.pem").write_text(private)
        told: dict[str, Any] = {"private_key_file": tmp_path / "key.pem"}
    else:
        one_line = private.replace("\n", "\\n")
        told = {"private_key": SecretStr(private if form == "variable" else one_line)}
    with _by_key(world, public, **told) as org:
        assert org.describe("Order")["name"] == "Order"


REFUSALS = {
    "a wrong secret": (
        {"client_secret": "wr0ng"},
        {},
        "NOVADE_SALESFORCE_CLIENT_SECRET is not the secret of the app",
    ),
    "another client": (
        {"client_id": "nobody"},
        {},
        "NOVADE_SALESFORCE_CLIENT_ID names no app of this organisation",
    ),
    "a sandbox organisation's log-in at production": (
        {},
        {"another_domain": True},
        "a sandbox organisation lets in at its own My Domain only",
    ),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_who_is_not_let_in_is_told_why_in_one_sentence(world: World, why: str) -> None:
    settings, trouble, told = REFUSALS[why]
    world.api.trouble = Trouble(**trouble)
    with _asked_by(world, **settings) as org, pytest.raises(PermanentFailure) as failure:
        org.describe("Account")
    assert told in str(failure.value)
    assert "\n" not in str(failure.value)
    assert SECRET not in str(failure.value)
    assert "wr0ng" not in str(failure.value)
    assert world.api.asked_for["log_in"] == 1


def test_a_key_of_another_app_is_told(world: World, key: tuple[str, str]) -> None:
    private = SecretStr(_key()[0])
    with _by_key(world, key[1], private_key=private) as org:
        assert "does not belong to the certificate of the app" in _refusal(org)


def test_a_user_that_nobody_approved_is_told(world: World, key: tuple[str, str]) -> None:
    private, public = key
    with _by_key(world, public, private_key=SecretStr(private), username="x@novade.example") as org:
        assert "let an administrator approve the app" in _refusal(org)


def test_what_is_no_key_is_told_without_showing_it(world: World) -> None:
    with _by_key(world, "x", private_key=SecretStr("-----BEGIN top s3cret")) as org:
        told = _refusal(org)
    assert "expected an RSA private key in PEM" in told
    assert "s3cret" not in told
    missing = Path("nowhere.pem")
    with _by_key(world, "x", private_key_file=missing) as org:
        assert "private key in nowhere.pem, found no file" in _refusal(org)


def test_an_organisation_that_cannot_be_reached_passes(world: World) -> None:
    with _asked_by(world, url="http://127.0.0.1:9") as org:
        assert "it cannot be reached" in _refusal(org, TransientFailure)
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


# sessions


def test_a_session_that_expires_is_renewed_across_a_long_bulk_result(world: World) -> None:
    world.org.fill("Task", 9_000)
    world.api.trouble = Trouble(session_requests=3)
    loaded = world.load("Task", bulk_from_rows=0)
    assert (loaded.rows, loaded.how) == (9_000, ("bulk",))
    assert world.session.usage.log_ins > 2
    assert len(world.rows("Task")) == 9_000


def test_a_token_that_is_revoked_is_told(world: World) -> None:
    world.api.trouble = Trouble(revoked_after=2)
    with _asked_by(world) as org:
        org.describe("Account")
        org.describe("Account")
        with pytest.raises(PermanentFailure, match="the access was taken back meanwhile"):
            org.describe("Account")


def test_a_new_token_that_lets_nobody_in_is_asked_for_once(tmp_path: Path) -> None:
    asked: list[str] = []

    async def token(request: Request) -> Response:
        asked.append("token")
        url = str(request.base_url)
        return JSONResponse({"access_token": f"t{len(asked)}", "instance_url": url})

    async def refuse(request: Request) -> Response:
        asked.append(request.headers["Authorization"])
        return JSONResponse([{"errorCode": "INVALID_SESSION_ID", "message": "expired"}], 401)

    with _faked(token, refuse) as org:
        for _ in range(2):
            with pytest.raises(PermanentFailure, match="expected a new token to let us in"):
                org.describe("Account")
    assert asked == ["token", "Bearer t1", "token", "Bearer t3"]


def test_a_redirect_is_not_followed() -> None:
    async def elsewhere(request: Request) -> Response:
        return RedirectResponse("https://elsewhere.example/", 302)

    with _faked(_let_in, elsewhere) as org:
        assert "answered 302" in _refusal(org)


def test_a_page_for_people_is_no_answer() -> None:
    async def page(request: Request) -> Response:
        return HTMLResponse("<html>Log in to Salesforce</html>")

    with _faked(_let_in, page) as org:
        told = _refusal(org)
    assert "expected JSON or CSV from GET /services/data/v59.0/sobjects/Account/describe" in told
    assert "found text/html; NOVADE_SALESFORCE_URL must be the organisation's My Domain" in told


def test_an_organisation_that_says_nothing_is_given_up() -> None:
    async def silent(request: Request) -> Response:
        await asyncio.sleep(0.3)
        return JSONResponse({})

    with _faked(_let_in, silent, timeout_seconds=0.02) as org:
        assert "no answer within 0.02 s" in _refusal(org, TransientFailure)
        assert (org.session.usage.requests, org.session.usage.retries) == (7, 5)


async def _let_in(request: Request) -> Response:
    return JSONResponse({"access_token": "t0p", "instance_url": str(request.base_url)})


@contextmanager
def _faked(token: Any, answer: Any, **more: Any) -> Iterator[Organisation]:
    routes = [
        Route("/services/oauth2/token", token, methods=["POST"]),
        Route("/{_:path}", answer, methods=["GET", "POST"]),
    ]
    with serving(Starlette(routes=routes)) as url:
        settings = SalesforceSettings(  # type: ignore[call-arg]
            _env_file=None, url=url, client_id="c", client_secret=SecretStr("s"), **more
        )
        with Organisation(settings, SalesforceSession(settings, sleep=lambda _: None)) as org:
            yield org


# what passes


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(limited_every=2, retry_after=7),
        Trouble(failing_every=2),
        Trouble(unavailable_every=2),
        Trouble(locked_every=2),
        Trouble(results_unavailable=3),
        Trouble(results_cut=3),
        Trouble(failing_jobs=2),
        Trouble(slow_polls=5),
    ],
    ids=lambda trouble: str(
        sorted(set(vars(trouble).items()) - set(vars(Trouble()).items()))[0][0]
    ),
)
def test_what_passes_is_asked_for_again_and_nothing_is_lost(world: World, trouble: Trouble) -> None:
    world.api.trouble = trouble
    loaded = world.load("Contact", bulk_from_rows=0)
    assert loaded.rows == len(world.org.records("Contact"))
    assert set(world.rows("Contact")) == set(world.theirs("Contact"))
    if trouble.limited_every:
        assert all(seconds >= 7 for seconds in world.waited)


def test_jobs_that_fail_one_after_the_other_are_given_up(world: World) -> None:
    world.api.trouble = Trouble(failing_jobs=99)
    with pytest.raises(TransientFailure, match="3 bulk jobs failed one after the other"):
        world.load("Contact", bulk_from_rows=0)
    assert world.rows("Contact") == {}


def test_a_service_that_wants_a_long_wait_is_left_alone(world: World) -> None:
    world.api.trouble = Trouble(limited_every=1, retry_after=3_600)
    with pytest.raises(TransientFailure, match="asked again in 3,600 s"):
        world.load("Contact")


# the quota


def test_a_backfill_stops_at_the_floor_and_goes_on_another_day(world: World) -> None:
    world.api.trouble = Trouble(used=0, daily_limit=130)
    told = {"api_floor": 100, "slice_rows": 10}
    with pytest.raises(PermanentFailure, match="expected more than 100 API calls") as failure:
        world.load("Task", **told)
    assert "NOVADE_SALESFORCE_API_FLOOR" in str(failure.value)
    some = len(world.rows("Task"))
    assert 0 < some < len(world.org.records("Task"))
    assert world.session.usage.left == 100
    assert world.api.asked == 30
    world.api.trouble = Trouble(daily_limit=10_000)
    loaded = world.load("Task", **told)
    assert not loaded.whole
    assert loaded.rows < len(world.org.records("Task"))
    assert set(world.rows("Task")) == set(world.theirs("Task"))


def test_a_limit_that_is_used_up_is_permanent_and_says_when_it_ends(world: World) -> None:
    world.api.trouble = Trouble(used=50, daily_limit=50)
    with _asked_by(world, api_floor=0) as org:
        for _ in range(2):
            with pytest.raises(PermanentFailure, match="REQUEST_LIMIT_EXCEEDED") as failure:
                org.describe("Account")
        until = org.now + timedelta(hours=24)
    assert f"all by {until:%Y-%m-%d %H:%M} UTC" in str(failure.value)
    assert world.api.asked == 1


def test_what_apps_of_others_use_is_not_taken_for_the_organisations_usage() -> None:
    async def limits(request: Request) -> Response:
        used = "api-usage=25/5000; per-app-api-usage=17/250(appName=x)"
        return JSONResponse({}, headers={"Sforce-Limit-Info": used})

    with _faked(_let_in, limits) as org:
        org.limits()
        assert (org.session.usage.left, org.session.usage.total) == (4_975, 5_000)


# secrets


def test_no_secret_is_in_any_log_or_repr(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        world.load("Contact", bulk_from_rows=0)
        token = world.session.token
    shown = f"{caplog.text} {world.settings()!r} {token!r} {world.session!r} {world.told}"
    assert "oauth2" in caplog.text
    assert SECRET not in shown
    assert token.access_token not in shown
    assert token.access_token not in repr(replace(token))
