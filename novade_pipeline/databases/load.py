"""Loading a table of a database: what is read, what differs, what is committed.

Each load is one commit of the table, with its rows and how far they were read, and for a sweep a
second one. A load that dies has committed all of it or nothing, and the next one begins where the
table is. Where another load was faster, what it has committed is read again first.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pyarrow as pa
from deltalake import DeltaTable

from novade_pipeline.databases.comparison import Comparison
from novade_pipeline.databases.database import Session
from novade_pipeline.databases.declaration import DatabaseColumn, DatabaseTable, DatabaseTables
from novade_pipeline.databases.feeds import MOST_KEYS, Feed
from novade_pipeline.databases.reflection import Drift, drift, reflect, refuse_repeated_keys
from novade_pipeline.databases.sql import changed_value
from novade_pipeline.databases.sweep import differing_keys
from novade_pipeline.databases.tables import lake_table
from novade_pipeline.lake.commits import CommitConflict
from novade_pipeline.lake.delta import WriteReceipt, create_with_columns
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.watermarks import Watermark, watermark
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.store import Store

TRIES = 5
FIRST = "it was not read before, with these columns and this policy"
SWEEP = "database:sweep"
"""The transaction of the last sweep, in microseconds since 1970."""


@dataclass(frozen=True)
class LoadReport:
    """What a load did.

    Attributes:
        read: rows that were read, unchanged ones included.
        drift: how the database's columns differ from the declared ones.
        full: why all rows were read, as a sentence; None where they were not.
        is_first: the table was not read before, with these columns and this policy.
        swept: keys that a sweep found to differ; None where there was none.
        receipts: of the commits.
    """

    read: int
    drift: Drift
    full: str | None
    is_first: bool
    swept: int | None
    receipts: tuple[WriteReceipt, ...]


@dataclass(frozen=True)
class Loader:
    """Loads the tables of a database.

    Attributes:
        domain: of the tables in the lake.
        feed: the database's changes; None where no table is read by them.
        now: the time, for sweeps.
    """

    domain: str
    session: Session
    declared: DatabaseTables
    lake: Store
    policy: PersonalDataPolicy
    feed: Feed | None = None
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def load(
        self, table: DatabaseTable, on_progress: Callable[[str], None] = lambda _: None
    ) -> LoadReport:
        """Bring a table of the lake to the database's present state.

        Raises:
            PermanentFailure: the table cannot be read as it is declared; nothing is written.
            TransientFailure: the database or the storage failed, or other loads were faster again
                and again.
        """
        for left in reversed(range(TRIES)):
            try:
                return _Load(self, table, on_progress).run()
            except CommitConflict:
                if not left:
                    raise
        raise AssertionError("the last try returns or raises")

    def release(self) -> None:
        """Tell the database's feed what all tables have committed.

        Raises:
            PermanentFailure: a table cannot be read as it is declared.
            TransientFailure: the database failed.
        """
        if self.feed is None:
            return
        followed = [table for table in self.declared.tables if table.mode == "changes"]
        positions = [_Load(self, table, lambda _: None).mark().value for table in followed]
        # A table that was not read yet begins where the feed is by then.
        self.feed.release(min((p for p in positions if p is not None), default=0))


class _Load:
    """One try to load a table."""

    def __init__(
        self, loader: Loader, declared: DatabaseTable, on_progress: Callable[[str], None]
    ) -> None:
        self._loader, self._declared, self._on_progress = loader, declared, on_progress
        self._session, self._lake = loader.session, loader.lake
        self._policy = loader.policy.pinned()
        self._table: Table = lake_table(loader.domain, declared)
        self._comparisons: list[Comparison] = []

    def mark(self) -> Watermark:
        """Up to where the table was read; compares its columns with the database's."""
        self._reflected = reflect(self._session, self._declared)
        self._drift = drift(self._declared, self._reflected)
        gone = self._drift.absent
        self._columns = [c for c in self._declared.columns if c.name not in gone]
        return watermark(self._lake, self._table, self._app_id(), self._policy)

    def run(self) -> LoadReport:
        """Read, compare and commit."""
        # Pinned before the watermark is read: what is committed after it is a lost race.
        target = create_with_columns(self._lake, self._table)
        mark = self.mark()
        refuse_repeated_keys(self._session, self._declared, self._reflected)
        comparison = self._compared_with(target)
        full: str | None = "its mode is full"
        swept: int | None = None
        if self._declared.mode == "changed":
            full, swept, receipts = self._load_changed(mark, comparison)
        elif self._declared.mode == "changes":
            full, receipts = self._load_changes(mark, comparison)
        else:
            receipts = [self._merge(comparison, comparison.all_rows(), {})]
        rows = sum(each.read for each in self._comparisons)
        is_first = mark.value is None
        return LoadReport(rows, self._drift, full, is_first, swept, tuple(receipts))

    def _load_changed(
        self, mark: Watermark, comparison: Comparison
    ) -> tuple[str | None, int | None, list[WriteReceipt]]:
        """Load the rows whose changed_by rose, and sweep the keys if that is due."""
        declared, dialect = self._declared, self._session.database.dialect
        # Asked for before the rows are read: what comes meanwhile is read again by the next load.
        ((newest,),) = self._session.query(changed_value(dialect, declared))
        value = max([int(newest or 0), *([] if mark.value is None else [mark.value])])
        new_mark = replace(mark, value=value)
        now = int(self._loader.now().timestamp() * 1_000_000)
        if mark.value is None:
            transactions = {**new_mark.transactions(), SWEEP: now}
            return FIRST, None, [self._merge(comparison, comparison.all_rows(), transactions)]
        rows = comparison.changed_rows(mark.value)
        receipts = [self._merge(comparison, rows, new_mark.transactions())]
        last = comparison.target.transaction_version(SWEEP) or 0
        if now - last < declared.sweep_hours * 3_600_000_000:
            return None, None, receipts
        comparison = self._compared_with(create_with_columns(self._lake, self._table))
        keys = differing_keys(comparison)
        full = None
        rows = comparison.rows_by_keys(keys)
        if len(keys) > MOST_KEYS:
            full = f"a sweep found more than {MOST_KEYS:,} keys that differ"
            rows = comparison.all_rows()
        return full, len(keys), [*receipts, self._merge(comparison, rows, {SWEEP: now})]

    def _load_changes(
        self, mark: Watermark, comparison: Comparison
    ) -> tuple[str | None, list[WriteReceipt]]:
        """Load the rows that the database's feed names; all rows where it does not know."""
        feed = self._loader.feed
        assert feed is not None
        if mark.value is None:
            new_mark = replace(mark, value=feed.start(self._declared))
            rows = comparison.all_rows()
            return FIRST, [self._merge(comparison, rows, new_mark.transactions())]
        changes = feed.changes(self._declared, mark.value)
        rows = comparison.rows_by_keys(changes.keys)
        if changes.lost is not None:
            self._on_progress(f"{self._table.name}: {changes.lost}; all rows are read")
            mark, rows = mark.restarted(), comparison.all_rows()
        new_mark = replace(mark, value=changes.position)
        return changes.lost, [self._merge(comparison, rows, new_mark.transactions())]

    def _compared_with(self, target: DeltaTable) -> Comparison:
        """A read that is compared with a version of the lake's table."""
        comparison = Comparison(
            session=self._session,
            declared=self._declared,
            columns=self._columns,
            time_zone=self._loader.declared.time_zone,
            lake=self._lake,
            table=self._table,
            target=target,
            policy=self._policy,
        )
        self._comparisons.append(comparison)
        return comparison

    def _merge(
        self,
        comparison: Comparison,
        rows: Iterable[pa.RecordBatch],
        transactions: Mapping[str, int],
    ) -> WriteReceipt:
        """Commit rows, which have the number of this load.

        Raises:
            CommitConflict: another load was faster.
        """
        watched = comparison.watched(rows)
        try:
            receipt = merge(
                self._lake,
                self._table,
                pa.RecordBatchReader.from_batches(self._table.schema, watched),
                transactions=transactions,
                compared_with=comparison.target.version(),
                expected_rows=comparison.about_rows(),
            )
        except BaseException:
            if comparison.failure is not None:
                raise comparison.failure from None
            raise
        if receipt.rows:
            self._on_progress(f"{self._table.name}: {receipt.rows:,} rows written")
        return receipt

    def _app_id(self) -> str:
        """The watermark's name: other columns or another mode are read anew."""
        declared = self._declared
        parts = [str(declared.schema_name), declared.table, declared.mode, str(declared.changed_by)]
        parts += sorted(map(_identity, self._columns))
        return f"database:{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:32]}"


def _identity(column: DatabaseColumn) -> str:
    return f"{column.name}:{column.column}:{column.type}:{column.personal}"
