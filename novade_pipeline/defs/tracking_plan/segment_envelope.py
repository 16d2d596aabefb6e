"""The event's properties in Segment's rule, which is a schema of the whole call around them.

Belongs here: distinguishing the two forms of a rule, and extracting the properties' schema.

| form     | the event's properties                 | written by                              |
|----------|----------------------------------------|-----------------------------------------|
| envelope | under `properties.properties`          | Segment's APIs and web page             |
| direct   | under `properties`                     | Segment's typewriter, where it saves a  |
|          |                                        | plan of the Public API                  |

A landed event has the properties of its call and not its other fields. Keywords of an envelope
beside `properties` count as far as they concern the properties (`allOf`, `if`, `$ref`, …);
demands on other fields (`required: ["context"]`) are not judged. A rule whose verdict depends on
other fields, as under `not`, is refused.

Source: https://segment.com/docs/connections/spec/common/ for the fields of a call, and
https://segment.com/docs/protocols/tracking-plan/create/ for the schema.
"""

from collections.abc import Iterator
from typing import Any

from novade_pipeline.defs.tracking_plan.json_schema import Schema, applied_in_place
from novade_pipeline.defs.tracking_plan.plan import PlanError
from novade_pipeline.defs.tracking_plan.references import Document

PROPERTIES = "properties"
CALL_FIELDS = {
    *("anonymousId", "channel", "context", "event", "integrations", "messageId"),
    *("originalTimestamp", "projectId", PROPERTIES, "receivedAt", "sentAt", "timestamp", "traits"),
    *("type", "userId", "version", "writeKey"),
}
# Segment's web page writes these two into every rule, even if they are empty.
_BOILERPLATE_FIELDS = {"context", "traits"}
_CALL_KEYWORDS = {
    *("const", "enum", "maxProperties", "minProperties", "patternProperties", "propertyNames"),
}


def properties_schema(document: Document, rule: Schema) -> Any:
    """The schema of the event's properties in a rule of either form; shares the rule's objects.

    Raises:
        PlanError: neither form fits, or the verdict depends on more than the properties.
        ReferenceFault: a reference cannot be followed.
    """
    parts = list(_applied(document, rule, []))
    envelopes = [part[PROPERTIES][PROPERTIES] for part in parts if _may_be_envelope(part)]
    named = {name for part in parts for name in _names(part)}
    beside = sorted(named - CALL_FIELDS)
    demanded = any(PROPERTIES in _list(part, "required") for part in parts)
    described = any(PROPERTIES in _map(part, PROPERTIES) for part in parts)
    if beside and (envelopes or (demanded and not described)):
        raise PlanError(
            "expected the event's properties either under properties.properties or directly under "
            f"properties, found both ({beside[0][:80]} beside properties); keep one of the two"
        )
    empty = bool(named) and named <= _BOILERPLATE_FIELDS and all(map(_declares_objects, parts))
    if envelopes or empty or (demanded and not described):
        return _properties_part(document, rule, exact=False)
    return rule


def _applied(document: Document, schema: Any, above: list[int]) -> Iterator[Schema]:
    """A schema and all that it applies to the same call."""
    if not isinstance(schema, dict):
        return
    if id(schema) in above:
        raise PlanError(
            "expected an end to the $refs beside properties, found one that leads back to itself; "
            "correct it"
        )
    above = [*above, id(schema)]
    if isinstance(schema.get("$ref"), str):
        yield from _applied(document, document.target(schema), above)
        return
    yield schema
    for part in applied_in_place(schema):
        yield from _applied(document, part, above)


def _names(part: Schema) -> Iterator[str]:
    yield from _map(part, PROPERTIES)
    yield from _list(part, "required")
    needs = _map(part, "dependencies")
    for name in needs:
        yield name
        yield from _list(needs, name)


def _may_be_envelope(part: Schema) -> bool:
    """Whether `properties.properties` may be the schema of an object."""
    fields = _map(part, PROPERTIES)
    if PROPERTIES not in fields:
        return False
    stated = fields[PROPERTIES].get("type") if isinstance(fields[PROPERTIES], dict) else None
    return stated is None or stated == "object" or (isinstance(stated, list) and "object" in stated)


def _declares_objects(part: Schema) -> bool:
    return all(
        isinstance(field, dict) and field.get("type", "object") == "object"
        for field in _map(part, PROPERTIES).values()
    )


def _map(part: Schema, keyword: str) -> Schema:
    value = part.get(keyword)
    return value if isinstance(value, dict) else {}


def _list(part: Schema, keyword: str) -> list[str]:
    value = part.get(keyword)
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _properties_part(document: Document, schema: Any, exact: bool) -> Any:
    """The part of a call's schema that concerns the properties; other fields count as valid.

    Args:
        exact: nothing may be left out.
    """
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        return _properties_part(document, document.target(schema), exact)
    parts: list[Any] = []
    conditional: Schema = {}
    for keyword, value in schema.items():
        if keyword == PROPERTIES and isinstance(value, dict):
            parts += [value[PROPERTIES]] if PROPERTIES in value else []
            _refuse_fields(keyword, {n: s for n, s in value.items() if s not in ({}, True)}, exact)
        elif keyword == "required":
            _refuse_fields(keyword, dict.fromkeys(_list(schema, keyword)), exact)
        elif keyword == "allOf" and isinstance(value, list):
            parts += [_properties_part(document, part, exact) for part in value]
        elif keyword in ("anyOf", "oneOf") and isinstance(value, list):
            parts.append({keyword: [_properties_part(document, part, True) for part in value]})
        elif keyword == "not":
            parts.append({keyword: _properties_part(document, value, True)})
        elif keyword in ("if", "then", "else"):
            conditional[keyword] = _properties_part(document, value, True)
        elif keyword == "dependencies" and isinstance(value, dict):
            _refuse_fields(keyword, value, True)
            parts += [
                _properties_part(document, needs, exact)
                for needs in value.values()
                if isinstance(needs, dict | bool)
            ]
        elif keyword == "additionalProperties" and PROPERTIES in _map(schema, PROPERTIES):
            _refuse_fields(keyword, {} if value in ({}, True) else {"others": value}, exact)
        elif keyword == "type":
            if value != "object" and not (isinstance(value, list) and "object" in value):
                raise _undecidable(keyword)
        elif keyword in _CALL_KEYWORDS or keyword == "additionalProperties":
            raise _undecidable(keyword)
    parts += [conditional] if conditional else []
    parts = [part for part in parts if part not in ({}, True)]
    return parts[0] if len(parts) == 1 else {"allOf": parts} if parts else {}


def _refuse_fields(keyword: str, named: Schema, exact: bool) -> None:
    """Refuse a keyword's demands on unknown fields if they decide the verdict."""
    if exact and named.keys() - {PROPERTIES}:
        raise _undecidable(keyword)


def _undecidable(keyword: str) -> PlanError:
    return PlanError(
        "expected rules that depend on the event's properties alone, found "
        f"{keyword} beside properties; move it below properties.properties"
    )
