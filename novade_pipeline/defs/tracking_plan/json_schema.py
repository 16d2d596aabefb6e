"""Draft-07 JSON Schema as data: walking a schema, resolving its `$ref`s, naming its types.

Belongs here: what holds of any schema, whichever plan it stands in. Nothing here checks a value,
and no `$ref` is ever fetched.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

Schema = dict[str, Any]

_MAPS_OF_SCHEMAS = {"properties", "patternProperties", "definitions", "dependencies"}
_LISTS_OF_SCHEMAS = {"allOf", "anyOf", "oneOf", "items"}
_SCHEMAS = {"additionalItems", "additionalProperties", "contains", "items", "propertyNames"}
_IN_PLACE = {"not", "if", "then", "else"}


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


def with_subschemas(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """A copy of a draft-07 schema in which each schema directly below it is changed.

    Those that are `true` or `false` stay as they are.
    """
    changed = dict(schema)
    for keyword, value in schema.items():
        if keyword in _MAPS_OF_SCHEMAS and isinstance(value, dict):
            changed[keyword] = {
                name: change(sub) if isinstance(sub, dict) else sub for name, sub in value.items()
            }
        elif keyword in _LISTS_OF_SCHEMAS and isinstance(value, list):
            changed[keyword] = [change(sub) if isinstance(sub, dict) else sub for sub in value]
        elif keyword in _SCHEMAS | _IN_PLACE and isinstance(value, dict):
            changed[keyword] = change(value)
    return changed


def subschemas(schema: Schema) -> list[Schema]:
    """A schema and every object below it where a schema may stand."""
    found = [schema]

    def collect(sub: Schema) -> Schema:
        found.extend(subschemas(sub))
        return sub

    with_subschemas(schema, collect)
    return found


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
    settled: set[int] = set()

    def returns(schema: Any, above: frozenset[int]) -> bool:
        if not isinstance(schema, dict) or id(schema) in settled:
            return False
        if id(schema) in above:
            return True
        applied: list[Any] = [schema[key] for key in _IN_PLACE & schema.keys()]
        for key in _LISTS_OF_SCHEMAS - {"items"} & schema.keys():
            applied += schema[key]
        applied += schema.get("dependencies", {}).values()
        if "$ref" in schema:
            applied = [resolve(root, schema["$ref"])]
        if any(returns(sub, above | {id(schema)}) for sub in applied):
            return True
        settled.add(id(schema))
        return False

    return any(returns(sub, frozenset()) for sub in subschemas(root))
