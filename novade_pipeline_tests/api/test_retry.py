"""What passes is tried again, at the right moment; what does not is told in one sentence."""

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from novade_pipeline.api.contract import Refused
from novade_pipeline.api.request_budget import Budget
from novade_pipeline.api.retry import Retry, retry_after_seconds
from novade_pipeline.errors import PermanentFailure, TransientFailure

World = Any
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def _date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": _date(90)}, 90.0),
        ({"Retry-After": _date(90), "Date": _date(60)}, 30.0),
        ({"Retry-After": _date(-5)}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({}, None),
    ],
)
def test_the_wait_that_an_api_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, NOW) == seconds


def failing(first: int, *failures: Response) -> Any:
    """Fails so often, in these ways in turn, and then answers."""

    def answer(request: Request, number: int) -> Response:
        if number <= first:
            return failures[(number - 1) % len(failures)]
        return JSONResponse({"done": number})

    return answer


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again(world: World, status: int) -> None:
    client, _ = world.asking(failing(2, Response(status_code=status)))
    assert client.json(client.get("a")) == {"done": 3}
    assert (client.receipt.requests, client.receipt.retries) == (3, 2)
    assert client.receipt.bytes_received > 0


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_429_is_waited_for_as_long_as_it_asks_and_a_little_longer(
    world: World, form: str
) -> None:
    def answer(request: Request, number: int) -> Response:
        if number > 1:
            return JSONResponse({})
        until = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
        return Response(
            status_code=429, headers={"Retry-After": "40" if form == "seconds" else until}
        )

    client, _ = world.asking(answer)
    client.get("a")
    # The server tells a Date of up to a second ago.
    assert 39 <= sum(world.clock.waits) <= 42.1
    assert client.receipt.seconds_waited == pytest.approx(sum(world.clock.waits))


def test_our_own_waits_grow_and_differ(world: World) -> None:
    client, _ = world.asking(
        failing(999, Response(status_code=500)), retry=Retry(attempts=9, longest_wait=4.0)
    )
    for _ in range(6):
        with pytest.raises(TransientFailure):
            client.get("a")
    by_try = [world.clock.waits[n::8] for n in range(8)]
    assert all(max(waits) <= min(4.0, 0.5 * 2**n) for n, waits in enumerate(by_try))
    assert max(by_try[5]) > max(by_try[0])
    assert len(set(world.clock.waits)) == len(world.clock.waits)


def test_a_429_holds_every_thread_back(world: World) -> None:
    moments: list[float] = []

    def answer(request: Request, number: int) -> Response:
        moments.append(world.clock.now())
        if number == 1:
            return Response(status_code=429, headers={"Retry-After": "100"})
        return JSONResponse({})

    client, _ = world.asking(answer, retry=Retry(attempts=1))
    with pytest.raises(TransientFailure):
        client.get("a")
    client.get("b")
    assert moments[1] - moments[0] >= 100


def test_attempts_have_an_end_and_it_is_reported_in_one_sentence(world: World) -> None:
    client, server = world.asking(
        failing(99, JSONResponse({"message": "we are\nupgrading"}, 503)),
        retry=Retry(attempts=3),
        hint="look at NOVADE_X_URL",
    )
    with pytest.raises(TransientFailure) as failed:
        client.get("rows", {"page": 4})
    assert str(failed.value) == (
        "tested: GET /rows?page=4 failed 3 times, at last: answered 503 Service Unavailable: "
        "we are upgrading; look at NOVADE_X_URL."
    )
    assert len(server.requests) == 3


