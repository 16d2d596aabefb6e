"""Each keyword, and whatever a plan may hold, is judged as the reference library does."""

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, SchemaError

from novade_pipeline.defs.tracking_plan.json_schema import Schema
from novade_pipeline_tests.defs.tracking_plan.rules import (
    judged,
    reference,
    verdicts,
)

KEYWORDS = [
    ({"$ref": "#/definitions/x"}, "1", '"a"'),
    ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, "1", "3"),
    ({"anyOf": [{"maximum": 1}, {"minimum": 3}]}, "1", "2"),
    ({"oneOf": [{"minimum": 1}, {"minimum": 3}]}, "1", "3"),
    ({"not": {"const": 1}}, "2", "1"),
    ({"if": {"const": 1}, "then": False}, "2", "1"),
    ({"if": {"const": 1}, "else": {"const": 2}}, "2", "3"),
    ({"type": ["integer", "null"]}, "null", "1.5"),
    ({"enum": ["GET", "PUT"]}, '"GET"', '"get"'),
    ({"const": None}, "null", "0"),
    ({"minimum": 0}, "0", "-0.5"),
    ({"maximum": 0.5}, "0.5", "1"),
    ({"exclusiveMinimum": 0}, "5e-324", "0"),
    ({"exclusiveMaximum": 1}, "0.5", "1.0"),
    ({"multipleOf": 0.5}, "1.5", "1.2"),
    ({"minLength": 1}, '"a"', '""'),
    ({"maxLength": 1}, '"a"', '"ab"'),
    ({"pattern": "^a"}, '"ab"', '"ba"'),
    ({"items": {"type": "string"}}, '["a"]', "[1]"),
    ({"items": [{}, False]}, "[1]", "[1, 2]"),
    ({"items": [{}], "additionalItems": False}, "[1]", "[1, 2]"),
    ({"minItems": 1}, "[1]", "[]"),
    ({"maxItems": 0}, "[]", "[1]"),
    ({"uniqueItems": True}, "[1, 2]", "[1, 1]"),
    ({"contains": {"const": 1}}, "[2, 1]", "[2]"),
    ({"properties": {"a": {"type": "null"}}}, '{"a": null}', '{"a": 1}'),
    ({"patternProperties": {"^a": {"type": "null"}}}, '{"ab": null}', '{"ab": 1}'),
    ({"additionalProperties": {"type": "null"}}, '{"a": null}', '{"a": 1}'),
    ({"propertyNames": {"pattern": "^a"}}, '{"ab": 1}', '{"b": 1}'),
    ({"required": ["a"]}, '{"a": null}', "{}"),
    ({"dependencies": {"a": ["b"]}}, "{}", '{"a": 1}'),
    ({"minProperties": 1}, '{"a": 1}', "{}"),
    ({"maxProperties": 0}, "{}", '{"a": 1}'),
]


@pytest.mark.parametrize(("schema", "good", "bad"), KEYWORDS, ids=lambda value: str(value)[:30])
def test_each_keyword_is_judged_as_the_reference_does(schema: Schema, good: str, bad: str) -> None:
    rule = {"properties": {"p": schema}, "definitions": {"x": {"type": "integer"}}}
    texts = f'{{"p": {good}}}', f'{{"p": {bad}}}'
    assert verdicts(rule, *texts) == ["conforming", "violating"]
    assert [reference(rule, text) for text in texts] == ["conforming", "violating"]


def test_no_keyword_that_the_reference_checks_is_left_untried() -> None:
    tried = {keyword for schema, _, _ in KEYWORDS for keyword in schema}
    assert tried >= set(Draft7Validator.VALIDATORS) - {"format"}


