"""A reference is followed wherever in its document it leads, and nowhere else."""

from typing import Any

import pytest

from novade_pipeline.defs.tracking_plan.json_schema import Schema, located
from novade_pipeline.defs.tracking_plan.plan_formats import Plan, parse_plan
from novade_pipeline_tests.defs.tracking_plan.plans import envelope, segment, track
from novade_pipeline_tests.defs.tracking_plan.rules import verdicts_of

INTEGER = {"type": "integer"}
URN = "urn:uuid:deadbeef-1234-ffff-ffff-4321feebdaed"


def refers(reference: str, *, to: Any = None, **beside: Any) -> Schema:
    """Properties of which `n` is a reference; `to` is what definitions hold under `a`."""
    properties = {"n": {"$ref": reference}, **beside.pop("others", {})}
    return {"properties": properties, **({"definitions": {"a": to}} if to else {}), **beside}


def of(inner: Schema, **around: Any) -> Plan:
    schema = {**envelope(inner, definitions={}), **around}
    return parse_plan(segment(track("E", schema=schema)), "plan.json")


FOLLOWED: dict[str, tuple[Schema, dict[str, Any]]] = {
    "pointer from the envelope": (refers("#/definitions/i"), {"definitions": {"i": INTEGER}}),
    "pointer to another property": (
        refers("#/properties/properties/properties/m", others={"m": INTEGER}), {},
    ),
    "pointer from the properties": (refers("#/definitions/a", to=INTEGER), {}),
    "newer definitions": (refers("#/$defs/i"), {"$defs": {"i": INTEGER}}),
    "newer definitions of the properties": (refers("#/$defs/i", **{"$defs": {"i": INTEGER}}), {}),
    "pointer with escapes": (
        refers("#/definitions/a%25b~1c~0%22"), {"definitions": {'a%b/c~"': INTEGER}},
    ),
    "pointer to the context": (
        refers("#/properties/context/properties/i"),
        {"properties": {
            "properties": refers("#/properties/context/properties/i"),
            "context": {"properties": {"i": INTEGER}},
        }},
    ),
    "pointer to where no keyword stands": (
        refers("#/components/schemas/i"), {"components": {"schemas": {"i": INTEGER}}},
    ),
    "reference to a reference": (
        refers("#/definitions/j"),
        {"definitions": {"i": INTEGER, "j": {"$ref": "#/definitions/i"}}},
    ),
    "$id": (refers("integer.json", to={"$id": "integer.json", **INTEGER}), {}),
    "$id that is a URL": (
        refers("https://acme.example/i", to={"$id": "https://acme.example/i", **INTEGER}), {},
    ),
    "$id relative to a URL": (
        refers("i.json#", to={"$id": "/plans/i.json", **INTEGER}),
        {"$id": "https://acme.example/plans/order.json"},
    ),
    "URL of the document": (
        refers("https://acme.example/order.json#/definitions/i"),
        {"$id": "https://acme.example/order.json", "definitions": {"i": INTEGER}},
    ),
    "URN": (refers(URN, to={"$id": URN, **INTEGER}), {}),
    "URN with a pointer": (
        refers(f"{URN}#/definitions/i"), {"$id": URN, "definitions": {"i": INTEGER}},
    ),
    "pointer below a URN": (
        refers("#/definitions/i"), {"$id": URN, "definitions": {"i": INTEGER}},
    ),
    "URN with an anchor": (
        refers(f"{URN}#i"), {"$id": URN, "definitions": {"i": {"$id": "#i", **INTEGER}}},
    ),
    "anchor": (refers("#i", to={"$id": "#i", **INTEGER}), {}),
    "newer anchor": (refers("#i", to={"$anchor": "i", **INTEGER}), {}),
    "anchor under a URL": (
        refers("https://acme.example/x#i", to={"$id": "https://acme.example/x#i", **INTEGER}), {},
    ),
    "base that changes below": (
        {"properties": {"n": {"$id": "https://acme.example/n/", "allOf": [{"$ref": "i.json"}]}}},
        {"definitions": {"i": {"$id": "https://acme.example/n/i.json", **INTEGER}}},
    ),
    "pointer from a schema of its own": (
        {"properties": {"n": {
            "$id": "n.json", "definitions": {"i": INTEGER}, "allOf": [{"$ref": "#/definitions/i"}],
        }}},
        {"definitions": {"i": {"type": "string"}}},
    ),
    "label that sends references astray": (
        {"properties": {"n": {
            "$id": "/properties/n", "anyOf": [{"$ref": "#/definitions/i"}],
        }}},
        {"definitions": {"i": INTEGER}},
    ),
    "labels as generators write them": (
        {"$id": "#/properties/properties", "properties": {
            "n": {"$id": "#/properties/properties/properties/n", **INTEGER},
            "m": {"$id": "#/properties/properties/properties/m", **INTEGER},
        }},
        {},
    ),
    "the same $id twice, for the same": (
        refers("i", to={"$id": "i", **INTEGER}, others={"m": {"$id": "i", **INTEGER}}), {},
    ),
    "anchor from under a label": (
        {"properties": {"n": {"$id": "/properties/n", "allOf": [{"$ref": "#i"}]}}},
        {"definitions": {"i": {"$id": "#i", **INTEGER}}},
    ),
    "$id beside a reference": (
        {"properties": {"n": {"$id": "https://acme.example/", "$ref": "#/definitions/i"}}},
        {"definitions": {"i": INTEGER}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("properties", "around"), FOLLOWED.values(), ids=FOLLOWED.keys())
def test_a_reference_within_the_document_is_followed(
    properties: Schema, around: dict[str, Any]
) -> None:
    plan = of(properties, **around)
    assert plan.faults == []
    assert verdicts_of(plan, '{"n": 1}', '{"n": "x"}') == ["conforming", "violating"]
    (rule,) = plan.rules
    for _, schema in located(rule.schema):
        assert str(schema.get("$ref", "#/")).startswith("#")
        assert not {"$id", "$anchor", "$defs"} & schema.keys()


@pytest.mark.parametrize("reference", ["#", "#/", "https://acme.example/order.json"])
def test_a_rule_written_directly_may_refer_to_itself(reference: str) -> None:
    schema = {
        "$id": "https://acme.example/order.json",
        "properties": {"n": INTEGER, "next": {"$ref": reference}, "": {"$ref": "#"}},
        "required": ["n"],
    }
    plan = parse_plan(segment(track("E", schema=schema)), "p.json")
    if reference == "#/":
        assert "found #/, which names nothing in it" in plan.faults[0]
        return
    texts = '{"n": 1, "next": {"n": 2}}', '{"n": 1, "next": {}}'
    assert verdicts_of(plan, *texts) == ["conforming", "violating"]


def test_two_definitions_of_one_name_stay_apart() -> None:
    ours = {
        "n": {"$ref": "#/definitions/a"},
        "m": {"$ref": "#/properties/properties/definitions/a"},
    }
    inner = {"properties": ours, "definitions": {"a": {"type": "string"}}}
    plan = of(inner, definitions={"a": INTEGER})
    texts = '{"n": 1, "m": "x"}', '{"n": "x"}', '{"m": 1}'
    assert verdicts_of(plan, *texts) == ["conforming", "violating", "violating"]


def test_the_language_of_schemas_itself_is_known() -> None:
    plan = of(refers("http://json-schema.org/draft-07/schema#"))
    texts = '{"n": {"type": "string"}}', '{"n": {"type": 1}}'
    assert verdicts_of(plan, *texts) == ["conforming", "violating"]


LEFT = {
    "URL": (refers("https://acme.example/i"), "https://acme.example/i, which names nothing in it"),
    "file": (refers("i.json"), "found i.json"),
    "another document's part": (refers("i.json#/definitions/a", to=INTEGER), "found i.json#/def"),
    "URN": (refers(URN), f"found {URN}"),
    "anchor": (refers("#i", to=INTEGER), "found #i"),
    "no URL": (refers("http://[", to=INTEGER), "found http://["),
    "two that differ": (
        refers("i", to={"$id": "i", **INTEGER}, others={"m": {"$id": "i"}}),
        "found i, which names two schemas that differ",
    ),
    "$id in an enum": (
        refers("i", others={"m": {"enum": [{"$id": "i", **INTEGER}]}}), "found i, which names",
    ),
    "text": (refers("#/title", title="t"), "found #/title, which names no schema"),
}  # fmt: skip


@pytest.mark.parametrize(("properties", "says"), LEFT.values(), ids=LEFT.keys())
def test_a_reference_that_leaves_the_document_is_refused(properties: Schema, says: str) -> None:
    (fault,) = of(properties).faults
    assert fault.startswith('rule for "E": expected every $ref to stay in its document, found ')
    assert says in fault
