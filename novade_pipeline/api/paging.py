"""From an API's pages to one stream of them, in the order of the API whatever the order of arrival.

| style        | how the next page is asked for            | at once                      |
|--------------|-------------------------------------------|------------------------------|
| `PageNumber` | `page=3&size=100`                         | as many as the budget allows |
| `Offset`     | `offset=200&limit=100`                    | as many as the budget allows |
| `Cursor`     | with what the last answer says            | one                          |
| `NextLink`   | at the URL that the last answer says      | one                          |
| `FirstOf`    | as the first of these that an answer says | one                          |
"""

import hashlib
import json
from collections import Counter, deque
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import httpx

from novade_pipeline.api.client import Client
from novade_pipeline.api.contract import Answer, Params
from novade_pipeline.errors import PermanentFailure

REPEATS = 3
"""A page that holds the same so often repeats for ever; a shift of rows can make it do so twice."""


@dataclass(frozen=True)
class PageNumber:
    """Pages by their number.

    Attributes:
        page: the parameter that names the page.
        size: the parameter that says how many items a page has.
        rows: that many.
        first: the number of the first page.
        pages: where an answer says how many pages there are; where it does not, pages are asked
            for until one is empty.
    """

    page: str = "page"
    size: str = "size"
    rows: int = 100
    first: int = 1
    pages: str | None = "pages"


@dataclass(frozen=True)
class Offset:
    """Pages by the number of items before them; `total` says where an answer counts all items."""

    offset: str = "offset"
    limit: str = "limit"
    rows: int = 100
    total: str | None = "total"


@dataclass(frozen=True)
class Cursor:
    """Each answer says what the next one is asked for with.

    Attributes:
        cursor: the parameter that takes it.
        at: where an answer says it, dotted; or the header that does.
        in_header: it is a header.
        end: the text that says that there is no more, where it is not simply absent.
        more: where an answer says whether there is more; a false there ends it.
    """

    cursor: str = "cursor"
    at: str = "next"
    in_header: bool = False
    end: str = ""
    more: str | None = None


@dataclass(frozen=True)
class NextLink:
    """Each answer links to the next one.

    Attributes:
        at: the dotted place of its body; None: the header `Link`.
        query_only: of the link only the query counts, asked for at the same path: for an API that
            links to another name of its host, to which nothing is sent.
    """

    at: str | None = "next"
    query_only: bool = False


@dataclass(frozen=True)
class FirstOf:
    """An API that has more than one way: each answer is followed as the first that it says."""

    styles: tuple[Cursor | NextLink, ...]


Linked = Cursor | NextLink | FirstOf
Style = PageNumber | Offset | Linked


@dataclass(frozen=True)
class Page:
    """One page: its number from 0, its items, and all that the answer says beside them."""

    number: int
    items: list[Any] = field(repr=False)
    envelope: Mapping[str, Any] = field(repr=False)
    answer: Answer = field(repr=False)


def pages(
    client: Client,
    path: str,
    style: Style,
    *,
    items: str | None = "items",
    params: Params | None = None,
) -> Iterator[Page]:
    """The pages in their order; the first one always, even where it is empty.

    Args:
        client: of the API; its budget says how many pages are asked for at once.
        path: below the API's URL.
        style: how the API pages.
        items: where an answer has its items, dotted; None where it is a list itself.
        params: of every request.

    Raises:
        PermanentFailure: an answer is no JSON, has no items, or pages repeat for ever.
        TransientFailure: a page could not be had.
    """
    asked = dict(params or {})
    seen: Counter[bytes] = Counter()
    found: Generator[Page]
    if isinstance(style, PageNumber | Offset):
        found = _numbered(client, path, style, items, asked)
    else:
        found = _linked(client, path, style, items, asked)
    with closing(found):
        for page in found:
            _refuse_repeats(client, page, seen)
            yield page


