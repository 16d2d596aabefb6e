"""Rows of a slice on the local disk, so that memory has a page at a time."""

import tempfile
from collections.abc import Iterator
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc


class Spool:
    """Rows in a temporary file, written once and read any number of times."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.rows = 0
        self._file = tempfile.TemporaryFile(prefix="novade-salesforce-")  # noqa: SIM115
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        self._writer = pa.ipc.new_stream(self._file, schema, options=options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
        self._file.close()

    def add(self, batch: pa.RecordBatch) -> None:
        """Appends rows."""
        if batch.num_rows:
            self.rows += batch.num_rows
            self._writer.write_batch(batch)

    def reader(self) -> pa.RecordBatchReader:
        """Returns all rows, batch by batch; none can be added afterwards."""
        self._writer.close()
        return pa.RecordBatchReader.from_batches(self.schema, self._batches())

    def matching(self, column: str, values: list[str]) -> set[str]:
        """Returns those of the values that are in a column."""
        candidates, present = pa.array(values, pa.string()), set()
        for batch in self._batches() if values else ():
            matches = pc.filter(batch.column(column), pc.is_in(batch.column(column), candidates))
            present |= set(matches.to_pylist())
        return present

    def _batches(self) -> Iterator[pa.RecordBatch]:
        self._writer.close()
        self._file.seek(0)
        yield from pa.ipc.open_stream(self._file)
