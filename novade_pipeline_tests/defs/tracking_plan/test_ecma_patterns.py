"""A pattern means what it means in JavaScript; one that cannot be read disables itself alone."""

import json
import subprocess
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novade_pipeline.defs.tracking_plan.ecma_patterns import matches, plain_pattern, read_pattern
from novade_pipeline.defs.tracking_plan.json_schema import Schema
from novade_pipeline.defs.tracking_plan.plan_formats import Plan, parse_plan
from novade_pipeline_tests.defs.tracking_plan.plans import (
    amplitude,
    envelope,
    event,
    prop,
    segment,
    track,
)
from novade_pipeline_tests.defs.tracking_plan.rules import finds, verdicts, verdicts_of

UNREADABLE = "("

# pattern, texts that it matches, texts that it does not match
MEANINGS = [
    (r"^[\p{L} '-]+$", ["Élodie", "O'Brien-Özil", "日本"], ["a1", "a\n", ""]),
    (r"^(?<y>\d{4})$", ["2026"], ["2026\n", "٢٠٢٦", "026"]),
    (r"^(?<y>\d{2})-\k<y>$", ["12-12"], ["12-13"]),
    (r"\u{1F600}", ["a😀"], ["u{1F600}", "😁"]),
    ("^[^]$", ["\n", "a", "😀"], ["", "ab"]),
    ("[]", [], ["", "a"]),
    (r"^\cA$", ["\x01"], ["\\cA", "A"]),
    (r"^\cc$", ["\x03"], ["\\cc"]),
    (r"^\t$", ["\t"], ["\\t"]),
    ("^[a-z]+$", ["abc"], ["abc\n", "ABC"]),
    (r"^\d+$", ["0123456789"], ["١٢", "\u07c0", "1\n"]),
    (r"^\D$", ["\u07c0", "é"], ["0"]),
    (r"^\w+$", ["aZ_9"], ["é", "\u017f", "\u212a"]),
    (r"^\W$", ["é"], ["a"]),
    ("^.$", ["a", "😀", "\x85", "\x0b"], ["\u2028", "\u2029", "\n", "\r"]),
    (
        r"^a\sb$",
        ["a\ufeffb", "a\u00a0b", "a\u2029b", "a\u3000b"],
        ["a\u180eb", "a\x1fb", "a\u200bb"],
    ),
    (r"^\S$", ["\x1c", "\x85"], ["\ufeff"]),
    (r"\bé", ["aé"], ["é", " é"]),
    (r"^\p{Script=Greek}+$", ["αβγ"], ["abc"]),
    (r"^\p{Letter}$", ["é"], ["1"]),
    (r"(?<!a)b", ["cb"], ["ab"]),
    ("^[😀-😎]$", ["😃"], ["a"]),
    ("^(?i:a)$", ["A"], ["ä"]),
    (r"^\-\_$", ["-_"], ["\\-\\_"]),
    ("a{,2}", ["a{,2}"], ["aa"]),
    ("^\\/$", ["/"], ["\\/"]),
    ("^$", [""], ["\n"]),
    ("a$|^b", ["a", "b\n"], ["a\n"]),
]


@pytest.mark.parametrize(("pattern", "good", "bad"), MEANINGS, ids=[row[0] for row in MEANINGS])
def test_a_pattern_matches_what_it_matches_in_javascript(
    pattern: str, good: list[str], bad: list[str]
) -> None:
    schema = {"properties": {"p": {"pattern": pattern}}}
    texts = [json.dumps({"p": text}) for text in [*good, *bad]]
    expected = ["conforming"] * len(good) + ["violating"] * len(bad)
    assert verdicts(schema, *texts) == expected
    assert [finds(pattern, text) for text in good + bad] == [*map("conforming".__eq__, expected)]


def test_a_pattern_matches_names_as_it_matches_texts() -> None:
    named = {"patternProperties": {r"^\p{Lu}+$": {"type": "null"}}, "additionalProperties": False}
    texts = '{"ÄÖ": null}', '{"ÄÖ": 1}', '{"ab": null}', '{"Ä\\n": null}'
    assert verdicts(named, *texts) == ["conforming", *["violating"] * 3]
    only = {"propertyNames": {"pattern": r"^\p{Lu}+$"}}
    assert verdicts(only, *texts) == ["conforming", "conforming", "violating", "violating"]


def test_half_a_character_matches_as_one() -> None:
    assert verdicts({"properties": {"p": {"pattern": "^.$"}}}, '{"p": "\\ud83d"}') == ["conforming"]


