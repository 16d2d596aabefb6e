"""What a rule of Segment says of the event's properties, in either of its two forms."""

from typing import Any

import pytest

from novade_pipeline.defs.tracking_plan.json_schema import Schema
from novade_pipeline.defs.tracking_plan.judge import Judge
from novade_pipeline.defs.tracking_plan.plan_formats import Plan, parse_plan, planned_properties
from novade_pipeline_tests.defs.tracking_plan.plans import only_rule, segment, track
from novade_pipeline_tests.defs.tracking_plan.rules import verdicts_of

TOTAL = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
GOOD, BAD, NONE = '{"total": 5}', '{"total": "x"}', "{}"
# As Segment's web page writes it around the properties.
EMPTY = {"context": {}, "traits": {}}


def of(schema: Any) -> Plan:
    return parse_plan(segment(track("E", schema=schema)), "plan.json")


def wrapped(properties: Any, **around: Any) -> Schema:
    return {"type": "object", "properties": {**EMPTY, "properties": properties}, **around}


FORMS: dict[str, Schema] = {
    "envelope": wrapped(TOTAL, required=["properties"]),
    "directly under properties": TOTAL,
    "directly, with what typewriter writes": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "eventMetadata": {"name": "E", "type": "TRACK"},
        "labels": {},
        "properties": {"total": {"id": "/properties/total", "type": "number"}},
        "required": ["total"],
        "type": "object",
    },
    "directly, in allOf": {"allOf": [{"properties": TOTAL["properties"]}, {"required": ["total"]}]},
    "directly, by reference": {"$ref": "#/definitions/e", "definitions": {"e": TOTAL}},
    "allOf beside properties": wrapped(
        {"type": "object"}, allOf=[{"properties": {"properties": TOTAL}}]
    ),
    "allOf alone": {"allOf": [{"properties": {"properties": TOTAL}, "required": ["properties"]}]},
    "a reference alone": {
        "$ref": "#/definitions/call", "definitions": {"call": wrapped(TOTAL)},
    },
    "a reference in allOf": wrapped(
        {}, allOf=[{"$ref": "#/definitions/call"}], definitions={"call": wrapped(TOTAL)}
    ),
    "anyOf": wrapped(
        {}, anyOf=[{"properties": {"properties": TOTAL}}, {"properties": {"properties": False}}]
    ),
    "oneOf": wrapped(
        {}, oneOf=[{"properties": {"properties": TOTAL}}, {"properties": {"properties": False}}]
    ),
    "not": wrapped(TOTAL, **{"not": {"properties": {"properties": {"required": ["no"]}}}}),
    "if and then": wrapped(
        {},
        **{"if": {"properties": {"properties": {}}}},
        then={"properties": {"properties": TOTAL}},
    ),
    "dependencies": wrapped({}, dependencies={"properties": {"properties": {"properties": TOTAL}}}),
    "of the whole call": wrapped(
        {**TOTAL, "additionalProperties": False},
        required=["properties", "context", "type"], additionalProperties=False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("schema", FORMS.values(), ids=FORMS.keys())
def test_the_properties_are_judged_whatever_form_the_rule_has(schema: Schema) -> None:
    assert of(schema).faults == []
    assert verdicts_of(of(schema), GOOD, BAD, NONE) == ["conforming", "violating", "violating"]


@pytest.mark.parametrize("schema", FORMS.values(), ids=FORMS.keys())
def test_the_planned_properties_are_told_whatever_form_the_rule_has(schema: Schema) -> None:
    (rule,) = of(schema).rules
    assert planned_properties(rule)["total"].types == "number"


PLANNED_AS_CALLS_ARE = {
    "properties": ({"properties": {"properties": {"type": "string"}}}, '{"properties": 1}'),
    "context": ({"properties": {"context": {"type": "string"}}}, '{"context": 1}'),
    "version": ({"properties": {"version": {"type": "string"}}}, '{"version": 1}'),
}


@pytest.mark.parametrize(
    ("schema", "bad"), PLANNED_AS_CALLS_ARE.values(), ids=PLANNED_AS_CALLS_ARE.keys()
)
def test_a_property_may_be_called_as_a_field_of_the_call_is(schema: Schema, bad: str) -> None:
    assert verdicts_of(of(schema), "{}", bad) == ["conforming", "violating"]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"properties": EMPTY},
        {"properties": EMPTY, "required": ["properties"]},
    ],
    ids=str,
)
def test_a_rule_that_says_nothing_of_the_properties_allows_all(schema: Schema) -> None:
    assert verdicts_of(of(schema), "{}", GOOD) == ["conforming", "conforming"]


def test_an_event_without_properties_may_be_planned_directly() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    assert verdicts_of(of(schema), "{}", GOOD) == ["conforming", "violating"]


REFUSED = {
    "both forms": (
        {"properties": {"properties": TOTAL, "total": {}}}, "found both (total beside properties)",
    ),
    "both forms, in required": (wrapped(TOTAL, required=["total"]), "found both"),
    "both forms, in a dependency": (
        wrapped({}, dependencies={"total": ["currency"]}), "found both",
    ),
    "demanded and not there": (
        {"properties": {"total": {}}, "required": ["properties"]}, "found both",
    ),
    "another field decides": (
        wrapped(TOTAL, anyOf=[{"required": ["context"]}, {"properties": {"properties": {}}}]),
        "found required beside properties",
    ),
    "another field's value decides": (
        wrapped(TOTAL, **{"not": {"properties": {"type": {"const": "track"}}}}),
        "found properties beside properties",
    ),
    "how many fields a call has": (wrapped(TOTAL, minProperties=4), "found minProperties beside"),
    "no object": (wrapped(TOTAL, type="array"), "found type beside"),
    "names of fields": (wrapped(TOTAL, patternProperties={"^p": {}}), "found patternProperties"),
    "endless": (
        {"$ref": "#/definitions/a", "definitions": {"a": {"allOf": [{"$ref": "#/definitions/a"}]}}},
        "leads back to itself",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_a_rule_that_fits_neither_form_is_refused_with_its_reason(
    schema: Schema, says: str
) -> None:
    (fault,) = of(schema).faults
    assert fault.startswith('rule for "E": expected ')
    assert says in fault
    assert verdicts_of(of(schema), GOOD, BAD) == ["unjudged", "unjudged"]


def test_each_rule_of_a_plan_has_a_form_of_its_own() -> None:
    plan = parse_plan(segment(track("A", schema=TOTAL), track("B", schema=wrapped(TOTAL))), "p")
    assert Judge(plan).by_reference == {}
    assert [list(planned_properties(rule)) for rule in plan.rules] == [["total"], ["total"]]


def test_properties_planned_in_parts_are_required_where_all_parts_hold() -> None:
    parts = [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"required": ["b"]}]
    either = [{"properties": {"c": {}}, "required": ["c"]}, {"required": ["d"]}]
    planned = planned_properties(
        only_rule(segment(track(schema={"allOf": parts, "anyOf": either})))
    )
    required = {name: summary.required for name, summary in planned.items()}
    assert required == {"a": True, "b": True, "c": False}
