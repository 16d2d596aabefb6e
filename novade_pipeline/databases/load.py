"""Loading a table of a database: what is read, what differs, what is committed.

Each load is one commit of the table, with its rows and how far they were read, and for a sweep a
second one. A load that dies has committed all of it or nothing, and the next one begins where the
table is. Where another load was faster, what it has committed is read again first.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa
from deltalake import DeltaTable

from novade_pipeline.databases.database import Session
from novade_pipeline.databases.declaration import DatabaseColumn, DatabaseTable, DatabaseTables
from novade_pipeline.databases.differences import as_new, differing, protected
from novade_pipeline.databases.feeds import Feed, Key
from novade_pipeline.databases.kinds import parse_kind
from novade_pipeline.databases.reader import read_rows
from novade_pipeline.databases.reflection import Drift, drift, reflect, refuse_repeated_keys
from novade_pipeline.databases.sql import changed_since, changed_value, select, with_keys
from novade_pipeline.databases.sweep import differing_keys
from novade_pipeline.databases.tables import lake_table
from novade_pipeline.lake.commits import CommitConflict
from novade_pipeline.lake.delta import WriteReceipt, create_with_columns
from novade_pipeline.lake.keyed_rows import rows_of_keys
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.query import scratch, workspace
from novade_pipeline.lake.read import stream
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.watermarks import Watermark, watermark
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.store import Store

TRIES = 5
KEYS_A_STATEMENT = 1_000
KEYS_A_PART = 20_000
"""So many rows are compared at a time, where not all are."""
MOST_KEYS = 500_000
"""A sweep that finds more differences reads the whole table."""
MOST_OVERLAP_ROWS = 50_000
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
        self._dialect = loader.session.database.dialect
        self._lake, self._policy = loader.lake, loader.policy.pinned()
        self._table: Table = lake_table(loader.domain, declared)
        self._read = 0
        self._failure: BaseException | None = None

    def mark(self) -> Watermark:
        """Up to where the table was read; compares its columns with the database's."""
        self._reflected = reflect(self._loader.session, self._declared)
        self._drift = drift(self._declared, self._reflected)
        gone = self._drift.absent
        self._columns = [c for c in self._declared.columns if c.name not in gone]
        return watermark(self._lake, self._table, self._app_id(), self._policy)

    def run(self) -> LoadReport:
        """Read, compare and commit."""
        declared = self._declared
        self._open()
        mark = self.mark()
        refuse_repeated_keys(self._loader.session, declared, self._reflected)
        is_first = mark.value is None
        swept: int | None = None
        if declared.mode == "changed":
            full, mark, receipts, swept = self._load_changed(mark)
        elif declared.mode == "changes":
            full, mark, receipts = self._load_changes(mark)
        else:
            full = "its mode is full"
            receipts = [self._merge(self._all_rows(), {})]
        return LoadReport(self._read, self._drift, full, is_first, swept, tuple(receipts))

    def _load_changed(
        self, mark: Watermark
    ) -> tuple[str | None, Watermark, list[WriteReceipt], int | None]:
        """Load the rows whose changed_by rose, and sweep the keys if that is due."""
        session, declared = self._loader.session, self._declared
        # Asked for before the rows are read: what comes meanwhile is read again by the next load.
        ((newest,),) = session.query(changed_value(self._dialect, declared))
        now = int(self._loader.now().timestamp() * 1_000_000)
        if mark.value is None:
            mark = Watermark(mark.name, mark.policy, mark.generation, int(newest or 0))
            transactions = {**mark.transactions(), SWEEP: now}
            first = "it was not read before, with these columns and this policy"
            return first, mark, [self._merge(self._all_rows(), transactions)], None
        value = max(mark.value, int(newest or 0))
        mark = Watermark(mark.name, mark.policy, mark.generation, value)
        receipts = [self._merge(self._changed_rows(mark.value or 0), mark.transactions())]
        last = self._target.transaction_version(SWEEP) or 0
        if now - last < declared.sweep_hours * 3_600_000_000:
            return None, mark, receipts, None
        self._open()
        keys = differing_keys(
            session,
            self._lake,
            self._target,
            self._table,
            declared,
            self._policy,
            self._loader.declared.time_zone,
        )
        full = None
        if len(keys) > MOST_KEYS:
            full = f"a sweep found more than {MOST_KEYS:,} keys that differ"
            rows = self._all_rows()
        else:
            rows = self._rows_by_keys(keys)
        return full, mark, [*receipts, self._merge(rows, {SWEEP: now})], len(keys)

    def _load_changes(self, mark: Watermark) -> tuple[str | None, Watermark, list[WriteReceipt]]:
        """Load the rows that the database's feed names."""
        feed, declared = self._loader.feed, self._declared
        assert feed is not None
        lost: str | None = None
        if mark.value is None:
            lost = "it was not read before, with these columns and this policy"
            position = feed.start(declared)
        else:
            changes = feed.changes(declared, mark.value)
            lost, position = changes.lost, changes.position
        if lost is not None:
            if mark.value is not None:
                mark = mark.restarted()
                self._on_progress(f"{self._table.name}: {lost}; all rows are read")
            rows = self._all_rows()
        else:
            rows = self._rows_by_keys(changes.keys)
        mark = Watermark(mark.name, mark.policy, mark.generation, position)
        return lost, mark, [self._merge(rows, mark.transactions())]

    def _open(self) -> None:
        """Pin the version that the rows are compared with."""
        self._target: DeltaTable = create_with_columns(self._lake, self._table)
        self._version = self._target.version()

    def _merge(self, rows: Iterable[pa.RecordBatch], transactions: dict[str, int]) -> WriteReceipt:
        """Commit rows, which have the number of this load.

        Raises:
            CommitConflict: another load was faster.
        """
        reader = pa.RecordBatchReader.from_batches(self._table.schema, self._watched(rows))
        try:
            receipt = merge(
                self._lake,
                self._table,
                reader,
                transactions=transactions,
                compared_with=self._version,
            )
        except BaseException:
            # DuckDB and Arrow tell in their own words why their input ended.
            if self._failure is not None:
                raise self._failure from None
            raise
        if receipt.rows:
            self._on_progress(f"{self._table.name}: {receipt.rows:,} rows written")
        return receipt

    @property
    def _load_number(self) -> int:
        return self._version + 1

    def _all_rows(self) -> Iterator[pa.RecordBatch]:
        """Those of the database's rows that the lake does not have as they are, and deletions."""
        rows = self._query(None)
        if not self._target.file_uris():
            for batch in rows:
                yield as_new(self._table, batch, self._load_number)
            return
        stored = stream(self._lake, self._table, version=self._version)
        with workspace() as connection:
            yield from differing(
                connection,
                self._table,
                stored,
                rows,
                self._columns,
                self._load_number,
                deletions=True,
            )

    def _changed_rows(self, value: int) -> Iterator[pa.RecordBatch]:
        """Those that changed since shortly before a value, and that differ from the lake's."""
        declared = self._declared
        assert declared.changed_by is not None
        kind = parse_kind(declared.of_name(declared.changed_by).type).name
        overlap = declared.overlap_seconds * (1_000_000 if "timestamp" in kind else 1)
        overlap = 0 if kind == "rowversion" else overlap
        condition = changed_since(self._dialect, declared, value - overlap)
        for part in _parts(self._query(condition), MOST_OVERLAP_ROWS):
            yield from self._compared(part, part.select(self._table.key), deletions=False)

    def _rows_by_keys(self, keys: Collection[Key]) -> Iterator[pa.RecordBatch]:
        """The present rows with these keys, and deletions of those that have none."""
        schema = pa.schema([self._table.schema.field(name) for name in self._table.key])
        for part in _cut(sorted(keys), KEYS_A_PART):
            present = [
                batch
                for some in _cut(part, KEYS_A_STATEMENT)
                for batch in self._query(with_keys(self._dialect, self._declared, some))
            ]
            columns = [
                pa.array(column, schema_field.type)
                for column, schema_field in zip(zip(*part, strict=True), schema, strict=True)
            ]
            rows = pa.Table.from_batches(present, self._fresh_schema)
            yield from self._compared(rows, pa.table(columns, schema=schema), deletions=True)

    def _compared(
        self, rows: pa.Table, keys: pa.Table, *, deletions: bool
    ) -> Iterator[pa.RecordBatch]:
        stored = rows_of_keys(self._lake, self._table, self._target, keys)
        with closing(scratch()) as connection:
            yield from differing(
                connection,
                self._table,
                stored.to_reader(),
                rows.to_batches(),
                self._columns,
                self._load_number,
                deletions=deletions,
            )

    def _query(self, condition: str | None) -> Iterator[pa.RecordBatch]:
        """The database's rows under the policy, counted; a failure is remembered."""
        sql = select(self._dialect, self._declared, self._columns, condition)
        batches = read_rows(
            self._loader.session.database,
            sql,
            self._table,
            self._columns,
            self._loader.declared.time_zone,
        )
        return self._watched(protected(self._table, self._policy, self._counted(batches)))

    def _counted(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            self._read += batch.num_rows
            yield batch

    def _watched(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except GeneratorExit:
            raise
        except BaseException as failure:
            self._failure = self._failure or failure
            raise

    @property
    def _fresh_schema(self) -> pa.Schema:
        return pa.schema(
            [self._table.schema.field(c.name).with_nullable(True) for c in self._columns]
        )

    def _app_id(self) -> str:
        """The watermark's name: other columns or another mode are read anew."""
        declared = self._declared
        parts = [str(declared.schema_name), declared.table, declared.mode, str(declared.changed_by)]
        parts += sorted(map(_identity, self._columns))
        return f"database:{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:32]}"


def _identity(column: DatabaseColumn) -> str:
    return f"{column.name}:{column.column}:{column.type}:{column.personal}"


def _parts(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Batches together, up to so many rows."""
    pending: list[pa.RecordBatch] = []
    for batch in batches:
        pending.append(batch)
        if sum(map(len, pending)) >= rows:
            yield pa.Table.from_batches(pending)
            pending = []
    if pending:
        yield pa.Table.from_batches(pending)


def _cut(keys: Sequence[Key], size: int) -> Iterator[Sequence[Key]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))
