"""Makes rules of any format applicable: validates them, drops keywords with unreadable patterns."""

import json
from typing import Any

import jsonschema_rs
from jsonschema import Draft7Validator

from novade_pipeline.defs.tracking_plan.ecma_patterns import read_pattern
from novade_pipeline.defs.tracking_plan.json_schema import (
    Schema,
    is_endless,
    located,
    resolve,
    subschemas,
    with_subschemas,
)
from novade_pipeline.defs.tracking_plan.plan import EventRule, PlanError
from novade_pipeline.defs.tracking_plan.references import Document, ReferenceFault

# The reference's own `check_schema` compares every pair in a long list of mixed values.
_META_SCHEMA = jsonschema_rs.Draft7Validator(
    json.dumps(Draft7Validator.META_SCHEMA), validate_formats=False, offline=True
)


def applicable_rule(
    event: str, description: str, schema: Schema, version: int = 0, document: Document | None = None
) -> EventRule:
    """The rule for an event, after checking that the reference library can apply its schema.

    Args:
        event: its type.
        description: as the plan describes it.
        schema: of the event's properties.
        version: of the event; 0 where the plan gives it none.
        document: the document of the schema and its references; by default the schema itself.

    Raises:
        PlanError: it cannot be applied.
    """
    try:
        schema = (document or Document(schema)).standalone(schema)
    except ReferenceFault as fault:
        raise PlanError(str(fault)) from None
    try:
        _META_SCHEMA.validate(schema)
    except jsonschema_rs.ValidationError as error:
        place = "/".join(map(str, error.instance_path)) or "its root"
        raise PlanError(
            f"expected a valid JSON Schema, found at {place}: {error.message[:200]}; "
            "correct the rule"
        ) from None
    if is_endless(schema):
        raise PlanError(
            "expected an end to the $refs, found one that leads back to itself; correct it"
        )
    schema, left_out = with_readable_patterns(schema)
    return EventRule(event, description, schema, version, tuple(left_out))


def with_readable_patterns(root: Schema) -> tuple[Schema, list[str]]:
    """The schema without the keywords whose patterns cannot be read, and a sentence on each.

    Without a keyword a schema allows more; under `not`, `oneOf` or `if` that would forbid more, so
    the whole keyword is left out.
    """
    unreadable = {
        id(schema): faults
        for schema in subschemas(root)
        if (faults := _unreadable_patterns(schema))
    }
    if not unreadable:
        return root, []
    places = {id(schema): pointer for pointer, schema in located(root)}
    left_out: dict[str, None] = {}

    def without_unreadable(schema: Schema) -> Schema:
        place, faults = places[id(schema)][2:] or "its root", unreadable.get(id(schema), {})
        copy = dict(schema)
        for pattern, fault in faults.items():
            left_out[f"{place} is judged without the pattern {pattern[:80]} ({fault})"] = None
        if copy.get("pattern") in faults:
            del copy["pattern"]
        if faults.keys() & copy.get("patternProperties", {}).keys():
            copy["patternProperties"] = {
                name: sub for name, sub in copy["patternProperties"].items() if name not in faults
            }
            # It is not known which names the pattern would have allowed.
            if copy.pop("additionalProperties", None) is not None:
                left_out[f"{place} is judged without additionalProperties"] = None
        for keyword, follow_it in (("not", ()), ("oneOf", ()), ("if", ("then", "else"))):
            if keyword in copy and _reaches(root, copy[keyword], unreadable, set()):
                left_out[f"{place} is judged without {keyword}"] = None
                for gone in (keyword, *follow_it):
                    copy.pop(gone, None)
        return with_subschemas(copy, without_unreadable)

    return without_unreadable(root), list(left_out)


def _unreadable_patterns(schema: Schema) -> dict[str, str]:
    """The patterns of one schema that are no regular expressions, and why."""
    faults = {}
    stated = [schema["pattern"]] if "pattern" in schema else []
    for pattern in [*stated, *schema.get("patternProperties", {})]:
        try:
            read_pattern(pattern)
        except ValueError as error:
            faults[pattern] = str(error)[:80]
    return faults


def _reaches(root: Schema, schema: Any, goal: dict[int, Any], visited: set[int]) -> bool:
    """Whether a schema, or any below or referred to, is among the goal's."""
    parts = schema if isinstance(schema, list) else [schema]
    for part in [sub for whole in parts if isinstance(whole, dict) for sub in subschemas(whole)]:
        if id(part) in visited:
            continue
        visited.add(id(part))
        if id(part) in goal:
            return True
        if "$ref" in part and _reaches(root, resolve(root, part["$ref"]), goal, visited):
            return True
    return False
