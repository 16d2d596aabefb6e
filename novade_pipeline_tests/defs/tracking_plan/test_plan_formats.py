"""A plan is read from each vendor's export, and a wrong file is refused with one sentence."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from referencing import Registry

from novade_pipeline.defs.tracking_plan.plan_formats import (
    MAX_BYTES,
    Plan,
    PlanError,
    PropertySummary,
    parse_plan,
    planned_properties,
)
from novade_pipeline.errors import PermanentFailure
from novade_pipeline_tests.defs.tracking_plan.plans import (
    DEFINITIONS,
    HEADERS,
    SONG,
    amplitude,
    envelope,
    event,
    only_rule,
    prop,
    refusal,
    segment,
    track,
)
from novade_pipeline_tests.defs.tracking_plan.rules import ECMA, verdicts_of


def test_the_plan_of_the_music_service_has_a_rule_for_each_of_its_events(shared: Path) -> None:
    content = (shared / "landing/tracking_plan/sparkify.json").read_bytes()
    plan = parse_plan(content, "sparkify.json")
    assert (plan.plan_id, plan.name, plan.format) == ("tp_sparkify", "Sparkify", "segment")
    assert [rule.event_type for rule in plan.rules] == sorted(
        rule["key"] for rule in json.loads(content)["rules"] if rule["type"] == "TRACK"
    )


def test_a_refused_plan_is_a_permanent_failure_and_a_value_error() -> None:
    assert issubclass(PlanError, PermanentFailure)
    assert issubclass(PlanError, ValueError)


def test_segments_rule_is_what_stands_under_properties_properties() -> None:
    rule = only_rule(segment(track(description="A song starts")))
    assert rule.description == "A song starts"
    assert rule.schema == {
        **SONG,
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": DEFINITIONS,
    }


def test_rules_that_are_not_about_events_are_counted_and_ignored() -> None:
    plan = parse_plan(segment(track(), {"type": "IDENTIFY"}, {"type": "COMMON"}), "p.json")
    assert (len(plan.rules), plan.ignored_rules) == (1, 2)


def test_segments_legacy_export_gives_the_same_rules() -> None:
    legacy = {
        "name": "workspaces/w/tracking-plans/rs_1",
        "display_name": "Music",
        "rules": {
            "events": [{"name": "NextSong", "description": "", "version": 1, "rules": envelope()}],
            "identify_traits": [{}],
            "group_traits": [],
        },
    }
    plan = parse_plan(json.dumps(legacy).encode(), "p.json")
    assert (plan.plan_id, plan.name) == ("workspaces/w/tracking-plans/rs_1", "Music")
    assert (plan.format, plan.ignored_rules) == ("segment_legacy", 1)
    assert plan.rules == parse_plan(segment(track()), "p.json").rules


def test_the_format_is_recognised_by_content_whatever_the_file_is_called() -> None:
    assert parse_plan(segment(track()), "plan.csv").format == "segment"
    assert parse_plan(amplitude(event()), "plan.json").format == "amplitude_csv"


@pytest.mark.parametrize("content", [segment(track()), amplitude(event())], ids=["json", "csv"])
def test_a_byte_order_mark_changes_nothing(content: bytes) -> None:
    assert parse_plan(b"\xef\xbb\xbf" + content, "p") == parse_plan(content, "p")


def test_the_same_rules_have_the_same_version_however_they_are_written() -> None:
    plan = segment(track("A"), track("B"), updatedAt="2018-11-01")
    document = json.loads(plan)
    document["rules"].reverse()
    document["updatedAt"] = "2019-01-01"
    rewritten = json.dumps(document, indent=3, sort_keys=True).encode()
    assert parse_plan(rewritten, "b.json").version == parse_plan(plan, "a.json").version


def test_a_changed_rule_has_another_version() -> None:
    stricter = {**SONG, "additionalProperties": False}
    changed = parse_plan(segment(track(schema=envelope(stricter))), "p.json")
    assert changed.version != parse_plan(segment(track()), "p.json").version


@pytest.mark.parametrize(
    ("reference", "rewritten"),
    [
        ("#/definitions/kind", "#/definitions/kind"),
        ("#/$defs/size", "#/definitions/size"),
        ("#/properties/properties/properties/a", "#/properties/a"),
    ],
)
def test_a_reference_resolves_from_the_rules_own_root(reference: str, rewritten: str) -> None:
    inner = {"properties": {"a": {"type": "integer"}, "b": {"$ref": reference}}}
    envelope_ = envelope(inner, **{"$defs": {"size": {"type": "integer"}}})
    schema = only_rule(segment(track(schema=envelope_))).schema
    assert schema["properties"]["b"] == {"$ref": rewritten}
    assert Draft7Validator(schema).is_valid({"b": 1})
    assert not Draft7Validator(schema).is_valid({"b": "x"})


def test_an_id_that_only_labels_does_not_send_references_astray() -> None:
    labelled = {"$id": "/properties/b", "$ref": "#/definitions/kind"}
    schema = only_rule(segment(track(schema=envelope({"properties": {"b": labelled}})))).schema
    assert schema["properties"]["b"] == {"$ref": "#/definitions/kind"}


def test_a_property_may_be_called_as_a_keyword_is() -> None:
    inner = {"properties": {"$ref": {"type": "string"}, "$id": {}, "definitions": {}}}
    assert (
        only_rule(segment(track(schema=envelope(inner)))).schema["properties"]
        == (inner["properties"])
    )


def test_planned_properties_are_summed_up_through_references() -> None:
    assert planned_properties(only_rule(segment(track()))) == {
        "song": PropertySummary("string", True, "Its title"),
        "length": PropertySummary("number or null", False, ""),
        "level": PropertySummary("string", False, ""),
        "tags": PropertySummary("array of string", False, ""),
        "kind": PropertySummary("integer", False, "Which kind"),
        "auth": PropertySummary("any", True, ""),
    }


WRONG_FILES = {
    "empty": (b" \n", "an empty file"),
    "not UTF-8": (b"\x80abc", "byte 0x80 at 0"),
    "cut": (segment(track())[:-9], "expected JSON"),
    "NaN": (b'{"rules": [NaN]}', "NaN, which is no JSON number"),
    "nested JSON": (b"[" * 200_000, "nested too deeply"),
    "too large": (b" " * (MAX_BYTES + 1), "at most"),
    "array": (b"[1, 2]", "an array"),
    "other JSON": (b'{"events": {}}', "an object with events"),
    "no events": (b'{"events": []}', "found none"),
    "text": (b"hello, world", "without the headers object type"),
    "CSV without types": (amplitude(headers=HEADERS[:13]), "property value type"),
    "no id": (segment(track(), id=None), "the plan's id"),
    "no rules": (segment(), "found none"),
    "no rows": (amplitude(), "found none"),
    "only other rules": (segment({"type": "GROUP"}), "1 of other kinds"),
    "rule is text": (segment("NextSong"), "rule 1"),
    "no event name": (segment(track(key=None)), "key of rule 1"),
    "property first": (amplitude(prop("a")), "on line 2"),
    "nameless event": (amplitude(event("")), "Object name on line 2"),
    "unquoted comma": (amplitude(event()) + b"," * 30 + b"x\n", "found 31 on line 3"),
    "open quote": (amplitude(event()) + b'"', "on line 3"),
}  # fmt: skip


def test_half_a_character_in_a_plan_is_the_replacement_character() -> None:
    assert only_rule(segment(track("a\ud83d"))).event_type == "a\ufffd"


def test_a_plan_of_events_alone_as_typewriter_read_it_is_named_after_its_file() -> None:
    events = [{"name": "NextSong", "rules": envelope()}]
    content = json.dumps({"events": events, "identify_traits": [], "group_traits": None}).encode()
    plan = parse_plan(content, "folder/music.json")
    assert (plan.plan_id, plan.name, plan.format) == ("music", "music", "segment_legacy")
    assert plan.rules[0].schema == only_rule(segment(track())).schema


@pytest.mark.parametrize(("content", "says"), WRONG_FILES.values(), ids=WRONG_FILES.keys())
def test_a_wrong_file_is_refused_with_one_sentence(content: bytes, says: str) -> None:
    assert says in refusal(content)


def test_an_event_may_hold_a_rule_that_refers_to_itself_further_down() -> None:
    tree = {"properties": {"child": {"$ref": "#/properties/properties"}}, "required": ["n"]}
    schema = only_rule(segment(track(schema=envelope(tree)))).schema
    assert not Draft7Validator(schema).is_valid({"n": 1, "child": {"n": 2, "child": {}}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["properties", "$ref", "type", "items", "not", "required", "allOf",
                             "definitions", "pattern", "enum", "dependencies", "a", "$id", "oneOf",
                             "$anchor", "$defs", "patternProperties", "if"]),
            inner | st.sampled_from(["#", "#/definitions/a", "#a", "a", "(", "^a", True, "object"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, derandomize=True, deadline=None)
@given(JSON, st.booleans())
def test_any_json_as_a_rule_is_either_refused_or_can_be_applied(
    schema: Any, directly: bool
) -> None:
    rule_schema = schema if directly else envelope(schema, definitions={"a": schema})
    plan = parse_plan(segment(track("E", schema=rule_schema)), "p.json")
    assert len(plan.rules) + len(plan.refused) == 1
    for rule in plan.rules:
        planned_properties(rule)
        ECMA(rule.schema, registry=Registry()).is_valid({"a": {"a": [1]}})
    (verdict,) = verdicts_of(plan, '{"a": {"a": [1]}}')
    assert (verdict == "unjudged") == bool(plan.refused)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_any_bytes_are_either_a_plan_or_refused(content: bytes) -> None:
    for bytes_ in (content, amplitude(event()) + content):
        with contextlib.suppress(PlanError):
            assert isinstance(parse_plan(bytes_, "p.csv"), Plan)
