"""Rows on their way into a table: checked batch by batch, and written by partition.

Memory holds the rows of row groups that are not whole yet, up to a bound. Rows may come in any
order, and stay in it within a partition; in the order of the partitions they make fewer files.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.conform import conform, conform_columns
from novade_pipeline.lake.data_files import (
    FILE_BYTES,
    ROW_GROUP_ROWS,
    DataFile,
    FileWriter,
    partition_value,
)
from novade_pipeline.lake.draft import Draft
from novade_pipeline.lake.new_files import NewFiles
from novade_pipeline.lake.prefetch import in_threads
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Moment

# Of rows that wait for their row group: of one partition, and of all.
GROUP_BYTES = 64 * 2**20
BUFFERED_BYTES = 128 * 2**20
OPEN_FILES = 64
FEW_ROWS = 4096

Rows: TypeAlias = "pa.RecordBatchReader | pa.Table"


class CheckedRows:
    """Rows in a table's declared columns, checked and counted as they are read."""

    def __init__(self, table: Table, rows: Rows, check: Callable[[pa.RecordBatch], None]) -> None:
        self._table = table
        self._source = rows.to_batches() if isinstance(rows, pa.Table) else rows
        self._check = check
        self.rows = 0
        self.newest: Moment | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._source:
            for first in range(0, batch.num_rows, ROW_GROUP_ROWS):
                yield self._checked(batch.slice(first, ROW_GROUP_ROWS))

    def _checked(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        conformed = conform(self._table, batch)
        self._check(conformed)
        self.rows += conformed.num_rows
        if self._table.data_time is not None:
            newest = greatest(conformed.column(self._table.data_time))
            if newest is not None and (self.newest is None or newest > self.newest):
                self.newest = newest
        return conformed


Values: TypeAlias = tuple[str | None, ...]
"""Those of the partition columns, as the log writes them."""


def write(draft: Draft | NewFiles, batches: Iterable[pa.RecordBatch]) -> list[DataFile]:
    """Write rows, of the declared columns or the lake's, to new files by partition."""
    done: list[DataFile] = []
    begun: dict[Values, _Partition] = {}
    try:
        for batch in batches:
            conformed = conform_columns(draft.table, draft.columns, batch)
            for values, rows in _by_partition(draft, conformed):
                if values not in begun:
                    begun[values] = _Partition(draft, values)
                begun[values].add(rows)
            done += _closed(begun, _due(begun))
        return done + _closed(begun, list(begun))
    finally:
        for partition in begun.values():
            partition.discard()


def _due(begun: "Mapping[Values, _Partition]") -> list[Values]:
    """The partitions to close: those with large files, and all where there are too many."""
    buffered = sum(partition.buffered_bytes for partition in begun.values())
    files = sum(partition.file_bytes > 0 for partition in begun.values())
    if buffered > BUFFERED_BYTES or files > OPEN_FILES:
        return list(begun)
    return [values for values, partition in begun.items() if partition.file_bytes >= FILE_BYTES]


def _closed(begun: "dict[Values, _Partition]", due: Sequence[Values]) -> list[DataFile]:
    done = list(in_threads(_Partition.close, [begun[values] for values in due]))
    for values in due:
        del begun[values]
    return done


class _Partition:
    """The rows of one partition: a file that is being written, and what it does not have yet."""

    def __init__(self, draft: Draft | NewFiles, values: Values) -> None:
        self._draft = draft
        self._values = dict(zip(draft.partition_by, values, strict=True))
        self._file: FileWriter | None = None
        self._batches: list[pa.RecordBatch] = []
        self._buffered_rows = 0
        self.buffered_bytes = 0

    @property
    def file_bytes(self) -> int:
        """What the file has so far."""
        return 0 if self._file is None else self._file.size

    def add(self, rows: pa.RecordBatch) -> None:
        """Take rows in; whole row groups go to the file."""
        self._batches.append(rows)
        while len(self._batches) > 1 and _are_few(*self._batches[-2:]):
            self._batches[-2:] = (
                pa.Table.from_batches(self._batches[-2:]).combine_chunks().to_batches()
            )
        self._buffered_rows += rows.num_rows
        self.buffered_bytes += rows.nbytes
        if self._buffered_rows >= ROW_GROUP_ROWS:
            self._write(self._buffered_rows - self._buffered_rows % ROW_GROUP_ROWS)
        elif self.buffered_bytes >= GROUP_BYTES:
            self._write(self._buffered_rows)

    def close(self) -> DataFile:
        """End the file with all rows that there are."""
        if self._buffered_rows:
            self._write(self._buffered_rows)
        assert self._file is not None
        return self._file.close()

    def discard(self) -> None:
        """Leave no file."""
        if self._file is not None:
            self._file.discard()

    def _write(self, count: int) -> None:
        if self._file is None:
            self._file = self._draft.new_file(self._values)
        rows = pa.Table.from_batches(self._batches)
        self._file.write(rows.slice(0, count))
        self._batches = rows.slice(count).to_batches()
        self._buffered_rows -= count
        self.buffered_bytes = sum(batch.nbytes for batch in self._batches)


def _are_few(rows: pa.RecordBatch, more: pa.RecordBatch) -> bool:
    """Whether two batches should be one: each has its price, and each row is copied few times."""
    before, after = rows.num_rows, more.num_rows
    return bool(before + after <= FEW_ROWS and before <= 2 * after)


def greatest(column: pa.Array | pa.ChunkedArray) -> Moment | None:
    """The greatest value, if there is any."""
    value: Moment | None = pc.max(column).as_py()
    return value


def _by_partition(
    draft: Draft | NewFiles, batch: pa.RecordBatch
) -> Iterator[tuple[Values, pa.RecordBatch]]:
    """(the partition columns' values as the log writes them, its rows without them)."""
    keys = [batch.column(name) for name in draft.partition_by]
    rows = batch.drop_columns(list(draft.partition_by))
    group = np.zeros(batch.num_rows, np.int64)
    for key in keys:
        codes = pc.fill_null(key.dictionary_encode().indices.cast(pa.int64()), len(key))
        group = group * (len(key) + 1) + np.asarray(codes)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=group[order[0]] - 1))
    for places in np.split(order, starts[1:]):
        values = tuple(partition_value(key[int(places[0])].as_py()) for key in keys)
        if "" in values:
            raise PermanentFailure(
                f"{draft.table.name}: expected a text in {' and '.join(draft.partition_by)}, by "
                "which the table is cut, found an empty one, which Delta takes for none; nothing "
                "is written."
            )
        # A slice would keep the whole batch.
        yield values, rows if len(starts) == 1 else rows.take(pa.array(places))
