"""A reader of JSON as RFC 8259 has it, made of Python's own, to compare with."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Functions that call themselves may do so some thousand times."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


class Digits(str):
    """A number as it is written."""


def strictly(text: str) -> Any:
    """The value of a text, its numbers as they are written.

    Raises:
        ValueError: it is no JSON.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, parse_int=Digits, parse_float=Digits, parse_constant=refuse)


def is_strict(text: str) -> bool:
    """Whether a text is JSON, and can be written to a file."""
    try:
        strictly(text)
        text.encode()
    except (ValueError, RecursionError):
        return False
    return True


def whole(value: Any) -> Any:
    """The same value with U+FFFD for each half of a surrogate pair."""
    if isinstance(value, Digits):
        return value
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {whole(key): whole(item) for key, item in value.items()}
    return list(map(whole, value)) if isinstance(value, list) else value
