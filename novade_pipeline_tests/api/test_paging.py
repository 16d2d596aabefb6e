"""Pages of every style, in their order; what is no page is told in one sentence."""

import asyncio
import gzip
import json
from threading import Lock
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from novade_pipeline.api.auth import QueryKey
from novade_pipeline.api.paging import (
    Cursor,
    FirstOf,
    NextLink,
    Offset,
    PageNumber,
    Style,
    pages,
)
from novade_pipeline.api.request_budget import Budget
from novade_pipeline.errors import PermanentFailure, TransientFailure

World = Any
ITEMS = list(range(57))
ROWS = 5


def numbered(request: Request, number: int, **envelope: Any) -> Response:
    page, size = (int(request.query_params[name]) for name in ("page", "size"))
    return JSONResponse({"items": ITEMS[(page - 1) * size : page * size], **envelope})


def with_pages(request: Request, number: int) -> Response:
    return numbered(request, number, pages=12)


def by_offset(request: Request, number: int) -> Response:
    offset, limit = (int(request.query_params[name]) for name in ("offset", "limit"))
    return JSONResponse({"items": ITEMS[offset : offset + limit], "total": len(ITEMS)})


def by_cursor(request: Request, number: int) -> Response:
    begin = int(request.query_params.get("after", "0"))
    following = {"next": str(begin + ROWS)} if begin + ROWS < len(ITEMS) else {}
    return JSONResponse({"items": ITEMS[begin : begin + ROWS], "pagination": following})


def by_header(request: Request, number: int) -> Response:
    begin = int(request.query_params.get("locator", "0"))
    following = str(begin + ROWS) if begin + ROWS < len(ITEMS) else "null"
    return JSONResponse(
        {"items": ITEMS[begin : begin + ROWS]}, headers={"Sforce-Locator": following}
    )


def by_link(request: Request, number: int) -> Response:
    begin = int(request.query_params.get("begin", "0"))
    link = f"{request.url.replace(query='')}?begin={begin + ROWS}"
    links = {"next": link if begin + ROWS < len(ITEMS) else None}
    return JSONResponse({"items": ITEMS[begin : begin + ROWS], "links": links})


def by_link_header(request: Request, number: int) -> Response:
    begin = int(request.query_params.get("begin", "0"))
    more = begin + ROWS < len(ITEMS)
    headers = {"Link": f'</list?begin={begin + ROWS}>; rel="next"'} if more else {}
    return JSONResponse({"items": ITEMS[begin : begin + ROWS]}, headers=headers)


def by_foreign_link(request: Request, number: int) -> Response:
    begin = int(request.query_params.get("begin", "0"))
    link = f"https://elsewhere.example/list?begin={begin + ROWS}"
    links = {"next": link} if begin + ROWS < len(ITEMS) else {}
    return JSONResponse({"items": ITEMS[begin : begin + ROWS], "links": links})


def by_cursor_that_says_when_it_ends(request: Request, number: int) -> Response:
    begin = int(request.query_params.get("next", "0"))
    more = begin + ROWS < len(ITEMS)
    pagination = {"more": more, "next": begin + ROWS}
    return JSONResponse({"items": ITEMS[begin : begin + ROWS], "pagination": pagination})


TOLD = Cursor("next", "pagination.next", more="pagination.more")
EITHER = FirstOf((NextLink("links.next"), TOLD))
STYLES = [
    (PageNumber(rows=ROWS), with_pages),
    (PageNumber(rows=ROWS), numbered),
    (PageNumber(rows=ROWS, pages=None), with_pages),
    (Offset(rows=ROWS), by_offset),
    (Offset(rows=ROWS, total=None), by_offset),
    (Cursor("after", "pagination.next"), by_cursor),
    (Cursor("locator", "Sforce-Locator", in_header=True, end="null"), by_header),
    (NextLink("links.next"), by_link),
    (NextLink(None), by_link_header),
    (NextLink("links.next", query_only=True), by_foreign_link),
    (TOLD, by_cursor_that_says_when_it_ends),
    (EITHER, by_link),
    (EITHER, by_cursor_that_says_when_it_ends),
]


@pytest.mark.parametrize("concurrent", [1, 4])
@pytest.mark.parametrize(("style", "answer"), STYLES)
def test_every_style_gives_all_items_in_their_order(
    world: World, style: Style, answer: Any, concurrent: int
) -> None:
    key = QueryKey("key", "secret")
    client, server = world.asking(answer, auth=key, budget=Budget(concurrent=concurrent))
    read = list(pages(client, "list", style))
    assert [item for page in read for item in page.items] == ITEMS
    assert [page.number for page in read] == list(range(12))
    assert all(request.query_params["key"] == "secret" for request in server.requests)


def test_order_is_kept_though_answers_overtake_each_other(world: World) -> None:
    lock, at_once, most = Lock(), [0], [0]

    async def answer(request: Request, number: int) -> Response:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        await asyncio.sleep(0.02 if int(request.query_params["page"]) % 2 else 0.002)
        with lock:
            at_once[0] -= 1
        return with_pages(request, number)

    client, _ = world.asking(answer, budget=Budget(concurrent=3))
    read = [page.items for page in pages(client, "list", PageNumber(rows=ROWS))]
    assert [item for page in read for item in page] == ITEMS
    assert 1 < most[0] <= 3


