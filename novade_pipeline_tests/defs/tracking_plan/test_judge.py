"""The verdict on an event is that of the reference library, and nothing about it is fetched."""

import gzip
import json
import re
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, SchemaError
from referencing import Registry

from novade_pipeline.defs.tracking_plan.json_schema import Schema
from novade_pipeline.defs.tracking_plan.judge import VIOLATION, Judge, Verdicts
from novade_pipeline.defs.tracking_plan.plan_formats import EventRule, Plan, parse_plan


def judge_of(**schemas: Schema) -> Judge:
    rules = tuple(EventRule(name, "", schema) for name, schema in sorted(schemas.items()))
    return Judge(Plan("p", "p", "segment", "v", rules))


def judged(schema: Schema, *texts: str | None) -> Verdicts:
    return judge_of(A=schema).judge(pa.array(["A"] * len(texts)), pa.array(texts, pa.string()))


def verdicts(schema: Schema, *texts: str | None) -> list[str]:
    return list(judged(schema, *texts).verdict.to_pylist())


def violations(schema: Schema, text: str | None) -> list[tuple[str, ...]]:
    (found,) = judged(schema, text).violations.to_pylist()
    return [tuple(violation.values()) for violation in found]


def reference(schema: Schema, text: str) -> str:
    valid = Draft7Validator(schema, registry=Registry()).is_valid(json.loads(text))
    return "conforming" if valid else "violating"


def landed_once(shared: Path) -> list[dict[str, Any]]:
    """Every landed event, the first copy of each `uuid`."""

    def hour_and_part(path: Path) -> tuple[str, int, int]:
        day, hour, part = re.findall(r"_(.{10})_(\d+)#(\d+)\.", path.name)[0]
        return day, int(hour), int(part)

    first: dict[str, dict[str, Any]] = {}
    for path in sorted((shared / "landing/amplitude/events").iterdir(), key=hour_and_part):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for event in map(json.loads, lines):
                first.setdefault(event["uuid"], event)
    return list(first.values())


def test_the_music_services_events_get_the_verdicts_that_the_reference_gave(shared: Path) -> None:
    expected = json.loads((shared / "expected/conformance.json").read_text())
    content = (shared / "landing/tracking_plan/sparkify.json").read_bytes()
    plan = parse_plan(content, "sparkify.json")
    events = landed_once(shared)
    types = [event["event_type"] for event in events]
    texts = [json.dumps(event["event_properties"]) for event in events]
    result = Judge(plan).judge(pa.array(types), pa.array(texts))

    counted: dict[str, Counter[str]] = {}
    for event_type, verdict in zip(types, result.verdict.to_pylist(), strict=True):
        counted.setdefault(event_type, Counter())[verdict] += 1
    assert counted == expected["by_event_type"]
    assert Counter(result.verdict.to_pylist()) == expected["verdicts"]
    assert expected["violations"] == Counter(
        f"{event_type}/{violation['path']}/{violation['keyword']}"
        for event_type, found in zip(types, result.violations.to_pylist(), strict=True)
        for violation in found
    )


def test_verdicts_stand_in_the_order_of_the_events() -> None:
    judge = judge_of(A={"required": ["a"]}, B={"required": ["b"]})
    types = ["A", "B", "C", None] * 10_000
    texts = ['{"a": 1}', '{"a": 1}', "x", None] * 10_000
    result = judge.judge(
        pa.chunked_array([types[:7], types[7:]]), pa.chunked_array([texts[:30_001], texts[30_001:]])
    )
    assert result.verdict.to_pylist() == [
        *["conforming", "violating", "unplanned", "unplanned"] * 10_000
    ]
    lengths = [len(found) for found in result.violations.to_pylist()]
    assert lengths == [0, 1, 0, 0] * 10_000


def test_no_events_give_no_verdicts_of_the_same_types() -> None:
    result = judge_of(A={}).judge(pa.array([], pa.string()), pa.chunked_array([], pa.string()))
    assert (result.verdict.type, result.violations.type) == (pa.string(), pa.list_(VIOLATION))
    assert len(result.verdict) == len(result.violations) == 0


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["A", None]).dictionary_encode(),
        pa.array(["A", None], pa.large_string()),
        pa.array(["A", None], pa.string_view()),
        pa.array(["A", None], pa.json_()),
    ],
    ids=lambda column: str(column.type)[:12],
)
def test_strings_are_taken_in_whatever_way_arrow_holds_them(column: pa.Array) -> None:
    result = judge_of(A={}).judge(column, pa.array(["{}", "{}"], pa.json_()))
    assert result.verdict.to_pylist() == ["conforming", "unplanned"]


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="found 1 and 2"):
        judge_of(A={}).judge(pa.array(["A", "A"]), pa.array(["{}"]))