ATOMS = [
    *(r"\p{L}", r"\p{Lu}", r"\P{N}", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", ".", "[^]", "[]"),
    *("a", "b", "A", "é", "\u017f", "😀", r"\u{1F600}", r"\ud83d\ude00", r"\u00e9", r"\x41", r"\0"),
    *("[a-z]", "[^a-z]", r"[\w-]", r"[\p{L} '-]", r"[^\s\d]", r"[\S\s]", r"(?<y>\d{2})"),
    *("(?:ab|a)", r"(a)\1", "(?=a)", "(?!b)", "(?<=a)", "(?<!b)", r"\b", "^", "$", r"\-", r"\_"),
    *(r"\/", r"\.", r"\^", "{", "}", "]", "-", "_", r"[\b]", r"\t", r"\cA", r"\Z", r"\e"),
    *("x{1,2}", "a{,2}", "\n", " ", "(", ")", "|", "*", r"\8", r"\c", r"[\d.]", r"[\]\\^]"),
]
QUANTIFIERS = ["", "", "", "*", "+", "?", "{2}", "*?", "{1,}"]
LETTERS = [
    *"abA é\n1٣_- x]}{\\",
    "\u017f",
    "\u2028",
    "\ufeff",
    "\u00a0",
    "\x01",
    "😀",
    "\0",
    "\b",
    ".",
]
PATTERNS = st.builds(
    lambda parts, whole: f"^{parts}$" if whole else parts,
    st.lists(st.tuples(st.sampled_from(ATOMS), st.sampled_from(QUANTIFIERS)), max_size=4).map(
        lambda parts: "".join(map("".join, parts))
    ),
    st.booleans(),
)
TEXTS = st.lists(st.sampled_from(LETTERS), max_size=4).map("".join)
# Reads lines of [pattern, texts]; writes null, or which texts match.
NODE = """
for (const line of require('fs').readFileSync(0, 'utf8').trimEnd().split('\\n')) {
  const [pattern, texts] = JSON.parse(line);
  let found = null;
  for (const flags of ['u', '']) {
    try { const regex = new RegExp(pattern, flags); found = texts.map(t => regex.test(t)); break; }
    catch (error) { if (!(error instanceof SyntaxError)) throw error; }
  }
  console.log(JSON.stringify(found));
}
"""


@settings(max_examples=3, derandomize=True, deadline=None)
@given(st.lists(st.tuples(PATTERNS, st.lists(TEXTS, max_size=6)), min_size=200, max_size=200))
def test_patterns_are_read_and_match_as_in_a_javascript_engine(
    cases: list[tuple[str, list[str]]],
) -> None:
    lines = "\n".join(map(json.dumps, cases))
    ended = subprocess.run(["node", "-e", NODE], input=lines, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    for (pattern, texts), line in zip(cases, ended.stdout.splitlines(), strict=True):
        assert _answers(pattern, texts) == json.loads(line), pattern


def _answers(pattern: str, texts: list[str]) -> list[bool] | None:
    try:
        read_pattern(pattern)
    except ValueError:
        return None
    return [matches(pattern, text) for text in texts]


@settings(max_examples=400, derandomize=True, deadline=None)
@given(PATTERNS, st.lists(TEXTS, min_size=1, max_size=6))
def test_a_pattern_that_rust_reads_in_its_place_has_the_same_verdicts(
    pattern: str, texts: list[str]
) -> None:
    if plain_pattern(pattern) is None:
        return
    schema = {"properties": {"p": {"pattern": pattern}}}
    found = verdicts(schema, *(json.dumps({"p": text}) for text in texts))
    assert [verdict == "conforming" for verdict in found] == [finds(pattern, t) for t in texts]


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        ("^song-[0-9]{4}$", "^song-[0-9]{4}$"),
        (r"^[\d.-]+\d$", "^[0-9.-]+[0-9]$"),
        (r"^[\w.+-]+@\w+\.com$", r"^[0-9A-Za-z_.+-]+@[0-9A-Za-z_]+\.com$"),
        *((r"\[\d\]", r"\[[0-9]\]"), ("(?:a|b)?", "(?:a|b)?"), (r"[\]\d]", r"[\]0-9]")),
        *((pattern, None) for pattern in (".", r"\s", r"\b", "é", "[^]", "[]", "(?=a)", "(?i:a)")),
        *((pattern, None) for pattern in (r"\-", "(?<y>a)", r"(a)\1", "[a&&b]", r"\p{L}", "(")),
    ],
)
def test_only_plain_patterns_are_left_to_another_engine(pattern: str, written: str | None) -> None:
    assert plain_pattern(pattern) == written


