"""Salesforce's answers: data, or an error with Salesforce's own code."""

import json
from typing import Any

import requests

from novade_pipeline.api.retry import RETRYABLE_STATUSES
from novade_pipeline.errors import PermanentFailure

# A row or a query plan is busy, whatever the status.
PASSING_CODES = frozenset({"UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT", "SERVER_UNAVAILABLE"})
BUSY_STATUSES = RETRYABLE_STATUSES | {406, 420}
_DATA = frozenset({"application/json", "text/csv"})


class Refused(PermanentFailure):
    """Salesforce refuses a request for good; `code` is its error code."""

    def __init__(self, message: str, code: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def require_data(request: str, answer: requests.Response) -> requests.Response:
    """Fails where the answer is a web page, which is what other hosts serve at these paths."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
    if answer.content and kind not in _DATA:
        raise PermanentFailure(
            f"Salesforce: expected JSON or CSV from {request}, found {kind or 'unnamed content'}; "
            "NOVADE_SALESFORCE_URL must be the organisation's My Domain."
        )
    return answer


def error_of(answer: requests.Response) -> tuple[str, str]:
    """Returns Salesforce's error code and message, "" where the body has another form."""
    body = json_of(answer)
    first = body[0] if isinstance(body, list) and body else body
    if not isinstance(first, dict):
        return "", ""
    message = " ".join(str(first.get("message") or "").split())
    return str(first.get("errorCode") or ""), message[:300]


def json_of(answer: requests.Response) -> Any:
    """Parses the body; None where it is not JSON."""
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        return None


def request_name(method: str, url: str) -> str:
    """Names a request in messages, without host and query."""
    path = url.partition("://")[2].partition("/")[2] if "://" in url else url.lstrip("/")
    return f"{method} /{path.partition('?')[0]}"