def test_an_api_that_asks_for_too_long_a_wait_is_given_up(world: World) -> None:
    client, server = world.asking(
        failing(99, Response(status_code=429, headers={"Retry-After": "86400"}))
    )
    with pytest.raises(TransientFailure, match="again in 86,400 s; more than the 300 s"):
        client.get("a")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"detail": "no such list"}, "no such list"),
        (
            {"detail": [{"loc": ["query", "size"], "msg": "at most 100", "type": "x"}]},
            "at most 100",
        ),
        ([{"message": "bad query", "errorCode": "MALFORMED_QUERY"}], "bad query"),
        ({"errors": [{"type": "not_found", "message": "gone"}]}, "gone"),
        ({"error": {"message": "nope"}}, "nope"),
        ({"error": "invalid_grant", "error_description": "expired"}, "expired"),
        ({"error": "x" * 5000}, "x" * 300),
    ],
)
@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refusal_is_permanent_and_has_the_bodys_message(
    world: World, body: Any, message: str, status: int
) -> None:
    client, server = world.asking(lambda request, number: JSONResponse(body, status))
    with pytest.raises(Refused) as refused:
        client.get("a")
    assert refused.value.status == status
    assert f": {message};" in str(refused.value)
    assert isinstance(refused.value, PermanentFailure)
    assert len(server.requests) == 1


def test_a_refusal_without_a_message_tells_the_status(world: World) -> None:
    client, _ = world.asking(lambda request, number: Response("<html>", 403))
    with pytest.raises(Refused, match="GET /a answered 403 Forbidden; "):
        client.get("a")


def test_other_statuses_pass_where_the_api_says_so(world: World) -> None:
    client, _ = world.asking(failing(1, Response(status_code=406)), retryable=frozenset({406}))
    assert client.get("a").status == 200


def test_a_slow_answer_is_tried_again(world: World) -> None:
    async def answer(request: Request, number: int) -> Response:
        if number == 1:
            await asyncio.sleep(5)
        return JSONResponse({})

    client, _ = world.asking(answer, timeout=0.2)
    assert client.get("a").status == 200
    assert client.receipt.retries == 1


def test_a_connection_that_is_cut_is_tried_again(world: World) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"
    url = world.serve_bytes(b"", head[:20], head + b'{"cut": ', head + b'{"whole": 1}')
    client = world.client(url)
    assert client.json(client.get("a")) == {"whole": 1}
    assert client.receipt.retries == 3


@pytest.mark.parametrize("place", ["port", "name"])
def test_an_address_that_does_not_answer_is_reported_in_one_sentence(
    world: World, place: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}" if place == "port" else "http://nowhere.invalid"
    client = world.client(url, retry=Retry(attempts=2), timeout=5.0)
    with pytest.raises(TransientFailure, match="failed 2 times, at last: cannot be reached"):
        client.get("a")


def test_no_more_requests_begin_within_a_window_than_the_budget_allows(world: World) -> None:
    moments: list[float] = []

    def answer(request: Request, number: int) -> Response:
        moments.append(world.clock.now())
        return JSONResponse({})

    client, _ = world.asking(answer, budget=Budget(requests=3, seconds=10.0))
    for _ in range(10):
        client.get("a")
        world.clock.seconds += 1.0
    spans = [later - sooner for sooner, later in zip(moments, moments[3:], strict=False)]
    assert min(spans) >= 10.0
    assert max(spans) < 12.0


def test_a_budget_that_is_used_up_stops_the_client(world: World) -> None:
    client, server = world.asking(
        lambda request, number: JSONResponse({}), budget=Budget(max_requests=2)
    )
    client.get("a")
    client.get("a")
    with pytest.raises(PermanentFailure, match="budget of 2 requests is used up"):
        client.get("a")
    assert len(server.requests) == 2


def test_a_download_ends_whole_in_its_file_after_it_was_cut(world: World, tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
    client = world.client(world.serve_bytes(head + b"012345", head + b"abcdefghij"))
    answer = client.download("a", tmp_path / "file")
    assert answer.body == b""
    assert (tmp_path / "file").read_bytes() == b"abcdefghij"


def test_a_form_and_json_are_sent_as_such(world: World) -> None:
    client, server = world.asking(lambda request, number: JSONResponse({}))
    client.request("POST", "token", form={"grant_type": "client_credentials"})
    client.request("POST", "jobs", body={"operation": "query"})
    kinds = [request.headers["Content-Type"] for request in server.requests]
    assert kinds == ["application/x-www-form-urlencoded", "application/json"]
