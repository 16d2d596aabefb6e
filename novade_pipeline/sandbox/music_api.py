"""The HTTP API of a made-up music service, with faults on request.

`GET /tracks`, `/users` and `/listen_history`, with `page` from 1 and `size` from 1 to 100, and the
envelope `{items, total, page, size, pages}`; a page past the end has no items; bad parameters get
a 422. On request pages are slow, get a 429 or a 500, or have rows with wrong types, and the data
changes between pages.
"""

import asyncio
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from novade_pipeline.sandbox import music_api_rows as rows
from novade_pipeline.sandbox.music_api_rows import Row

LARGEST_SIZE = 100
RESTORED = timedelta(days=90)
"""How much older the state of a restored row is."""
ENDPOINTS = ("tracks", "users", "listen_history")


@dataclass(frozen=True)
class Faults:
    """Which faults to inject; none by default.

    Attributes:
        limited_every: every n-th request gets a 429, with `Retry-After` alternately as seconds and
            as a date.
        retry_after: its seconds.
        failing_every: every n-th request gets a 500.
        slow_every: every n-th request takes `slow_seconds`.
        broken_every: every n-th row has a wrong type.
        changes: number of changes of each table, each after a page of it was read.
        restores: number of rows that then return to an older state, each after a page.
        token: requests without this bearer token get a 401.
    """

    limited_every: int = 0
    retry_after: int = 1
    failing_every: int = 0
    slow_every: int = 0
    slow_seconds: float = 1.0
    broken_every: int = 0
    changes: int = 0
    restores: int = 0
    token: str = ""


class MusicApi:
    """The service: its tables and the number of requests.

    Attributes:
        tables: endpoint -> its rows, in the order of its pages.
        request_count: number of answered requests, of any status.
        page_seconds: duration of each request.
    """

    def __init__(
        self,
        *,
        tracks: int = 240,
        users: int = 60,
        histories: int = 400,
        seed: int = 1,
        faults: Faults | None = None,
        page_seconds: float = 0.0,
    ) -> None:
        self.tables: dict[str, list[Row]] = {
            "tracks": rows.tracks(tracks, seed),
            "users": rows.users(users, seed),
            "listen_history": rows.histories(histories, users, tracks, seed),
        }
        self.faults = faults or Faults()
        self.page_seconds = page_seconds
        self.request_count = 0
        self._rng = random.Random(f"{seed}-changes")
        self._changes_left = dict.fromkeys(ENDPOINTS, self.faults.changes)
        self._restores_left = dict.fromkeys(ENDPOINTS, self.faults.restores)
        self._next_id = {"tracks": tracks + 1, "users": users + 1}
        self._now = rows.BEGIN + timedelta(days=400)
        if self.faults.broken_every:
            for table in self.tables.values():
                for number in range(
                    self.faults.broken_every - 1, len(table), self.faults.broken_every
                ):
                    _break(table[number], number)

    def app(self) -> Starlette:
        """The service as an ASGI app."""
        return Starlette(routes=[Route(f"/{name}", self._answer, name=name) for name in ENDPOINTS])

    def touch(self, endpoint: str, change: str = "") -> None:
        """Delete, insert or update a row, by default at random, or restore one.

        A restored row is in an older state: its content differs, and its `updated_at` goes back.
        """
        table = self.tables[endpoint]
        at = self._rng.randrange(len(table) + 1)
        change = change or self._rng.choice(("delete", "insert", "update"))
        self._now += timedelta(seconds=1)
        if change == "insert" or not table:
            table.insert(at, self._new(endpoint))
        elif change == "delete":
            del table[min(at, len(table) - 1)]
        elif change == "restore":
            _restore(table[min(at, len(table) - 1)])
        else:
            row = table[min(at, len(table) - 1)]
            row["updated_at"] = rows.format_time(self._now)

    async def _answer(self, request: Request) -> Response:
        self.request_count += 1
        number, faults = self.request_count, self.faults
        if self.page_seconds:
            await asyncio.sleep(self.page_seconds)
        if faults.slow_every and number % faults.slow_every == 0:
            await asyncio.sleep(faults.slow_seconds)
        if faults.token and request.headers.get("Authorization") != f"Bearer {faults.token}":
            return JSONResponse({"detail": "Not authenticated"}, 401)
        if faults.limited_every and number % faults.limited_every == 0:
            return self._too_many(number // faults.limited_every)
        if faults.failing_every and number % faults.failing_every == 0:
            return Response("Internal Server Error", 500)
        page, size = (
            _integer(request.query_params.get(n, d)) for n, d in (("page", "1"), ("size", "50"))
        )
        if page is None or page < 1:
            return _unprocessable("page", "Input should be a valid integer, greater than 0")
        if size is None or not 1 <= size <= LARGEST_SIZE:
            return _unprocessable(
                "size", f"Input should be a valid integer from 1 to {LARGEST_SIZE}"
            )
        endpoint = request.url.path.strip("/")
        body = self._page(endpoint, page, size)
        if self._changes_left[endpoint] > 0:
            self._changes_left[endpoint] -= 1
            self.touch(endpoint)
        elif self._restores_left[endpoint] > 0:
            self._restores_left[endpoint] -= 1
            self.touch(endpoint, "restore")
        return Response(body, media_type="application/json")

    def _page(self, endpoint: str, page: int, size: int) -> bytes:
        table = self.tables[endpoint]
        envelope = {
            "items": table[(page - 1) * size : page * size],
            "total": len(table),
            "page": page,
            "size": size,
            "pages": -(-len(table) // size),
        }
        return json.dumps(envelope, ensure_ascii=False).encode()

    def _too_many(self, nth: int) -> Response:
        wait = self.faults.retry_after
        now = datetime.now(UTC)
        until = (
            str(wait) if nth % 2 else format_datetime(now + timedelta(seconds=wait), usegmt=True)
        )
        return JSONResponse({"detail": "Too many requests"}, 429, {"Retry-After": until})

    def _new(self, endpoint: str) -> Row:
        if endpoint == "listen_history":
            row = rows.history(self._rng, len(self.tables["users"]), len(self.tables["tracks"]))
        else:
            number = self._next_id[endpoint]
            self._next_id[endpoint] += 1
            row = (rows.track if endpoint == "tracks" else rows.user)(number, self._rng)
        moment = rows.format_time(self._now)
        return {**row, "created_at": moment, "updated_at": moment}


def _restore(row: Row) -> None:
    """Return a row to an older state."""
    before = datetime.fromisoformat(row["updated_at"]) - RESTORED
    row["updated_at"] = rows.format_time(before)
    for name, value in (("album", "As it was"), ("favorite_genres", "polka"), ("items", [1])):
        if name in row:
            row[name] = value


def _break(row: Row, number: int) -> None:
    """Give a row a wrong type, of several kinds in turn."""
    kinds: list[Row] = [
        {"updated_at": "yesterday"},
        {"created_at": 1_714_521_600},
        {"duration": "3 minutes", "email": ["two@example.com"], "items": "1,2,3"},
        {"id": f"#{number}", "user_id": "unknown"},
    ]
    for name, value in kinds[number % len(kinds)].items():
        if name in row:
            row[name] = value


def _integer(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _unprocessable(name: str, message: str) -> Response:
    detail: list[dict[str, Any]] = [{"type": "int", "loc": ["query", name], "msg": message}]
    return JSONResponse({"detail": detail}, 422)
