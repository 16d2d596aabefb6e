"""Plain lines: what they say is what the slower ways would have read, and most lines are plain."""

import hashlib
import json
import os
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from novade_pipeline.lake.table import Table
from novade_pipeline.landing.chunks import PADDING
from novade_pipeline.landing.compiled import hashes, scan
from novade_pipeline.landing.json_lines import LANDED, OTHER_FIELDS, JsonLines
from novade_pipeline.landing.plain_lines import Plain, PlainLines
from novade_pipeline_tests.landing.lines import MakeChunk, nothing_is_plain, outcomes, padded

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
TIMES = st.datetimes(datetime(1899, 1, 1), datetime(2201, 1, 1))
FIELDS = st.fixed_dictionaries(
    {"uuid": st.one_of(TEXTS, st.none())},
    optional={
        "$count": st.one_of(st.integers(-(2**64), 2**64), st.none()),
        "share": st.one_of(st.floats(allow_nan=False), FRACTIONS, st.integers(), st.none()),
        "paid": st.one_of(st.booleans(), st.none()),
        "at": st.one_of(TIMES.map(lambda at: at.isoformat(" ")), st.none()),
        "user_id": st.one_of(TEXTS, st.none()),
        "properties": DOCUMENTS,
        "extra": DOCUMENTS,
    },
)


@pytest.fixture
def plain(table: Table) -> PlainLines:
    """Reads plain lines of plays."""
    return PlainLines(_fields(table))


def _fields(table: Table) -> list[Any]:
    return [c for c in table.columns if c.name not in (*LANDED, OTHER_FIELDS)]


def read(plain: PlainLines, *lines: bytes) -> Plain:
    text = b"".join(line + b"\n" for line in lines)
    return plain.read(padded(text), len(text))


def values(plain: PlainLines, field: str, *values: str) -> tuple[list[Any], list[int]]:
    """(what the plain ones among the values are, which are not plain)."""
    found = read(plain, *(f'{{"uuid":"a","{field}":{value}}}'.encode() for value in values))
    return found.rows[field.strip("$")].to_pylist(), list(found.rest)


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
        told = {name: fields[name] for name in names}
        lines.append(json.dumps(told, ensure_ascii=in_ascii, separators=(",", ":")).encode())
    with closing(JsonLines(table)) as parser:
        if learned:
            parser.parse(chunk_of([b'{"uuid":"a","extra":1}']))
        fastest = outcomes(parser.parse(chunk_of(lines)))
    with nothing_is_plain(), closing(JsonLines(table)) as parser:
        assert outcomes(parser.parse(chunk_of(lines))) == fastest


def test_lines_as_writers_write_them_are_plain(plain: PlainLines) -> None:
    lines = [
        json.dumps({"uuid": "é", "$count": -n, "share": n / 8, "paid": n % 2 == 0, "user_id": None}
        | {"at": f"2026-03-01 22:00:00.{n:06}", "properties": {"a": [n, 0.5, None, {}, "\n"]}},
        ensure_ascii=False, separators=(",", ":")).encode()
        for n in range(100)
    ]  # fmt: skip
    found = read(plain, *lines)
    assert not found.rest
    assert found.numbers.tolist() == list(range(100))
    assert found.rows.slice(7, 1).to_pylist() == [
        {
            "uuid": "é",
            "count": -7,
            "share": 0.875,
            "paid": False,
            "at": datetime(2026, 3, 1, 22, 0, 0, 7, UTC),
            "user_id": None,
            "properties": '{"a":[7,0.5,null,{},"\\n"]}',
        }
    ]


def test_lines_that_are_not_plain_keep_their_numbers_and_bytes(plain: PlainLines) -> None:
    good, odd = b'{"uuid":"a"}', b'{"uuid": "b"}'
    lines = [odd if n % 9_001 == 0 else good for n in range(40_000)]
    found = read(plain, *lines)
    assert found.rest == dict.fromkeys(range(0, 40_000, 9_001), odd)
    assert found.numbers.tolist() == [n for n in range(40_000) if n % 9_001]
    assert found.rows["uuid"].unique().to_pylist() == ["a"]


