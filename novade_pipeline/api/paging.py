"""An API's pages as one stream, in the API's order, also where several are requested at a time.

| style        | how the next page is requested            | requests at a time           |
|--------------|-------------------------------------------|------------------------------|
| `PageNumber` | `page=3&size=100`                         | as many as the budget allows |
| `Offset`     | `offset=200&limit=100`                    | as many as the budget allows |
| `Cursor`     | with the cursor in the last answer        | one                          |
| `NextLink`   | at the URL in the last answer             | one                          |
| `FirstOf`    | by the first style that the answer has    | one                          |
"""

import hashlib
import json
from collections import Counter, deque
from collections.abc import Generator, Mapping
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
"""A page with the same items so often repeats for ever; a shift of rows can repeat it once."""


@dataclass(frozen=True)
class PageNumber:
    """Pages by their number.

    Attributes:
        page: the parameter for the page's number.
        size: the parameter for the items a page.
        rows: items a page.
        first: the number of the first page.
        pages: the place of the number of pages in an answer; without it, pages are requested
            until one is empty.
    """

    page: str = "page"
    size: str = "size"
    rows: int = 100
    first: int = 1
    pages: str | None = "pages"


@dataclass(frozen=True)
class Offset:
    """Pages by the number of items before them; `total` is the place of the number of all items."""

    offset: str = "offset"
    limit: str = "limit"
    rows: int = 100
    total: str | None = "total"


@dataclass(frozen=True)
class Cursor:
    """Each answer has the cursor of the next one.

    Attributes:
        cursor: the parameter for it.
        at: its dotted place in the body, or its header.
        in_header: it is in a header.
        end: the value on the last page, where it is not absent there.
        more: the dotted place of a flag that is false on the last page.
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
        at: its dotted place in the body; None for the header `Link`.
        query_only: send the link's query to the same path, for an API that links to another name
            of its host.
    """

    at: str | None = "next"
    query_only: bool = False


@dataclass(frozen=True)
class FirstOf:
    """An API with several styles; each answer is followed by the first one that it has."""

    styles: tuple[Cursor | NextLink, ...]


Linked = Cursor | NextLink | FirstOf
Style = PageNumber | Offset | Linked


@dataclass(frozen=True)
class Page:
    """A page: its number from 0, its items, and the other fields of the answer."""

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
) -> Generator[Page, None, None]:
    """The pages in order; the first one even where it is empty.

    Args:
        client: of the API; its budget limits how many pages are requested at a time.
        path: below the API's URL.
        style: how the API pages.
        items: the dotted place of the items in an answer; None where the answer is a list.
        params: of every request.

    Raises:
        PermanentFailure: an answer is not JSON, has no items, or pages repeat for ever.
        TransientFailure: a page could not be read.
    """
    digests: Counter[bytes] = Counter()
    query = dict(params or {})
    if isinstance(style, PageNumber | Offset):
        stream = _numbered(client, path, style, items, query)
    else:
        stream = _linked(client, path, style, items, query)
    with closing(stream):
        for page in stream:
            _refuse_repeats(client, page, digests)
            yield page


def _numbered(
    client: Client, path: str, style: PageNumber | Offset, items: str | None, params: dict[str, Any]
) -> Generator[Page]:
    def fetch(number: int) -> Page:
        answer = client.get(path, {**params, **_params_of(style, number)}, stopped)
        return _page(client, number, answer, items)

    stopped = Event()
    concurrent = client.api.budget.concurrent
    futures: deque[Future[Page]] = deque()
    requested, page_count = 0, None
    pool = ThreadPoolExecutor(concurrent, thread_name_prefix=f"{client.api.name}-page")
    try:
        while True:
            # The first page, which may have the number of pages, is requested alone. Later as many
            # pages are ready as are on their way, so that no thread waits.
            ahead = 1 if not requested else concurrent if page_count is None else 2 * concurrent
            while len(futures) < ahead and (page_count is None or requested < page_count):
                futures.append(pool.submit(fetch, requested))
                requested += 1
            if not futures:
                return
            page = futures.popleft().result()
            page_count = _page_count(style, page)
            if page.number and not page.items and (page_count is None or page.number >= page_count):
                return
            yield page
            if page_count is None and not page.items:
                return
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def _linked(
    client: Client, path: str, style: Linked, items: str | None, params: dict[str, Any]
) -> Generator[Page]:
    tokens: set[str] = set()
    number, url, query = 0, path, params
    while True:
        page = _page(client, number, client.get(url, query), items)
        yield page
        followed, token = _next(style, page)
        if token is None:
            return
        if token in tokens:
            raise PermanentFailure(
                f"{page.answer.where}: expected another page after page {number + 1}, found one "
                f"that was read before: it repeats for ever; {client.api.hint}."
            )
        tokens.add(token)
        number += 1
        if isinstance(followed, Cursor):
            url, query = path, {**params, followed.cursor: token}
        elif followed.query_only:
            url, query = f"{path}?{urlsplit(token).query}", {}
        else:
            url, query = client.join(page.answer.url, token), {}


def _page(client: Client, number: int, answer: Answer, items: str | None) -> Page:
    body = client.json(answer)
    page_items = body if items is None else _at(body, items)
    if not isinstance(page_items, list):
        kind = f"an object of {', '.join([*map(str, body)][:8])}" if isinstance(body, dict) else ""
        expected = f"a list at `{items}`" if items is not None else "a list"
        raise PermanentFailure(
            f"{answer.where}: expected {expected}, found {kind or _kind(body)}; {client.api.hint}."
        )
    return Page(number, page_items, body if isinstance(body, dict) else {}, answer)


def _params_of(style: PageNumber | Offset, number: int) -> dict[str, int]:
    if isinstance(style, PageNumber):
        return {style.page: style.first + number, style.size: style.rows}
    return {style.offset: number * style.rows, style.limit: style.rows}


def _page_count(style: PageNumber | Offset, page: Page) -> int | None:
    """The number of pages that this page states."""
    place = style.pages if isinstance(style, PageNumber) else style.total
    count = None if place is None else _at(page.envelope, place)
    if not isinstance(count, int) or isinstance(count, bool):
        return None
    return count if isinstance(style, PageNumber) else -(-count // style.rows)


def _next(style: Linked, page: Page) -> tuple[Cursor | NextLink, str | None]:
    """(the style that leads on, the cursor or link of the next page); None on the last page."""
    if not isinstance(style, FirstOf):
        return style, _token(style, page)
    for candidate in style.styles:
        if (token := _token(candidate, page)) is not None:
            return candidate, token
    return style.styles[-1], None


def _token(style: Cursor | NextLink, page: Page) -> str | None:
    if isinstance(style, NextLink):
        if style.at is None:
            links = httpx.Response(200, headers=dict(page.answer.headers)).links
            return links.get("next", {}).get("url") or None
        token = _at(page.envelope, style.at)
    elif style.more is not None and _at(page.envelope, style.more) is False:
        return None
    elif style.in_header:
        token = page.answer.headers.get(style.at.lower())
    else:
        token = _at(page.envelope, style.at)
    is_last = token is None or token is False or str(token) in ("", getattr(style, "end", ""))
    return None if is_last else str(token)


def _refuse_repeats(client: Client, page: Page, digests: Counter[bytes]) -> None:
    if not page.items:
        return
    ends = json.dumps([len(page.items), page.items[0], page.items[-1]], sort_keys=True).encode()
    digest = hashlib.sha256(ends).digest()
    digests[digest] += 1
    if digests[digest] >= REPEATS:
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
