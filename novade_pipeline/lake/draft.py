"""The next version of a table while it is made: files are written one by one, committed together.

Files that are written and never committed wait, unreferenced, for a vacuum.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.lake.changes import has_changed
from novade_pipeline.lake.commits import (
    CommitConflict,
    app_transactions,
    new_mark,
    recover_commit,
    write_failure,
)
from novade_pipeline.lake.conform import conform_columns
from novade_pipeline.lake.data_files import DataFile, FileWriter, files_of
from novade_pipeline.lake.decimals import to_decimals, with_stored_decimals
from novade_pipeline.lake.new_files import NewFiles
from novade_pipeline.lake.protocol import refuse_unfit
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store

COMMIT_TRIES = 15
# Files up to this size are read with one request; of larger ones, only the ranges that are needed.
WHOLE_BYTES = 4 * 2**20


class Draft:
    """The next version of a table: the files that stay, and those dropped and added.

    Attributes:
        columns: of new files: the declared ones, then those that only the stored table has.
        partition_by: the stored table's partition columns, which may differ from the declared ones.
        files: path -> file, of the next version.
    """

    def __init__(
        self,
        store: Store,
        table: Table,
        target: DeltaTable,
        types: Mapping[str, pa.DataType] = MappingProxyType({}),
        *,
        as_stored: bool = False,
    ) -> None:
        """Begin with the version that is opened.

        Args:
            types: column -> its new type; the caller must replace every file.
            as_stored: rows have the lake's own columns and types, whatever the code declares.

        Raises:
            PermanentFailure: the table uses a Delta feature that this package does not support.
        """
        self.store = store
        self.table = table
        self.target = target
        self.version = target.version()
        refuse_unfit(table, target)
        stored = pa.schema(target.schema().to_arrow())
        self.columns = stored if as_stored else _columns(table, stored, types)
        self._types = types
        self.partition_by = tuple(target.metadata().partition_columns)
        self.files = {file.path: file for file in files_of(table, target)}
        self.removed: dict[str, DataFile] = {}
        self.added: dict[str, DataFile] = {}
        self._begun_with = frozenset(self.files)

    @property
    def rows(self) -> int:
        """How many rows the version would have."""
        return sum(file.rows for file in self.files.values())

    @property
    def new_files(self) -> NewFiles:
        """Where its new files go, for those that another process writes."""
        return NewFiles(self.store, self.table, self.columns, self.partition_by)

    @property
    def is_changed(self) -> bool:
        """Whether it differs from the version that it began with."""
        return bool(self.added or self.removed or self._types)

    def read(self, file: DataFile, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield a file's rows, in parts of at most one row group.

        Args:
            columns: names of some of `self.columns`; all of them by default.

        Raises:
            PermanentFailure: the file is damaged.
            TransientFailure: the storage failed, or the file is gone.
            UserError: the lake cannot be read.
        """
        schema = self.columns
        if columns is not None:
            schema = pa.schema([schema.field(name) for name in columns])
        for group in self._row_groups(file, schema):
            for name in [name for name in schema.names if name in file.partition]:
                value = pa.scalar(file.partition[name]).cast(schema.field(name).type)
                group = group.append_column(name, pa.repeat(value, len(group)))
            for batch in self._retyped(group).to_batches():
                yield pa.Table.from_batches([conform_columns(self.table, schema, batch)])

    def new_file(self, partition: Mapping[str, str | None] | None = None) -> FileWriter:
        """Begin a file for rows of one partition, in the lake's columns without the partition's."""
        return self.new_files.new_file(partition)

    def replace(self, old: Iterable[DataFile], new: Iterable[DataFile]) -> None:
        """Take new files in and old ones out."""
        for file in old:
            del self.files[file.path]
            if self.added.pop(file.path, None) is None:
                self.removed[file.path] = file
        for file in new:
            self.files[file.path] = self.added[file.path] = file

    def commit(
        self,
        transactions: Mapping[str, int] | None = None,
        *,
        metadata: Mapping[str, str] | None = None,
        data_change: bool = True,
        conflicts: Callable[[DataFile], bool] | None = None,
    ) -> int:
        """Commit the draft as the table's next version, whose number is returned.

        delta-rs's own retries would duplicate rows of a file that a compaction joined meanwhile.
        Here a draft is committed on the version that it began with, or on a newer one that has the
        same transactions, still has the files that the draft removes, and no conflicting new file.

        Args:
            transactions: app id -> version, recorded with the commit.
            metadata: custom metadata of the commit.
            data_change: false where files are rewritten and no row changes.
            conflicts: whether another writer's new file conflicts; None: any changed row does.

        Raises:
            CommitConflict: another writer was faster; nothing is committed.
            TransientFailure: the storage failed.
            UserError: the lake cannot be written.
        """
        mark = {**new_mark(), **(metadata or {})}
        known = known_transactions(self.target, transactions)
        for tries_left in reversed(range(COMMIT_TRIES)):
            try:
                self._commit(mark, transactions, data_change)
                return self.version + 1
            except (OSError, DeltaError) as error:
                try:
                    return recover_commit(self.store, self.table, mark, self.version, error)
                except CommitConflict:
                    before = self._open_newest()
                    may_follow = self._may_follow(before, conflicts) and not self._types
                    if known_transactions(self.target, transactions) != known:
                        may_follow = False
                    if not tries_left or not may_follow:
                        raise
        raise AssertionError("the last try returns or raises")

    def _row_groups(self, file: DataFile, columns: pa.Schema) -> Iterator[pa.Table]:
        """What a file itself has of the columns, without those of its partition."""
        parts = (*self.table.path, file.path)
        try:
            with (
                self.store.open(*parts)
                if file.size > WHOLE_BYTES
                else io.BytesIO(self.store.read(*parts)) as content
            ):
                parquet = pq.ParquetFile(content, coerce_int96_timestamp_unit="us")
                # Some writers put the partition's columns in there too; what counts is the log.
                own = {*parquet.schema_arrow.names} - {*file.partition}
                present = [name for name in columns.names if name in own]
                for group in range(parquet.num_row_groups):
                    rows = parquet.read_row_group(group, present, use_threads=False)
                    yield _in_utc(rows.combine_chunks(), columns)
        except (pa.ArrowInvalid, OSError, TransientFailure, UserError) as error:
            if not _is_damage(error):
                raise write_failure(self.store, self.table, error) from None
            raise PermanentFailure(
                f"{self.table.name}: expected Parquet in {self.store.child(*parts)}, found a "
                f"damaged file ({type(error).__name__}); nothing is written; put the file back "
                "from a copy, or delete the table's folder and load it again."
            ) from None

    def _retyped(self, rows: pa.Table) -> pa.Table:
        """A file's rows, in the new types of columns."""
        for name in self._types.keys() & set(rows.schema.names):
            index, new_type = rows.schema.get_field_index(name), self._types[name]
            try:
                chunks = [to_decimals(chunk, new_type) for chunk in rows[name].chunks]
            except (ValueError, pa.ArrowInvalid) as error:
                raise PermanentFailure(
                    f"{self.table.name}: column {name} is to hold {new_type}: {error}, "
                    "found another; nothing is written; "
                    "delete the table's folder and load it again."
                ) from None
            rows = rows.set_column(index, name, pa.chunked_array(chunks, new_type))
        return rows

    def _open_newest(self) -> int:
        """Open the table's newest version; the number of the previous one is returned."""
        before = self.version
        try:
            self.target.update_incremental()
        except (OSError, DeltaError) as error:
            raise write_failure(self.store, self.table, error) from None
        self.version = self.target.version()
        return before

    def _may_follow(self, before: int, conflicts: Callable[[DataFile], bool] | None) -> bool:
        """Whether the draft can be committed on the open version, as it could on `before`."""
        current = {file.path: file for file in files_of(self.table, self.target)}
        new = [file for path, file in current.items() if path not in self._begun_with]
        if not self.removed.keys() <= current.keys():
            return False
        if conflicts is None:
            return not has_changed(self.store, self.table, before, self.version)
        return not any(map(conflicts, new))

    def _commit(
        self, mark: dict[str, str], transactions: Mapping[str, int] | None, data_change: bool
    ) -> None:
        now = int(datetime.now(UTC).timestamp() * 1000)
        removed = [
            RemoveAction(f.path, data_change, now, f.size, dict(f.partition))
            for f in self.removed.values()
        ]
        added = [
            AddAction(f.path, f.size, f.partition, now, data_change, f.stats)
            for f in self.added.values()
        ]
        # An overwrite removes all files and sets the new types.
        assert not self._types or self.removed.keys() == self._begun_with
        self.target.create_write_transaction(
            [*added] if self._types else [*removed, *added],
            "overwrite" if self._types else "append",
            Schema.from_arrow(self.columns) if self._types else self.target.schema(),
            partition_by=list(self.partition_by),
            commit_properties=CommitProperties(
                custom_metadata=mark,
                app_transactions=app_transactions(transactions),
                max_commit_retries=0,
            ),
        )


