"""Lines of plays, most of them odd, and what becomes of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from novade_pipeline.json_rows.compiled.padding import PADDING
from novade_pipeline.json_rows.plain_lines import Plain, PlainLines
from novade_pipeline.json_rows.text import OTHER_FIELDS, Text
from novade_pipeline.lake.table import Table
from novade_pipeline.landing.chunks import Chunk
from novade_pipeline.landing.json_lines import LANDED, Parsed

GOOD = b'{"uuid":"a","$count":1,"at":"2026-03-01 22:00:00.000001","properties":{"x":[1]}}'
FIRST = datetime(2026, 3, 1, 22, tzinfo=UTC)
COLUMNS = ("uuid", "count", "share", "paid", "at", "user_id", "properties", "other_fields")
MakeChunk = Callable[..., Chunk]

NUMBERS = (
    *("1", "-0", "1.0", "1.5", "1e3", "1e400", "9223372036854775808", "18446744073709551616"),
    *("123456789012345678901234567890", "9007199254740993.0", "NaN", "Infinity", "-Infinity"),
    *("01", "+1", ".5", "1.", "0x10", '"1"', '" 1 "', '"1.5"', '"1e3"', '"0x10"', '"1_000"'),
    *('"NaN"', "null", "true", '""', '"abc"', "{}", "[]"),
)
WORDS = ("true", "false", "null", '"true"', '"t"', '"yes"', "1", "0", "2", '"abc"', '""')
TEXTS = (
    *('""', '"abc"', '"null"', '"\\u0000"', '"\\ud800"', '"\\u00e9\\/"', '"\\ud83d\\ude00"'),
    *('"😀"', "1", "1.10", "1e400", "true", "null", "NaN", "{}", "[1, 2]", '{ "a" : 1.10 }'),
    *("1e22", "12345678901234567890.5", "-0", "9" * 999, "9" * 1001, "0.10E+01", "[1.50]"),
    *(
        '"cut here \\ud83d"',
        '"\\ude00"',
        '"\\uDBFF\\uDFFF \\ud83d\\ud83d\\ude00"',
        '"\\u12"',
        '"\\u001F"',
    ),
)
TIMES = (
    *(
        f'"2026-03-01{rest}"'
        for rest in ("", " 22", " 22:00", " 22:00:00", "T22:00:00", " 22:00:00Z")
    ),
    *(f'"2026-03-01 22:00:00.{rest}"' for rest in ("1", "1234567", "123+02", "123 UTC")),
    *('"2026-3-1 2:0:0"', '"2026-02-30 00:00:00"', '"2026-03-01 24:00:00"', '"infinity"'),
    *('"-infinity"', '"epoch"', '"now"', '"0001-01-01"', '"99999-01-01"', '"01/03/2026"'),
    *('"20260301"', '"2026-03-01 22:00:60"', '" 2026-03-01 22:00:00.5 "', "1772402400"),
    *('"2026-03-01T22:00:00.000001"', '"2026-03-01 22:00:00.123456789"', '"0000-00-00 00:00:00"'),
    *('"2026-03-01 22:00:00.123+00"', '"2026-03-01T22:00:00.12345Z"', '"2026-03-01 22:00:00."'),
    *('"2026-03-01 220000.00000000"', '"2026-03-01 22:00:00.12345 "', '"2026-03-01 25:00:00"'),
    *('"20260301T220000.123456"', '{"a":"2026-03-01 22:00:00"}', "20260301220000.00000000"),
)
DOCUMENTS = (
    *('{ "email" : {"b":[1,{"c":null}]} }', "[1,]", '{"a":1,}', '{"a":NaN}', '{"a":1e999}'),
    *('{"a":-0.0}', '{"a":1/*c*/}', '{"a":1E5}', '{"a":18446744073709551616}', '"\\u00e9\\/"'),
    *('{"a":1.10,"a":null}', '{"a":"' + "é" * 99 + '"}', "null", "1e400", "NaN", '"null"'),
    *('{"price":NaN,"ratio":-Infinity}', '[[{"a":[nan]}]]', "[Infinity]", "-Infinity", "[-inf]"),
    *(
        '{"title":"cut here \\ud83d"}',
        '{"\\udc00":["\\ud800",{"a\\ud800":1}]}',
        '{"a":"\\\\ud83d"}',
    ),
    *('{"a":12345678901234567890.123}', '{"a":0.10e-05}', '{"\\u0007":"\\u0000\\u000a\\u001F"}'),
    *("[" * 61 + "]" * 61, "[" * 799 + "1" + "]" * 799, "[" * 800 + "1" + "]" * 800),
    *("[" + "7" * 1000 + "]", "[" + "7" * 1001 + "]", '{"a" :\t[ 1 ,{ } , [ ]\r] }'),
)
VALUES = tuple(dict.fromkeys((*NUMBERS, *WORDS, *TEXTS, *TIMES, *DOCUMENTS)))
MOMENTS = st.datetimes(datetime(1899, 1, 1), datetime(2201, 1, 1))
FITTING = {
    "$count": NUMBERS,
    "share": NUMBERS,
    "paid": WORDS,
    "at": TIMES,
    "user_id": TEXTS,
    "properties": DOCUMENTS,
    "extra": DOCUMENTS,
}
NAMES = (
    *("uuid", "$count", "share", "paid", "at", "user_id", "properties", "uu\\u0069d"),
    *("UUID", "count", "$COUNT", "upload_hour", "file", "line", "other_fields", "extra", "Extra"),
    *("", "a/b", "a~b", 'a\\"b', "a'b", "a.b", "$.x", "0", "é", "É", "*", "\\n", "\\u0000", "/"),
    *("text", "json", "column0", "filename", "i", "null", "extra_1", "s\\u0000"),
    *("\\ud800", "x\\udc00y", "\\ud83d\\ude00", "\\u001f", "\\ufffd"),
)
ODD_LINES = (
    *(b"", b" ", b"\t", b"\r", b" \r", b"\x0b", b"\x0c", b"\x00", b"\xef\xbb\xbf", b"\xc2\xa0"),
    *(b"\x1c", b"\x85", b"\xe2\x80\xa8", b"{}", b"[]", b"[1,2]", b"null", b"1", b'"x"', b"NaN"),
    *(GOOD[:-1], GOOD + b"}", GOOD + b" x", GOOD + GOOD, GOOD + b" " + GOOD, GOOD + b"," + GOOD),
    *(GOOD + b",", b"," + GOOD, b"[" + GOOD + b"]", b" " + GOOD + b"\t", GOOD + b"\r"),
    *(GOOD + b"\x0c", b"\x0b" + GOOD, GOOD + b"\x00", b"\x00" + GOOD, b"\xef\xbb\xbf" + GOOD),
    *(b'{"uuid":"\xff"}', b'{"uuid":"\xed\xa0\x80"}', b'{"uuid":"a\x01"}', b'{"uuid":"a",}'),
    *(b'{uuid:"a"}', b"{'uuid':'a'}", b"//" + GOOD, b"/**/" + GOOD, GOOD + b"//"),
    *(b'{"uuid":"a"\r}', b'{"uuid":null}', b'{"uuid":""}', b'{"uuid":"a","uuid":"b"}'),
    *(b'{"uuid":"a","properties":' + b"[" * deep + b"1" + b"]" * deep + b"}" for deep in (9, 1500)),
)


def an_object(fields: Sequence[tuple[str, str]], gap: str) -> bytes:
    written = gap.join(f'"{name}":{value}' for name, value in fields)
    return f'{{"uuid":"b"{gap if fields else ""}{written}}}'.encode()


def outcomes(parsed: Parsed) -> dict[tuple[str, int], Any]:
    """(file, line) -> the row's values or why it is none; blank lines are not in it."""
    rows = {
        (row["file"], row["line"]): tuple(repr(row[name]) for name in COLUMNS)
        for row in parsed.rows.to_pylist()
    }
    bad = {(bad.file_slice.file.file, bad.line): (bad.reason, bad.raw) for bad in parsed.bad}
    assert not rows.keys() & bad.keys()
    return rows | bad


