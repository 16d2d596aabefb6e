"""Which conversations there are, and when each last changed, although the list moves meanwhile.

The list is told newest first, and its pages are cut by position: what changes moves to the front,
what is deleted moves all that follows, so one read may miss an item. It is read again from the
front until two reads tell the same. What changes later is newer than the front of the first page,
and is for the next load: its watermark goes no further than that.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from novade_pipeline.api.client import Client
from novade_pipeline.api.items import Bad, as_json, bad, row_of
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
        is_settled: two reads told the same.
        reads: how often it was read.
        items: that the last read had.
    """

    changed: pa.Table
    unclear: frozenset[int]
    bad: tuple[Bad, ...]
    front: int | None
    is_whole: bool
    is_settled: bool
    reads: int
    items: int


@dataclass
class _Sweep:
    batches: list[pa.RecordBatch] = field(default_factory=list)
    unclear: set[int] = field(default_factory=set)
    bad: dict[bytes, Bad] = field(default_factory=dict)
    front: int | None = None
    is_whole: bool = True
    items: int = 0


def listing(
    client: Client,
    *,
    down_to: int | None,
    most_reads: int,
    tell: Callable[[str], None] = lambda told: None,
) -> Listing:
    """Read the list from its front until two reads tell the same.

    Args:
        down_to: epoch milliseconds; what is older is not read; None: to the end.
        most_reads: after so many, what was seen in any of them stands.
        tell: told what happens, a line each.

    Raises:
        PermanentFailure: the service does not answer with such a list.
        TransientFailure: it cannot be read now.
    """
    known = _SCHEMA.empty_table()
    bad_ones: dict[bytes, Bad] = {}
    unclear: set[int] = set()
    first = sweep = _Sweep()
    for reads in range(1, most_reads + 1):
        sweep = _sweep(client, down_to)
        first = sweep if reads == 1 else first
        merged = _newest(pa.concat_tables([known, pa.Table.from_batches(sweep.batches, _SCHEMA)]))
        settled = reads > 1 and merged.equals(known) and sweep.unclear <= unclear
        known, unclear = merged, unclear | sweep.unclear
        bad_ones |= sweep.bad
        tell(f"{PLACE}: read {reads}: {sweep.items:,} conversations")
        if settled:
            break
    return Listing(
        changed=known,
        unclear=frozenset(unclear),
        bad=tuple(bad_ones.values()),
        front=sweep.front if settled else first.front,
        is_whole=sweep.is_whole,
        is_settled=settled,
        reads=reads,
        items=sweep.items,
    )


def _sweep(client: Client, down_to: int | None) -> _Sweep:
    sweep = _Sweep()
    for page in pages(client, PLACE, STYLE, items="data", params={"limit": LIMIT}):
        found = list(_items(sweep, page))
        sweep.items += len(page.items)
        times = [one["updated_at"] for one in found]
        wanted = [one for one in found if down_to is None or one["updated_at"] >= down_to]
        sweep.batches.append(pa.RecordBatch.from_pylist(wanted, _SCHEMA))
        if times and sweep.front is None:
            sweep.front = max(times)
        if times and down_to is not None and min(times) < down_to:
            sweep.is_whole = False
            break
    return sweep


def _items(sweep: _Sweep, page: Page) -> Iterator[dict[str, int]]:
    for position, item in enumerate(page.items, 1):
        row = row_of(_Listed, item, {})
        if not isinstance(row, str):
            yield {"id": row["id"], "updated_at": milliseconds(row["updated_at"])}
            continue
        try:
            sweep.unclear.add(_Named.model_validate(item).id)
        except ValidationError:
            # Named by its content: its position is another one at each read.
            raw = as_json(item)
            place = f"{PLACE}#{hashlib.sha256(raw).hexdigest()[:16]}"
            sweep.bad[raw] = bad(item, place, page.number + 1, position, row)


def _newest(listed: pa.Table) -> pa.Table:
    """Each conversation once, in the order of when it changed."""
    grouped: Any = listed.group_by("id").aggregate([("updated_at", "max")])
    newest = grouped.rename_columns(["id", "updated_at"]).select(["id", "updated_at"])
    return newest.sort_by([("updated_at", "ascending"), ("id", "ascending")]).combine_chunks()
