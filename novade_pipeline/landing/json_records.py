"""Records of JSON: an array of objects, or objects one after the other.

What hands write is read as it was meant: commas before a bracket that closes, and backslashes
that begin no escape of JSON. An array that is never closed was cut off, and is refused.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from novade_pipeline.landing.files import DamagedFile, LandedFile
from novade_pipeline.landing.records import (
    HEAD_CHARACTERS,
    MAX_RECORD_BYTES,
    Columns,
    Record,
    is_utf8,
)
from novade_pipeline.privacy.json_text import (
    LONE_SURROGATE,
    InvalidConstant,
    parse_float,
    read_json,
    repair_surrogates,
)

TRAILING_COMMA = "trailing_comma"
BROKEN_ESCAPE = "broken_escape"

_SPACE = re.compile(r"[ \t\r\n]*")
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|\\')
_COMMA = re.compile(r",(\s*[}\]])")
# Where an object that cannot be read probably ends.
_END = re.compile(r"\}(?=\s*,?\s*(?:[{[\]\dtfn-]|\Z))")
_OVERLAP = 256
# `int` raises for NaN and Infinity; `read_json` says where they are.
_DECODER = json.JSONDecoder(strict=False, parse_float=parse_float, parse_constant=int)
_KINDS = {str: "a text", list: "an array", bool: "true or false", type(None): "null"}


def json_records(texts: Iterator[str], file: LandedFile, columns: Columns) -> Iterator[Record]:
    """The objects, in order.

    Raises:
        DamagedFile: it begins as something else, or its array is never closed.
    """
    source = _Source(texts)
    first = source.peek()
    if first not in ("[", "{"):
        content = "nothing" if not first else "HTML or XML" if first == "<" else "something else"
        raise DamagedFile(file, f"expected a JSON array of objects, found {content}")
    is_array = first == "["
    if is_array:
        source.skip()
    record: Record | None = None
    after_comma = False
    while (character := source.peek()) and not (is_array and character == "]"):
        if character == ",":
            source.skip()
            after_comma = True
            continue
        if record is not None:
            yield record
        after_comma = False
        record = _next(source, columns)
        if record is None:
            raise DamagedFile(file, _cut_off(source, is_array))
    if is_array and not character:
        raise DamagedFile(file, _cut_off(source, is_array))
    if is_array:
        source.skip()
        if source.peek():
            raise DamagedFile(
                file, f"expected nothing after the array, found more in line {source.line}"
            )
    if record is not None:
        mended = (*record.mended, TRAILING_COMMA) if after_comma else record.mended
        yield replace(record, mended=tuple(dict.fromkeys(mended)))


def _next(source: "_Source", columns: Columns) -> Record | None:
    """The record that begins here; None where the text ends before it does."""
    line = source.line
    value, text = source.value()
    if text:
        value, kinds = _read(text) if "\\u" in text else (value, ())
        return _record(line, value, text, columns, kinds)
    rest = source.up_to_the_end_of_an_object()
    if rest is None:
        return None
    text, size = rest
    if size > MAX_RECORD_BYTES:
        reason = (
            f"expected a record of at most {MAX_RECORD_BYTES >> 20} MiB, found {size:,} characters"
        )
        return Record(line, None, text, size, reason)
    escaped = _ESCAPE.sub(lambda m: m[0] if len(m[0]) > 1 else "\\\\", text)
    for repaired, repairs in (
        (escaped, (BROKEN_ESCAPE,)),
        (_COMMA.sub(r"\1", text), (TRAILING_COMMA,)),
        (_COMMA.sub(r"\1", escaped), (BROKEN_ESCAPE, TRAILING_COMMA)),
    ):
        try:
            value, kinds = _read(repaired)
        except (ValueError, RecursionError):
            continue
        return _record(line, value, text, columns, (*repairs, *kinds))
    return Record(line, None, text, size, _why_not_json(text))


def _read(text: str) -> tuple[Any, tuple[str, ...]]:
    """(the value, the kinds of repairs in its strings)."""
    repaired, count = repair_surrogates(text)
    return read_json(repaired, strict=False), (LONE_SURROGATE,) if count else ()


def _why_not_json(text: str) -> str:
    try:
        read_json(text, strict=False)
    except InvalidConstant as error:
        return f"expected JSON, found at character {error.pos + 1} of the record: {error.msg}"
    except (ValueError, RecursionError):
        pass
    return "expected a JSON object, found it broken"


def _record(
    line: int, value: Any, text: str, columns: Columns, mended: tuple[str, ...] = ()
) -> Record:
    if not isinstance(value, dict):
        reason = f"expected an object, found {_KINDS.get(type(value), 'a number')}"
    elif len(text) > MAX_RECORD_BYTES:
        reason = f"expected a record of at most {MAX_RECORD_BYTES >> 20} MiB, found a longer one"
    elif not is_utf8(text):
        reason = "expected UTF-8 text, found other bytes"
    elif not any(str(item).strip() for item in value.values() if item is not None):
        return Record(line, None, text, len(text))
    else:
        values = {columns.column_of(name): value[name] for name in value}
        return Record(line, values, text, len(text), mended=mended)
    return Record(line, None, text, len(text), reason)


def _cut_off(source: "_Source", is_array: bool) -> str:
    what = "array" if is_array else "last object"
    return f"JSON ends early: its {what} is not closed by line {source.line}; land it again"


class _Source:
    """A text that is read as needed; what was parsed is dropped."""

    def __init__(self, texts: Iterator[str]) -> None:
        self._texts = texts
        self._text = ""
        self._at = 0
        self._ended = False
        self.line = 1

    def peek(self) -> str:
        """The next character that is not space, not consumed; empty at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            assert space is not None, "the pattern also matches nothing"
            self._go(space.end())
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def skip(self) -> None:
        """Consume one character."""
        self._go(self._at + 1)

    def value(self) -> tuple[Any, str]:
        """Parse a value: (value, its text); the text is empty where parsing fails."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                is_cut = end == len(self._text) and not isinstance(value, dict | list | str)
            except (ValueError, RecursionError):
                is_cut, end = True, -1
            within = len(self._text) - self._at <= MAX_RECORD_BYTES
            if is_cut and within and self._more():
                continue
            if end < 0:
                return None, ""
            text = self._text[self._at : end]
            self._go(end)
            return value, text

    def up_to_the_end_of_an_object(self) -> tuple[str, int] | None:
        """(the text up to where an object seems to end, its size); None where it never does."""
        head, size, offset = "", 0, 0
        while True:
            end = _END.search(self._text, self._at + offset)
            if end is not None and (end.end() < len(self._text) or self._ended):
                break
            rest = len(self._text) - self._at
            if rest > MAX_RECORD_BYTES:
                head = head or self._text[self._at : self._at + HEAD_CHARACTERS]
                size += rest - _OVERLAP
                self._go(len(self._text) - _OVERLAP)
                rest = _OVERLAP
            offset = max(0, rest - _OVERLAP)
            if not self._more() and end is None:
                return None
        text = self._text[self._at : end.end()]
        self._go(end.end())
        return head or text, size + len(text)

    def _go(self, to: int) -> None:
        self.line += self._text.count("\n", self._at, to)
        self._at = to

    def _more(self) -> bool:
        """Read on, and drop what was consumed; False at the end."""
        more = next(self._texts, None)
        if more is None:
            self._ended = True
            return False
        self._text = self._text[self._at :] + more
        self._at = 0
        return True
