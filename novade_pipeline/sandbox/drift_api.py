"""The API of a made-up Drift workspace, served for real, with faults on request.

| path                           | pages                                                        |
|--------------------------------|--------------------------------------------------------------|
| `/conversations/list`          | newest `updatedAt` first; `links.next`, or `pagination`      |
| `/conversations/{id}`          |                                                              |
| `/conversations/{id}/messages` | `pagination {more, next}`, asked for with `next`             |
| `/contacts/{id}`               |                                                              |
| `/accounts/`                   | `index` and `size`; `data.next` is a link                    |
| `/users/list`                  |                                                              |

Cursors say a position: what moves to the front, or is deleted, moves all that lies between, as in
the real service. Errors are `errors: [{type, message, param?}]`.
Source: https://devdocs.drift.com/docs/.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from novade_pipeline.sandbox import drift_rows as rows
from novade_pipeline.sandbox.business import companies_for, person
from novade_pipeline.sandbox.drift_rows import Row

LARGEST_LIMIT = 50
TOKEN = "drift-sandbox-token"  # noqa: S105
STATUSES = {1: "open", 2: "closed", 3: "pending"}
SCOPES = ("conversation_read", "contact_read", "account_read", "user_read")
_STRANGER = 1_000_000


@dataclass(frozen=True)
class Faults:
    """What goes wrong; nothing where nothing is said.

    Attributes:
        limited_every: every so manieth request is answered by 429, in turns with `Retry-After` as
            seconds, as a date, and not at all.
        retry_after: how many seconds that asks for.
        failing_every: every so manieth request is answered by 500.
        slow_every: every so manieth request takes `slow_seconds`.
        slow_seconds: that long.
        broken_every: every so manieth row of each kind breaks its types.
        changes: so many times, after a page of the list was told, somebody writes in a chat that
            lies on a later page.
        misplaced_every: every so manieth change of a chat leaves it at its old place in the list.
        missing_scopes: what the token may not read; such requests are answered by 403.
    """

    limited_every: int = 0
    retry_after: int = 1
    failing_every: int = 0
    slow_every: int = 0
    slow_seconds: float = 1.0
    broken_every: int = 0
    changes: int = 0
    misplaced_every: int = 0
    missing_scopes: tuple[str, ...] = ()


class DriftApi:
    """The service: its workspace and the number of requests.

    Attributes:
        state: the workspace; the methods change it as people do.
        request_counts: path -> number of answered requests, of any status.
        on_response: called with the path after each response, for tests that change data then.
    """

    def __init__(
        self,
        *,
        conversations: int = 120,
        seed: int = 1,
        events_per_hour: int = 120,
        as_of: date = date(2026, 11, 24),
        paging: Literal["links", "pagination"] = "links",
        links_to: str = "",
        token: str = TOKEN,
        faults: Faults | None = None,
    ) -> None:
        self.state = rows.workspace(seed, as_of, conversations, events_per_hour)
        self.paging = paging
        self.links_to = links_to
        self.token = token
        self.faults = faults or Faults()
        self.request_counts: dict[str, int] = {}
        self.on_response: Callable[[str], None] = lambda path: None
        self._seed, self._companies = seed, companies_for(events_per_hour)
        self._rng = Random(f"{seed}:drift-changes")
        self._requests = 0
        self._strangers = 0
        self._changes_left = self.faults.changes
        self._changed = 0
        self._listed_as: dict[int, int] = {}
        if self.faults.broken_every:
            _break(self.state, self.faults.broken_every)

    def app(self) -> Starlette:
        """The service as an ASGI app."""
        answers: Mapping[str, tuple[str, Callable[[Request], Response]]] = {
            "/conversations/list": ("conversation_read", self._list),
            "/conversations/{id:int}": ("conversation_read", self._conversation),
            "/conversations/{id:int}/messages": ("conversation_read", self._messages),
            "/contacts/{id:int}": ("contact_read", self._contact),
            "/accounts/": ("account_read", self._accounts),
            "/users/list": ("user_read", self._users),
        }
        return Starlette(
            routes=[
                Route(path, self._guarded(scope, answer))
                for path, (scope, answer) in answers.items()
            ],
            exception_handlers={404: _nothing_there},
        )

    def tick(self, seconds: float = 1.0) -> int:
        """Let time pass; the service's clock, epoch milliseconds."""
        self.state.now += int(seconds * rows.SECOND)
        return self.state.now

    def chat(self, contact_id: int | None = None) -> int:
        """Somebody begins a chat, or somebody new; its id."""
        if contact_id is None:
            self._strangers += 1
            who = person(self._seed, self._companies, -_STRANGER - self._strangers)
            contact_id = rows.add_contact(self.state, who, self.tick(), self._rng)
        began = self.tick()
        number = rows.add_conversation(self.state, contact_id, began, self._rng)
        self.state.now = max(began, self.state.conversations[number]["updatedAt"])
        return number

    def write(self, conversation_id: int, text: str = "<p>Are you still there?</p>") -> Row:
        """The contact writes in a chat, which makes it the newest."""
        author = self.state.conversations[conversation_id]["contactId"]
        self._move(conversation_id)
        at = self.tick()
        return rows.add_message(self.state, conversation_id, author, text, at, self._rng)

    def close(self, conversation_id: int) -> None:
        """A chat ends."""
        self._move(conversation_id)
        rows.close(self.state, conversation_id, self.tick())

    def restore(self, conversation: Row) -> None:
        """A chat is again as it was when this copy of it was made, `updatedAt` among it."""
        self._listed_as.pop(conversation["id"], None)
        self.state.conversations[conversation["id"]] = dict(conversation)

    def delete_contact(self, contact_id: int) -> None:
        """A contact is answered by 404 from now on; the chats stay."""
        del self.state.contacts[contact_id]

    def delete_conversation(self, conversation_id: int) -> None:
        """A chat is in no list any more."""
        del self.state.conversations[conversation_id]
        self._listed_as.pop(conversation_id, None)

    def newest_first(self) -> list[Row]:
        """The conversations in the order of the list: but for those that are misplaced."""

        def listed_as(row: Row) -> tuple[int, int]:
            number: int = row["id"]
            updated_at: int = row["updatedAt"]
            return -self._listed_as.get(number, updated_at), -number

        return sorted(self.state.conversations.values(), key=listed_as)

    def _move(self, conversation_id: int) -> None:
        """Let a chat that changes move to the front of the list, or stay where it is."""
        self._changed += 1
        every = self.faults.misplaced_every
        place = self._listed_as.pop(
            conversation_id, self.state.conversations[conversation_id]["updatedAt"]
        )
        if every and self._changed % every == 0:
            self._listed_as[conversation_id] = place

    def _guarded(self, scope: str, answer: Callable[[Request], Response]) -> Any:
        async def guarded(request: Request) -> Response:
            path, faults = request.url.path, self.faults
            self._requests += 1
            asked = self._requests
            self.request_counts[path] = self.request_counts.get(path, 0) + 1
            if faults.slow_every and asked % faults.slow_every == 0:
                await asyncio.sleep(faults.slow_seconds)
            if request.headers.get("Authorization") != f"Bearer {self.token}":
                return _error(401, "authentication_error", "Bad or expired token.")
            if scope in faults.missing_scopes:
                return _error(403, "permission_error", f"Missing scope {scope}.")
            if faults.limited_every and asked % faults.limited_every == 0:
                return self._too_many(asked // faults.limited_every)
            if faults.failing_every and asked % faults.failing_every == 0:
                return _error(500, "internal_error", "Something went wrong.")
            told = answer(request)
            self.on_response(path)
            return told

        return guarded

    def _list(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if token := asked.get("page_token"):
            asked |= json.loads(base64.urlsafe_b64decode(token))
        limit, begin = _whole(asked.get("limit", 25)), _whole(asked.get("next", 0))
        if limit is None or not 1 <= limit <= LARGEST_LIMIT:
            return _error(400, "validation_error", f"limit: 1 to {LARGEST_LIMIT}.", "limit")
        if begin is None or begin < 0:
            return _error(400, "validation_error", "next: not a cursor of ours.", "next")
        wanted = asked.get("statuses") or [
            STATUSES.get(_whole(told) or 0, "") for told in request.query_params.getlist("statusId")
        ]
        listed = [row for row in self.newest_first() if not wanted or row["status"] in wanted]
        names = ("status", "contactId", "createdAt", "id", "inboxId", "updatedAt")
        body: Row = {
            "data": [{name: row[name] for name in names} for row in listed[begin : begin + limit]]
        }
        more = begin + limit < len(listed)
        if self.paging == "pagination":
            body |= {"pagination": {"more": True, "next": str(begin + limit)}} if more else {}
        else:
            told = {"next": begin + limit, "limit": limit, "statuses": wanted}
            token = base64.urlsafe_b64encode(json.dumps(told).encode()).decode()
            link = f"{self._base(request)}/conversations/list?page_token={token}"
            body["links"] = {"self": str(request.url)} | ({"next": link} if more else {})
        if more and self._changes_left > 0:
            self._changes_left -= 1
            self.write(self._rng.choice(listed[begin + limit :])["id"])
        return JSONResponse(body)

    def _conversation(self, request: Request) -> Response:
        found = self.state.conversations.get(request.path_params["id"])
        return _not_found("conversation") if found is None else JSONResponse({"data": found})

    def _messages(self, request: Request) -> Response:
        number = request.path_params["id"]
        if number not in self.state.conversations:
            return _not_found("conversation")
        begin = _whole(request.query_params.get("next", 0)) or 0
        found, size = self.state.messages[number], 10
        body: Row = {"data": {"messages": found[begin : begin + size]}}
        if begin + size < len(found):
            body["pagination"] = {"more": True, "next": begin + size}
        return JSONResponse(body)

    def _contact(self, request: Request) -> Response:
        found = self.state.contacts.get(request.path_params["id"])
        return _not_found("contact") if found is None else JSONResponse({"data": found})

    def _accounts(self, request: Request) -> Response:
        begin = _whole(request.query_params.get("index", 0))
        size = _whole(request.query_params.get("size", 10))
        if begin is None or begin < 0 or size is None or not 1 <= size <= 100:
            return _error(400, "validation_error", "index: from 0, size: 1 to 100.", "size")
        data: Row = {"accounts": self.state.accounts[begin : begin + size]}
        if begin + size < len(self.state.accounts):
            data["next"] = f"{self._base(request)}/accounts/?index={begin + size}&size={size}"
        return JSONResponse({"data": data})

    def _users(self, request: Request) -> Response:
        return JSONResponse({"data": self.state.users})

    def _base(self, request: Request) -> str:
        return self.links_to or str(request.base_url).rstrip("/")

    def _too_many(self, nth: int) -> Response:
        until = datetime.now(UTC) + timedelta(seconds=self.faults.retry_after)
        headers: list[dict[str, str]] = [
            {"Retry-After": str(self.faults.retry_after)},
            {"Retry-After": format_datetime(until, usegmt=True)},
            {},
        ]
        return _error(429, "rate_limit", "Too many requests.", headers=headers[(nth - 1) % 3])


def _break(has: rows.Workspace, every: int) -> None:
    """Each way in which such rows break their types; ids and order stay."""
    for row in list(has.conversations.values())[every - 1 :: every]:
        row["participants"] = "many"
    for row in [m for of in has.messages.values() for m in of][every - 1 :: every]:
        row["createdAt"] = "yesterday"
    for row in list(has.contacts.values())[every - 1 :: every]:
        row["attributes"] = [row["attributes"]]
    for row in has.accounts[every - 1 :: every]:
        row["updateDateTime"] = None
    for row in has.users[every - 1 :: every]:
        row["id"] = f"#{row['id']}"


def _error(
    status: int,
    type_: str,
    message: str,
    param: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    error = {"type": type_, "message": message} | ({"param": param} if param else {})
    return JSONResponse({"errors": [error]}, status, headers)


def _not_found(what: str) -> Response:
    return _error(404, "not_found", f"No such {what}.")


async def _nothing_there(request: Request, error: Exception) -> Response:
    return _not_found("resource")


def _whole(told: Any) -> int | None:
    try:
        return int(told)
    except (TypeError, ValueError):
        return None
