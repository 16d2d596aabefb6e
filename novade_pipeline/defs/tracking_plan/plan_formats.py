"""Parses tracking plans: recognises the format from the content, refuses any other file.

| format           | recognised by                                        | source             |
|------------------|------------------------------------------------------|--------------------|
| `segment`        | a JSON object whose `rules` is a list                | Segment Public API |
| `segment_legacy` | a JSON object whose `rules` is an object of `events` | Segment Config API |
| `segment_legacy` | a JSON object of `events`, without a name            | typewriter's files |
| `amplitude_csv`  | not JSON, and Amplitude's headers in the first line  | Amplitude Data     |
"""

import json
import re
from pathlib import PurePath
from typing import Any, NoReturn

from novade_pipeline.defs.tracking_plan.amplitude_plan import amplitude_plan
from novade_pipeline.defs.tracking_plan.plan import (
    EventRule,
    Plan,
    PlanError,
    PropertySummary,
    planned_properties,
)
from novade_pipeline.defs.tracking_plan.segment_plan import segment_plan

__all__ = [
    "MAX_BYTES",
    "EventRule",
    "Plan",
    "PlanError",
    "PropertySummary",
    "parse_plan",
    "planned_properties",
]

MAX_BYTES = 16 * 1024 * 1024

_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_plan(content: bytes, file_name: str) -> Plan:
    """Read a plan from an exported file, whatever its format.

    Args:
        content: the file: UTF-8, with or without a byte order mark, at most 16 MiB.
        file_name: names the file in errors; a CSV's plan is named after it.

    Raises:
        PlanError: the file is no plan, or has no rule for an event.
    """
    try:
        return _read(content, PurePath(file_name).stem)
    except PlanError as error:
        raise PlanError(f"{file_name}: {error}") from None
    except RecursionError:
        raise PlanError(
            f"{file_name}: expected a tracking plan, found JSON nested too deeply to be one; "
            "export the plan again"
        ) from None


def _read(content: bytes, stem: str) -> Plan:
    if len(content) > MAX_BYTES:
        raise PlanError(
            f"expected a tracking plan of at most {MAX_BYTES:,} bytes, found {len(content):,}; "
            "export the plan alone"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PlanError(
            f"expected UTF-8 text, found byte 0x{content[error.start]:02x} at {error.start}; "
            "save the plan as UTF-8"
        ) from None
    if not text.strip():
        raise PlanError("expected a tracking plan, found an empty file; export the plan again")
    if text.lstrip()[:1] not in ("{", "["):
        return amplitude_plan(text, stem)
    document = _json(text)
    rules = document.get("rules") if isinstance(document, dict) else None
    if isinstance(rules, list):
        return segment_plan(document, "segment", rules)
    if isinstance(rules, dict) and isinstance(rules.get("events"), list):
        return segment_plan(document, "segment_legacy", rules["events"])
    if isinstance(document, dict) and isinstance(document.get("events"), list):
        complete = {"name": stem, **document, "rules": document}
        return segment_plan(complete, "segment_legacy", document["events"])
    actual = "an array"
    if isinstance(document, dict):
        actual = f"an object with {', '.join(document)[:80] or 'no keys'}"
    raise PlanError(
        "expected a tracking plan of Segment, an object with id, name and rules, "
        f"found {actual}; export the tracking plan itself"
    )


def _json(text: str) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant}, which is no JSON number")

    try:
        document = json.loads(text, parse_constant=refuse)
    except ValueError as error:
        raise PlanError(f"expected JSON, found {error}; export the plan again") from None
    text = json.dumps(document, ensure_ascii=False)
    if text.isascii() or not _SURROGATE.search(text):
        return document
    # Escapes may be lone surrogates, in plans as in events: U+FFFD replaces them in both.
    return json.loads(_SURROGATE.sub("\ufffd", text))
