"""Rows on the local disk until all of a slice have been read: memory holds a page at a time."""

import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc


class Spool:
    """Rows in a temporary file, written once and read as often as is needed."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.rows = 0
        self._file = tempfile.TemporaryFile(prefix="novade-salesforce-")  # noqa: SIM115
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        self._writer = pa.ipc.new_stream(self._file, schema, options=options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()
        self._file.close()

    def add(self, batch: pa.RecordBatch) -> None:
        """Put rows behind those that are there."""
        if batch.num_rows:
            self.rows += batch.num_rows
            self._writer.write_batch(batch)

    def reader(self) -> pa.RecordBatchReader:
        """All rows, batch by batch; nothing is added from then on."""
        self._writer.close()
        return pa.RecordBatchReader.from_batches(self.schema, self._batches())

    def has(self, column: str, values: list[str]) -> set[str]:
        """Which of the values stand in a column."""
        wanted, found = pa.array(values, pa.string()), set()
        for batch in self._batches() if values else ():
            there = pc.filter(batch.column(column), pc.is_in(batch.column(column), wanted))
            found |= set(there.to_pylist())
        return found

    def _batches(self) -> Iterator[pa.RecordBatch]:
        self._writer.close()
        self._file.seek(0)
        yield from pa.ipc.open_stream(self._file)
