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

from novade_pipeline.defs.tracking_plan import judge as judge_module
from novade_pipeline.defs.tracking_plan.json_schema import Schema
from novade_pipeline.defs.tracking_plan.judge import VIOLATION, Judge
from novade_pipeline.defs.tracking_plan.plan_formats import parse_plan
from novade_pipeline.defs.tracking_plan.quick_verdict import doubtful
from novade_pipeline_tests.defs.tracking_plan.rules import (
    judge_of,
    verdicts,
    violations,
)


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


def test_a_text_that_conforms_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []

    def counted(quick: Any, texts: list[str]) -> Any:
        judged.extend(texts)
        return doubtful(quick, texts)

    monkeypatch.setattr(judge_module, "doubtful", counted)
    judge = judge_of(A={"required": ["a"]})
    texts = ['{"a": 1}', '{"a": 2}'] * 40_000
    for _ in range(2):
        result = judge.judge(pa.array(["A"] * len(texts)), pa.array(texts))
        assert set(result.verdict.to_pylist()) == {"conforming"}
    assert sorted(judged) == ['{"a": 1}', '{"a": 2}']


def test_what_is_remembered_is_bounded_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judge_module, "_CACHE_BYTES", 2_000)
    monkeypatch.setattr(judge_module, "BATCH_ROWS", 10)
    judge = judge_of(A={"required": ["a"]}, B={"patternProperties": {"^b": {"type": "null"}}})
    for _ in range(2):
        for event_type, good, bad in (("A", "a", "c"), ("B", "c", "b")):
            texts = [f'{{"{good if n % 3 else bad}": {n}}}' for n in range(100)]
            result = judge.judge(pa.array([event_type] * 100), pa.array(texts))
            verdicts = ["conforming" if n % 3 else "violating" for n in range(100)]
            assert result.verdict.to_pylist() == verdicts
    cached_bytes = [rule.cached_bytes for of in judge._versions for rule in of.values() if rule]
    assert 0 < sum(cached_bytes) <= 2_000 + 10 * 120


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
        (
            {"patternProperties": {r"^\p{Lu}": {}}, "additionalProperties": {"type": "null"}},
            '{"Äx": 1, "y": true}',
            [("y", "type", '"null"', "boolean")],
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
        ({"properties": {"a": {"pattern": "(a{999}){999}"}}}, "a rule that jsonschema_rs refuses"),
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
