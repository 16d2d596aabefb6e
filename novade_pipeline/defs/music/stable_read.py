"""All rows of a list of the service, although it changes while its pages are read.

Pages are cut by position: a row that is deleted or inserted before a page's end moves all that
follow, and a row may be told twice, or by no page at all. So the list is read again until a whole
read has every row that the read before it had: what one read lost, the next one finds. Counts
alone would not do: one deletion and one insertion hide each other.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from novade_pipeline.api.client import Client
from novade_pipeline.api.items import BadItem
from novade_pipeline.api.paging import Page, PageNumber, pages
from novade_pipeline.defs.music.service_rows import RowKeys, bad, row_of
from novade_pipeline.errors import TransientFailure
from novade_pipeline.lake.table import Table

STYLE = PageNumber(rows=100, pages="pages")


@dataclass
class Sweep:
    """One read of a list from its first page to its last.

    `items = rows + repeated + bad`, always; `total` is the least that the service said there are.
    """

    batches: list[pa.RecordBatch] = field(default_factory=list)
    keys: set[Any] = field(default_factory=set)
    bad: list[BadItem] = field(default_factory=list)
    items: int = 0
    repeated: int = 0
    pages: int = 0
    total: int | None = None

    @property
    def seen(self) -> set[Any]:
        """What names each item: its key, or the bytes of one that is no row."""
        return self.keys | {one.raw for one in self.bad}

    @property
    def is_short(self) -> bool:
        """There are fewer items than the service says."""
        return self.total is not None and self.items < self.total


@dataclass(frozen=True)
class StableRead:
    """What a list holds.

    Attributes:
        rows: of the last read, and before them, where it did not settle, those of all others; a
            key may stand several times.
        keys: of the rows, and of items that are no rows but say which one they would have been.
        sweeps: how often it was read; the last of them says the counts.
        is_settled: the last read has every row that the one before it had.
    """

    rows: pa.Table
    keys: set[Any]
    sweeps: int
    last: Sweep
    is_stable: bool


def read_until_stable(
    client: Client,
    table: Table,
    now: datetime,
    *,
    most_reads: int,
    tell: Callable[[str], None] = lambda told: None,
) -> StableRead:
    """Read a list of the service until nothing can have been lost.

    Args:
        client: of the service.
        table: the list is its name's last part.
        now: when rows are said to have been read.
        most_reads: after so many, what was seen in any of them stands; 1: the first one does.
        tell: told what happens, a line each.

    Raises:
        TransientFailure: every read had fewer rows than the service said there are.
        PermanentFailure: the service does not answer with such a list.
    """
    done: list[Sweep] = []
    while True:
        sweep = _sweep(client, table, now)
        done.append(sweep)
        before = done[-2] if len(done) > 1 else None
        settled = not sweep.is_short and (
            most_reads == 1 or (before is not None and before.seen <= sweep.seen)
        )
        tell(
            f"{table.name}: read {len(done)}: {sweep.items:,} rows on {sweep.pages:,} pages"
            + (", it changed meanwhile" if before is not None and not settled else "")
        )
        if settled or len(done) >= most_reads:
            break
    if all(sweep.is_short for sweep in done):
        raise TransientFailure(
            f"{table.name}: expected the {sweep.total:,} rows that the service says it has, found "
            f"{sweep.items:,}, in {len(done)} reads; nothing is written."
        )
    counted = done[-1:] if settled else done
    batches = [batch for sweep in counted for batch in sweep.batches]
    known = {one.key for sweep in counted for one in sweep.bad if one.key is not None}
    return StableRead(
        rows=pa.Table.from_batches(batches, table.schema),
        keys=set().union(*(sweep.keys for sweep in counted), known),
        sweeps=len(done),
        last=sweep,
        is_stable=settled,
    )


def _sweep(client: Client, table: Table, now: datetime) -> Sweep:
    sweep, identities = Sweep(), RowKeys(table)
    for page in pages(client, table.path[-1], STYLE):
        rows = list(_rows(sweep, identities, table, page, now))
        sweep.pages += 1
        total = page.envelope.get("total")
        if isinstance(total, int):
            sweep.total = total if sweep.total is None else min(total, sweep.total)
        if rows:
            sweep.batches.append(pa.RecordBatch.from_pylist(rows, table.schema))
    assert sweep.items == len(sweep.keys) + sweep.repeated + len(sweep.bad), "an item is lost"
    return sweep


def _rows(
    sweep: Sweep, identities: RowKeys, table: Table, page: Page, now: datetime
) -> Iterator[dict[str, Any]]:
    for position, item in enumerate(page.items, 1):
        sweep.items += 1
        row = row_of(table, item, now)
        if isinstance(row, str):
            sweep.bad.append(bad(table, item, page.number + 1, position, row))
            continue
        key = identities.key_of(row)
        sweep.repeated += key in sweep.keys
        sweep.keys.add(key)
        yield row
