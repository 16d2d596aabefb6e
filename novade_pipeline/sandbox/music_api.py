"""The API of a made-up music service, served for real, with faults on request.

`GET /tracks`, `/users` and `/listen_history`, with `page` from 1 and `size` from 1 to 100, and the
envelope `{items, total, page, size, pages}`; a page past the end has no items; bad parameters are
answered by 422. On request pages are slow, answered by 429 or 500, hold rows that break their
types, and the data changes between pages while it is read.
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
"""How much older a row's state is that is restored."""
ENDPOINTS = ("tracks", "users", "listen_history")


@dataclass(frozen=True)
class Faults:
    """What goes wrong; nothing where nothing is said.

    Attributes:
        limited_every: every so manieth request is answered by 429, in turns with `Retry-After` as
            seconds and as a date.
        retry_after: how many seconds that asks for.
        failing_every: every so manieth request is answered by 500.
        slow_every: every so manieth request takes `slow_seconds`.
        slow_seconds: that long.
        broken_every: every so manieth row breaks its types.
        changes: so many times a table changes after one of its pages was read.
        restores: so many times, after that, a row goes back to an older state.
        token: requests without this bearer token are answered by 401.
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
        """Delete, insert or update a row, which is drawn where nothing is said, or restore one.

        A row that is restored is in an older state: its content is another one, and its
        `updated_at` goes back.
        """
        table = self.tables[endpoint]
        at = self._rng.randrange(len(table) + 1)
        what = change or self._rng.choice(("delete", "insert", "update"))
        self._now += timedelta(seconds=1)
        if what == "insert" or not table:
            table.insert(at, self._new(endpoint))
        elif what == "delete":
            del table[min(at, len(table) - 1)]
        elif what == "restore":
            _restore(table[min(at, len(table) - 1)])
        else:
            row = table[min(at, len(table) - 1)]
            row["updated_at"] = rows.told_time(self._now)

    async def _answer(self, request: Request) -> Response:
        self.request_count += 1
        asked, faults = self.request_count, self.faults
        if self.page_seconds:
            await asyncio.sleep(self.page_seconds)
        if faults.slow_every and asked % faults.slow_every == 0:
            await asyncio.sleep(faults.slow_seconds)
        if faults.token and request.headers.get("Authorization") != f"Bearer {faults.token}":
            return JSONResponse({"detail": "Not authenticated"}, 401)
        if faults.limited_every and asked % faults.limited_every == 0:
            return self._too_many(asked // faults.limited_every)
        if faults.failing_every and asked % faults.failing_every == 0:
            return Response("Internal Server Error", 500)
        page, size = (
            _whole(request.query_params.get(n, d)) for n, d in (("page", "1"), ("size", "50"))
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
        moment = rows.told_time(self._now)
        return {**row, "created_at": moment, "updated_at": moment}


def _restore(row: Row) -> None:
    """Put a row into the state that it had before its last change."""
    before = datetime.fromisoformat(row["updated_at"]) - RESTORED
    row["updated_at"] = rows.told_time(before)
    for name, value in (("album", "As it was"), ("favorite_genres", "polka"), ("items", [1])):
        if name in row:
            row[name] = value


def _break(row: Row, number: int) -> None:
    """One of the ways in which such rows break their types."""
    ways: list[Row] = [
        {"updated_at": "yesterday"},
        {"created_at": 1_714_521_600},
        {"duration": "3 minutes", "email": ["two@example.com"], "items": "1,2,3"},
        {"id": f"#{number}", "user_id": "unknown"},
    ]
    for name, value in ways[number % len(ways)].items():
        if name in row:
            row[name] = value


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _unprocessable(name: str, told: str) -> Response:
    detail: list[dict[str, Any]] = [{"type": "int", "loc": ["query", name], "msg": told}]
    return JSONResponse({"detail": detail}, 422)
