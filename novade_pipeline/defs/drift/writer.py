"""Writes items into their table: bad ones into quarantine, the differences of the others."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from novade_pipeline.api.items import BadItem
from novade_pipeline.api.quarantine import replace_rejected
from novade_pipeline.defs.drift.reader import ItemBatch
from novade_pipeline.defs.drift.tables import QUARANTINE
from novade_pipeline.lake.delta import WriteReceipt
from novade_pipeline.lake.differences import compare
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect
from novade_pipeline.storage.store import Store

Copy = Callable[[Table, ItemBatch, pa.Table, Collection[str]], None]
"""Receives the items of a table, its rows under the policy, and the places that were requested.

The rows have a further column `PLACE`, the path of each. Those of erased persons are missing.
"""

PLACE = "_place"


@dataclass
class Tally:
    """Counts of the items of one table.

    Attributes:
        items: items of the service.
        quarantined: of them those that are bad.
        gone: requested, and answered with 404.
        new, changed, vanished, unchanged: rows, as `lake.differences` counts them.
        passed_over: rows that the lake has in a state that was read later.
    """

    items: int = 0
    new: int = 0
    changed: int = 0
    vanished: int = 0
    unchanged: int = 0
    passed_over: int = 0
    quarantined: int = 0
    gone: int = 0
    receipts: list[WriteReceipt] = field(default_factory=list)

    def metadata(self) -> dict[str, int]:
        """Returns the counts as metadata."""
        names = ("new", "changed", "vanished", "unchanged", "passed_over", "quarantined", "gone")
        return {"items_told": self.items} | {f"rows_{name}": getattr(self, name) for name in names}


def no_copy(table: Table, batch: ItemBatch, rows: pa.Table, places: Collection[str]) -> None:
    """Discards everything."""


@dataclass
class Writer:
    """Writes to the lake, and counts.

    Attributes:
        now: `read_at` of the rows, UTC.
        copy: receives all items, unchanged ones included.
        tallies: the counts by table name.
        quarantine: receipts of the quarantine's commits.
    """

    lake: Store
    policy: PersonalDataPolicy
    now: datetime
    copy: Copy = no_copy
    tallies: dict[str, Tally] = field(default_factory=dict)
    quarantine: list[WriteReceipt] = field(default_factory=list)

    def tally(self, table: Table) -> Tally:
        """Returns the counts of a table."""
        return self.tallies.setdefault(table.name, Tally())

    def write(
        self,
        table: Table,
        batch: ItemBatch,
        places: Collection[str],
        *,
        keys: Collection[Any] | None = None,
        transactions: Mapping[str, int] | None = None,
    ) -> None:
        """Writes items: first bad ones to quarantine, then the differences to the table.

        Args:
            batch: of the table.
            places: the requested paths, whose bad items are replaced.
            keys: of all items of the service, where all were read; other rows have vanished.
            transactions: are recorded with the commit.
        """
        places_of_rows = [item.place for item in batch.items if item.row is not None]
        rows = pa.Table.from_pylist(batch.rows, table.schema)
        rows = rows.append_column(PLACE, pa.array(places_of_rows, pa.string()))
        protected = protect(rows, table.personal, self.policy)
        self.copy(table, batch, protected, places)
        self.reject(table, batch.bad, places)
        tally = self.tally(table)
        tally.items += len(batch.items)
        tally.quarantined += len(batch.bad)
        self.merge(table, protected.drop_columns([PLACE]), keys=keys, transactions=transactions)

    def reject(self, table: Table, bad: Sequence[BadItem], places: Collection[str]) -> None:
        """Replaces the bad items of these places in the quarantine."""
        source = table.path[-1]
        receipt = replace_rejected(
            self.lake, QUARANTINE, source, bad, self.policy, self.now, places
        )
        self.quarantine += [receipt] if receipt is not None else []

    def merge(
        self,
        table: Table,
        rows: pa.Table,
        *,
        keys: Collection[Any] | None = None,
        transactions: Mapping[str, int] | None = None,
    ) -> None:
        """Merges the rows that differ from the lake's."""
        (key,) = table.key
        where = None if keys is not None else {key: set(rows[key].to_pylist())}
        difference = compare(table, read(self.lake, table, where=where), rows, keys, self.now)
        tally = self.tally(table)
        tally.new += difference.new
        tally.changed += difference.changed
        tally.vanished += difference.vanished
        tally.unchanged += difference.unchanged
        tally.passed_over += difference.passed_over
        if len(difference.rows) or transactions:
            receipt = merge(
                self.lake, table, difference.rows, replace_equal=True, transactions=transactions
            )
            tally.passed_over += receipt.passed_over
            tally.receipts.append(receipt)
