"""The tracking plan, its rules, and their properties, whatever the vendor's format."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from novade_pipeline.defs.tracking_plan.json_schema import (
    Schema,
    applied_in_place,
    follow,
    types_text,
)
from novade_pipeline.errors import PermanentFailure

# Increased when the same rules mean something else: all events are judged again.
_RULES_VERSION = 2


class PlanError(PermanentFailure, ValueError):
    """A file is no tracking plan, or a rule cannot be applied: `expected …, found …`."""


@dataclass(frozen=True)
class EventRule:
    """A plan's rule for one version of an event.

    Attributes:
        event_type: the event's name, as events carry it.
        description: as the plan describes it; may be empty.
        schema: a draft-07 JSON Schema of the event's properties object. Every `$ref` in it is a
            JSON pointer from its own root that resolves and never leads back to itself.
        version: of the event; 0 where the plan gives it none.
        not_judged: keywords of the rule that are left out, a sentence each with the reason.
    """

    event_type: str
    description: str
    schema: Schema
    version: int = 0
    not_judged: tuple[str, ...] = ()


@dataclass(frozen=True)
class RefusedRule:
    """A rule that cannot be applied; the others of its plan are.

    Attributes:
        event_type: the event's name; empty where the rule has none.
        version: of the event; 0 where the plan gives it none.
        reason: `expected …, found …; …`.
        description: as the plan describes the event; may be empty.
    """

    event_type: str
    version: int
    reason: str
    description: str = ""


@dataclass(frozen=True)
class Plan:
    """A tracking plan.

    Attributes:
        plan_id: the vendor's id; for a CSV, which has none, the file's name without its ending.
        name: the plan's name.
        format: `segment`, `segment_legacy` or `amplitude_csv`.
        version: the first 16 hex digits of the SHA-256 of the rules as canonical JSON (ordered by
            event, keys sorted, no white space): the same rules, the same version.
        rules: one for each version of an event, ordered by event and version.
        ignored_rules: rules that are not about a planned event: identify, group, page; in a CSV
            other objects, and events that are unexpected, blocked, deleted or to be removed.
        refused: rules that cannot be applied, ordered by event and version.
    """

    plan_id: str
    name: str
    format: str
    version: str
    rules: tuple[EventRule, ...]
    ignored_rules: int = 0
    refused: tuple[RefusedRule, ...] = ()

    @property
    def faults(self) -> list[str]:
        """Parts of the plan that are not judged, a sentence each."""
        return [
            *(f"{_rule_text(rule)}: {rule.reason}" for rule in self.refused),
            *(f"{_rule_text(rule)}: {why}" for rule in self.rules for why in rule.not_judged),
        ]


def _rule_text(rule: EventRule | RefusedRule) -> str:
    subject = f' for "{rule.event_type}"' if rule.event_type else ""
    return f"rule{subject}, version {rule.version}" if rule.version > 1 else f"rule{subject}"


class PropertySummary(NamedTuple):
    """A planned top-level property: JSON types as text, required, description."""

    types: str
    required: bool
    description: str


def planned_properties(rule: EventRule) -> dict[str, PropertySummary]:
    """The top-level properties of a rule by name, in the plan's order."""
    stated: dict[str, Any] = {}
    required: dict[str, None] = {}
    for schema, always in _same_value_schemas(rule.schema, rule.schema, True):
        for name, sub in schema.get("properties", {}).items():
            stated.setdefault(name, sub)
        required |= dict.fromkeys(schema.get("required", []) if always else [])
    summaries = {}
    for name in dict.fromkeys([*stated, *required]):
        schema = follow(rule.schema, stated.get(name, True))
        own = stated[name].get("description") if isinstance(stated.get(name), dict) else None
        description = str(own or schema.get("description") or "")
        summaries[name] = PropertySummary(
            types_text(rule.schema, schema), name in required, description
        )
    return summaries


def _same_value_schemas(root: Schema, schema: Any, always: bool) -> Iterator[tuple[Schema, bool]]:
    """The schemas that a schema applies to the same value, and whether they always hold."""
    schema = follow(root, schema)
    yield schema, always
    forbidden, every = schema.get("not"), list(map(id, schema.get("allOf", [])))
    for part in applied_in_place(schema):
        if part is not forbidden and isinstance(part, dict):
            yield from _same_value_schemas(root, part, always and id(part) in every)


def build_plan(
    plan_id: str,
    name: str,
    format_: str,
    rules: Iterable[EventRule],
    refused: Iterable[RefusedRule],
    ignored_rules: int,
) -> Plan:
    """The plan with these rules; its version is their hash.

    Raises:
        PlanError: there is no rule for an event.
    """
    by_name: dict[tuple[str, int], list[EventRule]] = {}
    for rule in rules:
        by_name.setdefault((rule.event_type, rule.version), []).append(rule)
    sound, unsound = [], list(refused)
    for (event_type, number), duplicates in sorted(by_name.items()):
        if all(rule.schema == duplicates[0].schema for rule in duplicates):
            sound.append(duplicates[0])
            continue
        reason = "expected one rule for each version, found two that differ; remove one of them"
        unsound.append(RefusedRule(event_type, number, reason, duplicates[0].description))
    # If a version is refused as well, it is not known which of its rules counts.
    names = {(rule.event_type, rule.version) for rule in unsound}
    sound = [rule for rule in sound if (rule.event_type, rule.version) not in names]
    unsound.sort(key=lambda rule: (rule.event_type, rule.version))
    if not sound and not any(rule.event_type for rule in unsound):
        actual = f"found none ({ignored_rules} of other kinds)"
        if unsound:
            actual += f", and one that is refused ({unsound[0].reason.partition(';')[0]})"
        raise PlanError(f"expected rules for events, {actual}; plan an event, then export again")
    canonical = json.dumps(
        [
            _RULES_VERSION,
            [[rule.event_type, rule.version, rule.description, rule.schema] for rule in sound],
            [[rule.event_type, rule.version, rule.description, rule.reason] for rule in unsound],
        ],
        sort_keys=True,
        separators=(",", ":"),
    )
    version = hashlib.sha256(canonical.encode()).hexdigest()[:16]
    return Plan(plan_id, name, format_, version, tuple(sound), ignored_rules, tuple(unsound))