def test_pages_that_come_to_be_while_reading_are_read_too(world: World) -> None:
    def answer(request: Request, number: int) -> Response:
        return numbered(request, number, pages=2 if number == 1 else 12)

    client, _ = world.asking(answer, budget=Budget(concurrent=1))
    read = pages(client, "list", PageNumber(rows=ROWS))
    assert sum(len(page.items) for page in read) == len(ITEMS)


def test_an_empty_list_is_one_empty_page(world: World) -> None:
    client, server = world.asking(
        lambda request, number: JSONResponse({"items": [], "total": 0, "pages": 0})
    )
    (page,) = pages(client, "list", PageNumber())
    assert page.items == []
    assert page.envelope["total"] == 0
    assert len(server.requests) == 1


def test_an_empty_page_before_the_last_one_does_not_end_the_list(world: World) -> None:
    def answer(request: Request, number: int) -> Response:
        if request.query_params["page"] == "3":
            return JSONResponse({"items": [], "pages": 12})
        return with_pages(request, number)

    client, _ = world.asking(answer)
    read = list(pages(client, "list", PageNumber(rows=ROWS)))
    assert sum(len(page.items) for page in read) == len(ITEMS) - ROWS


def _same(request: Request, number: int) -> Response:
    return JSONResponse({"items": [{"id": 1}, {"id": 2}], "next": "abc"})


@pytest.mark.parametrize(
    "style", [PageNumber(), Offset(), Cursor(), NextLink()], ids=lambda style: type(style).__name__
)
def test_a_page_that_repeats_for_ever_is_refused(world: World, style: Style) -> None:
    client, server = world.asking(_same, budget=Budget(concurrent=2))
    with pytest.raises(PermanentFailure, match="repeats for ever"):
        list(pages(client, "list", style))
    assert len(server.requests) < 12


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            Response("<html><title>Log in</title></html>", media_type="text/html"),
            "expected JSON from tested: GET /list.*, found 34 bytes of text/html",
        ),
        (Response(b"", media_type="application/json"), "found an empty answer"),
        (Response(b'{"items": [', media_type="application/json"), "found 11 bytes of application"),
        (Response(b"[" * 200_000, media_type="application/json"), "expected JSON"),
        (
            JSONResponse({"data": [], "total": 3}),
            "expected a list at `items`, found an object of data, total",
        ),
        (JSONResponse({"items": {"a": 1}}), "expected a list at `items`"),
        (JSONResponse(["a"]), "expected a list at `items`, found a list"),
        (JSONResponse(None), "found null"),
    ],
    ids=["html", "empty", "cut", "deep", "no items", "items no list", "a list", "null"],
)
def test_what_is_no_page_is_reported_in_one_sentence(
    world: World, answer: Response, message: str
) -> None:
    client, server = world.asking(lambda request, number: answer, hint="look there")
    with pytest.raises(PermanentFailure, match=message) as failed:
        list(pages(client, "list", PageNumber()))
    assert str(failed.value).endswith("; look there.")
    assert "\n" not in str(failed.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize("zipped", [False, True])
def test_a_huge_answer_is_refused_before_it_fills_the_memory(world: World, zipped: bool) -> None:
    body = json.dumps({"items": ["x" * 3_000_000]}).encode()
    headers = {"Content-Encoding": "gzip"} if zipped else {}
    answer = Response(gzip.compress(body) if zipped else body, headers=headers)
    client, _ = world.asking(lambda request, number: answer, largest_answer=2**20)
    with pytest.raises(PermanentFailure, match="expected at most 1 MiB in one answer"):
        list(pages(client, "list", PageNumber()))


def test_a_page_that_fails_ends_the_reading_at_once(world: World) -> None:
    def answer(request: Request, number: int) -> Response:
        if request.query_params["page"] == "2":
            return JSONResponse({"detail": "no"}, 403)
        return with_pages(request, number)

    client, server = world.asking(answer, budget=Budget(concurrent=2))
    with pytest.raises(PermanentFailure, match=r"page=2.* answered 403 Forbidden: no"):
        list(pages(client, "list", PageNumber(rows=ROWS)))
    assert len(server.requests) < 12
    # The client is as good as before.
    assert client.get("list", {"page": 1, "size": 1}).status == 200


def test_reading_can_be_left_early(world: World) -> None:
    client, server = world.asking(with_pages, budget=Budget(concurrent=2))
    read = pages(client, "list", PageNumber(rows=ROWS))
    next(read)
    next(read)
    read.close()
    assert len(server.requests) < 12


def test_a_closed_client_asks_for_nothing(world: World) -> None:
    client, server = world.asking(with_pages)
    with client:
        pass
    with pytest.raises(TransientFailure, match="given up"):
        client.get("list")
    assert server.requests == []
