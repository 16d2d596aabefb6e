"""Lines written anew: those that RFC 8259 calls JSON, with the same values, and no others."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from novade_pipeline.json_rows.strict_lines import is_blank, strict_lines
from novade_pipeline_tests.landing.lines import DOCUMENTS, ODD_LINES, VALUES
from novade_pipeline_tests.landing.strict_json import Digits, deep_recursion, strictly, whole

PARTS = (
    *("{", "}", "[", "]", ",", ":", '"', '"a"', "1", "-1.50e+07", "0", "-", "true", "null", "NaN"),
    *(" ", "\t", "\r", "\\", "\\u00e9", "\\ud83d", "\\ude00", "\\u0000", "\\/", "\\n", "é", "😀"),
    *("\x00", "\x1f", "\x7f", "\x0c", "\ufeff", "\u2028", "01", "1.", ".5", "1e", "Infinity", "x"),
)
LINES = st.one_of(
    st.lists(st.sampled_from(PARTS), max_size=12).map("".join),
    st.lists(st.sampled_from(VALUES), max_size=3).map(lambda v: f'{{"a":[{" , ".join(v)}]}}'),
    st.builds(
        lambda document, at, cut, part: document[:at] + part + document[at + cut :],
        st.sampled_from(DOCUMENTS),
        st.integers(0, 40),
        st.integers(0, 2),
        st.sampled_from(PARTS),
    ),
)


def _written(lines: list[bytes]) -> list[str]:
    strict = strict_lines(lines)
    *written, behind = strict.text[: strict.size].tobytes().decode().split("\n")
    assert (len(written), behind) == (len(lines), "")
    assert {at for at, line in enumerate(written) if not line} == strict.wrong.keys()
    return written


@given(lines=st.lists(LINES, min_size=1, max_size=6))
@example(lines=[r'{"a":"\ud83d\u005c\ude00"}', r'"\ud83d\ud83d\ude00"'])
@example(lines=["\ufeff\ufeff {}", "\ufeff", '{"a":"\ufeff"}'])
@settings(max_examples=300)
def test_what_is_json_is_written_with_the_same_values_and_nothing_else_is(lines: list[str]) -> None:
    with deep_recursion():
        for line, written in zip(lines, _written([line.encode() for line in lines]), strict=True):
            read = line.lstrip("\ufeff")
            assert bool(written) == _is_json(read), line
            if written:
                assert strictly(written) == whole(strictly(read)), line
                assert _written([written.encode()]) == [written]


def _is_json(text: str) -> bool:
    """Whether it is, within the limits."""
    try:
        return "\n" not in text and _levels(strictly(text)) <= 800
    except (ValueError, RecursionError):
        return False


def _levels(value: Any) -> int:
    if isinstance(value, Digits) and len(value) > 1000:
        raise ValueError("expected a number of at most 1,000 characters")
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return 1 + max(map(_levels, items), default=0)
    return 0


@given(
    document=st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.text(st.characters(exclude_categories=["Cs"])),
        ),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=10,
    ),
    in_ascii=st.booleans(),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" ,\r", "\t:  ")]),
)
@settings(max_examples=100)
def test_lines_are_written_as_python_writes_them_without_space(
    document: Any, in_ascii: bool, separators: tuple[str, str]
) -> None:
    document = whole(document)
    line = json.dumps(document, ensure_ascii=in_ascii, separators=separators)
    expected = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    assert _written([line.encode()]) == [expected]


@pytest.mark.parametrize(
    "code", [*range(0x20), *b'"\\/', 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF]
)
def test_an_escape_becomes_its_character_or_the_shortest_escape(code: int) -> None:
    for escape in (f"\\u{code:04x}", f"\\u{code:04X}"):
        expected = json.dumps(chr(code), ensure_ascii=False)
        assert _written([f'"{escape}"'.encode()]) == [expected]


@pytest.mark.parametrize("code", [0x10000, 0x1F600, 0x10FFFF])
def test_a_pair_of_escapes_is_one_character(code: int) -> None:
    assert _written([json.dumps(chr(code)).encode()]) == [f'"{chr(code)}"']


@pytest.mark.parametrize("before", range(20))
def test_characters_stay_whole_wherever_they_stand(before: int) -> None:
    text = "x" * before + "é\u20ac😀" + "y" * before
    assert _written([f' "{text}" '.encode()]) == [f'"{text}"']


@pytest.mark.parametrize("line", ODD_LINES, ids=range(len(ODD_LINES)))
def test_odd_lines_are_json_or_have_a_reason(line: bytes) -> None:
    strict = strict_lines([line])
    text = line.decode(errors="replace").lstrip("\ufeff")
    with deep_recursion():
        assert (strict.wrong == {}) == (text.encode() in line and _is_json(text))


@pytest.mark.parametrize(
    ("line", "expected"),
    [(b"", True), (b" \t\r", True), (b"\xef\xbb\xbf\r", True), (b"\xbb", False), (b"\x00", False)],
)
def test_a_line_without_content_is_blank(line: bytes, expected: bool) -> None:
    assert is_blank(line) == expected
