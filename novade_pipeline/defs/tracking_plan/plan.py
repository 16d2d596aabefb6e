"""What a tracking plan is, and what makes one sound.

Belongs here: the plan and its rules, what every format's rules have to meet, and what a rule says
of its properties. Nothing here knows a vendor's format.
"""

import hashlib
import itertools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import jsonschema_rs
from jsonschema import Draft7Validator

from novade_pipeline.defs.tracking_plan.json_schema import (
    Schema,
    follow,
    is_endless,
    resolve,
    subschemas,
    types_text,
)
from novade_pipeline.errors import PermanentFailure

# The reference's own `check_schema` compares every pair in a long list of mixed values.
_META_SCHEMA = jsonschema_rs.Draft7Validator(
    json.dumps(Draft7Validator.META_SCHEMA), validate_formats=False, offline=True
)


class PlanError(PermanentFailure, ValueError):
    """A file that is no tracking plan: what was expected, what was found, where, what to do."""


@dataclass(frozen=True)
class EventRule:
    """What a plan says of one event.

    Attributes:
        event_type: the event's name, as events carry it.
        description: as the plan describes it; may be empty.
        schema: a draft-07 JSON Schema of the event's properties object. Every `$ref` in it is a
            JSON pointer from its own root that resolves and never leads back to itself.
    """

    event_type: str
    description: str
    schema: Schema


@dataclass(frozen=True)
class Plan:
    """A tracking plan.

    Attributes:
        plan_id: the vendor's id; for a CSV, which has none, the file's name without its ending.
        name: the plan's name.
        format: `segment`, `segment_legacy` or `amplitude_csv`.
        version: the first 16 hex digits of the SHA-256 of the rules as canonical JSON (ordered by
            event, keys sorted, no white space): the same rules, the same version.
        rules: one an event, ordered by event.
        ignored_rules: rules that are not about a planned event: identify, group, page; in a CSV
            other objects, and events that are unexpected, blocked, deleted or to be removed.
    """

    plan_id: str
    name: str
    format: str
    version: str
    rules: tuple[EventRule, ...]
    ignored_rules: int = 0


class PropertySummary(NamedTuple):
    """What a plan says of one top-level property: JSON types as text, required, description."""

    types: str
    required: bool
    description: str


def planned_properties(rule: EventRule) -> dict[str, PropertySummary]:
    """The top-level properties of a rule by name, in the plan's order."""
    root = follow(rule.schema, rule.schema)
    properties, required = root.get("properties", {}), root.get("required", [])
    summaries = {}
    for name in dict.fromkeys([*properties, *required]):
        stated = properties.get(name, True)
        schema = follow(rule.schema, stated)
        own = stated.get("description") if isinstance(stated, dict) else None
        description = str(own or schema.get("description") or "")
        summaries[name] = PropertySummary(
            types_text(rule.schema, schema), name in required, description
        )
    return summaries


def plan_of(
    plan_id: str, name: str, format_: str, rules: Iterable[EventRule], ignored_rules: int
) -> Plan:
    """The plan that rules make, one an event; its version is theirs."""
    ordered = sorted(rules, key=lambda rule: rule.event_type)
    if not ordered:
        raise PlanError(
            f"expected rules for events, found none ({ignored_rules} of other kinds); "
            "plan an event, then export again"
        )
    for one, next_one in itertools.pairwise(ordered):
        if one.event_type == next_one.event_type:
            raise PlanError(
                f'expected one rule for event "{one.event_type}", found two; remove one of them'
            )
    canonical = json.dumps(
        [[rule.event_type, rule.description, rule.schema] for rule in ordered],
        sort_keys=True,
        separators=(",", ":"),
    )
    version = hashlib.sha256(canonical.encode()).hexdigest()[:16]
    return Plan(plan_id, name, format_, version, tuple(ordered), ignored_rules)


def applicable_rule(event: str, description: str, schema: Schema) -> EventRule:
    """The rule for an event, once it is sure that the reference library can apply its schema."""
    try:
        _META_SCHEMA.validate(schema)
    except jsonschema_rs.ValidationError as error:
        place = "/".join(map(str, error.instance_path)) or "its root"
        raise PlanError(
            f'expected a valid JSON Schema in the rule for "{event}", found at {place}: '
            f"{error.message[:200]}; correct the rule"
        ) from None
    everywhere = subschemas(schema)
    for sub in everywhere:
        for pattern in [sub.get("pattern", ""), *sub.get("patternProperties", {})]:
            try:
                re.compile(pattern)
            except (re.error, OverflowError) as error:
                raise PlanError(
                    f'expected regular expressions in the rule for "{event}", '
                    f"found {pattern[:80]}, which Python cannot read ({error}); rewrite it"
                ) from None
    known = {id(sub) for sub in everywhere}
    for sub in everywhere:
        target = resolve(schema, sub["$ref"]) if "$ref" in sub else True
        if not isinstance(target, bool) and id(target) not in known:
            raise PlanError(
                f'expected every $ref in the rule for "{event}" to name a schema of the rule, '
                f"found {sub['$ref'][:80]}; correct it"
            )
    if is_endless(schema):
        raise PlanError(
            f'expected an end to the $refs in the rule for "{event}", found one that leads back '
            "to itself; correct it"
        )
    return EventRule(event, description, schema)
