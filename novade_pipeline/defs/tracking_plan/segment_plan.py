"""Segment's tracking plans, of the Public API and of the Config API before it.

Belongs here: finding the rule of each event in Segment's JSON, and making the schema of its
properties, which Segment keeps inside that of the whole call, stand on its own.
"""

import itertools
import re
from typing import Any

from novade_pipeline.defs.tracking_plan.json_schema import Schema, json_type, with_subschemas
from novade_pipeline.defs.tracking_plan.plan import (
    EventRule,
    Plan,
    PlanError,
    applicable_rule,
    plan_of,
)

MAX_LEVELS = 64


def segment_plan(document: Schema, format_: str, rules: list[Any]) -> Plan:
    """The plan in a document of `format_`, `segment` or `segment_legacy`, with its events' rules.

    Raises:
        PlanError: the document names no plan, or a rule in it cannot be applied.
    """
    legacy = format_ == "segment_legacy"
    plan_id = document.get("name" if legacy else "id")
    name = document.get("display_name" if legacy else "name")
    if not isinstance(plan_id, str) or not plan_id:
        raise PlanError(
            f"expected the plan's {'name' if legacy else 'id'} as text, "
            f"found {json_type(plan_id)}; export the plan again"
        )
    tracked, ignored = [], 0
    if legacy:
        traits = (document["rules"].get(key) for key in ("identify_traits", "group_traits"))
        ignored = sum(len(rule) for rule in traits if isinstance(rule, list))
    for number, rule in enumerate(rules, start=1):
        if not isinstance(rule, dict):
            raise PlanError(
                f"expected rule {number} to be an object, found {json_type(rule)}; "
                "export the plan again"
            )
        if rule.get("type", "TRACK") == "TRACK":
            fields = ("name", "rules") if legacy else ("key", "jsonSchema")
            tracked.append(_segment_rule(number, rule, *fields))
        else:
            ignored += 1
    return plan_of(plan_id, name if isinstance(name, str) else plan_id, format_, tracked, ignored)


def _segment_rule(number: int, rule: Schema, name_field: str, schema_field: str) -> EventRule:
    name, envelope = rule.get(name_field), rule.get(schema_field)
    if not isinstance(name, str) or not name:
        raise PlanError(
            f"expected the event's name in {name_field} of rule {number}, "
            f"found {json_type(name)}; name the event in Segment"
        )
    if not isinstance(envelope, dict):
        raise PlanError(
            f'expected a JSON Schema in {schema_field} of the rule for "{name}", '
            f"found {json_type(envelope)}; export the plan again"
        )
    described = (rule.get("description"), envelope.get("description"))
    description = next((text for text in described if isinstance(text, str)), "")
    return applicable_rule(name, description, _properties_schema(name, envelope))


def _properties_schema(event: str, envelope: Schema) -> Schema:
    """What Segment keeps under `properties.properties`, standing on its own."""
    around = envelope.get("properties", {})
    inner = around.get("properties", {}) if isinstance(around, dict) else around
    if isinstance(inner, bool):
        inner = {} if inner else {"not": {}}
    if not isinstance(inner, dict):
        raise PlanError(
            f'expected a JSON Schema under properties.properties of the rule for "{event}", '
            f"found {json_type(inner)}; correct the rule in Segment"
        )
    definitions: Schema = {}
    for holder, keyword in itertools.product((envelope, inner), ("definitions", "$defs")):
        stated = holder.get(keyword, {})
        for name, schema in stated.items() if isinstance(stated, dict) else ():
            if definitions.setdefault(name, schema) != schema:
                raise PlanError(
                    f'expected one definition of {name} in the rule for "{event}", found two that '
                    "differ; rename one in Segment"
                )
    schema = {key: value for key, value in inner.items() if key not in ("definitions", "$defs")}
    if definitions:
        schema["definitions"] = definitions
    if "$schema" in envelope:
        schema["$schema"] = envelope["$schema"]
    return _relocated(event, schema)


def _relocated(event: str, schema: Schema, level: int = 1) -> Schema:
    """The schema with its references, written from the envelope's root, written from its own."""
    if level > MAX_LEVELS:
        raise PlanError(
            f'expected at most {MAX_LEVELS} levels in the rule for "{event}", found more; '
            "export the plan again"
        )
    moved = with_subschemas(schema, lambda sub: _relocated(event, sub, level + 1))
    # An `$id` moves the base of the references below it. Generators write it everywhere as a
    # label (`"$id": "/properties/song"`), where it would send each reference astray.
    moved.pop("$id", None)
    reference = moved.get("$ref")
    if isinstance(reference, str):
        if re.match(r"#/properties/properties(/|$)", reference):
            moved["$ref"] = "#" + reference.removeprefix("#/properties/properties")
        elif re.match(r"#/(definitions|\$defs)/", reference):
            moved["$ref"] = reference.replace("#/$defs/", "#/definitions/", 1)
        else:
            raise PlanError(
                f'expected every $ref in the rule for "{event}" to stay in its definitions or its '
                f"event's properties, found {reference[:80]}; copy what it names into the rule"
            )
    return moved
