"""Log-in, expired sessions, retries, and the quota that is left to other users."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from novade_pipeline.defs.salesforce.organisation import Organisation
from novade_pipeline.defs.salesforce.session import SalesforceSession
from novade_pipeline.defs.salesforce.settings import SalesforceSettings
from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.sandbox.salesforce.api import Faults, SalesforceApi
from novade_pipeline.sandbox.serving import serving
from novade_pipeline_tests.defs.salesforce.refusals import World, organisation_of, refusal

SECRET = SalesforceApi().access.client_secret


# sessions


def test_a_session_that_expires_is_renewed_across_a_long_bulk_result(world: World) -> None:
    world.org.fill("Task", 9_000)
    world.api.faults = Faults(session_requests=3)
    loaded = world.load("Task", bulk_from_rows=0)
    assert (loaded.rows, loaded.apis) == (9_000, ("bulk",))
    assert world.session.usage.log_ins > 2
    assert len(world.rows("Task")) == 9_000


def test_a_token_that_is_revoked_is_reported(world: World) -> None:
    world.api.faults = Faults(revoked_after=2)
    with organisation_of(world) as org:
        org.describe("Account")
        org.describe("Account")
        with pytest.raises(PermanentFailure, match="the access was revoked meanwhile"):
            org.describe("Account")


def test_a_new_token_that_is_refused_is_requested_once(tmp_path: Path) -> None:
    requests: list[str] = []

    async def token(request: Request) -> Response:
        requests.append("token")
        url = str(request.base_url)
        return JSONResponse({"access_token": f"t{len(requests)}", "instance_url": url})

    async def refuse(request: Request) -> Response:
        requests.append(request.headers["Authorization"])
        return JSONResponse([{"errorCode": "INVALID_SESSION_ID", "message": "expired"}], 401)

    with _faked(token, refuse) as org:
        for _ in range(2):
            with pytest.raises(PermanentFailure, match="expected a new token to be accepted"):
                org.describe("Account")
    assert requests == ["token", "Bearer t1", "token", "Bearer t3"]


def test_a_redirect_is_not_followed() -> None:
    async def elsewhere(request: Request) -> Response:
        return RedirectResponse("https://elsewhere.example/", 302)

    with _faked(_let_in, elsewhere) as org:
        assert "answered 302" in refusal(org)


def test_a_page_for_people_is_no_answer() -> None:
    async def page(request: Request) -> Response:
        return HTMLResponse("<html>Log in to Salesforce</html>")

    with _faked(_let_in, page) as org:
        message = refusal(org)
    assert "expected JSON or CSV from GET /services/data/v59.0/sobjects/Account/describe" in message
    assert "found text/html; NOVADE_SALESFORCE_URL must be the organisation's My Domain" in message


def test_an_organisation_that_says_nothing_is_given_up() -> None:
    async def silent(request: Request) -> Response:
        await asyncio.sleep(0.3)
        return JSONResponse({})

    with _faked(_let_in, silent, timeout_seconds=0.02) as org:
        assert "no answer within 0.02 s" in refusal(org, TransientFailure)
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
    "faults",
    [
        Faults(limited_every=2, retry_after=7),
        Faults(failing_every=2),
        Faults(unavailable_every=2),
        Faults(locked_every=2),
        Faults(results_unavailable=3),
        Faults(results_cut=3),
        Faults(failing_jobs=2),
        Faults(slow_polls=5),
    ],
    ids=lambda faults: str(sorted(set(vars(faults).items()) - set(vars(Faults()).items()))[0][0]),
)
def test_what_passes_is_asked_for_again_and_nothing_is_lost(world: World, faults: Faults) -> None:
    world.api.faults = faults
    loaded = world.load("Contact", bulk_from_rows=0)
    assert loaded.rows == len(world.org.records("Contact"))
    assert set(world.rows("Contact")) == set(world.records_by_id("Contact"))
    if faults.limited_every:
        assert all(seconds >= 7 for seconds in world.waited)


def test_jobs_that_fail_one_after_the_other_are_given_up(world: World) -> None:
    world.api.faults = Faults(failing_jobs=99)
    with pytest.raises(TransientFailure, match="3 bulk jobs failed one after the other"):
        world.load("Contact", bulk_from_rows=0)
    assert world.rows("Contact") == {}


def test_a_service_that_wants_a_long_wait_is_left_alone(world: World) -> None:
    world.api.faults = Faults(limited_every=1, retry_after=3_600)
    with pytest.raises(TransientFailure, match="repeated in 3,600 s"):
        world.load("Contact")


# the quota


def test_a_backfill_stops_at_the_floor_and_goes_on_another_day(world: World) -> None:
    world.api.faults = Faults(used=0, daily_limit=130)
    options = {"api_floor": 100, "slice_rows": 10}
    with pytest.raises(PermanentFailure, match="expected more than 100 API calls") as failure:
        world.load("Task", **options)
    assert "NOVADE_SALESFORCE_API_FLOOR" in str(failure.value)
    some = len(world.rows("Task"))
    assert 0 < some < len(world.org.records("Task"))
    assert world.session.usage.left == 100
    assert world.api.request_count == 30
    world.api.faults = Faults(daily_limit=10_000)
    loaded = world.load("Task", **options)
    assert not loaded.is_full
    assert loaded.rows < len(world.org.records("Task"))
    assert set(world.rows("Task")) == set(world.records_by_id("Task"))


def test_a_limit_that_is_used_up_is_permanent_and_says_when_it_ends(world: World) -> None:
    world.api.faults = Faults(used=50, daily_limit=50)
    with organisation_of(world, api_floor=0) as org:
        for _ in range(2):
            with pytest.raises(PermanentFailure, match="REQUEST_LIMIT_EXCEEDED") as failure:
                org.describe("Account")
        until = org.now + timedelta(hours=24)
    assert f"all by {until:%Y-%m-%d %H:%M} UTC" in str(failure.value)
    assert world.api.request_count == 1


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
    shown = f"{caplog.text} {world.settings()!r} {token!r} {world.session!r} {world.messages}"
    assert "oauth2" in caplog.text
    assert SECRET not in shown
    assert token.access_token not in shown
    assert token.access_token not in repr(replace(token))
