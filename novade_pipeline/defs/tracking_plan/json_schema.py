"""Draft-07 JSON Schema as data: walking a schema, resolving its `$ref`s, naming its types.

Nothing here validates a value, and no `$ref` is ever fetched.
"""

from collections.abc import Callable, Iterator
from copy import copy
from typing import Any
from urllib.parse import quote, unquote

Schema = dict[str, Any]

_MAPS_OF_SCHEMAS = {"properties", "patternProperties", "definitions", "dependencies"}
_LISTS_OF_SCHEMAS = {"allOf", "anyOf", "oneOf", "items"}
_SCHEMAS = {"additionalItems", "additionalProperties", "contains", "items", "propertyNames"}
_IN_PLACE = {"not", "if", "then", "else"}
_WITH_SCHEMAS = _MAPS_OF_SCHEMAS | _LISTS_OF_SCHEMAS | _SCHEMAS | _IN_PLACE


def json_type(value: Any) -> str:
    """The JSON Schema type of a parsed value; a float without a fraction is a `number`."""
    if value is None:
        return "null"
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")


def types_text(root: Schema, schema: Any, above: frozenset[int] = frozenset()) -> str:
    """The JSON types that a schema allows, as text: `array of string`, `integer or null`, `any`.

    An array of itself is an `array of any`; `above` holds the ids of the schemas it is in.
    """
    schema = follow(root, schema)
    if id(schema) in above:
        return "any"
    stated = schema.get("type")
    if stated is None:
        values = schema.get("enum", [schema["const"]] if "const" in schema else [])
        stated = list(dict.fromkeys(map(json_type, values))) or "any"
    elif stated == "array" and isinstance(schema.get("items"), dict):
        return f"array of {types_text(root, schema['items'], above | {id(schema)})}"
    return stated if isinstance(stated, str) else " or ".join(stated)


def children(schema: Schema) -> Iterator[tuple[tuple[str | int, ...], Schema]]:
    """Each schema directly below a draft-07 schema, with the steps that lead to it.

    Those that are `true` or `false` are left out.
    """
    for keyword in [keyword for keyword in schema if keyword in _WITH_SCHEMAS]:
        value = schema[keyword]
        below: list[tuple[tuple[str | int, ...], Any]] = []
        if keyword in _MAPS_OF_SCHEMAS and isinstance(value, dict):
            below = [((keyword, name), sub) for name, sub in value.items()]
        elif keyword in _LISTS_OF_SCHEMAS and isinstance(value, list):
            below = [((keyword, number), sub) for number, sub in enumerate(value)]
        elif keyword in _SCHEMAS | _IN_PLACE:
            below = [((keyword,), value)]
        for steps, sub in below:
            if isinstance(sub, dict):
                yield steps, sub


def with_subschemas(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """A copy of a draft-07 schema in which each schema directly below it is changed.

    Those that are `true` or `false` stay as they are.
    """
    changed = dict(schema)
    for (keyword, *rest), sub in children(schema):
        if not rest:
            changed[str(keyword)] = change(sub)
            continue
        if changed[str(keyword)] is schema[str(keyword)]:
            changed[str(keyword)] = copy(schema[str(keyword)])
        changed[str(keyword)][rest[0]] = change(sub)
    return changed


def located(schema: Schema, pointer: str = "#") -> Iterator[tuple[str, Schema]]:
    """A schema and every schema object below it, each with its JSON pointer."""
    yield pointer, schema
    for steps, sub in children(schema):
        yield from located(sub, "/".join([pointer, *map(pointer_step, steps)]))


def subschemas(schema: Schema) -> list[Schema]:
    """A schema and every schema object below it."""
    schemas = [schema]
    for _, sub in children(schema):
        schemas += subschemas(sub)
    return schemas


def applied_in_place(schema: Schema) -> Iterator[Any]:
    """The schemas that a schema applies to the same value, `$ref` apart."""
    for keyword in _IN_PLACE & schema.keys():
        yield schema[keyword]
    for keyword in _LISTS_OF_SCHEMAS - {"items"} & schema.keys():
        if isinstance(schema[keyword], list):
            yield from schema[keyword]
    if isinstance(dependencies := schema.get("dependencies"), dict):
        yield from dependencies.values()


def pointer_step(step: str | int) -> str:
    """One step of a JSON pointer, as a URI's fragment writes it (RFC 6901, section 6)."""
    return quote(str(step).replace("~", "~0").replace("/", "~1"), safe="~!$&'()*+,;=:@")


def resolve(root: Schema, reference: str) -> Any:
    """What a JSON pointer from the root (`#/definitions/song`) names; None for nothing."""
    target: Any = root
    for step in unquote(reference).split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        try:
            target = target[int(step) if isinstance(target, list) else step]
        except (LookupError, TypeError, ValueError):
            return None
    return target


def follow(root: Schema, schema: Any) -> Schema:
    """The schema that a schema refers to, itself if it refers to none."""
    while isinstance(schema, dict) and "$ref" in schema:
        schema = resolve(root, schema["$ref"])
    return schema if isinstance(schema, dict) else {}


def is_endless(root: Schema) -> bool:
    """Whether a schema applies itself again to the same value."""
    finite: set[int] = set()

    def returns(schema: Any, above: frozenset[int]) -> bool:
        if not isinstance(schema, dict) or id(schema) in finite:
            return False
        if id(schema) in above:
            return True
        refers = "$ref" in schema
        applied = [resolve(root, schema["$ref"])] if refers else applied_in_place(schema)
        if any(returns(sub, above | {id(schema)}) for sub in applied):
            return True
        finite.add(id(schema))
        return False

    return any(returns(sub, frozenset()) for sub in subschemas(root))
