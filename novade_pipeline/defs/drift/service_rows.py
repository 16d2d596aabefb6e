"""Parses an item of the service into a row of its table.

Nested objects are flattened; parts of any form become JSON documents.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from novade_pipeline.api.items import kind_of, row_of, why_not_json
from novade_pipeline.defs.drift.tables import ACCOUNTS, CONTACTS, CONVERSATIONS, MESSAGES, USERS
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.json_text import write_json

Item = dict[str, Any]


class _WrongShape(Exception):
    """A part of an item is of the wrong JSON type."""


def drift_row(table: Table, item: Any, now: datetime) -> dict[str, Any] | str:
    """Returns the table's row, or the reason why there is none, without the item's values."""
    if not isinstance(item, dict):
        return f"expected an object, found {kind_of(item)}"
    if reason := why_not_json(item):
        return reason
    try:
        flattened = _FLATTENERS[table.name](item)
    except _WrongShape as error:
        return str(error)
    return row_of(table.row, {**item, **flattened}, {"read_at": now})


def gone_contact(contact_id: int, now: datetime) -> dict[str, Any]:
    """Returns the row of a deleted contact of which the lake has no row."""
    row = CONTACTS.row.model_validate({"id": contact_id, "is_deleted": True, "read_at": now})
    return row.model_dump()


def _conversation(item: Item) -> Item:
    return {
        "participants": item.get("participants") or [],
        # The service's documentation and its answers differ here.
        "tags": _json(item.get("tags", item.get("conversationTags"))),
    }


def _message(item: Item) -> Item:
    author, context = _object(item, "author"), _object(item, "context")
    return {
        "author_type": author.get("type"),
        "author_id": author.get("id"),
        "author_is_bot": author.get("bot"),
        "ip": context.get("ip"),
        "user_agent": context.get("userAgent"),
        "buttons": _json(item.get("buttons")),
        "attributes": _json(item.get("attributes")),
    }


def _contact(item: Item) -> Item:
    attributes = _object(item, "attributes")
    email = attributes.get("email")
    return {
        "email": email.strip().lower() if isinstance(email, str) else email,
        "name": attributes.get("name"),
        "phone": attributes.get("phone"),
        "external_id": attributes.get("externalId"),
        "tags": _json(attributes.get("tags")),
        "attributes": _json(attributes),
        "is_deleted": False,
    }


def _account(item: Item) -> Item:
    deleted = item.get("deleted")
    return {
        "customProperties": _json(item.get("customProperties")),
        "deleted": False if deleted is None else deleted,
    }


def _user(item: Item) -> Item:
    return {}


_FLATTENERS: dict[str, Callable[[Item], Item]] = {
    CONVERSATIONS.name: _conversation,
    MESSAGES.name: _message,
    CONTACTS.name: _contact,
    ACCOUNTS.name: _account,
    USERS.name: _user,
}


def _object(item: Item, name: str) -> Item:
    value = item.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _WrongShape(f"{name}: expected an object, found {kind_of(value)}")
    return value


def _json(value: Any) -> str | None:
    return None if value is None else write_json(value)
