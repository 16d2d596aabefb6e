"""From what the service told to its table: protected, bad items aside, what differs merged."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from novade_pipeline.api.items import BadItem
from novade_pipeline.api.quarantine import replace_rejected
from novade_pipeline.defs.drift.reader import Told
from novade_pipeline.defs.drift.tables import QUARANTINE
from novade_pipeline.lake.delta import WriteReceipt
from novade_pipeline.lake.differences import compare
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect
from novade_pipeline.storage.store import Store

Copy = Callable[[Table, Told, pa.Table, Collection[str]], None]
"""Takes what was told of a table, its rows as the policy lets them be, and what was asked for.

The rows have a further column, `PLACE`: where each was told. Those of erased persons are missing.
"""

PLACE = "_place"


@dataclass
class Tally:
    """What became of the items of one table.

    Attributes:
        told: items of the service.
        quarantined: of them those that are no rows.
        gone: asked for, and answered by 404.
        new, changed, vanished, unchanged: rows, as `lake.differences` counts them.
        passed_over: rows that the lake has in a state that was read later.
    """

    told: int = 0
    new: int = 0
    changed: int = 0
    vanished: int = 0
    unchanged: int = 0
    passed_over: int = 0
    quarantined: int = 0
    gone: int = 0
    receipts: list[WriteReceipt] = field(default_factory=list)

    def metadata(self) -> dict[str, int]:
        """As a materialization tells it."""
        names = ("new", "changed", "vanished", "unchanged", "passed_over", "quarantined", "gone")
        return {"items_told": self.told} | {f"rows_{name}": getattr(self, name) for name in names}


def nowhere(table: Table, told: Told, rows: pa.Table, places: Collection[str]) -> None:
    """A copy that nobody wants."""


@dataclass
class Writer:
    """Writes to the lake, and counts.

    Attributes:
        now: when rows are said to have been read.
        copy: is handed all that is read, whether or not it differs.
        tallies: table name -> what became of its items.
        quarantine: the writes to the quarantine.
    """

    lake: Store
    policy: PersonalDataPolicy
    now: datetime
    copy: Copy = nowhere
    tallies: dict[str, Tally] = field(default_factory=dict)
    quarantine: list[WriteReceipt] = field(default_factory=list)

    def tally(self, table: Table) -> Tally:
        """The counts of a table."""
        return self.tallies.setdefault(table.name, Tally())

    def put(
        self,
        table: Table,
        told: Told,
        places: Collection[str],
        *,
        keys: Collection[Any] | None = None,
        transactions: Mapping[str, int] | None = None,
    ) -> None:
        """Bring a table to what was told. The quarantine is written first.

        Args:
            told: of the table.
            places: what was asked for; bad items that stand for these are replaced.
            keys: of all that the service has, where it told all; the others have vanished.
            transactions: recorded with the commit.
        """
        told_at = [item.place for item in told.items if item.row is not None]
        rows = pa.Table.from_pylist(told.rows, table.schema)
        rows = rows.append_column(PLACE, pa.array(told_at, pa.string()))
        protected = protect(rows, table.personal, self.policy)
        self.copy(table, told, protected, places)
        self.reject(table, told.bad, places)
        tally = self.tally(table)
        tally.told += len(told.items)
        tally.quarantined += len(told.bad)
        self.merge(table, protected.drop_columns([PLACE]), keys=keys, transactions=transactions)

    def reject(self, table: Table, bad: Sequence[BadItem], places: Collection[str]) -> None:
        """Put what is no row into the quarantine, in the place of what stood there for these."""
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
        """Merge those rows that differ from the lake's."""
        (key,) = table.key
        where = None if keys is not None else {key: set(rows[key].to_pylist())}
        what = compare(table, read(self.lake, table, where=where), rows, keys, self.now)
        tally = self.tally(table)
        tally.new += what.new
        tally.changed += what.changed
        tally.vanished += what.vanished
        tally.unchanged += what.unchanged
        tally.passed_over += what.passed_over
        if len(what.rows) or transactions:
            receipt = merge(
                self.lake, table, what.rows, replace_equal=True, transactions=transactions
            )
            tally.passed_over += receipt.passed_over
            tally.receipts.append(receipt)
