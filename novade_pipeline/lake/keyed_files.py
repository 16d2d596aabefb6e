"""The data files of a table that is written by `merge`: many, small, in the order of the key.

A changed row costs the file that it stands in, so the files are cut such that 100 rows, wherever
they stand, are less than a twentieth of the table. The log has the range of keys of each file,
which tells where a key can be. `Draft` is the next version while it is made: files are written
one by one, in bounded memory, and committed together.
"""

import io
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from novade_pipeline.lake.changes import has_changed
from novade_pipeline.lake.commits import LostRace, cannot_write, new_mark, own_commit, recorded
from novade_pipeline.lake.conform import conform_columns
from novade_pipeline.lake.prefetch import map_ahead
from novade_pipeline.lake.stream import ROW_GROUP_ROWS
from novade_pipeline.lake.table import Table
from novade_pipeline.storage import Store

# Of 2,500 files 100 rows touch 98 at most, 3.9 %. Opening a file costs as much as a few hundred
# rows, so that smaller ones make reading slow, and more of them too.
FILES = 2_500
LEAST_ROWS = 400
THREADS = 4
COMMIT_TRIES = 15


def rows_a_file(rows: int) -> int:
    """How many rows a file should have, in a table of so many."""
    return max(LEAST_ROWS, ceil(rows / FILES))


@dataclass(frozen=True)
class KeyedFile:
    """A data file.

    Attributes:
        path: below the table.
        size: bytes.
        rows: how many it has.
        low: at most the least value of the first key column; None where that is not known.
        high: at least the greatest one, likewise.
        stats: what the log says of its columns, as JSON; empty for files that are in the log.
    """

    path: str
    size: int
    rows: int
    low: Any
    high: Any
    stats: str = ""


