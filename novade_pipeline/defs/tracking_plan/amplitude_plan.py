"""Amplitude's tracking plans, as the CSV that Amplitude Data exports and imports.

Belongs here: reading its rows, and making one schema of the rows of each event and its property
groups. The format: https://amplitude.com/docs/data/csv-import-export. An export has a row for the
event, then one for each property with the object's columns blank; an import repeats the event's
columns on each property's row. Headers are `Object type` on the page and `Object Type` in exports.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from novade_pipeline.defs.tracking_plan.event_rules import applicable_rule
from novade_pipeline.defs.tracking_plan.json_schema import Schema
from novade_pipeline.defs.tracking_plan.plan import (
    EventRule,
    Plan,
    PlanError,
    RefusedRule,
    build_plan,
)

DRAFT_7 = "http://json-schema.org/draft-07/schema#"

Row = dict[str, str]

_REQUIRED_HEADERS = (
    *("object type", "object name"),
    *("event property name", "property value type", "property required"),
)
_VALUE_TYPES = ("string", "number", "boolean", "any", "enum", "const")
_VALUE_LIMITS = {
    "number property value min": "minimum",
    "number property value max": "maximum",
    "string property value min length": "minLength",
    "string property value max length": "maxLength",
}
_ARRAY_LIMITS = {"array min items": "minItems", "array max items": "maxItems"}


@dataclass(frozen=True)
class _Object:
    """An event or a property group while its rows are read; `faults` are reasons to refuse it."""

    name: str
    description: str = ""
    planned: bool = True
    properties: dict[str, Schema] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def amplitude_plan(text: str, stem: str) -> Plan:
    """The plan in a CSV, named by the stem of its file.

    An event without an applicable rule is refused; other events are not affected.

    Raises:
        PlanError: the text is no such CSV, or has no rule for an event.
    """
    rows = list(_rows(text))
    # The vendor's page says that `Ignore` marks what is unexpected, blocked or deleted, yet some
    # exports have it on every row: then it is meaningless.
    ignore_counts = any(not row.get("action") for _, row in rows)
    objects: dict[tuple[str, str], _Object] = {}
    ignored_objects = 0
    nameless: list[_Object] = []
    current: _Object | None = None
    for line, row in rows:
        kind, name = row["object type"].lower(), row["object name"]
        if kind in ("event", "property group"):
            current = objects.get((kind, name))
            if not name:
                fault = f"expected an Object name on line {line}, found none; name it"
                nameless.append(current := _Object(name, faults=[fault]))
            elif current is None:
                planned = _is_planned(row, "event schema status", ignore_counts)
                current = _Object(name, row.get("object description", ""), planned)
                objects[kind, name] = current
            elif not row["event property name"]:
                current.faults.append(
                    f"expected one rule for it, found a second on line {line}; remove one of them"
                )
        elif kind not in ("", "event property"):
            ignored_objects += 1
            current = _Object(name)
        elif name:
            early = f"found a property on line {line}; put the row of the event first"
            fault = f"expected the row of an event before its properties, {early}"
            current = objects.setdefault(("event", name), _Object(name, faults=[fault]))
        elif current is None:
            fault = f"expected the row of an event first, found a property on line {line}; add it"
            nameless.append(current := _Object(name, faults=[fault]))
        current.groups.extend(_split_list(row.get("property group names", "")))
        if row["event property name"] and _is_planned(row, "property schema status", ignore_counts):
            try:
                _add_property(current, row, line)
            except PlanError as fault_of_row:
                current.faults.append(str(fault_of_row))
    events = [event for (kind, _), event in objects.items() if kind == "event"]
    planned_events = [event for event in events if event.planned]
    sound, refused = [], [RefusedRule("", 0, owner.faults[0]) for owner in nameless]
    for event in planned_events:
        try:
            sound.append(_rule(event, objects))
        except PlanError as fault_of_rule:
            refused.append(RefusedRule(event.name, 0, str(fault_of_rule), event.description))
    ignored = ignored_objects + len(events) - len(planned_events)
    return build_plan(stem, stem, "amplitude_csv", sound, refused, ignored)


def _rows(text: str) -> Iterator[tuple[int, Row]]:
    """Each row that is not blank, by lower-case header, with the line that it starts on."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    start = 1
    try:
        headers = [header.strip().lower() for header in next(reader, [])]
        missing = [header for header in _REQUIRED_HEADERS if header not in headers]
        if missing:
            raise PlanError(
                "expected a tracking plan, as Segment's JSON or Amplitude's CSV, found a first "
                f"line of {len(headers)} columns without the headers {', '.join(missing)}; "
                "export the events and event properties of the plan"
            )
        start = reader.line_num + 1
        for cells in reader:
            if any(map(str.strip, cells[len(headers) :])):
                raise PlanError(
                    f"expected {len(headers)} columns, found {len(cells)} on line {start}; "
                    "quote the cells that hold commas"
                )
            if any(map(str.strip, cells)):
                padded = [*map(str.strip, cells), *[""] * len(headers)]
                yield start, dict(zip(headers, padded, strict=False))
            start = reader.line_num + 1
    except csv.Error as error:
        raise PlanError(
            f"expected CSV, found on line {start}: {error}; export the plan again"
        ) from None


