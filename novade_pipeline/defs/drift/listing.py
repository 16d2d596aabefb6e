"""Which conversations there are, and when each last changed, although the list moves meanwhile.

The list is newest first, and its pages are cut by position: what changes moves to the front, what
is deleted moves all that follows, so one read may miss an item. It is read again from the front
until two reads agree. What changes later is newer than the front of the first page, and is for the
next load: its watermark goes no further than that.

The order is not strict: a conversation may stand behind older ones although it has just changed.
So a read ends only where a whole page is old, and now and then the list is read to its end.
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

PLACE = "conversations/list"
LIMIT = 50
# The service may link to another name of its host; either way of paging may be what it speaks.
STYLE = FirstOf(
    (
        NextLink("links.next", query_only=True),
        Cursor("next", "pagination.next", more="pagination.more"),
    )
)
_SCHEMA = pa.schema([("id", pa.int64()), ("updated_at", pa.int64())])


class _Named(BaseModel):
    """As much of an item as names its conversation."""

    model_config = ConfigDict(strict=True)

    id: Id


class _Listed(_Named):
    updated_at: Moment = Field(alias="updatedAt")


@dataclass(frozen=True)
class Listing:
    """What the list tells of its newer part, or of all.

    Attributes:
        changed: `id` and `updated_at` in epoch milliseconds, each conversation once; 16 bytes each.
        unclear: conversations of which it does not tell when they changed.
        bad: items that are none.
        front: up to when, in epoch milliseconds, nothing can have been missed; None where nothing
            is listed.
        is_whole: it was read to its end.
        is_settled: two reads agreed.
        reads: how often it was read.
        items: that the last read had.
    """

    changed: pa.Table
    unclear: frozenset[int]
    bad: tuple[BadItem, ...]
    front: int | None
    is_whole: bool
    is_settled: bool
    reads: int
    items: int


@dataclass
class _Reading:
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
    tell: Callable[[str], None] = lambda told: None,
) -> Listing:
    """Read the list from its front until two reads agree.

    Args:
        down_to: epoch milliseconds; a read ends with the first page on which all is older; None:
            with the last page.
        most_reads: after so many, what was seen in any of them stands.
        now: epoch milliseconds; times after it are wrong, and the front is not among them.
        tell: told what happens, a line each.

    Raises:
        PermanentFailure: the service does not answer with such a list.
        TransientFailure: it cannot be read now.
    """
    known = _SCHEMA.empty_table()
    bad_ones: dict[bytes, BadItem] = {}
    unclear: set[int] = set()
    first = reading = _Reading()
    for reads in range(1, most_reads + 1):
        reading = _read(client, down_to, now)
        first = reading if reads == 1 else first
        merged = _newest(pa.concat_tables([known, pa.Table.from_batches(reading.batches, _SCHEMA)]))
        settled = reads > 1 and merged.equals(known) and reading.unclear <= unclear
        known, unclear = merged, unclear | reading.unclear
        bad_ones |= reading.bad
        tell(f"{PLACE}: read {reads}: {reading.items:,} conversations")
        if settled:
            break
    return Listing(
        changed=known,
        unclear=frozenset(unclear),
        bad=tuple(bad_ones.values()),
        front=reading.front if settled else first.front,
        is_whole=reading.is_whole,
        is_settled=settled,
        reads=reads,
        items=reading.items,
    )


def joined(newer_part: Listing, whole: Listing) -> Listing:
    """The newer part of the list and a read to its end as one; the front is the newer part's."""
    return Listing(
        changed=_newest(pa.concat_tables([newer_part.changed, whole.changed])),
        unclear=newer_part.unclear | whole.unclear,
        bad=tuple({one.place: one for one in (*newer_part.bad, *whole.bad)}.values()),
        front=newer_part.front,
        is_whole=whole.is_whole,
        is_settled=newer_part.is_settled,
        reads=newer_part.reads + whole.reads,
        items=whole.items,
    )


def _read(client: Client, down_to: int | None, now: int) -> _Reading:
    reading = _Reading()
    for page in pages(client, PLACE, STYLE, items="data", params={"limit": LIMIT}):
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


def _items(reading: _Reading, page: Page) -> Iterator[dict[str, int]]:
    for position, item in enumerate(page.items, 1):
        row = row_of(_Listed, item, {})
        if not isinstance(row, str):
            yield {"id": row["id"], "updated_at": milliseconds(row["updated_at"])}
            continue
        try:
            reading.unclear.add(_Named.model_validate(item).id)
        except ValidationError:
            # Named by its content: its position is another one at each read.
            raw = item_json(item)
            place = f"{PLACE}#{hashlib.sha256(raw).hexdigest()[:16]}"
            reading.bad[raw] = bad_item(item, place, page.number + 1, position, row)


def _newest(listed: pa.Table) -> pa.Table:
    """Each conversation once, in the order of when it changed."""
    grouped: Any = listed.group_by("id").aggregate([("updated_at", "max")])
    newest = grouped.rename_columns(["id", "updated_at"]).select(["id", "updated_at"])
    return newest.sort_by([("updated_at", "ascending"), ("id", "ascending")]).combine_chunks()