def padded(lines: bytes) -> Text:
    """As chunks have them."""
    return np.array([*lines, *bytes(PADDING)], np.uint8)


@contextmanager
def nothing_is_plain(*, but_to_cut: bool = True) -> Iterator[None]:
    """All lines are read as those are that are not plain, even when they are written anew.

    Args:
        but_to_cut: their fields are still cut out by compiled code.
    """
    read = PlainLines.read

    def give_back(self: PlainLines, text: Text, size: int) -> Plain:
        if but_to_cut and not self._typed:
            return read(self, text, size)
        rest = text[:size].tobytes().split(b"\n")[:-1]
        return replace(read(self, text, 0), rest=dict(enumerate(rest)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PlainLines, "read", give_back)
        yield


def every_line_is_cut_in_python() -> AbstractContextManager[None]:
    """No line is read by compiled code, but to write it anew."""
    return nothing_is_plain(but_to_cut=False)


WAYS = (nullcontext, nothing_is_plain, every_line_is_cut_in_python)
"""To read lines: all give the same."""


def fields_of(table: Table) -> list[Any]:
    """The columns that a line has values for."""
    return [c for c in table.columns if c.name not in (*LANDED, OTHER_FIELDS)]


def read(plain: PlainLines, *lines: bytes) -> Plain:
    """What a reader of plain lines makes of lines."""
    text = b"".join(line + b"\n" for line in lines)
    return plain.read(padded(text), len(text))


def values(plain: PlainLines, field: str, *values: str) -> tuple[list[Any], list[int]]:
    """(what the plain ones among the values are, which are not plain)."""
    parsed = read(plain, *(f'{{"uuid":"a","{field}":{value}}}'.encode() for value in values))
    return parsed.rows[field.strip("$")].to_pylist(), list(parsed.rest)
