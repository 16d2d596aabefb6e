"""The message in the body of an error answer."""

import json
from typing import Any

import httpx

LONGEST_BODY = 2**20


def message_of(response: httpx.Response) -> str:
    """The message of a body in a common form, shortened, without a full stop; otherwise empty."""
    body = b""
    try:
        for part in response.iter_bytes():
            body += part
            if len(body) > LONGEST_BODY:
                return ""
        content = json.loads(body)
    except (ValueError, RecursionError, httpx.RequestError):
        return ""
    return " ".join(_text_of(content).split())[:300].rstrip(".")


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, map(_text_of, value[:3])))
    if isinstance(value, dict):
        for name in ("message", "msg", "error_description", "detail", "errors", "error", "title"):
            if text := _text_of(value.get(name)):
                return text
    return ""