def _numbered(
    client: Client, path: str, style: PageNumber | Offset, items: str | None, params: dict[str, Any]
) -> Generator[Page]:
    def fetch(number: int) -> Page:
        asked = {**params, **_asked(style, number)}
        return _page(client, number, client.get(path, asked, stopped), items)

    stopped = Event()
    concurrent = client.api.budget.concurrent
    waiting: deque[Future[Page]] = deque()
    begun, known = 0, None
    pool = ThreadPoolExecutor(concurrent, thread_name_prefix=f"{client.api.name}-page")
    try:
        while True:
            # The first page says how many there are, and is asked for alone. Where none is slow,
            # a page in hand for each on its way keeps all threads at work.
            ahead = 1 if not begun else concurrent if known is None else 2 * concurrent
            while len(waiting) < ahead and (known is None or begun < known):
                waiting.append(pool.submit(fetch, begun))
                begun += 1
            if not waiting:
                return
            page = waiting.popleft().result()
            known = _last(style, page)
            if page.number and not page.items and (known is None or page.number >= known):
                return
            yield page
            if known is None and not page.items:
                return
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def _linked(
    client: Client, path: str, style: Linked, items: str | None, params: dict[str, Any]
) -> Generator[Page]:
    followed: set[str] = set()
    number, url, asked = 0, path, params
    while True:
        page = _page(client, number, client.get(url, asked), items)
        yield page
        by, token = _next(style, page)
        if token is None:
            return
        if token in followed:
            raise PermanentFailure(
                f"{page.answer.where}: expected another page after page {number + 1}, found one "
                f"that was read before: it repeats for ever; {client.api.hint}."
            )
        followed.add(token)
        number += 1
        if isinstance(by, Cursor):
            url, asked = path, {**params, by.cursor: token}
        elif by.query_only:
            url, asked = f"{path}?{urlsplit(token).query}", {}
        else:
            url, asked = client.join(page.answer.url, token), {}


def _page(client: Client, number: int, answer: Answer, items: str | None) -> Page:
    body = client.json(answer)
    found = body if items is None else _at(body, items)
    if not isinstance(found, list):
        keys = (
            f"an object of {', '.join(list(map(str, body))[:8])}" if isinstance(body, dict) else ""
        )
        told = f"a list at `{items}`" if items is not None else "a list"
        raise PermanentFailure(
            f"{answer.where}: expected {told}, found {keys or _kind(body)}; {client.api.hint}."
        )
    return Page(number, found, body if isinstance(body, dict) else {}, answer)


def _asked(style: PageNumber | Offset, number: int) -> dict[str, int]:
    if isinstance(style, PageNumber):
        return {style.page: style.first + number, style.size: style.rows}
    return {style.offset: number * style.rows, style.limit: style.rows}


def _last(style: PageNumber | Offset, page: Page) -> int | None:
    """How many pages there are, as this page says it."""
    place = style.pages if isinstance(style, PageNumber) else style.total
    told = None if place is None else _at(page.envelope, place)
    if not isinstance(told, int) or isinstance(told, bool):
        return None
    return told if isinstance(style, PageNumber) else -(-told // style.rows)


def _next(style: Linked, page: Page) -> tuple[Cursor | NextLink, str | None]:
    """What leads to the next page, and by which style; None where there is no more."""
    if not isinstance(style, FirstOf):
        return style, _told(style, page)
    for one in style.styles:
        if (token := _told(one, page)) is not None:
            return one, token
    return style.styles[-1], None


def _told(style: Cursor | NextLink, page: Page) -> str | None:
    if isinstance(style, NextLink):
        if style.at is None:
            links = httpx.Response(200, headers=dict(page.answer.headers)).links
            return links.get("next", {}).get("url") or None
        told = _at(page.envelope, style.at)
    elif style.more is not None and _at(page.envelope, style.more) is False:
        return None
    elif style.in_header:
        told = page.answer.headers.get(style.at.lower())
    else:
        told = _at(page.envelope, style.at)
    ended = told is None or told is False or str(told) in ("", getattr(style, "end", ""))
    return None if ended else str(told)


def _refuse_repeats(client: Client, page: Page, seen: Counter[bytes]) -> None:
    if not page.items:
        return
    told = json.dumps([len(page.items), page.items[0], page.items[-1]], sort_keys=True).encode()
    digest = hashlib.sha256(told).digest()
    seen[digest] += 1
    if seen[digest] >= REPEATS:
        raise PermanentFailure(
            f"{page.answer.where}: expected other items on each page, found the same ones for the "
            f"{REPEATS}rd time: the page repeats for ever; {client.api.hint}."
        )


def _at(body: Any, place: str) -> Any:
    for name in place.split("."):
        if not isinstance(body, dict):
            return None
        body = body.get(name)
    return body


def _kind(body: Any) -> str:
    return {type(None): "null", str: "a text", list: "a list"}.get(type(body), type(body).__name__)
