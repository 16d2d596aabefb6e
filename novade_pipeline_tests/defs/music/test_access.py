"""The doctor asks the music service as a load would."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from novade_pipeline.defs.music.access import probes
from novade_pipeline.graph.access import ProbeResult, try_all
from novade_pipeline.sandbox.music_api import MusicApi
from novade_pipeline.sandbox.serving import serving
from novade_pipeline.settings import load_settings


def _findings(root: Path, url: str | None) -> list[ProbeResult]:
    return try_all(probes(load_settings(lake_url=str(root), music_api_url=url)))


def test_a_service_that_is_not_set_up_is_not_asked(tmp_path: Path) -> None:
    assert _findings(tmp_path, None) == []


def test_a_service_that_answers_passes(tmp_path: Path) -> None:
    with serving(MusicApi(tracks=2, users=2, histories=2).app()) as url:
        (finding,) = _findings(tmp_path, url)
    assert (finding.passed, finding.message) == (True, "The list listen_history was read.")


def test_a_service_that_lets_nobody_in_is_told(tmp_path: Path) -> None:
    async def refuse(_: object) -> JSONResponse:
        return JSONResponse({"detail": "no token"}, 401)

    with serving(Starlette(routes=[Route("/{_:path}", refuse)])) as url:
        (finding,) = _findings(tmp_path, url)
    assert not finding.passed
    assert "401" in finding.message
