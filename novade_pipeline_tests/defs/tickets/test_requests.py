"""What senders mean by request types and priorities, and what a value becomes."""

import pyarrow as pa
import pytest

from novade_pipeline.defs.tickets.requests import priority_of, recognize
from novade_pipeline.defs.tickets.teams import DEFAULT
from novade_pipeline.defs.tickets.topic import CLIENT_TICKETS, normalise

# As it was sent, the request type, how it was recognized, the team.
SENT = [
    ("technical", "technical", "exact", "Tech Support"),
    ("billing", "billing", "exact", "Billing Team"),
    ("support", "support", "exact", "Customer Service"),
    ("other", "other", "exact", "General Support"),
    ("TECHNICAL", "technical", "spelling", "Tech Support"),
    (" Billing ", "billing", "spelling", "Billing Team"),
    ("Technique", "technical", "variant", "Tech Support"),
    ("problème_technique", "technical", "variant", "Tech Support"),
    ("Facturation", "billing", "variant", "Billing Team"),
    ("ASSISTANCE", "support", "variant", "Customer Service"),
    ("Autre", "other", "variant", "General Support"),
    ("refund", "other", "unknown", "General Support"),
    ("техника", "other", "unknown", "General Support"),
    ("", "other", "missing", "General Support"),
    ("  ", "other", "missing", "General Support"),
    (None, "other", "missing", "General Support"),
]


@pytest.mark.parametrize(("sent", "request_type", "kind", "team"), SENT)
def test_a_request_type_is_recognized_however_it_is_written(
    sent: str | None, request_type: str, kind: str, team: str
) -> None:
    recognized = recognize(sent, DEFAULT)
    assert (recognized.request_type, recognized.kind) == (request_type, kind)
    assert DEFAULT.by_type[recognized.request_type] == team


@pytest.mark.parametrize(
    ("sent", "priority"),
    [
        *(("low", "low"), ("MEDIUM", "medium"), (" High", "high"), ("élevée", "high")),
        *(("Normale", "medium"), ("urgent", "high"), ("P1", "other"), ("", None), (None, None)),
    ],
)
def test_a_priority_is_one_of_three_or_other(sent: str | None, priority: str | None) -> None:
    assert priority_of(sent) == priority


def _values(*rows: dict[str, object]) -> pa.Table:
    schema = pa.schema(
        [(c.name, c.type) for c in CLIENT_TICKETS.fields] + [("other_fields", "string")]
    )
    return pa.Table.from_pylist([{"ticket_id": "T-1", **row} for row in rows], schema=schema)


@pytest.mark.parametrize(
    ("value", "sent", "field"),
    [
        ({"request_type": "billing", "type": "x"}, "billing", "request_type"),
        ({"request_type": " ", "type": "TECHNICAL"}, "TECHNICAL", "type"),
        ({"type_demande": "Facturation "}, "Facturation", "type_demande"),
        ({"request_type": "x" * 500}, "x" * 100, "request_type"),
        ({}, None, None),
    ],
)
def test_the_first_field_with_a_request_type_counts(
    value: dict[str, object], sent: str | None, field: str | None
) -> None:
    (row,) = normalise(_values(value)).rows.to_pylist()
    assert (row["request_type_sent"], row["request_type_field"]) == (sent, field)


def test_a_blank_ticket_id_is_no_ticket_and_its_neighbours_are() -> None:
    normalised = normalise(_values({}, {"ticket_id": " "}, {"priority": "HIGH"}))
    assert list(normalised.wrong) == [1]
    assert normalised.rows["priority"].to_pylist() == [None, None, "high"]