def known_transactions(
    target: DeltaTable, transactions: Mapping[str, int] | None
) -> dict[str, int | None]:
    """App id -> the version that the table has recorded, for each app of the transactions."""
    return {app: target.transaction_version(app) for app in transactions or {}}


def _is_damage(error: Exception) -> bool:
    """Whether pyarrow cannot unpack what it was given: its own OSErrors have no number."""
    is_own = type(error) is OSError and error.errno is None
    return is_own or isinstance(error, pa.ArrowInvalid)


def _in_utc(rows: pa.Table, columns: pa.Schema) -> pa.Table:
    """The times that have no zone, as Spark writes them (INT96), in the zone that they mean."""
    for index, field in enumerate(rows.schema):
        zone = getattr(columns.field(field.name).type, "tz", None)
        if zone is not None and pa.types.is_timestamp(field.type) and field.type.tz is None:
            times = rows[field.name].cast(pa.timestamp(field.type.unit, zone))
            rows = rows.set_column(index, field.name, times)
    return rows


def _columns(table: Table, stored: pa.Schema, types: Mapping[str, pa.DataType]) -> pa.Schema:
    """The declared columns, then the lake's further ones.

    A column is nullable if it is new or nullable in the lake.
    """
    declared = [
        field.with_nullable(field.name not in stored.names or stored.field(field.name).nullable)
        for field in with_stored_decimals(table.schema, stored)
    ]
    columns = [*declared, *(f for f in stored if f.name not in table.schema.names)]
    return pa.schema([f.with_type(types.get(f.name, f.type)) for f in columns])
