"""One item of the service as a row of its table, or why it cannot be one."""

import hashlib
import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from novade_pipeline.api import items
from novade_pipeline.api.items import BadItem, Int64
from novade_pipeline.defs.music.tables import LISTEN_HISTORY, Moment
from novade_pipeline.lake.table import Table


class _Named(BaseModel):
    """As much of an item as names it."""

    model_config = ConfigDict(strict=True)


class _Numbered(_Named):
    id: Int64


class _Made(_Named):
    user_id: Int64 | None = None
    created_at: Moment


def row_of(table: Table, item: Any, now: datetime) -> dict[str, Any] | str:
    """The item as the table's row, or the reason why it is none, without its values."""
    return items.row_of(table.row, item, {"is_deleted": False, "read_at": now, "history_id": ""})


def bad(table: Table, item: Any, page: int, position: int, reason: str) -> BadItem:
    """An item for the quarantine."""
    return items.bad_item(item, table.path[-1], page, position, reason, _key_of_bad(table, item))


class RowKeys:
    """Gives the rows of one read the key that names them.

    A history has no id of its own. Who and when it was made name it; of several such rows the
    first, in the order of the service, has the bare name, and the others are counted.
    """

    def __init__(self, table: Table) -> None:
        self._is_history = table is LISTEN_HISTORY
        self._contents: dict[str, list[int]] = {}

    def key_of(self, row: dict[str, Any]) -> int | str:
        """The key of a row, written into it where it has none; the same row, the same key."""
        if not self._is_history:
            return int(row["id"])
        name = _name(row["user_id"], row["created_at"])
        content = hash((tuple(row["items"]), row["updated_at"]))
        there = self._contents.setdefault(name, [])
        if content not in there:
            there.append(content)
        count = there.index(content)
        row["history_id"] = f"{name}-{count}" if count else name
        return str(row["history_id"])


def _key_of_bad(table: Table, item: Any) -> int | str | None:
    try:
        if table is not LISTEN_HISTORY:
            return _Numbered.model_validate(item).id
        made = _Made.model_validate(item)
        return _name(made.user_id, made.created_at)
    except ValidationError:
        return None


def _name(user_id: int | None, created_at: datetime) -> str:
    made = json.dumps([user_id, created_at.isoformat()])
    return hashlib.sha256(made.encode()).hexdigest()[:32]
