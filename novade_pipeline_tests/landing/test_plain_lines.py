"""Plain lines: what they say is what the slower ways would have read, and most lines are plain."""

import json
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novade_pipeline.json_rows.plain_lines import PlainLines
from novade_pipeline.lake.table import Table
from novade_pipeline.landing.json_lines import JsonLines
from novade_pipeline_tests.landing.lines import (
    MOMENTS,
    MakeChunk,
    every_line_is_cut_in_python,
    fields_of,
    nothing_is_plain,
    outcomes,
    padded,
    read,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
FRACTIONS = st.decimals(-(10**9), 10**9, places=3).map(float)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), FRACTIONS, TEXTS, st.floats(allow_nan=False)
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)
FIELDS = st.fixed_dictionaries(
    {"uuid": st.one_of(TEXTS, st.none())},
    optional={
        "$count": st.one_of(st.integers(-(2**64), 2**64), st.none()),
        "share": st.one_of(st.floats(allow_nan=False), FRACTIONS, st.integers(), st.none()),
        "paid": st.one_of(st.booleans(), st.none()),
        "at": st.one_of(MOMENTS.map(lambda at: at.isoformat(" ")), st.none()),
        "user_id": st.one_of(TEXTS, st.none()),
        "properties": DOCUMENTS,
        "extra": DOCUMENTS,
    },
)


@given(
    objects=st.lists(st.tuples(FIELDS, st.randoms(use_true_random=False)), min_size=1, max_size=6),
    in_ascii=st.booleans(),
    learned=st.booleans(),
)
@settings(max_examples=200)
def test_all_ways_read_the_same(
    objects: list[tuple[dict[str, Any], Any]],
    in_ascii: bool,
    learned: bool,
    table: Table,
    chunk_of: MakeChunk,
) -> None:
    lines = []
    for fields, order in objects:
        names = list(fields)
        order.shuffle(names)
        ordered = {name: fields[name] for name in names}
        lines.append(json.dumps(ordered, ensure_ascii=in_ascii, separators=(",", ":")).encode())
    with closing(JsonLines(table)) as parser:
        if learned:
            parser.parse(chunk_of([b'{"uuid":"a","extra":1}']))
        fastest = outcomes(parser.parse(chunk_of(lines)))
    for way in (nothing_is_plain, every_line_is_cut_in_python):
        with way(), closing(JsonLines(table)) as parser:
            assert outcomes(parser.parse(chunk_of(lines))) == fastest


def test_lines_as_writers_write_them_are_plain(plain: PlainLines) -> None:
    lines = [
        json.dumps({"uuid": "é", "$count": -n, "share": n / 8, "paid": n % 2 == 0, "user_id": None}
        | {"at": f"2026-03-01 22:00:00.{n:06}", "properties": {"a": [n, 0.5, None, {}, "\n"]}},
        ensure_ascii=False, separators=(",", ":")).encode()
        for n in range(100)
    ]  # fmt: skip
    parsed = read(plain, *lines)
    assert not parsed.rest
    assert parsed.numbers.tolist() == list(range(100))
    assert parsed.rows.slice(7, 1).to_pylist() == [
        {
            "uuid": "é",
            "count": -7,
            "share": 0.875,
            "paid": False,
            "at": datetime(2026, 3, 1, 22, 0, 0, 7, UTC),
            "user_id": None,
            "properties": '{"a":[7,0.5,null,{},"\\n"]}',
            "other_fields": None,
        }
    ]


def test_lines_that_are_not_plain_keep_their_numbers_and_bytes(plain: PlainLines) -> None:
    good, irregular = b'{"uuid":"a"}', b'{"uuid": "b"}'
    lines = [irregular if n % 9_001 == 0 else good for n in range(40_000)]
    parsed = read(plain, *lines)
    assert parsed.rest == dict.fromkeys(range(0, 40_000, 9_001), irregular)
    assert parsed.numbers.tolist() == [n for n in range(40_000) if n % 9_001]
    assert parsed.rows["uuid"].unique().to_pylist() == ["a"]


def test_nothing_is_nothing(plain: PlainLines, table: Table) -> None:
    parsed = plain.read(padded(b""), 0)
    assert (len(parsed.rows), parsed.rest) == (0, {})
    assert parsed.rows.column_names == [*(c.name for c in fields_of(table)), "other_fields"]


