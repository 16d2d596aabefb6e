"""Texts in lines of JSON: digits where a text is meant, and halves of surrogate pairs."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from novade_pipeline.landing.json_lines import JsonLines
from novade_pipeline.privacy.json_text import LONE_SURROGATE
from novade_pipeline_tests.landing.lines import (
    GOOD,
    WAYS,
    MakeChunk,
)


@pytest.mark.parametrize(("name", "read"), [("\\ud800", "\ufffd"), ("x\\udc00y", "x\ufffdy")])
def test_half_a_pair_in_a_fields_name_stops_no_line_to_come(
    name: str, read: str, parser: JsonLines, chunk_of: MakeChunk
) -> None:
    lines = [f'{{"uuid":"a","{name}":1}}'.encode(), b'{"uuid":"b","new":1}']
    for _ in range(2):
        parsed = parser.parse(chunk_of(lines))
        assert parsed.bad == ()
        assert parsed.rows["other_fields"].to_pylist() == [f'{{"{read}":1}}', '{"new":1}']


DIGITS = ("1.10", "1e22", "1E+2", "12345678901234567890.5", "98765432109876543210", "0.0", "-0")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("digits", DIGITS)
def test_a_number_where_a_text_is_meant_keeps_its_digits(
    digits: str,
    way: Callable[[], AbstractContextManager[None]],
    parser: JsonLines,
    chunk_of: MakeChunk,
) -> None:
    line = f'{{"uuid":"a","user_id":{digits},"properties":{{"a":[{digits}]}},"extra":{digits}}}'
    with way():
        (row,) = parser.parse(chunk_of([line.encode()])).rows.to_pylist()
    assert row["user_id"] == digits
    assert row["properties"] == f'{{"a":[{digits}]}}'
    assert row["other_fields"] == f'{{"extra":{digits}}}'


HALVES = {
    r"cut here \ud83d": "cut here \ufffd",
    r"\uDE00 cut": "\ufffd cut",
    r"\ud83d\ud83d\ude00": "\ufffd😀",
    r"\ude00\ud83d": "\ufffd\ufffd",
    r"\ud83dx\ude00": "\ufffdx\ufffd",
    r"\ud83d\n\\": "\ufffd\n\\",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("written", "read"), HALVES.items())
def test_half_a_surrogate_pair_is_replaced_wherever_it_stands_and_counted(
    written: str,
    read: str,
    way: Callable[[], AbstractContextManager[None]],
    parser: JsonLines,
    chunk_of: MakeChunk,
) -> None:
    fields = (
        f'"uuid":"{written}"',
        f'"uuid":"a","user_id":"{written}"',
        f'"uuid":"a","properties":{{"title":["{written}"]}}',
        f'"uuid":"a","properties":{{"{written}":1}}',
        f'"uuid":"a","{written}":1',
        f'"uuid":"a","extra":"{written}"',
    )
    with way():
        parsed = parser.parse(chunk_of([GOOD], [f"{{{line}}}".encode() for line in fields]))
    assert parsed.bad == ()
    assert parsed.mended == ({}, {LONE_SURROGATE: len(fields)})
    rows = parsed.rows.to_pylist()[1:]
    assert (rows[0]["uuid"], rows[1]["user_id"]) == (read, read)
    documents = [json.loads(row["properties"] or row["other_fields"]) for row in rows[2:]]
    assert documents == [{"title": [read]}, {read: 1}, {read: 1}, {"extra": read}]


def test_what_only_looks_like_half_a_pair_is_left_alone(
    parser: JsonLines, chunk_of: MakeChunk
) -> None:
    line = rb'{"uuid":"\\ud83d","user_id":"\ud83d\ude00","properties":"\\\\ud83d \ufffd"}'
    parsed = parser.parse(chunk_of([line]))
    (row,) = parsed.rows.to_pylist()
    assert (row["uuid"], row["user_id"]) == ("\\ud83d", "😀")
    assert json.loads(row["properties"]) == "\\\\ud83d \ufffd"
    assert parsed.mended == ({},)


def test_a_repaired_line_that_is_no_row_is_not_counted(
    parser: JsonLines, chunk_of: MakeChunk
) -> None:
    parsed = parser.parse(
        chunk_of([rb'{"uuid":null,"x":"\ud83d"}', rb'{"uuid":"\ud83d","uuid":1}'])
    )
    assert (len(parsed.bad), parsed.mended) == (2, ({},))


def test_a_byte_order_mark_begins_a_line_like_any_other(
    parser: JsonLines, chunk_of: MakeChunk
) -> None:
    mark = b"\xef\xbb\xbf"
    parsed = parser.parse(chunk_of([GOOD, mark + GOOD, mark, mark + mark + b" " + GOOD, mark[:2]]))
    assert parsed.rows["line"].to_pylist() == [1, 2, 4]
    assert (parsed.blank, [bad.line for bad in parsed.bad]) == ((1,), [5])
