"""A rule that cannot be applied is refused, and the others of its plan stand."""

import json
import re
from typing import Any

import pytest

from novade_pipeline.defs.tracking_plan.plan_formats import parse_plan
from novade_pipeline_tests.defs.tracking_plan.plans import (
    amplitude,
    envelope,
    event,
    prop,
    segment,
    track,
)

NESTED: Any = {}
for _ in range(70):
    NESTED = {"not": NESTED}

REFUSED_RULES = {
    "no schema": (segment(track(schema="{}")), "found string"),
    "no schema in it": (segment(track(schema=envelope(5))), "properties.properties, found integer"),
    "nested schema": (segment(track(schema=envelope(NESTED))), "at most 64 levels"),
    "rule twice": (segment(track(), track(schema=envelope({}))), "two that differ"),
    "no such type": (
        segment(track(schema=envelope({"properties": {"a": {"type": "text"}}}))),
        "found at properties/a/type",
    ),
    "mixed list": (
        segment(track(schema=envelope({"required": [1, "a"] * 200_000}))), "at required",
    ),
    "remote": (
        segment(track(schema=envelope({"$ref": "https://example.com/a.json"}))),
        "found https://example.com/a.json",
    ),
    "nowhere": (segment(track(schema=envelope({"$ref": "#/definitions/b"}))), "#/definitions/b"),
    "not a schema": (
        segment(track(schema=envelope(
            {"enum": [{}], "not": {"$ref": "#/properties/properties/enum"}}
        ))),
        "#/properties/properties/enum, which names no schema",
    ),
    "endless": (
        segment(track(schema=envelope({"allOf": [{"$ref": "#/properties/properties"}]}))),
        "leads back to itself",
    ),
    "invalid in newer definitions": (
        segment(track(schema=envelope({"$defs": {"a": {"type": "text"}}, "$ref": "#/$defs/a"}))),
        "found at definitions/a/type",
    ),
    "value type": (amplitude(event(), prop("a", "text")), "found text on line 3"),
    "number": (
        amplitude(event(), prop("a", "number", number_property_value_min="1,5")),
        "number property value min, found 1,5 on line 3",
    ),
    "length": (
        amplitude(event(), prop("a", "string", string_property_value_max_length="-1")),
        "found at properties/a/maxLength",
    ),
    "flag": (amplitude(event(), prop("a", property_required="yes")), "found yes on line 3"),
    "no enum values": (amplitude(event(), prop("a", "enum")), "enum values on line 3"),
    "event twice": (amplitude(event(), event()), "a second on line 3"),
    "property twice": (amplitude(event(), prop("a"), prop("a")), "again on line 4"),
    "no such group": (amplitude(event(**{"Property group names": "G"})), 'group "G"'),
    "property before its event": (
        amplitude({"Object name": "NextSong", **prop("a")}, event()), "found a property on line 2",
    ),
    "group's property": (
        amplitude(
            event(**{"Property group names": "G"}),
            {"Object type": "Property Group", "Object name": "G"}, prop("a", "text"),
        ),
        "found text on line 4",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "says"), REFUSED_RULES.values(), ids=REFUSED_RULES.keys())
def test_a_rule_that_cannot_be_applied_is_refused_with_one_sentence(
    content: bytes, says: str
) -> None:
    plan = parse_plan(content, "plan")
    (refused,) = plan.refused
    assert refused.event_type == "NextSong"
    assert re.fullmatch(r"expected .+, found .+; .+", refused.reason)
    assert says in refused.reason
    assert len(refused.reason) < 600
    assert plan.rules == ()


@pytest.mark.parametrize(("content", "says"), REFUSED_RULES.values(), ids=REFUSED_RULES.keys())
def test_the_other_rules_of_a_plan_with_a_refused_one_stand(content: bytes, says: str) -> None:
    if content.startswith(b"{"):
        document = json.loads(content)
        document["rules"].append(track("Home"))
        content = json.dumps(document).encode()
    else:
        content += amplitude(event("Home")).partition(b"\n")[2]
    plan = parse_plan(content, "plan")
    assert [rule.event_type for rule in plan.rules] == ["Home"]
    (fault,) = plan.faults
    assert fault.startswith('rule for "NextSong": expected')
    assert says in fault


def test_a_rule_without_a_name_is_told_beside_the_others() -> None:
    plan = parse_plan(segment("text", track(key=""), track()), "plan.json")
    assert [rule.event_type for rule in plan.rules] == ["NextSong"]
    assert [fault.partition(",")[0] for fault in plan.faults] == [
        "rule: expected rule 1 to be an object",
        "rule: expected the event's name in key of rule 2",
    ]


def test_the_same_rule_twice_is_one() -> None:
    assert (
        parse_plan(segment(track(), track()), "p").rules == parse_plan(segment(track()), "p").rules
    )


def test_a_refused_rule_that_is_mended_has_the_plan_another_version() -> None:
    broken = parse_plan(segment(track("A"), track("B", schema=7)), "p")
    assert broken.version != parse_plan(segment(track("A"), track("B")), "p").version
    assert broken.version != parse_plan(segment(track("A")), "p").version