def _is_planned(row: Row, status_header: str, ignore_counts: bool) -> bool:
    action, status = row.get("action", "").lower(), row.get(status_header, "").lower()
    if action == "remove":
        return False
    if status:
        return status not in ("unexpected", "blocked", "deleted")
    return not (action == "ignore" and ignore_counts)


def _add_property(owner: _Object, row: Row, line: int) -> None:
    name = row["event property name"]
    if name in owner.properties:
        raise PlanError(
            f'expected property {name} of "{owner.name}" once, found it again on line {line}; '
            "remove one of them"
        )
    owner.properties[name] = _property_schema(row, line)
    if _flag(row, "property required", line):
        owner.required.append(name)


def _property_schema(row: Row, line: int) -> Schema:
    # Amplitude reads a blank type as `any`.
    kind = row["property value type"].lower() or "any"
    if kind not in _VALUE_TYPES:
        raise PlanError(
            f"expected a Property value type of {', '.join(_VALUE_TYPES)}, found {kind[:40]} on "
            f"line {line}; correct it in Amplitude"
        )
    value: Schema = {}
    if kind in ("string", "boolean"):
        value["type"] = kind
    elif kind == "number":
        value["type"] = "integer" if _flag(row, "number is integer", line) else "number"
    elif kind in ("enum", "const"):
        header = "enum values" if kind == "enum" else "const value"
        cell = row.get(header, "")
        texts = _split_list(cell) if kind == "enum" else [cell] if cell else []
        if not texts:
            raise PlanError(
                f"expected {header} on line {line}, found none; give them or choose another type"
            )
        readings = [reading for text in texts for reading in _readings(text)]
        single = kind == "const" and len(readings) == 1
        value |= {"const": readings[0]} if single else {"enum": readings}
    value |= _limits(row, _VALUE_LIMITS, line)
    if row.get("property regex"):
        value["pattern"] = row["property regex"]
    array_limits = _limits(row, _ARRAY_LIMITS, line)
    if _flag(row, "property is array", line):
        unique = row.get("array unique items", "").lower() == "true"
        value = {"type": "array", "items": value, **array_limits}
        value |= {"uniqueItems": True} if unique else {}
    description = row.get("property description")
    return {**value, "description": description} if description else value


def _readings(text: str) -> list[Any]:
    """The values that a cell may mean: CSV does not say whether 200 is text or a number."""
    try:
        value = json.loads(text, parse_constant=lambda constant: constant)
    except ValueError:
        return [text]
    return [text] if isinstance(value, str) else [text, value]


def _split_list(cell: str) -> list[str]:
    return [text.strip() for text in cell.split(",") if text.strip()]


def _flag(row: Row, header: str, line: int) -> bool:
    cell = row.get(header, "").lower()
    if cell not in ("true", "false", ""):
        raise PlanError(
            f"expected True, False or nothing in {header}, found {cell[:40]} on line {line}; "
            "correct it in Amplitude"
        )
    return cell == "true"


def _limits(row: Row, keywords: dict[str, str], line: int) -> dict[str, int | float]:
    limits: dict[str, int | float] = {}
    for header, keyword in keywords.items():
        cell = row.get(header, "")
        if not cell:
            continue
        if not re.fullmatch(r"[+-]?\d{1,300}(\.\d{1,300})?", cell, re.ASCII):
            raise PlanError(
                f"expected a number in {header}, found {cell[:40]} on line {line}; "
                "correct it in Amplitude"
            )
        number = float(cell)
        limits[keyword] = int(cell.split(".")[0]) if number.is_integer() else number
    return limits


def _rule(event: _Object, objects: dict[tuple[str, str], _Object]) -> EventRule:
    _refuse_faults(event)
    properties, required = dict(event.properties), list(event.required)
    for name in dict.fromkeys(event.groups):
        group = objects.get(("property group", name))
        if group is None:
            raise PlanError(
                f'expected the rows of property group "{name}", found none; '
                "export the plan with its property groups"
            )
        _refuse_faults(group)
        required += [member for member in group.required if member not in properties]
        properties = {**group.properties, **properties}
    schema: Schema = {"$schema": DRAFT_7, "type": "object", "properties": properties}
    if required:
        schema["required"] = list(dict.fromkeys(required))
    return applicable_rule(event.name, event.description, schema)


def _refuse_faults(owner: _Object) -> None:
    if owner.faults:
        raise PlanError(owner.faults[0])
