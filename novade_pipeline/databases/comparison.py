"""The rows of a database's table that differ from the lake's: of all, of some, by key."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa
from deltalake import DeltaTable

from novade_pipeline.databases.database import Dialect, Session
from novade_pipeline.databases.declaration import DatabaseColumn, DatabaseTable
from novade_pipeline.databases.differences import as_new, differing, protected
from novade_pipeline.databases.feeds import Key
from novade_pipeline.databases.kinds import parse_kind
from novade_pipeline.databases.reader import read_rows
from novade_pipeline.databases.sql import about_rows, changed_since, select, with_keys
from novade_pipeline.lake.keyed_rows import rows_of_keys
from novade_pipeline.lake.prefetch import prefetch
from novade_pipeline.lake.query import scratch, workspace
from novade_pipeline.lake.read import stream
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.store import Store

KEYS_A_STATEMENT = 1_000
KEYS_A_PART = 20_000
"""So many rows are compared at a time, where not all are."""
MOST_OVERLAP_ROWS = 50_000
BATCHES_AHEAD = 5
"""That are read while others are written."""


@dataclass
class Comparison:
    """A read of a table, compared with a version of the lake's.

    Attributes:
        columns: that are read.
        time_zone: of times without one.
        target: the version of the lake's table.
        policy: under which the rows are compared and stored.
        read: rows that were read so far, unchanged ones included.
        failure: why a read ended; DuckDB and Arrow would tell in their own words.
    """

    session: Session
    declared: DatabaseTable
    columns: Sequence[DatabaseColumn]
    time_zone: str
    lake: Store
    table: Table
    target: DeltaTable
    policy: PersonalDataPolicy
    read: int = 0
    failure: BaseException | None = None

    @property
    def _dialect(self) -> Dialect:
        return self.session.database.dialect

    @property
    def _version(self) -> int:
        return int(self.target.version())

    def about_rows(self) -> int:
        """How many rows the database estimates, for a first load."""
        if self.target.file_uris():
            return 0
        rows = self.session.query(about_rows(self._dialect, self.declared))
        return max([0, *(int(count) for (count,) in rows if count is not None)])

    @property
    def _load_number(self) -> int:
        return self._version + 1

    def all_rows(self) -> Iterator[pa.RecordBatch]:
        """Those of the database's rows that the lake does not have as they are, and deletions."""
        rows = self._query(None)
        if not self.target.file_uris():
            for batch in rows:
                yield as_new(self.table, batch, self._load_number)
            return
        stored = stream(self.lake, self.table, version=self._version)
        with workspace() as connection:
            yield from differing(
                connection,
                self.table,
                stored,
                rows,
                self.columns,
                self._load_number,
                deletions=True,
            )

    def changed_rows(self, value: int) -> Iterator[pa.RecordBatch]:
        """Those that changed since shortly before a value, and that differ from the lake's."""
        declared = self.declared
        assert declared.changed_by is not None
        kind = parse_kind(declared.of_name(declared.changed_by).type).name
        overlap = declared.overlap_seconds * (1_000_000 if "timestamp" in kind else 1)
        overlap = 0 if kind == "rowversion" else overlap
        condition = changed_since(self._dialect, declared, value - overlap)
        for part in _parts(self._query(condition), MOST_OVERLAP_ROWS):
            yield from self._compared(part, part.select(self.table.key), deletions=False)

    def rows_by_keys(self, keys: Collection[Key]) -> Iterator[pa.RecordBatch]:
        """The present rows with these keys, and deletions of those that have none."""
        schema = pa.schema([self.table.schema.field(name) for name in self.table.key])
        for part in _cut(sorted(keys), KEYS_A_PART):
            present = [
                batch
                for some in _cut(part, KEYS_A_STATEMENT)
                for batch in self._query(with_keys(self._dialect, self.declared, some))
            ]
            columns = [
                pa.array(column, schema_field.type)
                for column, schema_field in zip(zip(*part, strict=True), schema, strict=True)
            ]
            rows = pa.Table.from_batches(present, self._fresh_schema)
            part_keys = pa.table(columns, schema=schema)
            if len(self.columns) < len(self.declared.columns):
                # The lake's rows are needed for the columns that the database has no more.
                yield from self._compared(rows, part_keys, deletions=True)
                continue
            for batch in rows.to_batches():
                yield as_new(self.table, batch, self._load_number)
            names = list(self.table.key)
            gone = part_keys.join(rows.select(names), names, join_type="left anti")
            yield from self._compared(rows.slice(0, 0), gone, deletions=True)

    def _compared(
        self, rows: pa.Table, keys: pa.Table, *, deletions: bool
    ) -> Iterator[pa.RecordBatch]:
        stored = rows_of_keys(self.lake, self.table, self.target, keys)
        with closing(scratch()) as connection:
            yield from differing(
                connection,
                self.table,
                stored.to_reader(),
                rows.to_batches(),
                self.columns,
                self._load_number,
                deletions=deletions,
            )

    def _query(self, condition: str | None) -> Iterator[pa.RecordBatch]:
        """The database's rows under the policy, counted; a failure is remembered."""
        sql = select(self._dialect, self.declared, self.columns, condition)
        batches = read_rows(
            self.session.database,
            sql,
            self.table,
            self.columns,
            self.time_zone,
        )
        return self.watched(protected(self.table, self.policy, self._counted(batches)))

    def _counted(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with closing(prefetch(batches, BATCHES_AHEAD)) as ahead:
            for batch in ahead:
                self.read += batch.num_rows
                yield batch

    def watched(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches; a failure to make one is remembered."""
        try:
            yield from batches
        except GeneratorExit:
            raise
        except BaseException as failure:
            self.failure = self.failure or failure
            raise

    @property
    def _fresh_schema(self) -> pa.Schema:
        return pa.schema(
            [self.table.schema.field(c.name).with_nullable(True) for c in self.columns]
        )


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
