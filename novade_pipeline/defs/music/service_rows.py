"""Converts an item of the service to a row of its table, or says why it cannot."""

import hashlib
import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from novade_pipeline.api import items
from novade_pipeline.api.items import BadItem, Int64
from novade_pipeline.defs.music.tables import LISTEN_HISTORY, Moment
from novade_pipeline.lake.table import Table


class _Key(BaseModel):
    """The fields of an item that identify it."""

    model_config = ConfigDict(strict=True)


class _IdKey(_Key):
    id: Int64


class _HistoryKey(_Key):
    user_id: Int64 | None = None
    created_at: Moment


def row_of(table: Table, item: Any, now: datetime) -> dict[str, Any] | str:
    """The item as a row of the table, or why it cannot be one, without its values."""
    return items.row_of(table.row, item, {"is_deleted": False, "read_at": now, "history_id": ""})


def bad(table: Table, item: Any, page: int, position: int, reason: str) -> BadItem:
    """An item for the quarantine."""
    return items.bad_item(item, table.path[-1], page, position, reason, _key_in(table, item))


class RowKeys:
    """Assigns keys to the rows of one read.

    A history has no id: its key is a hash of user and creation time. Of several rows with the same
    hash, all but the first in the service's order get a numbered suffix.
    """

    def __init__(self, table: Table) -> None:
        self._is_history = table is LISTEN_HISTORY
        self._contents: dict[str, list[int]] = {}

    def key_of(self, row: dict[str, Any]) -> int | str:
        """The key of a row, which is stored in a history's row; equal rows have equal keys."""
        if not self._is_history:
            return int(row["id"])
        history_id = _history_id(row["user_id"], row["created_at"])
        content = hash((tuple(row["items"]), row["updated_at"]))
        contents = self._contents.setdefault(history_id, [])
        if content not in contents:
            contents.append(content)
        count = contents.index(content)
        row["history_id"] = f"{history_id}-{count}" if count else history_id
        return str(row["history_id"])


def _key_in(table: Table, item: Any) -> int | str | None:
    try:
        if table is not LISTEN_HISTORY:
            return _IdKey.model_validate(item).id
        key = _HistoryKey.model_validate(item)
        return _history_id(key.user_id, key.created_at)
    except ValidationError:
        return None


def _history_id(user_id: int | None, created_at: datetime) -> str:
    content = json.dumps([user_id, created_at.isoformat()])
    return hashlib.sha256(content.encode()).hexdigest()[:32]