def test_nothing_is_nothing(plain: PlainLines, table: Table) -> None:
    found = plain.read(padded(b""), 0)
    assert (len(found.rows), found.rest) == (0, {})
    assert found.rows.column_names == [c.name for c in _fields(table)]


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
    *(b'{ "uuid":"a"}', b'{"uuid" :"a"}', b'{"uuid":"a" }', b'{"uuid":"a"}\r', b'{"uuid":1}'),
    *(b'{"uuid":null}', b'{"uuid":""}', b'{"$count":1}', b'{"uuid":"a","uuid":"b"}'),
    *(b'{"uuid":"a","new":1}', b'{"uuid":"a","Uuid":1}', b'{"uuid":"a","uuids":1}'),
    *(b'{"uuid":"a","user_i":"b"}', b'{"uuid":"a","":1}', b'{"uuid":"a""user_id":"b"}'),
    *(b'{"uuid":"a","user_id":nul}', b'{"uuid":"a","paid":tru}', b'{"uuid":"a","paid":1}'),
    *(b'{"uuid":"\\u0061"}', b'{"uuid":"\\/"}', b'{"uuid":"\\x"}', b'{"uuid":"\x01"}'),
    *(b'{"uuid":"\\', b'{"uuid":"a","user_id":"\\'),
)


@pytest.mark.parametrize("line", ODD)
def test_other_lines_are_given_back(line: bytes, plain: PlainLines) -> None:
    found = read(plain, b'{"uuid":"b"}', line, b'{"uuid":"c"}')
    assert found.rest == {1: line}
    assert found.rows["uuid"].to_pylist() == ["b", "c"]


@given(
    text=st.binary(min_size=1, max_size=5).filter(lambda t: not set(t) & set(b'"\\\n')),
    before=st.integers(0, 20),
)
@example(text=b"\xc3\xa9", before=15)
@example(text=b"\xed\xa0\x80", before=0)
@example(text=b"\xf4\x8f\xbf\xbf", before=13)
@example(text=b"\xf4\x90\x80\x80", before=13)
@example(text=b"\xc3", before=0)
@settings(max_examples=300)
def test_a_text_is_utf_8(text: bytes, before: int, table: Table) -> None:
    line = b'{"uuid":"' + b"x" * before + text + b'"}'
    found = read(PlainLines(_fields(table)), line, b'{"uuid":"b"}')
    try:
        expected = ["x" * before + text.decode()] if min(text) >= 32 else []
    except UnicodeDecodeError:
        expected = []
    assert found.rows["uuid"].to_pylist() == [*expected, "b"]