def test_no_properties_are_judged_as_an_empty_object() -> None:
    assert verdicts({}, None) == ["conforming"]
    assert violations({"required": ["a"]}, None) == [("a", "required", '["a"]', "nothing")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "text that is not JSON"),
        ('{"a": 1', "text that is not JSON"),
        ('{"a": 1} x', "text that is not JSON"),
        ("[" * 100_000, "text that is not JSON"),
        ('{"a": ' + "9" * 5_000 + "}", "text that is not JSON"),
        ("[1, 2]", "array of 2 items"),
        ("null", "null"),
        ('"secret"', "string of 6 characters"),
        ("3.5", "number 3.5"),
    ],
    ids=lambda value: value[:12],
)
def test_what_is_no_object_violates_type_whatever_the_rule(text: str, found: str) -> None:
    assert violations({}, text) == [("", "type", '"object"', found)]


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        (
            {"properties": {"n": {"maximum": 100}}},
            '{"n": 1204}',
            [("n", "maximum", "100", "integer 1204")],
        ),
        (
            {"properties": {"song": {"maxLength": 3}}},
            '{"song": "Élodie"}',
            [("song", "maxLength", "3", "string of 6 characters")],
        ),
        (
            {"properties": {"items": {"items": {"required": ["price", "name"]}}}},
            '{"items": [{"name": 1}, {}]}',
            [
                ("items.0.price", "required", '["price", "name"]', "nothing"),
                ("items.1.name", "required", '["price", "name"]', "nothing"),
                ("items.1.price", "required", '["price", "name"]', "nothing"),
            ],
        ),
        (
            {"properties": {"a": {}}, "additionalProperties": False},
            '{"b": null, "a": 1, "c": {"x": 1}}',
            [
                ("b", "additionalProperties", "false", "null"),
                ("c", "additionalProperties", "false", "object of 1 keys"),
            ],
        ),
        (
            {"patternProperties": {"^x": {}}, "additionalProperties": False},
            '{"x1": 1, "y": true}',
            [("y", "additionalProperties", "false", "boolean")],
        ),
        ({"properties": {"a": False}}, '{"a": [1]}', [("a", "not", "{}", "array of 1 items")]),
        (
            {"properties": {"a": {"enum": ["x" * 300]}}},
            '{"a": 1.5}',
            [("a", "enum", '["' + "x" * 198, "number 1.5")],
        ),
        (
            {"properties": {"a": {"type": "string"}}},
            '{"a": 1' + "0" * 99 + "}",
            [("a", "type", '"string"', "integer of 329 bits")],
        ),
    ],
)
def test_each_violation_says_where_what_was_expected_and_what_kind_of_thing_was_found(
    schema: Schema, text: str, expected: list[tuple[str, ...]]
) -> None:
    assert violations(schema, text) == expected


def test_violations_never_show_an_events_text() -> None:
    names = ["a", "b", "c", "d", "e"]
    rules: list[Schema] = [{"type": "null"}, {"pattern": "^$"}, {"const": 1}, {"not": {}}, {}]
    rules[4] = {"anyOf": [{"type": "null"}, {"maxLength": 1}]}
    text = json.dumps(dict.fromkeys(names, "user80@example.com"))
    found = str(violations({"properties": dict(zip(names, rules, strict=True))}, text))
    assert found.count("string of 18 characters") == 5
    assert "user80" not in found


def test_half_a_character_in_a_name_does_not_stop_the_batch() -> None:
    schema = {"additionalProperties": False}
    assert violations(schema, '{"\\ud800": 1}')[0][0] == "?"
    assert verdicts({"properties": {"a": {"type": "string"}}}, '{"a": "\\ud800"}') == ["conforming"]


@pytest.mark.parametrize("levels", [1, 150, 250, 5_000])
def test_depth_is_no_reason_to_fail(levels: int) -> None:
    tree = {"properties": {"a": {"$ref": "#"}}, "required": ["n"]}
    text = '{"n":1,"a":' * levels + "1" + "}" * levels
    assert verdicts(tree, text)[0] in ("conforming", "violating")


def test_a_value_on_which_the_reference_fails_is_violating() -> None:
    (violation,) = violations({"properties": {"a": {"multipleOf": 0.5}}}, '{"a": 1e400}')
    assert violation[3] == "object of 1 keys that cannot be judged (OverflowError)"


def test_a_remote_reference_is_never_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: Any, **__: Any) -> None:
        raise AssertionError("a $ref was fetched")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    with pytest.raises(Exception, match="Unresolvable"):
        verdicts({"$ref": "http://127.0.0.1:9/schema.json"}, "{}")


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [
        ({"patternProperties": {"^a": {}}}, "patternProperties"),
        ({"properties": {"a": {"items": [{}], "additionalItems": False}}}, "additionalItems"),
        ({"properties": {"a": {"maximum": 2**53}}}, "maximum"),
        ({"properties": {"a": {"enum": [{"x": [1e300]}]}}}, "enum"),
        ({"properties": {"a": {"pattern": "(?i)x"}}}, "a rule that jsonschema_rs refuses"),
    ],
)
def test_rules_beyond_what_is_proven_are_left_to_the_reference(
    schema: Schema, keyword: str
) -> None:
    assert judge_of(A=schema, B={"type": "object"}).by_reference == {"A": keyword}


def test_keywords_that_the_reference_does_not_check_cost_nothing() -> None:
    labels = {"title": "t", "default": 2**60, "examples": [1e300], "format": "email", "id": "/x"}
    judge = judge_of(A={**labels, "contentMediaType": "application/json", "labels": {"a": 1}})
    assert judge.by_reference == {}


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
        "pattern": st.sampled_from(["a", "^a$", "^\\w+$", "\\d", "[^a]", "(?i)A"]),
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
