"""A service that does not answer as it should: one clear sentence, and nothing half written."""

import socket
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from novade_pipeline.api.contract import Refused
from novade_pipeline.defs.drift.load import HINT
from novade_pipeline.defs.drift.settings import DriftSettings
from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.sandbox.drift_api import DriftApi, Faults

World = Any


def _answering(response: Response) -> Starlette:
    async def answer(request: Request) -> Response:
        return response

    return Starlette(routes=[Route("/{_:path}", answer)])


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (
            Response("<!doctype html><title>Gone</title>", media_type="text/html"),
            "expected JSON from drift: GET /conversations/list?limit=50, found 34 bytes of "
            "text/html",
        ),
        (Response(b""), "found an empty answer"),
        (JSONResponse({"status": "ok"}), "expected a list at `data`, found an object of status"),
        (JSONResponse({"data": {"id": 1}}), "expected a list at `data`, found an object of data"),
        (
            JSONResponse({"errors": [{"type": "gone", "message": "We have closed."}]}, 410),
            "answered 410 Gone: We have closed; look",
        ),
    ],
    ids=["html", "empty", "no data", "no list", "gone"],
)
def test_what_is_no_list_is_reported_in_one_sentence(
    world: World, response: Response, message: str
) -> None:
    world.serve(_answering(response))
    with pytest.raises(PermanentFailure) as failed:
        world.load()
    assert message in str(failed.value)
    assert str(failed.value).endswith(f"; {HINT}.")
    assert "\n" not in str(failed.value)
    assert set(world.versions().values()) == {None}


def test_a_conversation_that_is_no_object_is_reported_in_one_sentence(world: World) -> None:
    service = DriftApi(conversations=3)
    service._conversation = lambda request: JSONResponse(["x"])  # type: ignore[method-assign]
    world.serve(service)
    with pytest.raises(PermanentFailure, match=r"expected an object at `data`, found none; look"):
        world.load()


def test_a_wrong_token_is_reported_and_not_shown(world: World) -> None:
    world.serve(DriftApi(conversations=3))
    with pytest.raises(Refused, match="401 Unauthorized: Bad or expired token") as failed:
        world.load(token="wr0ng")
    assert "wr0ng" not in str(failed.value)
    assert str(failed.value).endswith(f"; {HINT}.")


def test_a_scope_that_is_missing_is_reported_by_its_name(world: World) -> None:
    world.serve(DriftApi(conversations=3, faults=Faults(missing_scopes=("contact_read",))))
    with pytest.raises(
        Refused, match=r"contacts/\d+ answered 403 Forbidden: Missing scope contact"
    ):
        world.load()


def test_an_address_without_a_server_is_reported_in_one_sentence(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        world.url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(TransientFailure, match="cannot be reached") as failed:
        world.load()
    assert str(failed.value).endswith(f"; {HINT}.")


@pytest.mark.parametrize("url", ["driftapi.com", "ftp://x", "https://me:pw@x/", "https://x/?key=1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected an address") as refused:
        DriftSettings(api_url=url)
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_it_is_not_set_up(token: str | None) -> None:
    assert not DriftSettings(_env_file=None, token=token).is_set  # type: ignore[call-arg,arg-type]
