"""Plans for the tests, as each vendor exports them."""

import csv
import io
import json
import re
from typing import Any

import pytest

from novade_pipeline.defs.tracking_plan.plan_formats import (
    EventRule,
    PlanError,
    parse_plan,
)

SONG = {
    "type": "object",
    "properties": {
        "song": {"type": "string", "description": "Its title"},
        "length": {"type": ["number", "null"]},
        "level": {"enum": ["free", "paid"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "kind": {"$ref": "#/definitions/kind"},
    },
    "required": ["song", "auth"],
}
DEFINITIONS = {"kind": {"type": "integer", "description": "Which kind"}}
HEADERS = [
    "Action", "Object type", "Object name", "Object owner", "Object description", "Event category",
    "Event display name", "Event source", "Event activity", "Tags", "Property type",
    "Property group names", "Event property name", "Property description", "Property value type",
    "Property required", "Property visibility", "Property is array", "Property regex",
    "Enum values", "Const value", "Array min items", "Array max items", "Array unique items",
    "Number property value min", "Number property value max", "Number is integer",
    "String property value min length", "String property value max length",
]  # fmt: skip


def envelope(properties: Any = SONG, **around: Any) -> dict[str, Any]:
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"properties": properties, "context": {}},
        "required": ["properties"],
        "definitions": DEFINITIONS,
        **around,
    }


def segment(*rules: Any, **plan: Any) -> bytes:
    return json.dumps({"id": "tp_1", "name": "Music", "rules": list(rules), **plan}).encode()


def track(key: str = "NextSong", schema: Any = None, **rule: Any) -> dict[str, Any]:
    schema = envelope() if schema is None else schema
    return {"key": key, "type": "TRACK", "version": 1, "jsonSchema": schema, **rule}


def amplitude(*rows: dict[str, str], headers: list[str] | None = None) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, headers or HEADERS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def event(name: str = "NextSong", **cells: str) -> dict[str, str]:
    return {"Object type": "Event", "Object name": name, **cells}


def prop(name: str, kind: str = "any", **cells: str) -> dict[str, str]:
    named = {header.lower().replace(" ", "_"): header for header in HEADERS}
    cells = {named[key]: cell for key, cell in cells.items()}
    return {"Event property name": name, "Property value type": kind, **cells}


def only_rule(content: bytes) -> EventRule:
    (rule,) = parse_plan(content, "plan").rules
    return rule


def refusal(content: bytes) -> str:
    with pytest.raises(PlanError) as refused:
        parse_plan(content, "plan.json")
    sentence = str(refused.value)
    assert re.fullmatch(r"plan\.json: expected .+, found .+; .+", sentence)
    assert len(sentence) < 600
    return sentence