def test_a_pattern_that_takes_for_ever_on_a_text_does_not_hold_up_the_others() -> None:
    schema = {"properties": {"p": {"pattern": "^(a+)+$"}, "q": {"pattern": r"^((a+)+)\2$"}}}
    started = time.monotonic()
    slow, long = "a" * 40 + "!", "a" * 100_000 + "!"
    texts = [json.dumps({"p": long}), json.dumps({"q": slow}), '{"p": "a", "q": "aa"}']
    assert verdicts(schema, *texts) == ["violating", "violating", "conforming"]
    assert time.monotonic() - started < 30


def of(properties: Schema) -> Plan:
    return parse_plan(segment(track("E", schema=envelope(properties, definitions={}))), "plan")


# A keyword is left out where its pattern is; the first text conforms, the second does not.
DISABLED: dict[str, tuple[Schema, list[str], str]] = {
    "pattern": (
        {"properties": {"p": {"type": "string", "pattern": UNREADABLE}}},
        ['{"p": "x"}', '{"p": 1}'],
        "properties/p is judged without the pattern (",
    ),
    "patternProperties": (
        {"patternProperties": {UNREADABLE: {"type": "null"}, "^n": {"type": "null"}}},
        ['{"(": 1}', '{"n": 1}'],
        "its root is judged without the pattern (",
    ),
    "additionalProperties beside it": (
        {"patternProperties": {UNREADABLE: {}}, "additionalProperties": False, "required": ["a"]},
        ['{"a": 1}', "{}"],
        "its root is judged without additionalProperties",
    ),
    "propertyNames": (
        {"propertyNames": {"pattern": UNREADABLE, "maxLength": 1}},
        ['{"a": 1}', '{"ab": 1}'],
        "propertyNames is judged without the pattern (",
    ),
    "not": (
        {"properties": {"p": {"not": {"pattern": UNREADABLE}}}, "required": ["p"]},
        ['{"p": "x"}', "{}"],
        "properties/p is judged without not",
    ),
    "not, by reference": (
        {
            "properties": {"p": {"not": {"$ref": "#/properties/properties/definitions/a"}}},
            "required": ["p"],
            "definitions": {"a": {"allOf": [{"pattern": UNREADABLE}]}},
        },
        ['{"p": "x"}', "{}"],
        "properties/p is judged without not",
    ),
    "oneOf": (
        {"oneOf": [{"properties": {"p": {"pattern": UNREADABLE}}}, {}], "required": ["p"]},
        ['{"p": "x"}', "{}"],
        "its root is judged without oneOf",
    ),
    "if": (
        {
            "if": {"properties": {"p": {"pattern": UNREADABLE}}},
            **{"then": False, "else": False},
            "required": ["p"],
        },
        ['{"p": "x"}', "{}"],
        "its root is judged without if",
    ),
    "anyOf": (
        {"anyOf": [{"properties": {"p": {"pattern": UNREADABLE}}}, False], "required": ["p"]},
        ['{"p": "x"}', "{}"],
        "anyOf/0/properties/p is judged without the pattern (",
    ),
}


@pytest.mark.parametrize(("schema", "texts", "says"), DISABLED.values(), ids=DISABLED.keys())
def test_a_pattern_that_cannot_be_read_disables_its_keyword_and_nothing_else(
    schema: Schema, texts: list[str], says: str
) -> None:
    plan = of(schema)
    assert verdicts_of(plan, *texts) == ["conforming", "violating"]
    assert any(fault.startswith(f'rule for "E": {says}') for fault in plan.faults)


def test_what_is_read_is_told_nothing_of() -> None:
    assert of({"properties": {"p": {"not": {"pattern": "^a$"}}}}).faults == []


def test_a_pattern_of_amplitudes_csv_is_one_of_ecma_262_as_well() -> None:
    rows = [
        event("E"),
        prop("p", "string", property_regex=r"^\p{Lu}$"),
        prop("q", property_regex="("),
    ]
    plan = parse_plan(amplitude(*rows), "plan.csv")
    assert verdicts_of(plan, '{"p": "É"}', '{"p": "é"}') == ["conforming", "violating"]
    (fault,) = plan.faults
    assert fault.startswith('rule for "E": properties/q is judged without the pattern ( (')


def test_the_reason_is_short_however_long_the_pattern_is() -> None:
    (fault,) = of({"properties": {"p": {"pattern": "(" * 100_000}}}).faults
    assert len(fault) < 300


@pytest.mark.parametrize("pattern", ["(" * 5_000 + ")" * 5_000, "a{99999999999}", "a" * 2_000_000])
def test_a_pattern_beyond_all_bounds_is_read_or_left_out(pattern: str) -> None:
    schema: dict[str, Any] = {"properties": {"p": {"pattern": pattern, "type": "string"}}}
    assert verdicts_of(of(schema), '{"p": 1}') == ["violating"]
