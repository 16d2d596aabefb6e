"""Reads the version that an event names.

Segment's clients send it as `context.protocols.event_version`, a whole number. In an export of
Amplitude the context is where the destination was configured to put it: in the event's properties,
nested or under one name as warehouses flatten it, or in a field beside them. Amplitude's own field
`plan` names the version of the whole plan, and no event's.

Source: https://segment.com/docs/protocols/tracking-plan/create/, "Dynamically validate track events
against an event version". Segment takes the oldest version where none is named; here the newest
counts.
"""

import json
from typing import Any

_PATH = ("context", "protocols", "event_version")
_FLAT = (".".join(_PATH), "_".join(_PATH))
_MAX_VERSION = 10**9


def version_number(stated: Any) -> int:
    """A version as a whole number from 1, also where it is text; 0 for anything else."""
    if isinstance(stated, str) and stated.isascii() and stated.isdigit() and len(stated) < 10:
        return int(stated)
    if isinstance(stated, bool) or not isinstance(stated, int | float):
        return 0
    return int(stated) if 0 < stated < _MAX_VERSION and stated == int(stated) else 0


def named_version(*texts: str | None) -> int:
    """The version that an event names in the first of these JSON objects that has one; else 0."""
    for text in texts:
        # Few events name a version, and reading all of them would take as long as judging them.
        if text is None or _PATH[-1] not in text:
            continue
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if version := _version_in(fields):
            return version
    return 0


def _version_in(fields: Any) -> int:
    nested = fields
    for step in _PATH:
        nested = nested.get(step) if isinstance(nested, dict) else None
    flat = [fields.get(name) for name in _FLAT] if isinstance(fields, dict) else []
    return next((version for stated in (nested, *flat) if (version := version_number(stated))), 0)
