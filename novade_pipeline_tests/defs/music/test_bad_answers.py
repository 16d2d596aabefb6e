"""A service that does not answer as it should: one clear sentence, and nothing half written."""

import socket
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from novade_pipeline.api.contract import Refused
from novade_pipeline.defs.music.settings import MusicSettings
from novade_pipeline.defs.music.tables import TRACKS
from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.sandbox.music_api import Faults, MusicApi

World = Any
ITEM = {"id": 1, "name": "a", "artist": "b", "duration": "01:00"}


def answering(response: Response) -> Starlette:
    async def answer(request: Request) -> Response:
        return response

    return Starlette(routes=[Route("/tracks", answer)])


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (
            Response("<!doctype html><title>Sign in</title>", media_type="text/html"),
            "expected JSON from music: GET /tracks?page=1&size=100, found 37 bytes of text/html",
        ),
        (Response(b""), "found an empty answer"),
        (JSONResponse({"detail": "ok"}), "expected a list at `items`, found an object of detail"),
        (
            JSONResponse({"items": [ITEM], "total": 900, "pages": 9}),
            "the page repeats for ever",
        ),
        (
            Response(b'{"items": ["' + b"x" * 65 * 2**20 + b'"]}'),
            "expected at most 64 MiB in one answer, found more",
        ),
        (JSONResponse({"detail": "no such tenant"}, 404), "answered 404 Not Found: no such tenant"),
    ],
    ids=["html", "empty", "no items", "repeats", "huge", "refused"],
)
def test_what_is_no_list_is_told_in_one_sentence(
    world: World, response: Response, message: str
) -> None:
    world.serve(MusicApi())
    world.load(TRACKS)
    before = world.versions(), world.rows(TRACKS)
    world.serve(answering(response))
    with pytest.raises(PermanentFailure) as failed:
        world.load(TRACKS)
    assert message in str(failed.value)
    assert str(failed.value).endswith("; look at NOVADE_MUSIC_API_URL.")
    assert "\n" not in str(failed.value)
    assert (world.versions(), world.rows(TRACKS)) == before


def test_an_address_that_nobody_answers_is_told_in_one_sentence(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        world.url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(TransientFailure) as failed:
        world.load(TRACKS)
    assert "cannot be reached" in str(failed.value)
    assert str(failed.value).endswith("; look at NOVADE_MUSIC_API_URL.")
    assert world.versions()[TRACKS.name] is None


def test_a_token_is_sent_and_a_wrong_one_is_not_told(world: World) -> None:
    world.serve(MusicApi(faults=Faults(token="right")))
    assert world.load(TRACKS, api_token="right")["tracks"].changes.new == 240
    with pytest.raises(Refused, match="401 Unauthorized: Not authenticated") as no:
        world.load(TRACKS, api_token="wr0ng")
    assert "wr0ng" not in str(no.value)


@pytest.mark.parametrize(
    "url", ["music.example.com", "ftp://x", "https://", "https://me:pw@x/", "https://x/?key=1"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected an address") as refused:
        MusicSettings(api_url=url)
    assert "pw" not in str(refused.value)


def test_an_empty_address_is_none() -> None:
    assert MusicSettings(api_url="").api_url is None
