"""Every scheme signs its requests, and no secret is ever told."""

import logging
from base64 import b64encode
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from novade_pipeline.api.auth import Auth, Basic, Bearer, HeaderKey, Login, QueryKey
from novade_pipeline.api.contract import Refused
from novade_pipeline.errors import TransientFailure

World = Any
SECRET = "s3cret-of-ours"
PAIR = b64encode(f"me:{SECRET}".encode()).decode()


def echo(request: Request, number: int) -> Response:
    headers = {name: request.headers.get(name) for name in ("authorization", "x-key")}
    return JSONResponse({**headers, "key": request.query_params.get("key")})


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        (None, {}),
        (Basic("me", SECRET), {"authorization": f"Basic {PAIR}"}),
        (Bearer(SECRET), {"authorization": f"Bearer {SECRET}"}),
        (HeaderKey("X-Key", SECRET), {"x-key": SECRET}),
        (QueryKey("key", SECRET), {"key": SECRET}),
        (Login(lambda: SECRET), {"authorization": f"Bearer {SECRET}"}),
    ],
    ids=["none", "basic", "bearer", "header", "query", "login"],
)
def test_each_scheme_says_who_we_are(
    world: World, auth: Auth | None, expected: dict[str, str]
) -> None:
    client, _ = world.asking(echo, auth=auth)
    echoed = client.json(client.get("who", {"page": 1}))
    assert {name: value for name, value in echoed.items() if value} == expected
    assert SECRET not in repr(auth)
    assert SECRET not in repr(client.api)


def test_a_token_that_has_run_out_is_fetched_once_more(world: World) -> None:
    tokens = iter(["old", "new"])

    def answer(request: Request, number: int) -> Response:
        current = "old" if number <= 1 else "new"
        return Response(status_code=200 if current in request.headers["Authorization"] else 401)

    client, server = world.asking(answer, auth=Login(lambda: next(tokens)))
    assert [client.get("a").status for _ in range(3)] == [200, 200, 200]
    assert len(server.requests) == 4


def test_a_login_that_is_refused_is_not_tried_for_ever(world: World) -> None:
    client, server = world.asking(
        lambda request, number: JSONResponse({"message": "no such client"}, 401),
        auth=Login(lambda: "token"),
    )
    with pytest.raises(Refused, match="401 Unauthorized: no such client"):
        client.get("a")
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [403, 500])
@pytest.mark.parametrize(
    "auth",
    [QueryKey("key", SECRET), Bearer(SECRET), Basic("me", SECRET), HeaderKey("X-Key", SECRET)],
    ids=["query", "bearer", "basic", "header"],
)
def test_no_secret_is_in_any_log_or_error(
    world: World, auth: Auth, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    client, _ = world.asking(
        lambda request, number: JSONResponse(
            {"detail": f"{request.url} with {dict(request.headers)} may not"}, status
        ),
        auth=auth,
    )
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises((Refused, TransientFailure)) as refused,
    ):
        client.get("who", {"page": 1})
    logged = "\n".join(f"{r.getMessage()} {r.args} {r.exc_text}" for r in caplog.records)
    assert "GET" in logged
    for secret in (SECRET, PAIR):
        assert secret not in logged
        assert secret not in str(refused.value)
    assert refused.value.__cause__ is None
    assert "***" in str(refused.value)


def test_redirects_and_links_elsewhere_get_nothing_that_we_sign_with(world: World) -> None:
    elsewhere, other = world.serve(echo)
    client, _ = world.asking(
        lambda request, number: Response(status_code=302, headers={"Location": f"{elsewhere}/x"}),
        auth=HeaderKey("X-Key", SECRET),
    )
    for path, expected in (("a", "a redirect to http://127.0.0.1"), (f"{elsewhere}/x", "another")):
        with pytest.raises(Exception, match=expected):
            client.get(path)
    assert other.requests == []


def test_a_redirect_on_the_same_host_is_followed(world: World) -> None:
    def answer(request: Request, number: int) -> Response:
        if request.url.path == "/a/":
            return echo(request, number)
        return Response(status_code=307, headers={"Location": "/a/"})

    client, _ = world.asking(answer, auth=Bearer(SECRET))
    assert client.json(client.get("a"))["authorization"] == f"Bearer {SECRET}"


def test_redirects_without_an_end_are_refused(world: World) -> None:
    client, _ = world.asking(
        lambda request, number: Response(status_code=302, headers={"Location": "/a"})
    )
    with pytest.raises(Exception, match="redirects without an end"):
        client.get("a")
