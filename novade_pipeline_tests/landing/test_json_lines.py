"""From lines of JSON to typed rows: what becomes of a line depends on the line alone."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from novade_pipeline.json_rows.field_by_field import FieldByField
from novade_pipeline.lake.table import Table
from novade_pipeline.landing.json_lines import JsonLines
from novade_pipeline_tests.landing.lines import (
    FIRST,
    FITTING,
    GOOD,
    NAMES,
    ODD_LINES,
    VALUES,
    WAYS,
    MakeChunk,
    an_object,
    nothing_is_plain,
    outcomes,
)

A_LINE = st.one_of(
    st.just(GOOD),
    st.integers(0, 9).map(lambda n: GOOD.replace(b'"a"', b'"a%d"' % n)),
    st.sampled_from(ODD_LINES),
    st.builds(
        an_object,
        st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=4),
        st.sampled_from([",", ", ", " ,\t"]),
    ),
)


@pytest.fixture(scope="module")
def known() -> dict[bytes, Any]:
    """What became of lines alone, remembered from example to example."""
    return {}


@contextmanager
def nothing_is_read_field_by_field() -> Iterator[None]:
    """Lines are plain, or are once they are written anew."""
    read = FieldByField.read

    def refuse(self: FieldByField, lines: list[bytes]) -> Any:
        assert lines == []
        return read(self, lines)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FieldByField, "read", refuse)
        yield


def alone(line: bytes, table: Table, chunk_of: MakeChunk) -> Any:
    """What becomes of a line that nothing stands beside, in a parser that has read nothing."""
    with closing(JsonLines(table)) as parser:
        return outcomes(parser.parse(chunk_of([line]))).get(("file 0", 1), "blank")


@given(
    lines=st.lists(A_LINE, min_size=2, max_size=12),
    way=st.sampled_from(WAYS),
)
@example(lines=[GOOD + b"\x0c", b'{"uuid":1.}'], way=nothing_is_plain)
@example(lines=[b'{"uuid":"b","s\\u0000":1}', GOOD, b"NaN"], way=nothing_is_plain)
@example(lines=[b'{"uuid":"b","at":"99999-01-01"}', GOOD], way=nullcontext)
@example(lines=[GOOD + GOOD, b""], way=nullcontext)
@example(
    lines=[b'{"other_fields":{"a":null}, "s\\u0000":"\\u00e9\\/", "uuid":"b"}', GOOD],
    way=nullcontext,
)
@settings(max_examples=60)
def test_what_becomes_of_a_line_never_depends_on_its_neighbours(
    lines: list[bytes],
    way: Callable[[], AbstractContextManager[None]],
    table: Table,
    chunk_of: MakeChunk,
    known: dict[bytes, Any],
) -> None:
    with way(), closing(JsonLines(table)) as parser:
        mixed = parser.parse(chunk_of(lines))
    results = outcomes(mixed)
    for number, line in enumerate(lines, 1):
        if line not in known:
            known[line] = alone(line, table, chunk_of)
        assert results.get(("file 0", number), "blank") == known[line]
    assert len(results) + sum(mixed.blank) == len(lines)


@pytest.mark.parametrize("name", FITTING)
def test_the_faster_ways_give_what_the_slow_way_gives(
    name: str, parser: JsonLines, chunk_of: MakeChunk
) -> None:
    lines = [an_object([(name, value)], ",") for value in FITTING[name]]
    results = []
    for way in WAYS:
        with way():
            together = outcomes(parser.parse(chunk_of([*lines, b"{"])))
            results.append([together["file 0", number] for number in range(1, len(lines) + 1)])
            results.append(
                [outcomes(parser.parse(chunk_of([line])))["file 0", 1] for line in lines]
            )
    for line, of_line in zip(lines, zip(*results, strict=True), strict=True):
        assert len(set(of_line)) == 1, line


@pytest.mark.parametrize("uuid", ["é" * 50, "x" + "é" * 50])
def test_a_long_text_beside_an_unknown_field_is_whole(
    uuid: str, parser: JsonLines, chunk_of: MakeChunk
) -> None:
    line = f'{{"uuid":"{uuid}","new":1}}'.encode()
    parsed = parser.parse(chunk_of([GOOD, line]))
    assert parsed.rows["uuid"].to_pylist() == ["a", uuid]


def test_a_good_chunk_is_read_the_fast_way(parser: JsonLines, chunk_of: MakeChunk) -> None:
    with nothing_is_read_field_by_field():
        parser.parse(chunk_of([GOOD] * 9))
        parsed = parser.parse(chunk_of([GOOD, b"", GOOD], [GOOD]))
    assert parsed.rows["line"].to_pylist() == [1, 3, 1]
    assert parsed.blank == (1, 0)


@pytest.mark.parametrize("rest", ["T22:00:00", " 22:00:00.1", " 22:00:00.123456"])
def test_a_time_to_the_microsecond_is_read_the_fast_way(
    rest: str, parser: JsonLines, chunk_of: MakeChunk
) -> None:
    with nothing_is_read_field_by_field():
        parsed = parser.parse(chunk_of([GOOD, f'{{"uuid":"a","at":"2026-03-01{rest}"}}'.encode()]))
    assert parsed.rows["at"][1].as_py() == datetime.fromisoformat(f"2026-03-01{rest}Z")


def test_odd_times_among_many_are_read_beside_them(parser: JsonLines, chunk_of: MakeChunk) -> None:
    lines = [GOOD] * 3_000
    times = {
        7: "2026-03-01",
        1_500: "2026-02-30 00:00:00.000000",
        2_999: "2026-03-01T22:00:00Z",
    }
    for at, time in times.items():
        lines[at] = f'{{"uuid":"{at}","at":"{time}"}}'.encode()
    parsed = parser.parse(chunk_of(lines))
    assert [(bad.line - 1, bad.reason) for bad in parsed.bad] == [
        (1_500, "at: expected a time, found a text")
    ]
    assert parsed.rows["at"][7].as_py() == datetime(2026, 3, 1, tzinfo=UTC)
    assert parsed.rows["at"][2_998].as_py() == FIRST


@pytest.mark.parametrize(
    "line",
    [
        '{ "uuid" : "a" , "$count" : 1 }',
        '{"uuid":"\\u0061","user_id":"\\ud83d\\ude00","properties":{"\\u00e9":"\\/"}}',
        '{"uuid":"a","user_id":1.10,"properties":[1.10,1e22,12345678901234567890]}',
        '{"uuid":"a","user_id":"\\ud83d","properties":{"\\udc00":1}}',
        '\ufeff{"uuid":"a"}',
        '{"uuid":"a","share":0.00001,"$count":7}',
    ],
)
def test_a_line_that_others_write_otherwise_is_read_the_fast_way(
    line: str, parser: JsonLines, chunk_of: MakeChunk
) -> None:
    with nothing_is_read_field_by_field():
        parsed = parser.parse(chunk_of([GOOD, line.encode()]))
    assert parsed.rows["uuid"].to_pylist() == ["a", "a"]


def test_an_unknown_field_is_learned_and_read_the_fast_way(
    parser: JsonLines, chunk_of: MakeChunk
) -> None:
    line = b'{"uuid":"a","new":{"b": 1.50}}'
    parser.parse(chunk_of([GOOD, line]))
    with nothing_is_read_field_by_field():
        parsed = parser.parse(chunk_of([GOOD, line]))
    assert parsed.rows["other_fields"].to_pylist() == [None, '{"new":{"b":1.50}}']


def test_values_stand_in_their_columns(parser: JsonLines, chunk_of: MakeChunk) -> None:
    line = (
        b'{"uuid":"a","$count":-7,"share":0.25,"paid":true,"at":"2026-03-01 22:00:00.123456",'
        b'"user_id":"u","properties":{"a":[1,null]},"z":1,"b":"x","nothing":null}'
    )
    (row,) = parser.parse(chunk_of([line])).rows.to_pylist()
    assert row == {
        "upload_date": FIRST.date(),
        "upload_hour": FIRST,
        "file": "file 0",
        "line": 1,
        "uuid": "a",
        "count": -7,
        "share": 0.25,
        "paid": True,
        "at": datetime(2026, 3, 1, 22, 0, 0, 123456, UTC),
        "user_id": "u",
        "properties": '{"a":[1,null]}',
        "other_fields": '{"b":"x","z":1}',
    }


REASONS = {
    b'{"uuid":"a","$count":"seven"}': "count: expected an integer, found a text",
    b'{"uuid":"a","$count":9223372036854775808}': "count: expected an integer, found a number",
    b'{"uuid":"a","$count":{}}': "count: expected an integer, found an object",
    b'{"uuid":"a","$count":1.5}': "count: expected an integer, found a number",
    b'{"uuid":"a","$count":true}': "count: expected an integer, found true or false",
    b'{"uuid":"a","share":[]}': "share: expected a number, found an array",
    b'{"uuid":"a","share":1e400}': "share: expected a number, found one that is too large",
    b'{"uuid":"a","share":"NaN"}': "share: expected a number, found a text",
    b'{"uuid":"a","paid":"perhaps"}': "paid: expected true or false, found a text",
    b'{"uuid":"a","at":"yesterday"}': "at: expected a time, found a text",
    b'{"uuid":"a","at":true}': "at: expected a time, found true or false",
    b'{"uuid":"a","at":"infinity"}': "at: expected a time, found a text",
    b'{"uuid":"a","at":"epoch"}': "at: expected a time, found a text",
    b'{"uuid":"a","at":"99999-01-01"}': "at: expected a time, found none near ours",
    b'{"uuid":"a","at":"0001-01-01"}': "at: expected a time, found none near ours",
    b'{"uuid":null}': "uuid: expected a value, found none",
    b"{}": "uuid: expected a value, found none",
    b'{"uuid":""}': "uuid: expected a text, found none",
    b'{"uuid":"a","uuid":"b"}': "expected each field once, found one twice",
    b'{"uuid":"a","new":1,"new":1}': "expected each field once, found one twice",
    b"[1,2]": "expected a JSON object, found an array",
    b"null": "expected a JSON object, found null",
    b"7": "expected a JSON object, found a number",
    b'{"uuid": "a", "x":': "expected JSON, found at character 19: Expecting value",
    b'{"uuid":"a\xff"}': "expected UTF-8, found another byte at position 11",
    b'{"uuid":"a","x":"\xed\xa0\x80"}': "expected UTF-8, found another byte at position 18",
    b'{"uuid":"a","share":NaN}': "expected JSON, found at character 21: NaN is not a JSON value",
    b'\xef\xbb\xbf{"uuid":"\xc3\xa9 NaN","x":{"y":[-Infinity]}}': (
        "expected JSON, found at character 28: -Infinity is not a JSON value"
    ),
    b'{"uuid":"a","x":nan}': "expected JSON, found at character 17: Expecting value",
    b'{"uuid":"a","x":' + b"[" * 800 + b"]" * 800 + b"}": (
        "expected JSON, found at character 816: more than 800 levels"
    ),
    b'{"uuid":"a","x":[-' + b"1" * 1000 + b"]}": (
        "expected JSON, found at character 18: a number of more than 1,000 characters"
    ),
}


@pytest.mark.parametrize(("line", "reason"), REASONS.items(), ids=range(len(REASONS)))
def test_a_bad_line_has_a_reason(
    line: bytes, reason: str, parser: JsonLines, chunk_of: MakeChunk
) -> None:
    (bad,) = parser.parse(chunk_of([line])).bad
    assert (bad.reason, bad.raw, bad.raw_bytes) == (reason, line, len(line))


@pytest.mark.parametrize("others", [0, 300])
def test_the_time_that_says_which_day_a_row_is_of_is_one_of_ours(
    others: int, table: Table, chunk_of: MakeChunk
) -> None:
    table = dataclasses.replace(table, data_time="at")
    lines = [b'{"uuid":"a","at":"2199-12-31"}', b'{"uuid":"b","at":"2200-01-01"}', *[GOOD] * others]
    with closing(JsonLines(table)) as parser:
        parsed = parser.parse(chunk_of(lines))
    assert [bad.reason for bad in parsed.bad] == ["at: expected a time, found none near ours"]
    assert len(parsed.rows) == 1 + others


def test_a_reason_tells_no_value(parser: JsonLines, chunk_of: MakeChunk) -> None:
    secret = b"jane@example.com"
    lines = [line.replace(b'"a"', b'"' + secret + b'"') for line in REASONS if b'"a"' in line]
    lines += [b'{"uuid":"a","at":"' + secret + b'"}', b'{"uuid":"' + secret, secret]
    bad = parser.parse(chunk_of(lines)).bad
    assert len(bad) == len(lines)
    assert not [b.reason for b in bad if "jane" in b.reason]


@pytest.mark.parametrize("megabytes", [1, 5, 12])
def test_a_long_line_is_a_row_like_any_other(
    megabytes: int, parser: JsonLines, chunk_of: MakeChunk
) -> None:
    text = "x" * (megabytes << 20)
    parsed = parser.parse(
        chunk_of([GOOD, b'{"uuid":"b","user_id":"' + text.encode() + b'"}', GOOD])
    )
    assert parsed.rows["user_id"].to_pylist() == [None, text, None]


def test_a_time_with_an_offset_is_that_moment(parser: JsonLines, chunk_of: MakeChunk) -> None:
    lines = [
        b'{"uuid":"a","at":"2026-03-01 22:00:00+02"}',
        b'{"uuid":"a","at":"2026-03-01T22:00:00-05:30"}',
        b'{"uuid":"a","at":"2026-03-01T22:00:00Z"}',
    ]
    results = parser.parse(chunk_of(lines)).rows["at"].to_pylist()
    assert [f"{at:%d %H:%M}" for at in results] == ["01 20:00", "02 03:30", "01 22:00"]


def test_more_unknown_fields_than_a_template_holds_are_all_kept(
    parser: JsonLines, chunk_of: MakeChunk
) -> None:
    fields = {f"new{n:03}": n for n in range(300)}
    line = json.dumps({"uuid": "a", **fields}).encode()
    (kept,) = parser.parse(chunk_of([line])).rows["other_fields"].to_pylist()
    assert json.loads(kept) == fields


def test_fields_that_differ_in_case_alone_are_both_kept(
    parser: JsonLines, chunk_of: MakeChunk
) -> None:
    line = b'{"uuid":"a","UUID":"b","new":1,"New":2}'
    (row,) = parser.parse(chunk_of([line, GOOD])).rows.slice(0, 1).to_pylist()
    assert row["uuid"] == "a"
    assert json.loads(row["other_fields"]) == {"UUID": "b", "new": 1, "New": 2}


def test_lines_are_numbered_within_their_files(parser: JsonLines, chunk_of: MakeChunk) -> None:
    parsed = parser.parse(chunk_of([GOOD, b""], [], [b"", b"{", GOOD], [GOOD]))
    assert sorted(outcomes(parsed)) == [("file 0", 1), ("file 2", 2), ("file 2", 3), ("file 3", 1)]
    assert parsed.blank == (1, 0, 1, 0)
    assert parsed.index.tolist() == [0, 2, 3]


def test_an_empty_chunk_has_no_rows(parser: JsonLines, chunk_of: MakeChunk) -> None:
    parsed = parser.parse(chunk_of([], []))
    assert (len(parsed.rows), parsed.bad, parsed.blank) == (0, (), (0, 0))


def test_a_chunk_of_bad_lines_only_has_the_tables_columns(
    parser: JsonLines, chunk_of: MakeChunk, table: Table
) -> None:
    parsed = parser.parse(chunk_of([b"\xff", b"{"]))
    assert parsed.rows.schema == table.schema
    assert len(parsed.bad) == 2


def test_a_few_bad_lines_among_many_are_found(parser: JsonLines, chunk_of: MakeChunk) -> None:
    lines = [GOOD] * 2_000
    wrong = {17: b"{", 1_000: b'{"uuid":null}', 1_001: b'{"uuid":"a","new":1', 1_999: b"\xff"}
    for at, line in wrong.items():
        lines[at] = line
    parsed = parser.parse(chunk_of(lines))
    assert [bad.line - 1 for bad in parsed.bad] == list(wrong)
    assert len(parsed.rows) == len(lines) - len(wrong)
