"""JSON as RFC 8259 has it, in Python: numbers keep their digits, and any parser reads the result.

Python's own module reads and writes `NaN` and `Infinity`, which are no JSON, rounds what has more
digits than a float, and keeps half a surrogate pair, which no file can hold.

Source: https://www.rfc-editor.org/rfc/rfc8259, sections 6 and 8.2.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any

LONE_SURROGATE = "lone_surrogate"
"""The kind of repair that `without_lone_surrogates` makes."""

_HIGH, _LOW = r"u[dD][89abAB][0-9a-fA-F]{2}", r"u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf"\\(?:({_HIGH}\\{_LOW})|({_HIGH}|{_LOW})|.)", re.DOTALL)
_CONSTANT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|(NaN|-?Infinity)', re.DOTALL)

# What may be a number that Python writes otherwise, or none of JSON: with an exponent, a zero at
# its end, many digits or a small value.
_ODD_NUMBER = re.compile(r"[0-9][eE]|\.[0-9]*0(?![0-9])|[0-9.]{17}|0\.000|NaN|Infinity")


class WrittenNumber(float):
    """A number whose digits are more, or others, than Python would write."""

    written: str

    def __new__(cls, written: str) -> "WrittenNumber":
        """The number that a text of JSON is."""
        number = super().__new__(cls, written)
        number.written = written
        return number

    def __str__(self) -> str:
        return self.written


class NoValue(json.JSONDecodeError):
    """A text has NaN or Infinity, which many programs write, and JSON does not have."""


def read_json(text: str, *, strict: bool = True) -> Any:
    """The value of a text of JSON; its numbers, if they are no integers, as they are written.

    Args:
        strict: refuse control characters in texts.

    Raises:
        NoValue: it has NaN or Infinity, and was JSON up to there.
        json.JSONDecodeError: it is no JSON.
        ValueError: it has an integer of thousands of digits.
        RecursionError: it is nested too deep.
    """

    def refuse(constant: str) -> Any:
        found = next(match for match in _CONSTANT.finditer(text) if match[1] is not None)
        raise NoValue(f"{constant} is no value of JSON", text, found.start())

    return json.loads(text, parse_float=number_of, parse_constant=refuse, strict=strict)


def write_json(value: Any, separators: tuple[str, str] = (",", ":")) -> str:
    """A value as JSON; a float that JSON does not have becomes its name, a text.

    Args:
        separators: what stands between items, and between a name and its value.
    """
    comma, colon = separators
    if isinstance(value, WrittenNumber):
        return value.written
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(json.dumps(value))
    if isinstance(value, dict):
        fields = []
        for name, item in value.items():
            written = json.dumps(name, ensure_ascii=False)
            fields.append(f"{written}{colon}{write_json(item, separators)}")
        return f"{{{comma.join(fields)}}}"
    if isinstance(value, list | tuple):
        items = []
        for item in value:
            items.append(write_json(item, separators))
        return f"[{comma.join(items)}]"
    return json.dumps(value, ensure_ascii=False, default=str)


def rewritten(text: str, change: Callable[[Any], Any]) -> str:
    """A text of JSON after a change of its value; numbers stay as they are written.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested too deep.
    """
    if _ODD_NUMBER.search(text):
        return write_json(change(read_json(text)))
    # Several times as fast.
    return json.dumps(change(json.loads(text)), ensure_ascii=False, separators=(",", ":"))


def number_of(text: str) -> float:
    """A number that `write_json` writes as it is written here."""
    number = float(text)
    return number if repr(number) == text else WrittenNumber(text)


def without_lone_surrogates(text: str) -> tuple[str, int]:
    """A text of JSON with U+FFFD for each half of a surrogate pair, and how many there were.

    An escape of a half is legal; what it stands for has no bytes in UTF-8. Halves that are no
    escapes come from bytes that are not UTF-8; two that make a pair become its character.
    """
    if not text.isascii():
        whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        found, text = whole.count("\ufffd") - text.count("\ufffd"), whole
    else:
        found = 0
    if "\\u" not in text:
        return text, found

    def repaired(escape: re.Match[str]) -> str:
        nonlocal found
        found += escape[2] is not None
        return escape[0] if escape[2] is None else r"\ufffd"

    return _ESCAPE.sub(repaired, text), found
