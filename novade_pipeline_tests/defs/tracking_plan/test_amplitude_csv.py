"""A plan is read from Amplitude's CSV."""

from typing import Any

import pytest
from jsonschema import Draft7Validator

from novade_pipeline.defs.tracking_plan.plan_formats import (
    parse_plan,
)
from novade_pipeline_tests.defs.tracking_plan.plans import (
    HEADERS,
    amplitude,
    event,
    only_rule,
    prop,
)


@pytest.mark.parametrize(
    ("cells", "schema"),
    [
        ({"kind": "string"}, {"type": "string"}),
        ({"kind": "boolean"}, {"type": "boolean"}),
        ({"kind": ""}, {}),
        ({"kind": "any"}, {}),
        ({"kind": "number"}, {"type": "number"}),
        ({"kind": "number", "number_is_integer": "TRUE"}, {"type": "integer"}),
        ({"kind": "enum", "enum_values": "GET, PUT"}, {"enum": ["GET", "PUT"]}),
        ({"kind": "enum", "enum_values": "200,307"}, {"enum": ["200", 200, "307", 307]}),
        ({"kind": "const", "const_value": "on, off"}, {"const": "on, off"}),
        ({"kind": "const", "const_value": "true"}, {"enum": ["true", True]}),
        ({"kind": "string", "property_regex": "^a+$"}, {"type": "string", "pattern": "^a+$"}),
        (
            {"kind": "string", "string_property_value_min_length": "1"},
            {"type": "string", "minLength": 1},
        ),
        (
            {"kind": "number", "number_property_value_min": "-0.5"},
            {"type": "number", "minimum": -0.5},
        ),
        (
            {"kind": "string", "property_is_array": "TRUE", "array_min_items": "1",
             "array_max_items": "3", "array_unique_items": "TRUE"},
            {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3,
             "uniqueItems": True},
        ),
        ({"kind": "any", "property_description": "why"}, {"description": "why"}),
    ],
)  # fmt: skip
def test_a_row_of_amplitudes_csv_becomes_a_schema(
    cells: dict[str, str], schema: dict[str, Any]
) -> None:
    rule = only_rule(amplitude(event(), prop("p", **cells)))
    assert rule.schema["properties"] == {"p": schema}
    Draft7Validator.check_schema(rule.schema)


def test_a_large_limit_keeps_every_digit() -> None:
    row = prop("p", "number", number_property_value_max="9007199254740993.0")
    assert only_rule(amplitude(event(), row)).schema["properties"]["p"]["maximum"] == 2**53 + 1


@pytest.mark.parametrize(
    "property_rows",
    [
        [prop("a", property_required="TRUE"), prop("b")],
        [
            {**prop("a", property_required="TRUE"), "Object name": "NextSong"},
            {**prop("b"), "Object type": "Event Property", "Object name": "NextSong"},
        ],
    ],
    ids=["object's columns blank", "object's name repeated"],
)
def test_properties_belong_to_the_event_above_them(property_rows: list[dict[str, str]]) -> None:
    content = amplitude(event("Home"), event(), *property_rows, {})
    home, song = parse_plan(content, "p.csv").rules
    assert home.schema["properties"] == {}
    assert list(song.schema["properties"]) == ["a", "b"]
    assert song.schema["required"] == ["a"]


def test_an_event_repeated_on_each_propertys_row_is_one_event() -> None:
    rows = [{**event(), **prop("a")}, {**event(), **prop("b")}]
    assert list(only_rule(amplitude(*rows)).schema["properties"]) == ["a", "b"]


def test_headers_are_read_in_any_case_as_exports_and_the_vendors_page_write_them() -> None:
    lines = amplitude(event(), prop("a", "string")).split(b"\n", 1)
    titled = b"\n".join([lines[0].title(), lines[1]])
    assert parse_plan(titled, "p").rules == parse_plan(b"\n".join(lines), "p").rules


def test_a_property_groups_properties_belong_to_the_events_that_name_it() -> None:
    group = {"Object type": "Property Group", "Object name": "Common"}
    member = prop("page", "string", property_required="TRUE")
    named = event("A", **{"Property group names": "Common"})
    one, other = parse_plan(amplitude(event("B"), group, member, named), "p.csv").rules
    assert one.schema["required"] == list(one.schema["properties"]) == ["page"]
    assert other.schema["properties"] == {}


def test_events_that_are_not_planned_are_left_out_and_counted() -> None:
    headers = [*HEADERS, "Event Schema Status"]
    rows = [
        event("A", **{"Event Schema Status": "LIVE"}),
        event("B", **{"Event Schema Status": "UNEXPECTED"}),
        event("C", Action="Remove"),
        event("D", Action="Ignore"),
        {"Object type": "User Property", "Object name": "plan"},
    ]
    plan = parse_plan(amplitude(*rows, headers=headers), "p.csv")
    assert [rule.event_type for rule in plan.rules] == ["A"]
    assert plan.ignored_rules == 4


def test_ignore_on_every_row_tells_nothing() -> None:
    rows = [event("A", Action="IGNORE"), {**prop("a"), "Action": "IGNORE"}]
    assert list(only_rule(amplitude(*rows)).schema["properties"]) == ["a"]
