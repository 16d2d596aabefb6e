"""What every part of the Salesforce sandbox answers alike: errors, and bodies that break off."""

import logging
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from novade_pipeline.sandbox.salesforce.wire import json_text

_NOT_COMPLETED = "without completing response"


class Json(JSONResponse):
    """A body of JSON, its numbers as Salesforce writes them."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return json_text(content)


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """An error as Salesforce tells it."""
    return JSONResponse([{"message": message, "errorCode": code}], status, headers)


def not_found() -> Response:
    """There is nothing at that place, or nothing that the user may see."""
    return error(404, "NOT_FOUND", "The requested resource does not exist")


def unavailable() -> Response:
    """It will come back."""
    return error(503, "SERVER_UNAVAILABLE", "We are down for maintenance.")


class CutShort(Response):
    """A body that breaks off half-way, after a header that tells its whole length."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half of it; uvicorn then closes the connection, as this never completes."""
        status, headers = self.status_code, self.raw_headers
        await send({"type": "http.response.start", "status": status, "headers": headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})


class QuietAboutCutBodies(logging.Filter):
    """Keeps uvicorn's complaint about such a body out of the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is worth a line."""
        return _NOT_COMPLETED not in record.getMessage()
