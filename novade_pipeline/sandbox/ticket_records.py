"""Support tickets as the topic `client_tickets` has them, and the faults of real ones.

A ticket is a function of (seed, number). Clients are the people of `business`, by their e-mail
address, which is their user id in the product as well, or clients that only the help desk knows.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from novade_pipeline.sandbox.business import companies_for, person
from novade_pipeline.sandbox.producing import Record

TOPIC = "client_tickets"
BIG_BYTES = 20 * 2**20
PEOPLE = 400
_REQUESTS = {
    "technical": (
        *("The app stops after the login.", "The upload fails with error 504."),
        *("La lecture s'arrête après dix secondes.", "Search finds nothing since the update."),
    ),
    "billing": (
        *("I was charged twice in October.", "Please send the invoice to our new address."),
        "La facture ne correspond pas à notre contrat.",
    ),
    "support": (
        *("How do I invite my colleagues?", "Can we get a training for ten people?"),
        "Comment changer la langue ?",
    ),
    "other": ("Are you at the trade fair in Lyon?", "A suggestion: dark mode."),
}
_PRIORITIES = ("low", "medium", "high")
_WRITTEN_ANEW = {
    "technical": ("TECHNICAL", "Technique", " technical "),
    "billing": ("Billing", "Facturation", "FACTURE"),
    "support": ("SUPPORT", "Assistance", "Service client"),
    "other": ("Autre", "OTHER", "refund", "réclamation"),
}
_EVENT_TEXTS = (
    *("a type in other words", "a type in another field", "an unknown type"),
    *("a time with a zone", "resent", "deleted", "a changed schema"),
    *("no JSON", "no ticket", "the year 9999", "an array"),
)


def tickets(
    seed: int, count: int, as_of: datetime, *, first: int = 1, faults: bool = False, big: int = 0
) -> Iterator[Record]:
    """Records of `count` tickets, and of updates of one in seven.

    Args:
        as_of: all tickets were made in the three weeks before.
        first: the number of the first ticket.
        faults: with what real senders do wrong; a changed schema from the middle on.
        big: so many records of 20 MB at the end.
    """
    for number in range(first, first + count):
        rng = Random(f"{seed}:ticket:{number}")
        is_late = number - first >= count // 2
        ticket = _ticket(seed, number, rng, as_of)
        if not faults:
            yield _record(ticket)
        else:
            yield from _with_faults(ticket, rng, is_late=is_late)
        if rng.random() < 1 / 7:
            yield _record(ticket | {"priority": "high"})
    for number in range(big):
        rng = Random(f"{seed}:big ticket:{number}")
        ticket = _ticket(seed, first + count + number, rng, as_of)
        yield _record(ticket | {"request": "x" * BIG_BYTES}, "20 MB")


def _ticket(seed: int, number: int, rng: Random, as_of: datetime) -> dict[str, Any]:
    request_type = rng.choices(list(_REQUESTS), (40, 25, 25, 10))[0]
    created = as_of - timedelta(seconds=rng.randrange(21 * 86_400))
    return {
        "ticket_id": f"TICKET-{number:04d}",
        "client_id": _client(seed, rng),
        "created_at": created.replace(tzinfo=None, microsecond=0).isoformat(),
        "request": rng.choice(_REQUESTS[request_type]),
        "request_type": request_type,
        "priority": rng.choices(_PRIORITIES, (50, 35, 15))[0],
    }


def _client(seed: int, rng: Random) -> str:
    if rng.random() < 0.8:
        return person(seed, companies_for(120), rng.randrange(PEOPLE)).email
    return f"CLIENT-{rng.randrange(500):04d}"


def _record(ticket: dict[str, Any], fault: str | None = None) -> Record:
    return Record(ticket["ticket_id"], _json(ticket), fault)


def _with_faults(ticket: dict[str, Any], rng: Random, *, is_late: bool) -> Iterator[Record]:
    """A ticket, one in four with a fault; of those that are no ticket, the ticket comes too."""
    if is_late and rng.random() < 0.5:
        ticket = ticket | {"channel": rng.choice(["mail", "phone"]), "schema": {"version": 2}}
    if rng.random() > 0.25:
        yield _record(ticket)
        return
    fault = rng.choice(_EVENT_TEXTS)
    of_key = partial(Record, ticket["ticket_id"], fault=fault)
    broken: dict[str, bytes] = {
        "no JSON": _json(ticket)[:-7],
        "no ticket": _json({name: v for name, v in ticket.items() if name != "ticket_id"}),
        "the year 9999": _json(ticket | {"created_at": "9999-12-31T23:59:59Z"}),
        "an array": b"[1, 2, 3]",
    }
    if fault in broken:
        yield of_key(broken[fault])
        yield _record(ticket)
        return
    yield of_key(_json(_changed(ticket, fault, rng)))
    if fault == "resent":
        yield of_key(_json(ticket))
    if fault == "deleted":
        yield of_key(None)


def _changed(ticket: dict[str, Any], fault: str, rng: Random) -> dict[str, Any]:
    request_type = str(ticket["request_type"])
    without = {name: value for name, value in ticket.items() if name != "request_type"}
    if fault == "a type in other words":
        return ticket | {"request_type": rng.choice(_WRITTEN_ANEW[request_type])}
    if fault == "a type in another field":
        return without | {rng.choice(["type", "type_demande"]): request_type}
    if fault == "an unknown type":
        return ticket | {"request_type": rng.choice(["sales", "partnership", "???"])}
    if fault == "a time with a zone":
        return ticket | {"created_at": f"{ticket['created_at']}{rng.choice(['+02:00', 'Z'])}"}
    if fault == "a changed schema":
        return ticket | {"customer": {"id": ticket["client_id"]}, "tags": ["vip"]}
    return ticket


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
