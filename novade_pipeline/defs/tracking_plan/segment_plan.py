"""Segment's tracking plans, of the Public API and of the Config API before it.

Finds the rule of each version of each event; `segment_envelope` extracts the properties' schema.
"""

from typing import Any

from novade_pipeline.defs.tracking_plan.event_rules import applicable_rule
from novade_pipeline.defs.tracking_plan.event_versions import version_number
from novade_pipeline.defs.tracking_plan.json_schema import Schema, json_type
from novade_pipeline.defs.tracking_plan.plan import (
    EventRule,
    Plan,
    PlanError,
    RefusedRule,
    build_plan,
)
from novade_pipeline.defs.tracking_plan.references import Document, ReferenceFault
from novade_pipeline.defs.tracking_plan.segment_envelope import properties_schema

_TOO_DEEP = "expected a rule, found one nested too deeply to be judged; export the plan again"


def segment_plan(document: Schema, format_: str, rules: list[Any]) -> Plan:
    """The plan in a document of `format_`, `segment` or `segment_legacy`, with its events' rules.

    A rule that cannot be applied is refused; other rules are not affected.

    Raises:
        PlanError: the document names no plan, or has no rule for an event.
    """
    legacy = format_ == "segment_legacy"
    plan_id = document.get("name" if legacy else "id")
    name = document.get("display_name" if legacy else "name")
    if not isinstance(plan_id, str) or not plan_id:
        raise PlanError(
            f"expected the plan's {'name' if legacy else 'id'} as text, "
            f"found {json_type(plan_id)}; export the plan again"
        )
    name_field, schema_field = ("name", "rules") if legacy else ("key", "jsonSchema")
    sound: list[EventRule] = []
    refused: list[RefusedRule] = []
    ignored = 0
    if legacy:
        traits = (document["rules"].get(key) for key in ("identify_traits", "group_traits"))
        ignored = sum(len(rule) for rule in traits if isinstance(rule, list))
    for number, rule in enumerate(rules, start=1):
        if not isinstance(rule, dict):
            actual = f"found {json_type(rule)}; export the plan again"
            refused.append(RefusedRule("", 0, f"expected rule {number} to be an object, {actual}"))
            continue
        if rule.get("type", "TRACK") != "TRACK":
            ignored += 1
            continue
        event = rule.get(name_field)
        if not isinstance(event, str) or not event:
            actual = f"found {json_type(event)}; name the event in Segment"
            reason = f"expected the event's name in {name_field} of rule {number}, {actual}"
            refused.append(RefusedRule("", 0, reason))
            continue
        version, description = version_number(rule.get("version")), _description(rule, schema_field)
        try:
            sound.append(_event_rule(event, version, description, schema_field, rule))
        except RecursionError:
            refused.append(RefusedRule(event, version, _TOO_DEEP, description))
        except (PlanError, ReferenceFault) as fault:
            refused.append(RefusedRule(event, version, str(fault), description))
    named = name if isinstance(name, str) else plan_id
    return build_plan(plan_id, named, format_, sound, refused, ignored)


def _event_rule(
    event: str, version: int, description: str, schema_field: str, rule: Schema
) -> EventRule:
    stated = rule.get(schema_field)
    if not isinstance(stated, dict):
        raise PlanError(
            f"expected a JSON Schema in {schema_field}, found {json_type(stated)}; "
            "export the plan again"
        )
    document = Document(stated)
    schema = properties_schema(document, stated)
    if isinstance(schema, bool):
        schema = {} if schema else {"not": {}}
    if not isinstance(schema, dict):
        raise PlanError(
            "expected a JSON Schema under properties.properties, "
            f"found {json_type(schema)}; correct the rule in Segment"
        )
    return applicable_rule(event, description, schema, version, document)


def _description(rule: Schema, schema_field: str) -> str:
    stated = rule.get(schema_field)
    within = stated.get("description") if isinstance(stated, dict) else None
    return next((t for t in (rule.get("description"), within) if isinstance(t, str)), "")
