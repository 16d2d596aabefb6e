"""What a sender means by a request type or a priority, however it is written."""

from collections.abc import Mapping
from dataclasses import dataclass

from novade_pipeline.defs.tickets.teams import OTHER, Teams, folded

MAX_CHARACTERS = 100
"""Of a request type as it is kept: a longer text is none."""
_PRIORITIES: Mapping[str, str] = {
    **dict.fromkeys(("low", "minor", "basse", "bas", "faible"), "low"),
    **dict.fromkeys(("medium", "normal", "normale", "moyenne", "moyen"), "medium"),
    **dict.fromkeys(("high", "urgent", "critical", "haute", "haut", "elevee", "urgente"), "high"),
}


@dataclass(frozen=True)
class Recognized:
    """A request type, and how it was recognized.

    Attributes:
        request_type: one that a team has.
        kind: `exact`, `spelling`, `variant`, `unknown` or `missing`.
    """

    request_type: str
    kind: str


def recognize(sent: str | None, teams: Teams) -> Recognized:
    """The request type that a sender means."""
    text = folded(sent or "")
    if not text:
        return Recognized(OTHER, "missing")
    if text in teams.by_type:
        return Recognized(text, "exact" if sent == text else "spelling")
    if request_type := teams.types_by_variant.get(text):
        return Recognized(request_type, "variant")
    return Recognized(OTHER, "unknown")


def priority_of(sent: str | None) -> str | None:
    """`low`, `medium`, `high`; `other` for another text, None for none."""
    text = folded(sent or "")
    return _PRIORITIES.get(text, "other") if text else None
