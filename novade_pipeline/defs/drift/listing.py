"""Reads the list of conversations, with the time of each one's last change.

The list is newest first, and its pages are cut by position: a change moves an item to the front, a
deletion moves all that follow, so one read may miss an item. The list is read until two reads
agree. Later changes are newer than the front of the first page, beyond which the watermark does
not move, and are for the next load.

The order is not strict: a conversation that has just changed may come after older ones. So a read
ends only after a page of old items, and a sweep reads the list to its end.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from novade_pipeline.api.client import Client
from novade_pipeline.api.items import BadItem, bad_item, item_json, row_of
from novade_pipeline.api.paging import Cursor, FirstOf, NextLink, Page, pages
from novade_pipeline.defs.drift.tables import Id, Moment, milliseconds
from novade_pipeline.plurals import counted

PATH = "conversations/list"
LIMIT = 50
# The service may link to another name of its host, and pages in either way.
STYLE = FirstOf(
    (
        NextLink("links.next", query_only=True),
        Cursor("next", "pagination.next", more="pagination.more"),
    )
)
_SCHEMA = pa.schema([("id", pa.int64()), ("updated_at", pa.int64())])


class _Identified(BaseModel):
    """An item with the id of its conversation."""

    model_config = ConfigDict(strict=True)

    id: Id


class _Listed(_Identified):
    updated_at: Moment = Field(alias="updatedAt")


@dataclass(frozen=True)
class Listing:
    """The newer part of the list, or all of it.

    Attributes:
        changed: `id` and `updated_at` in epoch milliseconds, each conversation once; 16 bytes each.
        unclear: conversations without a time of change.
        bad: items without an id.
        front: up to when, in epoch milliseconds, no change was missed; None for an empty list.
        is_whole: it was read to its end.
        is_stable: two reads agreed.
        reads: the number of reads.
        items: of the last read.
    """

    changed: pa.Table
    unclear: frozenset[int]
    bad: tuple[BadItem, ...]
    front: int | None
    is_whole: bool
    is_stable: bool
    reads: int
    items: int


@dataclass
class _ListRead:
    batches: list[pa.RecordBatch] = field(default_factory=list)
    unclear: set[int] = field(default_factory=set)
    bad: dict[bytes, BadItem] = field(default_factory=dict)
    front: int | None = None
    is_whole: bool = True
    items: int = 0


def listing(
    client: Client,
    *,
    down_to: int | None,
    most_reads: int,
    now: int,
    on_progress: Callable[[str], None] = lambda message: None,
) -> Listing:
    """Reads the list from its front until two reads agree.

    Args:
        down_to: epoch milliseconds; a read ends with the first page of older items only; None:
            with the last page.
        most_reads: after so many, the union of all reads is returned.
        now: epoch milliseconds; later times are wrong, and the front is never later.
        on_progress: is called with a line of text at each read.

    Raises:
        PermanentFailure: the answer is not such a list.
        TransientFailure: it cannot be read now.
    """
    merged_rows = _SCHEMA.empty_table()
    bad_items: dict[bytes, BadItem] = {}
    unclear: set[int] = set()
    first = reading = _ListRead()
    for reads in range(1, most_reads + 1):
        reading = _read(client, down_to, now)
        first = reading if reads == 1 else first
        merged = _newest(
            pa.concat_tables([merged_rows, pa.Table.from_batches(reading.batches, _SCHEMA)])
        )
        is_stable = reads > 1 and merged.equals(merged_rows) and reading.unclear <= unclear
        merged_rows, unclear = merged, unclear | reading.unclear
        bad_items |= reading.bad
        on_progress(f"{PATH}: read {reads}: {counted(reading.items, 'conversation')}")
        if is_stable:
            break
    return Listing(
        changed=merged_rows,
        unclear=frozenset(unclear),
        bad=tuple(bad_items.values()),
        front=reading.front if is_stable else first.front,
        is_whole=reading.is_whole,
        is_stable=is_stable,
        reads=reads,
        items=reading.items,
    )


def combined(newer_part: Listing, whole: Listing) -> Listing:
    """Combines the newer part of the list with a whole read; the front is the newer part's."""
    return Listing(
        changed=_newest(pa.concat_tables([newer_part.changed, whole.changed])),
        unclear=newer_part.unclear | whole.unclear,
        bad=tuple({item.place: item for item in (*newer_part.bad, *whole.bad)}.values()),
        front=newer_part.front,
        is_whole=whole.is_whole,
        is_stable=newer_part.is_stable,
        reads=newer_part.reads + whole.reads,
        items=whole.items,
    )


def _read(client: Client, down_to: int | None, now: int) -> _ListRead:
    reading = _ListRead()
    for page in pages(client, PATH, STYLE, items="data", params={"limit": LIMIT}):
        rows = list(_items(reading, page))
        reading.items += len(page.items)
        times = [row["updated_at"] for row in rows]
        changed = [row for row in rows if down_to is None or row["updated_at"] >= down_to]
        reading.batches.append(pa.RecordBatch.from_pylist(changed, _SCHEMA))
        if times and reading.front is None:
            reading.front = min(max(times), now)
        if times and down_to is not None and max(times) < down_to:
            reading.is_whole = False
            break
    return reading


def _items(reading: _ListRead, page: Page) -> Iterator[dict[str, int]]:
    for position, item in enumerate(page.items, 1):
        row = row_of(_Listed, item, {})
        if not isinstance(row, str):
            yield {"id": row["id"], "updated_at": milliseconds(row["updated_at"])}
            continue
        try:
            reading.unclear.add(_Identified.model_validate(item).id)
        except ValidationError:
            # Identified by its content, since its position changes between reads.
            raw = item_json(item)
            place = f"{PATH}#{hashlib.sha256(raw).hexdigest()[:16]}"
            reading.bad[raw] = bad_item(item, place, page.number + 1, position, row)


def _newest(listed: pa.Table) -> pa.Table:
    """Returns each conversation once, ordered by its last change."""
    grouped: Any = listed.group_by("id").aggregate([("updated_at", "max")])
    newest = grouped.rename_columns(["id", "updated_at"]).select(["id", "updated_at"])
    return newest.sort_by([("updated_at", "ascending"), ("id", "ascending")]).combine_chunks()
