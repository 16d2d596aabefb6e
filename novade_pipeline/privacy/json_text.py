"""JSON in Python as RFC 8259 has it: numbers keep their digits, and any parser reads the result.

Python's own module reads and writes `NaN` and `Infinity`, which are not JSON, rounds numbers with
more digits than a float has, and keeps lone surrogates, which cannot be encoded in UTF-8.

Source: https://www.rfc-editor.org/rfc/rfc8259, sections 6 and 8.2.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any

LONE_SURROGATE = "lone_surrogate"
"""The kind of repair that `repair_surrogates` makes."""

ODD_NUMBER = (
    r"(^|[:,\[])\s*-?([0-9]+(\.[0-9]*(0([^0-9]|$)|[eE])|[eE])|[0-9.]{17}|0\.000)|NaN|Infinity"
)
"""An Arrow regular expression for the documents that `edit_json` has to edit exactly.

It matches every number that Python would write differently (with an exponent, a trailing zero, many
digits or a small value) and every constant that is not JSON; it may match others.
"""

_HIGH, _LOW = r"u[dD][89abAB][0-9a-fA-F]{2}", r"u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf"\\(?:({_HIGH}\\{_LOW})|({_HIGH}|{_LOW})|.)", re.DOTALL)
_CONSTANT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|(NaN|-?Infinity)', re.DOTALL)


class VerbatimNumber(float):
    """A float that keeps the text that it was read from."""

    text: str

    def __new__(cls, written: str) -> "VerbatimNumber":
        """Parse a JSON number."""
        number = super().__new__(cls, written)
        number.text = written
        return number

    def __str__(self) -> str:
        return self.text


class InvalidConstant(json.JSONDecodeError):
    """A text contains NaN or Infinity, which many programs write although they are not JSON."""


def read_json(text: str, *, strict: bool = True) -> Any:
    """Parse a JSON text; floats that Python would write differently become `VerbatimNumber`.

    Args:
        strict: refuse control characters in strings.

    Raises:
        InvalidConstant: the text contains NaN or Infinity, and is JSON up to there.
        json.JSONDecodeError: the text is not JSON.
        ValueError: an integer has thousands of digits.
        RecursionError: the text is nested too deep.
    """

    def refuse(constant: str) -> Any:
        matches = (match for match in _CONSTANT.finditer(text) if match[1] is not None)
        raise InvalidConstant(f"{constant} is not a JSON value", text, next(matches).start())

    return json.loads(text, parse_float=parse_float, parse_constant=refuse, strict=strict)


def write_json(value: Any, separators: tuple[str, str] = (",", ":")) -> str:
    """Write a value as JSON; NaN and infinite floats become strings with their names."""
    comma, colon = separators
    if isinstance(value, VerbatimNumber):
        return value.text
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(json.dumps(value))
    # Loops rather than comprehensions: one stack frame a level.
    if isinstance(value, dict):
        fields = []
        for key, item in value.items():
            name = json.dumps(key, ensure_ascii=False)
            fields.append(f"{name}{colon}{write_json(item, separators)}")
        return f"{{{comma.join(fields)}}}"
    if isinstance(value, list | tuple):
        items = []
        for item in value:
            items.append(write_json(item, separators))
        return f"[{comma.join(items)}]"
    return json.dumps(value, ensure_ascii=False, default=str)


def edit_json(text: str, edit: Callable[[Any], Any], *, exact: bool = True) -> str:
    """Apply a function to the value of a JSON text; numbers keep their digits.

    Args:
        exact: False only where `ODD_NUMBER` does not match the text; several times as fast.

    Raises:
        ValueError: the text is not JSON.
        RecursionError: the text is nested too deep.
    """
    if exact:
        return write_json(edit(read_json(text)))
    return json.dumps(edit(json.loads(text)), ensure_ascii=False, separators=(",", ":"))


def parse_float(text: str) -> float:
    """Parse a JSON number that is not an integer so that `write_json` gives the same text."""
    number = float(text)
    return number if repr(number) == text else VerbatimNumber(text)


def repair_surrogates(text: str) -> tuple[str, int]:
    r"""Replace lone surrogates in a JSON text by U+FFFD.

    Unescaped surrogates come from bytes that are not UTF-8; pairs of them are combined.

    Returns:
        The text, and how many surrogates were replaced.
    """
    count = 0
    if not text.isascii():
        combined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        count = combined.count("\ufffd") - text.count("\ufffd")
        text = combined
    if "\\u" not in text:
        return text, count

    def repair(escape: re.Match[str]) -> str:
        nonlocal count
        is_lone = escape[2] is not None
        count += is_lone
        return r"\ufffd" if is_lone else escape[0]

    return _ESCAPE.sub(repair, text), count
