"""Responses that all resources share: errors, and bodies that are cut short."""

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
    """An error as Salesforce writes it."""
    return JSONResponse([{"message": message, "errorCode": code}], status, headers)


def not_found() -> Response:
    """The resource does not exist, or is not visible to the user."""
    return error(404, "NOT_FOUND", "The requested resource does not exist")


def unavailable() -> Response:
    """The service is down for a while."""
    return error(503, "SERVER_UNAVAILABLE", "We are down for maintenance.")


class CutShort(Response):
    """A body that ends half-way, after a Content-Length of the whole."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half; uvicorn closes the connection, as the response never completes."""
        status, headers = self.status_code, self.raw_headers
        await send({"type": "http.response.start", "status": status, "headers": headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})


class QuietAboutCutBodies(logging.Filter):
    """Keeps uvicorn's complaint about a cut body out of the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log the record."""
        return _NOT_COMPLETED not in record.getMessage()
