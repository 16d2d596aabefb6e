"""What an API says of a failure, wherever its body says it."""

import json
from typing import Any

import httpx

LONGEST_BODY = 2**20


def message_of(response: httpx.Response) -> str:
    """The message of an error's body, where it has a usual form; short, without its full stop."""
    body = b""
    try:
        for part in response.iter_bytes():
            body += part
            if len(body) > LONGEST_BODY:
                return ""
        found = json.loads(body)
    except (ValueError, RecursionError, httpx.RequestError):
        return ""
    return " ".join(_text_of(found).split())[:300].rstrip(".")


def _text_of(found: Any) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        return "; ".join(filter(None, map(_text_of, found[:3])))
    if isinstance(found, dict):
        for name in ("message", "msg", "error_description", "detail", "errors", "error", "title"):
            if text := _text_of(found.get(name)):
                return text
    return ""