PAIRS_THAT_LIBRARIES_TELL_APART = [
    ({"pattern": "^.$"}, '"\u2028"'),
    ({"pattern": "^[^a]$"}, '"\\ud83d\\ude00"'),
    ({"pattern": "^a b-c/d$"}, '"a b-c/d"'),
    ({"patternProperties": {"^a$": False}}, '{"a\\n": 1}'),
    ({"propertyNames": {"pattern": "^[a-z]+$"}}, '{"a\\n": 1}'),
    ({"patternProperties": {r"^\d": {}}, "additionalProperties": False}, '{"٣": 1}'),
    ({"pattern": "^a$"}, '"a\\n"'),
    ({"pattern": "^\\d$"}, '"٣"'),
    ({"pattern": "^\\w$"}, '"é"'),
    ({"multipleOf": 0.1}, "0.3"),
    ({"multipleOf": 0.01}, "19.99"),
    ({"multipleOf": 0.5}, "1e300"),
    ({"uniqueItems": True}, "[[1], [true], [1]]"),
    ({"uniqueItems": True}, "[1, true]"),
    ({"uniqueItems": True}, "[1, 1.0]"),
    ({"uniqueItems": True}, f"[{2**70}, {2.0**70}]"),
    ({"enum": [1]}, "true"),
    ({"enum": [1]}, "1.0"),
    ({"enum": [{"a": [1]}]}, '{"a": [true]}'),
    ({"const": False}, "0"),
    ({"const": 2**53}, str(2.0**53)),
    ({"enum": [2**70]}, str(2.0**70)),
    ({"exclusiveMinimum": 2**62}, str(2.0**62)),
    ({"maximum": 2**64}, str(2.0**64)),
    ({"type": "integer"}, "1.0"),
    ({"type": "integer"}, "1e300"),
    ({"type": "integer"}, str(10**400)),
    ({"type": "integer"}, "1e400"),
    ({"type": "number"}, "1e400"),
    ({"type": "number"}, "NaN"),
    ({"type": "null"}, "-Infinity"),
    ({"minimum": 0}, "-1e0400"),
    ({"maximum": 5}, "1" + "0" * 400),
    ({"minLength": 2}, '"😀"'),
    ({"maxLength": 1.0}, '"\\ud83d\\ude00"'),
    ({"format": "email"}, '"nobody"'),
    ({"contentMediaType": "application/json"}, '"{"'),
    ({"contentEncoding": "base64"}, '"%"'),
    ({"$ref": "#/definitions/x", "type": "null"}, "1"),
    ({"required": ["b"], "properties": {"b": {"type": "null"}}}, '{"b": 1, "b": null}'),
]


@pytest.mark.parametrize(("schema", "value"), PAIRS_THAT_LIBRARIES_TELL_APART)
def test_the_verdict_is_the_references_where_libraries_differ(schema: Schema, value: str) -> None:
    rule = {"properties": {"p": schema}, "definitions": {"x": {"type": "integer"}}}
    text = f'{{"p": {value}}}'
    assert verdicts(rule, text) == [reference(rule, text)]


NAMES = st.sampled_from(["a", "b", "ab", "", "é", "$ref", "a/b", "definitions"])
NUMBERS = st.sampled_from(
    [
        *(0, 1, -1, 1.0, 0.0, -0.0, 0.5, 0.1, 0.3, 3, 1e15, 2**53 - 1, 2**53, 2**53 + 1, 2.0**53),
        *(2**62, 2.0**62, 2**63, -(2**63), 2**64, 2.0**64, 10**40, 1e40, 1e300, -1e300),
        float("inf"),
    ]
)
SCALARS = (
    st.none() | st.booleans() | NUMBERS | st.integers() | st.floats() | NAMES | st.text(max_size=4)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4)
    ),
    max_leaves=8,
)  # fmt: skip
EVENTS = st.dictionaries(NAMES, VALUES, max_size=4)
PLANNED = VALUES | st.sampled_from([1, True, 0, False, 1.0, [1], [True], {"a": 1}, {"a": True}])
COUNTS = st.sampled_from([0, 1, 2, 3, 2.0])
TYPES = st.sampled_from(["string", "number", "integer", "boolean", "null", "array", "object"])
LIMITS = st.sampled_from([0, 1, -1, 1.0, 0.5, -0.0, 3, 1e15, 2**53 - 1, 1 - 2**53, 2**62])
PATTERNS = ["a", "^a$", r"^\w+$", r"\d", "[^a]", "(?i:A)", r"^\p{L}", "^.$", r"\s", "[^]", r"\-"]
LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
        "enum": st.lists(PLANNED, max_size=3),
        "const": PLANNED,
        **dict.fromkeys(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"], LIMITS),
        **dict.fromkeys(["minLength", "maxLength", "minItems", "maxItems"], COUNTS),
        **dict.fromkeys(["minProperties", "maxProperties"], COUNTS),
        "multipleOf": st.sampled_from([1, 2, 0.1, 0.5, 3.0, 0.01]),
        "uniqueItems": st.booleans(),
        "pattern": st.sampled_from(PATTERNS),
        "required": st.lists(NAMES, max_size=2, unique=True),
        "format": st.sampled_from(["email", "regex"]),
        "contentMediaType": st.just("application/json"),
        "$ref": st.sampled_from(["#/definitions/x", "#/definitions/y~1z"]),
    },
)