@pytest.mark.parametrize("first", range(0x80, 0x100))
def test_every_beginning_of_a_character_is_judged_as_python_does(
    first: int, plain: PlainLines
) -> None:
    ends = [0x20, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
    texts = [bytes([first])]
    texts += [bytes([first, a]) for a in ends]
    texts += [bytes([first, a, b]) for a in ends for b in ends]
    texts += [bytes([first, a, b, c]) for a in ends for b in ends for c in (0x7F, 0x80, 0xBF, 0xC0)]
    found = read(plain, *(b'{"uuid":"' + text + b'"}' for text in texts))
    assert dict(zip(found.numbers.tolist(), found.rows["uuid"].to_pylist(), strict=True)) == {
        n: text.decode() for n, text in enumerate(texts) if _is_utf_8(text)
    }


def _is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("size", range(70))
def test_texts_of_all_lengths_are_whole(size: int, plain: PlainLines) -> None:
    text = ("abcdefghijklmnopqrstuvwxyz" * 3)[:size]
    wide = "é" * size
    found = read(
        plain,
        *(
            f'{{"uuid":"{one}","user_id":"{two}","properties":"{one}"}}'.encode()
            for one, two in (("x" + text, wide), ("y" + wide, text))
        ),
    )
    assert found.rows.select(["uuid", "user_id", "properties"]).to_pylist() == [
        {"uuid": "x" + text, "user_id": wide, "properties": f'"x{text}"'},
        {"uuid": "y" + wide, "user_id": text, "properties": f'"y{wide}"'},
    ]


def test_escapes_are_read_and_documents_keep_theirs(plain: PlainLines) -> None:
    escaped = r"a\"b\\c\bd\fe\nf\rg\th"
    found = read(plain, f'{{"uuid":"{escaped}","properties":{{"{escaped}":"\\n"}}}}'.encode())
    assert found.rows["uuid"].to_pylist() == ['a"b\\c\bd\fe\nf\rg\th']
    assert found.rows["properties"].to_pylist() == [f'{{"{escaped}":"\\n"}}']


def test_integers(plain: PlainLines) -> None:
    good = ("0", "7", "-1", "999999999999999999", "-999999999999999999")
    odd = ("1000000000000000000", "-0", "01", "-", "+1", "1.0", "1e3", "0x1", '"1"', "1_0", "--1")
    assert values(plain, "$count", *good, *odd) == (
        [int(value) for value in good],
        list(range(len(good), len(good) + len(odd))),
    )


@given(digits=st.integers(-(10**15) + 1, 10**15 - 1), places=st.integers(0, 15))
def test_fractions_are_the_nearest_number(digits: int, places: int, table: Table) -> None:
    sign, rest = "-" * (digits < 0), str(abs(digits)).rjust(places + 1, "0")
    text = f"{sign}{rest[: len(rest) - places]}.{rest[len(rest) - places :]}".rstrip(".")
    found, _ = values(PlainLines(_fields(table)), "share", text)
    assert found in ([], [float(text)])


def test_fractions(plain: PlainLines) -> None:
    good = ("0", "0.0", "1.0", "0.5", "-0.25", "0.001", "0.0125", "9007199254740992")
    good += ("366.65424", "41.15", "-122.68", "123456789012.345", "1.00000000000001")
    odd = ("-0", "-0.0", "1.", ".5", "1.50", "00.5", "0.0001", "0.00012", "9007199254740993")
    odd += ("1e3", "1.5E3", "0.1234567890123456", "NaN", "Infinity", '"1"', "1.5.1", "1,5")
    found, rest = values(plain, "share", *good, *odd)
    assert found == [float(value) for value in good]
    assert rest == list(range(len(good), len(good) + len(odd)))


@given(at=TIMES, between=st.sampled_from([" ", "T"]), digits=st.integers(0, 6))
def test_times_are_those_of_the_calendar(
    at: datetime, between: str, digits: int, table: Table
) -> None:
    text = at.isoformat(between, "seconds") + f".{at.microsecond:06}"[: digits + bool(digits)]
    found, rest = values(PlainLines(_fields(table)), "at", f'"{text}"')
    in_reach = 1901 <= at.year <= 2199
    assert found == ([datetime.fromisoformat(text).replace(tzinfo=UTC)] if in_reach else [])
    assert rest == ([] if in_reach else [0])


def test_every_day_is_one_of_the_calendar(plain: PlainLines) -> None:
    days = [
        (year, month, day)
        for year in (1901, 1970, 2000, 2024, 2026, 2100, 2199)
        for month in range(14)
        for day in range(33)
    ]
    found, _ = values(plain, "at", *(f'"{y:04}-{m:02}-{d:02} 00:00:00"' for y, m, d in days))
    assert [(at.year, at.month, at.day) for at in found] == [day for day in days if _is_a_day(*day)]


def _is_a_day(year: int, month: int, day: int) -> bool:
    try:
        datetime(year, month, day)
    except ValueError:
        return False
    return True


def test_other_times_are_given_back(plain: PlainLines) -> None:
    good = "2026-03-01 22:10:20.123456"
    odd = [good[:place] + "x" + good[place + 1 :] for place in range(len(good))]
    odd += ["2026-03-01 24:10:20", "2026-03-01 22:60:20", "2026-03-01 22:10:60", good + "7"]
    odd += ["2026-03-01 22:10:20.", "2026-03-01 22:10", good + "Z", "", "é" * 13, r"\n" * 13]
    found, rest = values(plain, "at", f'"{good}"', *(f'"{text}"' for text in odd))
    assert (len(found), rest) == (1, list(range(1, len(odd) + 1)))


@pytest.mark.parametrize(
    "document",
    [
        *("{", "}", "[", "]", "{]", "[}", "[1,]", "[,1]", "[1 ,2]", '{"a"}', '{"a":}', '{"a":1,}'),
        *('{"a" :1}', "{a:1}", "{1:1}", '{"a":1"b":2}', '[1"a"]', "[1[2]]", '{"a":[1}', "1}", "1]"),
        *("[nul]", "[tru]", "[-]", "[01]", "[1.50]", "[1e3]", '["\\u0061"]', '["\\/"]', '["a]'),
        *("[1]]", '{"a":1}}', "[" * 62 + "]" * 62, '{"a":' * 61 + "1" + "}" * 61, "[1]x", "'a'"),
    ],
)
def test_other_documents_are_given_back(document: str, plain: PlainLines) -> None:
    assert values(plain, "properties", document)[1] == [0]


@pytest.mark.parametrize(
    "document",
    [
        *("1", '"a"', "true", "false", "{}", "[]", "[[],{},[{}]]", '{"a":{"b":[1,{"c":null}]}}'),
        *('{"":[-1.5,"}]"]}', "[" * 60 + "]" * 60, '{"a":' * 60 + "[]" + "}" * 60, '"[1,"'),
    ],
)
def test_documents_stay_as_they_are(document: str, plain: PlainLines) -> None:
    assert values(plain, "properties", document, "null") == ([document, None], [])


def test_fields_come_in_any_order_and_may_be_missing(plain: PlainLines) -> None:
    found = read(
        plain,
        b'{"uuid":"a","$count":1,"paid":true}',
        b'{"paid":false,"uuid":"b","properties":[]}',
        b'{"properties":{},"uuid":"c","$count":3}',
        b'{"uuid":"d"}',
    )
    assert found.rest == {}
    assert found.rows.select(["uuid", "count", "paid", "properties"]).to_pylist() == [
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
    plain.know(NAMES)
    told = {name: n for n, name in enumerate(NAMES)}
    line = json.dumps({"uuid": "a", **told}, ensure_ascii=False, separators=(",", ":")).encode()
    found = read(plain, line, b'{"uuid":"b","n":null,"na":{"x":1}}', b'{"uuid":"c","nam":1}')
    assert list(found.rest) == [2]
    assert found.extra.to_pylist() == [
        {name: str(n) for name, n in told.items()},
        dict.fromkeys(NAMES) | {"na": '{"x":1}'},
    ]


def test_what_was_read_stays_when_more_is_read(plain: PlainLines) -> None:
    line = '{{"uuid":"{0}","$count":{1},"share":0.{1},"paid":true,"properties":[{1}]}}'
    first = read(plain, *(line.format("a" * 20, 1).encode() for _ in range(100)))
    before = first.rows.to_pylist()
    read(plain, *(line.format("b" * 20, 2).encode() for _ in range(100)))
    assert first.rows.to_pylist() == before


@pytest.mark.parametrize("module", [scan, hashes])
def test_what_is_kept_compiled_is_of_these_sources(module: ModuleType) -> None:
    folder = Path(scan.__file__).parent
    read = b"".join((folder / name).read_bytes() for name in ("steps.py", "values.py"))
    parts = hashlib.sha256(read + bytes(PADDING)).hexdigest()[:16]
    assert parts == module.PARTS, "Numba looks at this file alone: write this into its PARTS."


def test_it_is_compiled_where_nothing_can_be_kept() -> None:
    places = {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
    code = (
        "import numpy as np; from novade_pipeline.landing.compiled.scan import count_lines; "
        "print(count_lines(np.frombuffer(b'a\\nb\\n', np.uint8)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **places, "NUMBA_CACHE_DIR": os.devnull + "/none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "2\n", done.stderr[-2000:]
