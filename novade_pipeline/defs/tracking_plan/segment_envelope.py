"""The event's properties in Segment's rule, which is a schema of the whole call around them.

Belongs here: telling the two forms of a rule apart, and what each says of the properties.

| form     | the event's properties                 | written by                              |
|----------|----------------------------------------|-----------------------------------------|
| envelope | under `properties.properties`          | Segment's APIs and web page             |
| direct   | under `properties`                     | Segment's typewriter, where it saves a  |
|          |                                        | plan of the Public API                  |

A landed event has kept the properties of its call and not its other fields. What an envelope says
beside `properties` counts as far as it concerns the properties (`allOf`, `if`, `$ref`, …);
what it demands of other fields (`required: ["context"]`) is not judged. Where a rule would come
out one way or the other depending on them, as under `not`, it is refused.

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
# Segment's web page writes these two into every rule, empty where nothing is said of them.
_ALWAYS_THERE = {"context", "traits"}
_OF_THE_WHOLE_CALL = {
    *("const", "enum", "maxProperties", "minProperties", "patternProperties", "propertyNames"),
}


def properties_schema(document: Document, rule: Schema) -> Any:
    """What a rule, in either form, says of the event's properties; parts of it are its own parts.

    Raises:
        PlanError: neither form fits, or what it says cannot be told from the properties alone.
        ReferenceFault: a reference cannot be followed.
    """
    parts = list(_applied(document, rule, []))
    held = [part[PROPERTIES][PROPERTIES] for part in parts if _may_hold(part)]
    named = {name for part in parts for name in _names(part)}
    beside = sorted(named - CALL_FIELDS)
    demanded = any(PROPERTIES in _list(part, "required") for part in parts)
    described = any(PROPERTIES in _map(part, PROPERTIES) for part in parts)
    if beside and (held or (demanded and not described)):
        raise PlanError(
            "expected the event's properties either under properties.properties or directly under "
            f"properties, found both ({beside[0][:80]} beside properties); keep one of the two"
        )
    empty = bool(named) and named <= _ALWAYS_THERE and all(map(_says_objects, parts))
    if held or empty or (demanded and not described):
        return _of_properties(document, rule, exact=False)
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


def _may_hold(part: Schema) -> bool:
    """Whether `properties.properties` may be the schema of an object."""
    fields = _map(part, PROPERTIES)
    if PROPERTIES not in fields:
        return False
    stated = fields[PROPERTIES].get("type") if isinstance(fields[PROPERTIES], dict) else None
    return stated is None or stated == "object" or (isinstance(stated, list) and "object" in stated)


def _says_objects(part: Schema) -> bool:
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


def _of_properties(document: Document, schema: Any, exact: bool) -> Any:
    """What a schema of the call says of its properties, all else being as it should.

    Args:
        exact: nothing may be left out.
    """
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        return _of_properties(document, document.target(schema), exact)
    said: list[Any] = []
    conditional: Schema = {}
    for keyword, value in schema.items():
        if keyword == PROPERTIES and isinstance(value, dict):
            said += [value[PROPERTIES]] if PROPERTIES in value else []
            _refuse_others(keyword, {n: s for n, s in value.items() if s not in ({}, True)}, exact)
        elif keyword == "required":
            _refuse_others(keyword, dict.fromkeys(_list(schema, keyword)), exact)
        elif keyword == "allOf" and isinstance(value, list):
            said += [_of_properties(document, part, exact) for part in value]
        elif keyword in ("anyOf", "oneOf") and isinstance(value, list):
            said.append({keyword: [_of_properties(document, part, True) for part in value]})
        elif keyword == "not":
            said.append({keyword: _of_properties(document, value, True)})
        elif keyword in ("if", "then", "else"):
            conditional[keyword] = _of_properties(document, value, True)
        elif keyword == "dependencies" and isinstance(value, dict):
            _refuse_others(keyword, value, True)
            said += [
                _of_properties(document, needs, exact)
                for needs in value.values()
                if isinstance(needs, dict | bool)
            ]
        elif keyword == "additionalProperties" and PROPERTIES in _map(schema, PROPERTIES):
            _refuse_others(keyword, {} if value in ({}, True) else {"others": value}, exact)
        elif keyword == "type":
            if value != "object" and not (isinstance(value, list) and "object" in value):
                raise _cannot_tell(keyword)
        elif keyword in _OF_THE_WHOLE_CALL or keyword == "additionalProperties":
            raise _cannot_tell(keyword)
    said += [conditional] if conditional else []
    said = [part for part in said if part not in ({}, True)]
    return said[0] if len(said) == 1 else {"allOf": said} if said else {}


def _refuse_others(keyword: str, named: Schema, exact: bool) -> None:
    """Refuse what a keyword says of fields that are not known, where it decides."""
    if exact and named.keys() - {PROPERTIES}:
        raise _cannot_tell(keyword)


def _cannot_tell(keyword: str) -> PlanError:
    return PlanError(
        "expected rules that can be told from the event's properties alone, found "
        f"{keyword} beside properties; move it below properties.properties"
    )