def _compound(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=3)
    named = st.dictionaries(NAMES, inner, max_size=3)
    compound = st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(["properties", "dependencies"], named),
            **dict.fromkeys(["allOf", "anyOf", "oneOf"], some),
            **dict.fromkeys(["not", "if", "then", "else", "contains", "propertyNames"], inner),
            "additionalProperties": inner,
            "patternProperties": st.dictionaries(st.sampled_from(PATTERNS), inner, max_size=2),
            "items": inner | some,
        },
    )
    return st.tuples(LEAVES, compound).map(lambda parts: {**parts[0], **parts[1]})


SCHEMAS = st.recursive(st.booleans() | LEAVES, _compound, max_leaves=6).filter(
    lambda schema: isinstance(schema, dict)
)


@settings(max_examples=500, derandomize=True, deadline=None)
@given(SCHEMAS, LEAVES, st.lists(EVENTS, min_size=1, max_size=6))
def test_the_verdict_is_always_the_references(
    schema: Schema, definition: Schema, events: list[dict[str, Any]]
) -> None:
    definition.pop("$ref", None)
    rule = {**schema, "definitions": {"x": definition, "y/z": {"type": "integer"}}}
    try:
        Draft7Validator.check_schema(rule)
    except SchemaError:
        assume(False)
    texts = [json.dumps(event) for event in events]
    try:
        expected = [reference(rule, text) for text in texts]
    except (ArithmeticError, TypeError, ValueError):
        assume(False)
    result = judged(rule, *texts)
    assert result.verdict.to_pylist() == expected
    for verdict, found in zip(expected, result.violations.to_pylist(), strict=True):
        assert (verdict == "violating") == bool(found)


TOKENS = st.sampled_from(
    [
        *'{}[]:,"\\ \t\n\x0b\x1f',
        *('"a"', '"a":', "\\u", "d83d", "\\ud83d", "\\ude00", "-", "+", ".", "e", "E", "0", "1"),
        *("00", "-0", "1.5", "1e5", "1e400", "NaN", "Infinity", "nan", "null", "true", "True"),
        *("12345678901234567890", "5e-324", "\ufeff", "\u00a0", "é", "'", "//"),
    ]
)


@settings(max_examples=1_000, derandomize=True, deadline=None)
@given(st.lists(TOKENS, max_size=8).map("".join), st.booleans())
def test_whatever_text_the_quick_parser_reads_json_loads_reads_the_same(
    text: str, in_object: bool
) -> None:
    text = f'{{"a":{text}}}' if in_object else text
    rule: Schema = {"properties": {"a": {"type": ["integer", "string", "null"], "minLength": 1}}}
    try:
        expected = reference(rule, text) if isinstance(json.loads(text), dict) else "violating"
    except ValueError:
        expected = "violating"
    assert verdicts(rule, text) == [expected]
