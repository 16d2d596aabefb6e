"""The HTTP API of a made-up Drift workspace, with faults on request.

| path                           | pages                                                        |
|--------------------------------|--------------------------------------------------------------|
| `/conversations/list`          | newest `updatedAt` first; `links.next`, or `pagination`      |
| `/conversations/{id}`          |                                                              |
| `/conversations/{id}/messages` | `pagination {more, next}`, requested with `next`             |
| `/contacts/{id}`               |                                                              |
| `/accounts/`                   | `index` and `size`; `data.next` is a link                    |
| `/users/list`                  |                                                              |

Cursors are positions: a chat that moves to the front, or is deleted, shifts those in between, as in
the real service. Errors are `errors: [{type, message, param?}]`.
Source: https://devdocs.drift.com/docs/.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from novade_pipeline.sandbox import drift_rows as rows
from novade_pipeline.sandbox.drift_changes import ChangingWorkspace, Faults
from novade_pipeline.sandbox.drift_rows import Row

__all__ = ["SCOPES", "TOKEN", "DriftApi", "Faults"]

LARGEST_LIMIT = 50
TOKEN = "drift-sandbox-token"  # noqa: S105
STATUSES = {1: "open", 2: "closed", 3: "pending"}
SCOPES = ("conversation_read", "contact_read", "account_read", "user_read")


class DriftApi(ChangingWorkspace):
    """The service: its workspace and the number of requests; `state` has the rows.

    Attributes:
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
        super().__init__(conversations, seed, events_per_hour, as_of, faults or Faults())
        self.paging = paging
        self.links_to = links_to
        self.token = token
        self.request_counts: dict[str, int] = {}
        self.on_response: Callable[[str], None] = lambda path: None
        self._requests = 0
        self._changes_left = self.faults.changes
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
            exception_handlers={404: _no_such_path},
        )

    def _guarded(self, scope: str, answer: Callable[[Request], Response]) -> Any:
        async def guarded(request: Request) -> Response:
            path, faults = request.url.path, self.faults
            self._requests += 1
            number = self._requests
            self.request_counts[path] = self.request_counts.get(path, 0) + 1
            if faults.slow_every and number % faults.slow_every == 0:
                await asyncio.sleep(faults.slow_seconds)
            if request.headers.get("Authorization") != f"Bearer {self.token}":
                return _error(401, "authentication_error", "Bad or expired token.")
            if scope in faults.missing_scopes:
                return _error(403, "permission_error", f"Missing scope {scope}.")
            if faults.limited_every and number % faults.limited_every == 0:
                return self._too_many(number // faults.limited_every)
            if faults.failing_every and number % faults.failing_every == 0:
                return _error(500, "internal_error", "Something went wrong.")
            response = answer(request)
            self.on_response(path)
            return response

        return guarded

    def _list(self, request: Request) -> Response:
        parameters = dict(request.query_params)
        if token := parameters.get("page_token"):
            parameters |= json.loads(base64.urlsafe_b64decode(token))
        limit, begin = _integer(parameters.get("limit", 25)), _integer(parameters.get("next", 0))
        if limit is None or not 1 <= limit <= LARGEST_LIMIT:
            return _error(400, "validation_error", f"limit: 1 to {LARGEST_LIMIT}.", "limit")
        if begin is None or begin < 0:
            return _error(400, "validation_error", "next: not a cursor of ours.", "next")
        statuses = parameters.get("statuses") or [
            STATUSES.get(_integer(status) or 0, "")
            for status in request.query_params.getlist("statusId")
        ]
        listed = [row for row in self.newest_first() if not statuses or row["status"] in statuses]
        names = ("status", "contactId", "createdAt", "id", "inboxId", "updatedAt")
        body: Row = {
            "data": [{name: row[name] for name in names} for row in listed[begin : begin + limit]]
        }
        more = begin + limit < len(listed)
        if self.paging == "pagination":
            body |= {"pagination": {"more": True, "next": str(begin + limit)}} if more else {}
        else:
            cursor = {"next": begin + limit, "limit": limit, "statuses": statuses}
            token = base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode()
            link = f"{self._base(request)}/conversations/list?page_token={token}"
            body["links"] = {"self": str(request.url)} | ({"next": link} if more else {})
        if more and self._changes_left > 0:
            self._changes_left -= 1
            self.write(self._rng.choice(listed[begin + limit :])["id"])
        return JSONResponse(body)

    def _conversation(self, request: Request) -> Response:
        item = self.state.conversations.get(request.path_params["id"])
        return _not_found("conversation") if item is None else JSONResponse({"data": item})

    def _messages(self, request: Request) -> Response:
        number = request.path_params["id"]
        if number not in self.state.conversations:
            return _not_found("conversation")
        begin = _integer(request.query_params.get("next", 0)) or 0
        messages, size = self.state.messages[number], 10
        body: Row = {"data": {"messages": messages[begin : begin + size]}}
        if begin + size < len(messages):
            body["pagination"] = {"more": True, "next": begin + size}
        return JSONResponse(body)

    def _contact(self, request: Request) -> Response:
        item = self.state.contacts.get(request.path_params["id"])
        return _not_found("contact") if item is None else JSONResponse({"data": item})

    def _accounts(self, request: Request) -> Response:
        begin = _integer(request.query_params.get("index", 0))
        size = _integer(request.query_params.get("size", 10))
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


def _break(workspace: rows.Workspace, every: int) -> None:
    """Give rows of each kind a wrong type; ids and order stay."""
    for row in list(workspace.conversations.values())[every - 1 :: every]:
        row["participants"] = "many"
    for row in [m for chat in workspace.messages.values() for m in chat][every - 1 :: every]:
        row["createdAt"] = "yesterday"
    for row in list(workspace.contacts.values())[every - 1 :: every]:
        row["attributes"] = [row["attributes"]]
    for row in workspace.accounts[every - 1 :: every]:
        row["updateDateTime"] = None
    for row in workspace.users[every - 1 :: every]:
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


async def _no_such_path(request: Request, error: Exception) -> Response:
    return _not_found("resource")


def _integer(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
