"""Rows on their way into a Delta table: checked batch by batch, and how they become Parquet."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import ColumnProperties, WriterProperties

from novade_pipeline.lake.conform import conform
from novade_pipeline.lake.prefetch import prefetch
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Moment

# With delta-rs's default of a million rows a group, memory grows with the input.
ROW_GROUP_ROWS = 50_000

Rows: TypeAlias = "pa.RecordBatchReader | pa.Table"


def writer_properties(table: Table) -> WriterProperties:
    """How Parquet is written: small row groups, and no dictionary where most values differ."""
    unlike = [
        field.name
        for field in table.schema
        if pa.types.is_timestamp(field.type)
        or (field.name in table.key and field.name != table.window)
    ]
    plain = ColumnProperties(dictionary_enabled=False)
    return WriterProperties(
        max_row_group_size=ROW_GROUP_ROWS,
        compression="ZSTD",
        compression_level=1,
        column_properties=dict.fromkeys(set(unlike) - {table.window}, plain),
    )


class CheckedStream:
    """Checks and counts the batches on their way into delta-rs."""

    def __init__(
        self, table: Table, rows: Rows, check: Callable[[pa.RecordBatch], None] | None
    ) -> None:
        self.table = table
        self.source = rows.to_batches() if isinstance(rows, pa.Table) else rows
        self.check = check
        self.rows = 0
        self.newest: Moment | None = None
        self.failure: BaseException | None = None

    @contextmanager
    def reader(self) -> Iterator[pa.RecordBatchReader]:
        """The checked batches, made in a thread of their own.

        delta-rs reads them from within its runtime, where the source could not use delta-rs
        itself; and so making and writing run side by side.
        """
        with closing(prefetch(self._batches())) as batches:
            yield pa.RecordBatchReader.from_batches(self.table.schema, batches)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self.source:
                if not batch.num_rows:
                    continue
                conformed = conform(self.table, batch)
                if self.check is not None:
                    self.check(conformed)
                self.rows += conformed.num_rows
                if self.table.data_time is not None:
                    newest = greatest(conformed.column(self.table.data_time))
                    if newest is not None and (self.newest is None or newest > self.newest):
                        self.newest = newest
                yield conformed
        except BaseException as failure:
            self.failure = failure
            raise


def greatest(column: pa.Array | pa.ChunkedArray) -> Moment | None:
    """The greatest value, if there is any."""
    value: Moment | None = pc.max(column).as_py()
    return value
