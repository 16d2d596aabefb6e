"""Values of JSON: those that are taken, and that they are what others would have read."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from novade_pipeline.json_rows.plain_lines import PlainLines
from novade_pipeline.lake.table import Table
from novade_pipeline_tests.landing.lines import MOMENTS, fields_of, read, values


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
    parsed = read(PlainLines(fields_of(table)), line, b'{"uuid":"b"}')
    try:
        expected = ["x" * before + text.decode()] if min(text) >= 32 else []
    except UnicodeDecodeError:
        expected = []
    assert parsed.rows["uuid"].to_pylist() == [*expected, "b"]


@pytest.mark.parametrize("first", range(0x80, 0x100))
def test_every_beginning_of_a_character_is_judged_as_python_does(
    first: int, plain: PlainLines
) -> None:
    ends = [0x20, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
    texts = [bytes([first])]
    texts += [bytes([first, a]) for a in ends]
    texts += [bytes([first, a, b]) for a in ends for b in ends]
    texts += [bytes([first, a, b, c]) for a in ends for b in ends for c in (0x7F, 0x80, 0xBF, 0xC0)]
    parsed = read(plain, *(b'{"uuid":"' + text + b'"}' for text in texts))
    assert dict(zip(parsed.numbers.tolist(), parsed.rows["uuid"].to_pylist(), strict=True)) == {
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
    parsed = read(
        plain,
        *(
            f'{{"uuid":"{one}","user_id":"{two}","properties":"{one}"}}'.encode()
            for one, two in (("x" + text, wide), ("y" + wide, text))
        ),
    )
    assert parsed.rows.select(["uuid", "user_id", "properties"]).to_pylist() == [
        {"uuid": "x" + text, "user_id": wide, "properties": f'"x{text}"'},
        {"uuid": "y" + wide, "user_id": text, "properties": f'"y{wide}"'},
    ]


def test_escapes_are_read_and_documents_keep_theirs(plain: PlainLines) -> None:
    escaped = r"a\"b\\c\bd\fe\nf\rg\th"
    parsed = read(plain, f'{{"uuid":"{escaped}","properties":{{"{escaped}":"\\n"}}}}'.encode())
    assert parsed.rows["uuid"].to_pylist() == ['a"b\\c\bd\fe\nf\rg\th']
    assert parsed.rows["properties"].to_pylist() == [f'{{"{escaped}":"\\n"}}']


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
    parsed, _ = values(PlainLines(fields_of(table)), "share", text)
    assert parsed in ([], [float(text)])


def test_fractions(plain: PlainLines) -> None:
    good = ("0", "0.0", "1.0", "0.5", "-0.25", "0.001", "0.0125", "9007199254740992")
    good += ("366.65424", "41.15", "-122.68", "123456789012.345", "1.00000000000001")
    good += ("1.50", "0.0001", "0.00012", "0.00000000000001", "100.000000000000")
    odd = ("-0", "-0.0", "1.", ".5", "00.5", "0.000000000000001", "9007199254740993")
    odd += ("1e3", "1.5E3", "0.1234567890123456", "NaN", "Infinity", '"1"', "1.5.1", "1,5")
    parsed, rest = values(plain, "share", *good, *odd)
    assert parsed == [float(value) for value in good]
    assert rest == list(range(len(good), len(good) + len(odd)))


@given(
    at=MOMENTS,
    between=st.sampled_from([" ", "T"]),
    digits=st.integers(0, 6),
    zone=st.sampled_from(["", "Z", "+00:00"]),
)
def test_times_are_those_of_the_calendar(
    at: datetime, between: str, digits: int, zone: str, table: Table
) -> None:
    text = at.isoformat(between, "seconds") + f".{at.microsecond:06}"[: digits + bool(digits)]
    parsed, rest = values(PlainLines(fields_of(table)), "at", f'"{text}{zone}"')
    in_reach = 1901 <= at.year <= 2199
    assert parsed == ([datetime.fromisoformat(text).replace(tzinfo=UTC)] if in_reach else [])
    assert rest == ([] if in_reach else [0])


def test_every_day_is_one_of_the_calendar(plain: PlainLines) -> None:
    days = [
        (year, month, day)
        for year in (1901, 1970, 2000, 2024, 2026, 2100, 2199)
        for month in range(14)
        for day in range(33)
    ]
    parsed, _ = values(plain, "at", *(f'"{y:04}-{m:02}-{d:02} 00:00:00"' for y, m, d in days))
    assert [(at.year, at.month, at.day) for at in parsed] == [
        day for day in days if _is_a_day(*day)
    ]


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
    odd += ["2026-03-01 22:10:20.", "2026-03-01 22:10", good + "z", "", "é" * 13, r"\n" * 13]
    odd += [good + zone for zone in ("ZZ", "Z+00:00", "+01:00", "-00:00", "+00", "+0000", " Z")]
    parsed, rest = values(plain, "at", f'"{good}"', *(f'"{text}"' for text in odd))
    assert (len(parsed), rest) == (1, list(range(1, len(odd) + 1)))


@pytest.mark.parametrize(
    "document",
    [
        *("{", "}", "[", "]", "{]", "[}", "[1,]", "[,1]", "[1 ,2]", '{"a"}', '{"a":}', '{"a":1,}'),
        *('{"a" :1}', "{a:1}", "{1:1}", '{"a":1"b":2}', '[1"a"]', "[1[2]]", '{"a":[1}', "1}", "1]"),
        *(
            "[nul]",
            "[tru]",
            "[-]",
            "[01]",
            "[1.]",
            "[1e]",
            "[1e+]",
            "[.5]",
            "[-a]",
            "[+1]",
            "[NaN]",
        ),
        *("[" + "1" * 1001 + "]", "-Infinity", "[0x1]", '["\\u0061"]', '["\\/"]', '["a]'),
        *("[1]]", '{"a":1}}', "[" * 62 + "]" * 62, '{"a":' * 61 + "1" + "}" * 61, "[1]x", "'a'"),
    ],
)
def test_other_documents_are_given_back(document: str, plain: PlainLines) -> None:
    assert values(plain, "properties", document)[1] == [0]


@pytest.mark.parametrize(
    "document",
    [
        *("1", '"a"', "true", "false", "{}", "[]", "[[],{},[{}]]", '{"a":{"b":[1,{"c":null}]}}'),
        *(
            "[1.50]",
            "[1e3]",
            "[-0]",
            "1E-05",
            "[0.10e+999]",
            "[12345678901234567890.5]",
            "9" * 1000,
        ),
        *('{"":[-1.5,"}]"]}', "[" * 60 + "]" * 60, '{"a":' * 60 + "[]" + "}" * 60, '"[1,"'),
    ],
)
def test_documents_stay_as_they_are(document: str, plain: PlainLines) -> None:
    assert values(plain, "properties", document, "null") == ([document, None], [])