ODD = (
    *(b"", b" ", b"{", b"{}", b"[]", b"null", b'{"uuid"}', b'{"uuid":', b'{"uuid":}'),
    *(
        b'{"uuid":"a',
        b'{"uuid":"a"',
        b'{"uuid":"a"} ',
        b' {"uuid":"a"}',
        b'{"uuid":"a"}{',
        b'{"uuid":"a",}',
    ),
    *(b'{ "uuid":"a"}', b'{"uuid" :"a"}', b'{"uuid":"a" }', b'{"uuid":"a"}\r', b'{"uuid":01}'),
    *(b'{"uuid":null}', b'{"uuid":""}', b'{"$count":1}', b'{"uuid":"a","uuid":"b"}'),
    *(b'{"uuid":"a","new":1}', b'{"uuid":"a","Uuid":1}', b'{"uuid":"a","uuids":1}'),
    *(b'{"uuid":"a","user_i":"b"}', b'{"uuid":"a","":1}', b'{"uuid":"a""user_id":"b"}'),
    *(b'{"uuid":"a","user_id":nul}', b'{"uuid":"a","paid":tru}', b'{"uuid":"a","paid":1}'),
    *(b'{"uuid":"\\u0061"}', b'{"uuid":"\\/"}', b'{"uuid":"\\x"}', b'{"uuid":"\x01"}'),
    *(b'{"uuid":"\\', b'{"uuid":"a","user_id":"\\'),
)


@pytest.mark.parametrize("line", ODD)
def test_other_lines_are_given_back(line: bytes, plain: PlainLines) -> None:
    parsed = read(plain, b'{"uuid":"b"}', line, b'{"uuid":"c"}')
    assert parsed.rest == {1: line}
    assert parsed.rows["uuid"].to_pylist() == ["b", "c"]


def test_fields_come_in_any_order_and_may_be_missing(plain: PlainLines) -> None:
    parsed = read(
        plain,
        b'{"uuid":"a","$count":1,"paid":true}',
        b'{"paid":false,"uuid":"b","properties":[]}',
        b'{"properties":{},"uuid":"c","$count":3}',
        b'{"uuid":"d"}',
    )
    assert parsed.rest == {}
    assert parsed.rows.select(["uuid", "count", "paid", "properties"]).to_pylist() == [
        {"uuid": "a", "count": 1, "paid": True, "properties": None},
        {"uuid": "b", "count": None, "paid": False, "properties": "[]"},
        {"uuid": "c", "count": 3, "paid": None, "properties": "{}"},
        {"uuid": "d", "count": None, "paid": None, "properties": None},
    ]


NAMES = (
    *("n", "na", "a_name_of_sixteen", "a_name_of_sixteen_and_more", "a_name_of_sixteen_and_mora"),
    *('with "quotes"', "back\\slash", "new\nline", "é" * 9, "", "a/b"),
)


def test_fields_that_are_learned_are_plain(plain: PlainLines) -> None:
    plain.set_extra_fields(NAMES)
    fields = {name: n for n, name in enumerate(NAMES)}
    line = json.dumps({"uuid": "a", **fields}, ensure_ascii=False, separators=(",", ":")).encode()
    parsed = read(plain, line, b'{"uuid":"b","n":null,"na":{"x":1}}', b'{"uuid":"c","nam":1}')
    assert list(parsed.rest) == [2]
    first, second = parsed.rows["other_fields"].to_pylist()
    assert json.loads(first) == fields
    assert second == '{"na":{"x":1}}'


def test_where_types_are_left_open_values_are_kept_as_they_are_written(table: Table) -> None:
    parsed = read(
        PlainLines(fields_of(table), typed=False),
        b'{"uuid":"a","$count":1.50,"share":"7","paid":[1],"at":"now","user_id":{"a":1}}',
        b'{"uuid":null,"$count":null,"user_id":1e22,"properties":"x"}',
    )
    assert parsed.rows.to_pylist() == [
        {"uuid": "a", "count": "1.50", "share": '"7"', "paid": "[1]", "at": '"now"'}
        | {"user_id": '{"a":1}', "properties": None},
        dict.fromkeys(parsed.rows.column_names) | {"user_id": "1e22", "properties": '"x"'},
    ]


def test_what_was_read_stays_when_more_is_read(plain: PlainLines) -> None:
    line = '{{"uuid":"{0}","$count":{1},"share":0.{1},"paid":true,"properties":[{1}]}}'
    first = read(plain, *(line.format("a" * 20, 1).encode() for _ in range(100)))
    before = first.rows.to_pylist()
    read(plain, *(line.format("b" * 20, 2).encode() for _ in range(100)))
    assert first.rows.to_pylist() == before
