"""Reads all rows of a list of the service, although it changes while its pages are read.

Pages are cut by position: a row that is deleted or inserted shifts all rows after it, so that a
row may be on two pages or on none. The list is therefore read again until a whole read has every
row of the read before it. Counts would not do: a deletion and an insertion hide each other.
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
from novade_pipeline.plurals import counted

STYLE = PageNumber(rows=100, pages="pages")


@dataclass
class Sweep:
    """One read of a list from its first page to its last.

    `items = rows + repeated + bad`, always; `total` is the lowest count that the service stated.
    """

    batches: list[pa.RecordBatch] = field(default_factory=list)
    keys: set[Any] = field(default_factory=set)
    bad: list[BadItem] = field(default_factory=list)
    items: int = 0
    repeated: int = 0
    pages: int = 0
    total: int | None = None

    @property
    def item_keys(self) -> set[Any]:
        """The key of each item, or the raw bytes of an item that is no row."""
        return self.keys | {item.raw for item in self.bad}

    @property
    def is_short(self) -> bool:
        """Whether there are fewer items than the service stated."""
        return self.total is not None and self.items < self.total


@dataclass(frozen=True)
class StableRead:
    """The content of a list.

    Attributes:
        rows: of the last read; of all reads in order if it is not stable: keys may then repeat.
        keys: of the rows, and of rejected items that have a key.
        sweeps: number of reads.
        last: the last read.
        is_stable: the last read has every row that the one before it had.
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
    log: Callable[[str], None] = lambda _: None,
) -> StableRead:
    """Read a list of the service until no row can have been missed.

    Args:
        client: of the service.
        table: the last part of its name is the list's.
        now: the rows' `read_at`.
        most_reads: after so many reads their union counts; 1 trusts the first read.
        log: receives a line a read.

    Raises:
        TransientFailure: every read had fewer rows than the service stated.
        PermanentFailure: the answer is not such a list.
    """
    sweeps: list[Sweep] = []
    while True:
        sweep = _read_all(client, table, now)
        sweeps.append(sweep)
        previous = sweeps[-2] if len(sweeps) > 1 else None
        is_stable = not sweep.is_short and (
            most_reads == 1 or (previous is not None and previous.item_keys <= sweep.item_keys)
        )
        log(
            f"{table.name}: read {len(sweeps)}: {counted(sweep.items, 'row')} on "
            f"{counted(sweep.pages, 'page')}"
            + (", the list changed" if previous is not None and not is_stable else "")
        )
        if is_stable or len(sweeps) >= most_reads:
            break
    if all(sweep.is_short for sweep in sweeps):
        raise TransientFailure(
            f"{table.name}: expected the {sweep.total:,} rows that the service states, found "
            f"{sweep.items:,}, in {len(sweeps)} reads; nothing is written."
        )
    counted_sweeps = sweeps[-1:] if is_stable else sweeps
    batches = [batch for sweep in counted_sweeps for batch in sweep.batches]
    bad_keys = {item.key for sweep in counted_sweeps for item in sweep.bad if item.key is not None}
    return StableRead(
        rows=pa.Table.from_batches(batches, table.schema),
        keys=set().union(*(sweep.keys for sweep in counted_sweeps), bad_keys),
        sweeps=len(sweeps),
        last=sweep,
        is_stable=is_stable,
    )


def _read_all(client: Client, table: Table, now: datetime) -> Sweep:
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
