"""JSON in Python: what is read and written is RFC 8259, digit by digit."""

import json
import math
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from novade_pipeline.privacy.json_text import (
    ODD_NUMBER,
    InvalidConstant,
    VerbatimNumber,
    edit_json,
    parse_float,
    read_json,
    repair_surrogates,
    write_json,
)
from novade_pipeline_tests.landing.strict_json import is_strict, strictly, whole

NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
TEXTS = st.one_of(
    NUMBERS.filter(lambda number: number != "-0"),
    st.text().map(json.dumps),
    st.text().map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(["null", "true", "false", "[]", "{}"]),
)
DOCUMENTS = st.recursive(
    TEXTS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"[{','.join(items)}]"),
        st.dictionaries(st.text(max_size=4), inner, max_size=4).map(
            lambda fields: "{" + ",".join(f"{json.dumps(k)}:{v}" for k, v in fields.items()) + "}"
        ),
    ),
    max_leaves=10,
)


@given(text=DOCUMENTS)
@example(text="[1e999,-1E400,0.10,12345678901234567890.5,1e22,0.00001,1.0]")
def test_numbers_are_written_as_they_were_read(text: str) -> None:
    assert strictly(write_json(read_json(text))) == strictly(text)
    assert strictly(edit_json(text, lambda value: value)) == strictly(text)
    (exact,) = pc.match_substring_regex(pa.array([text]), ODD_NUMBER).to_pylist()
    assert strictly(edit_json(text, lambda value: value, exact=exact)) == strictly(text)


@given(
    value=st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
        max_leaves=10,
    )
)
def test_whatever_is_written_is_json(value: Any) -> None:
    assert is_strict(write_json(value))


def test_a_number_is_a_float_whatever_its_digits() -> None:
    number = parse_float("1.10")
    assert (number, str(number), repr(type(number))) == (1.1, "1.10", repr(VerbatimNumber))
    assert type(parse_float("1.5")) is float
    assert math.isinf(parse_float("1e999"))


@pytest.mark.parametrize(
    ("text", "position", "word"),
    [
        ("NaN", 0, "NaN"),
        ('{"a":[1,-Infinity]}', 8, "-Infinity"),
        ('{"NaN \\" NaN":"Infinity","b":Infinity}', 29, "Infinity"),
        ('{"a":NaN,"b":NaN}', 5, "NaN"),
    ],
)
def test_what_json_does_not_have_is_told_with_its_place(
    text: str, position: int, word: str
) -> None:
    with pytest.raises(InvalidConstant) as raised:
        read_json(text)
    assert (raised.value.pos, raised.value.msg) == (position, f"{word} is not a JSON value")
    (exact,) = pc.match_substring_regex(pa.array([text]), ODD_NUMBER).to_pylist()
    with pytest.raises(InvalidConstant):
        edit_json(text, lambda value: value, exact=exact)


@pytest.mark.parametrize("text", ["", "{", "[1,]", "nan", "01", '{"a":1}}'])
def test_other_texts_are_no_json(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        read_json(text)


@given(
    parts=st.lists(
        st.sampled_from(
            [r"\ud83d", r"\uDE00", r"\\", r"\n", r"\u00e9", "x", "u", "d83d", "é", "😀"]
        )
    )
)
def test_halves_of_surrogate_pairs_are_replaced_and_counted(parts: list[str]) -> None:
    text = f'["{"".join(parts)}"]'
    repaired, count = repair_surrogates(text)
    (expected,) = whole(json.loads(text))
    assert json.loads(repaired) == [expected]
    assert count == expected.count("\ufffd")


def test_bytes_of_surrogates_are_pairs_or_replaced() -> None:
    text = b'["\xed\xa0\xbd\xed\xb8\x80 \xed\xa0\xbd"]'.decode(errors="surrogatepass")
    assert repair_surrogates(text) == ('["😀 \ufffd"]', 1)