class Draft:
    """The next version of a table: the files that stay, and those dropped and added.

    Files that are written and never committed wait, unreferenced, for a vacuum.

    Attributes:
        columns: the lake's, which may be more than the code declares.
        files: path -> file, as the version would be.
        dropped: files of the version that the draft began with.
        added: files that are written and not yet in the log.
    """

    def __init__(self, store: Store, table: Table, target: DeltaTable) -> None:
        self.store = store
        self.table = table
        self.target = target
        self.version = target.version()
        self.columns = _columns(table, target)
        self.files = {file.path: file for file in _files(table, target)}
        self.dropped: dict[str, KeyedFile] = {}
        self.added: dict[str, KeyedFile] = {}

    @property
    def rows(self) -> int:
        """How many rows the version would have."""
        return sum(file.rows for file in self.files.values())

    def read(self, file: KeyedFile, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """A file's rows, row group by row group; all columns of the lake where None."""
        schema = self.columns
        if columns is not None:
            schema = pa.schema([schema.field(name) for name in columns])
        parquet = pq.ParquetFile(pa.BufferReader(self.store.read(*self.table.path, file.path)))
        there = [name for name in schema.names if name in parquet.schema_arrow.names]
        for group in range(parquet.num_row_groups):
            found = parquet.read_row_group(group, there, use_threads=False).combine_chunks()
            for batch in found.to_batches():
                yield pa.Table.from_batches([conform_columns(self.table, schema, batch)])

    def write(self, rows: pa.Table, rows_each: int) -> list[KeyedFile]:
        """Write rows, which are in the order of the key, to new files of about so many each."""
        if not len(rows):
            return []
        each = ceil(len(rows) / max(1, round(len(rows) / rows_each)))
        cuts = [rows.slice(first, each) for first in range(0, len(rows), each)]
        return list(in_threads(self._write, cuts))

    def replace(self, old: Iterable[KeyedFile], new: Iterable[KeyedFile]) -> None:
        """Take new files in and old ones out."""
        for file in old:
            del self.files[file.path]
            if self.added.pop(file.path, None) is None:
                self.dropped[file.path] = file
        for file in new:
            self.files[file.path] = self.added[file.path] = file

    def commit(self, transactions: Mapping[str, int] | None = None, *, changes: bool = True) -> int:
        """Make it the table's next version; its number is returned.

        delta-rs's own retries let a file be dropped that a compaction has joined meanwhile, and
        its rows would stand twice. Here a version follows the one that it was made from, or one
        that has the same rows, the same files among those dropped, and the same transactions.

        Args:
            transactions: app id -> version, recorded with the commit.
            changes: rows differ; otherwise only files do.

        Raises:
            LostRace: another writer was faster; nothing is committed.
            TransientFailure: the storage failed.
            UserError: the lake cannot be written.
        """
        mark, known = new_mark(), known_transactions(self.target, transactions)
        for left in reversed(range(COMMIT_TRIES)):
            try:
                self._commit(mark, transactions, changes)
                return self.version + 1
            except (OSError, DeltaError) as error:
                try:
                    return own_commit(self.store, self.table, mark, self.version, error).version
                except LostRace:
                    may_follow = self._catch_up(changes)
                    if known_transactions(self.target, transactions) != known:
                        may_follow = False
                    if not left or not may_follow:
                        raise
        raise AssertionError("the last try returns or raises")

    def _catch_up(self, changes: bool) -> bool:
        """Look at the newest version; whether this one may follow it as well."""
        before = self.version
        try:
            self.target.update_incremental()
        except (OSError, DeltaError) as error:
            raise cannot_write(self.store, self.table, error) from None
        self.version = self.target.version()
        if changes and has_changed(self.store, self.table, before, self.version):
            return False
        return self.dropped.keys() <= {file.path for file in _files(self.table, self.target)}

    def _commit(
        self, mark: dict[str, str], transactions: Mapping[str, int] | None, changes: bool
    ) -> None:
        now = int(datetime.now(UTC).timestamp() * 1000)
        removed = [RemoveAction(f.path, changes, now, f.size, {}) for f in self.dropped.values()]
        added = [AddAction(f.path, f.size, {}, now, changes, f.stats) for f in self.added.values()]
        self.target.create_write_transaction(
            removed + added,
            "append",
            self.target.schema(),
            commit_properties=CommitProperties(
                custom_metadata=mark,
                app_transactions=recorded(transactions),
                max_commit_retries=0,
            ),
        )

    def _write(self, rows: pa.Table) -> KeyedFile:
        table, buffer = self.table, io.BytesIO()
        unlike = {*table.key, table.version, table.data_time}
        pq.write_table(
            rows,
            buffer,
            row_group_size=ROW_GROUP_ROWS,
            compression="zstd",
            compression_level=1,
            use_dictionary=[name for name in rows.schema.names if name not in unlike],
            store_schema=False,
        )
        path, content = f"part-{uuid.uuid4()}.zstd.parquet", buffer.getbuffer().tobytes()
        try:
            self.store.write(content, *table.path, path)
        except OSError as error:
            raise cannot_write(self.store, table, error) from None
        ends = pc.min_max(rows[table.key[0]]).as_py()
        return KeyedFile(
            path, len(content), len(rows), ends["min"], ends["max"], _stats(table, rows)
        )


def in_threads(work: Any, items: Iterable[Any]) -> Iterator[Any]:
    """What the work makes of the items, in their order."""
    with closing(map_ahead([work] * THREADS, items)) as done:
        yield from done


def known_transactions(
    target: DeltaTable, transactions: Mapping[str, int] | None
) -> dict[str, int | None]:
    """What the table has of the same applications."""
    return {app: target.transaction_version(app) for app in transactions or {}}


def _columns(table: Table, target: DeltaTable) -> pa.Schema:
    """The declared columns, and after them what the lake has besides."""
    there = pa.schema(target.schema().to_arrow())
    return pa.schema([*table.schema, *(f for f in there if f.name not in table.schema.names)])


def _files(table: Table, target: DeltaTable) -> Iterator[KeyedFile]:
    found = pa.table(target.get_add_actions(flatten=True))
    nothing = [None] * len(found)
    low, high = (
        found[name].to_pylist()
        if (name := f"{end}.{table.key[0]}") in found.schema.names
        else nothing
        for end in ("min", "max")
    )
    columns = (found[name].to_pylist() for name in ("path", "size_bytes", "num_records"))
    yield from map(KeyedFile, *columns, low, high)


def _stats(table: Table, rows: pa.Table) -> str:
    """What the log says of a file: of keys and times only, since the log is read whole."""
    names = [n for n in dict.fromkeys((*table.key, table.version, table.data_time)) if n]
    ends = {name: pc.min_max(rows[name]).as_py() for name in names}
    return json.dumps(
        {
            "numRecords": len(rows),
            "minValues": {n: _told(e["min"]) for n, e in ends.items() if e["min"] is not None},
            "maxValues": {
                n: _told(e["max"], up=True) for n, e in ends.items() if e["max"] is not None
            },
            "nullCount": {name: rows[name].null_count for name in names},
        }
    )


def _told(value: Any, *, up: bool = False) -> Any:
    """A value as the log writes it: times in milliseconds, which bound those of microseconds."""
    if isinstance(value, datetime):
        rest = timedelta(microseconds=value.microsecond % 1000)
        value = value - rest + timedelta(milliseconds=bool(up and rest))
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
