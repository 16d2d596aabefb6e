"""From files of records to rows: the reader of sources whose files are not NDJSON.

A domain makes a row of a record, or says why it cannot; numbering, quarantine and line counts are
done here.
"""

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from novade_pipeline.json_rows.text import OTHER_FIELDS, RAW_BYTES
from novade_pipeline.lake.table import Table
from novade_pipeline.landing.chunks import FileSlice
from novade_pipeline.landing.files import LandedFile
from novade_pipeline.landing.json_lines import LANDED, BadLine, Parsed
from novade_pipeline.landing.record_formats import read_records
from novade_pipeline.landing.records import Columns, Record
from novade_pipeline.landing.tables import MENDED, RECORD
from novade_pipeline.privacy.json_text import write_json
from novade_pipeline.storage.store import Store

BATCH_RECORDS = 8192

Row = dict[str, Any]


class InvalidRecord(Exception):
    """A record that cannot become a row: what was expected and what was found."""


@dataclass(frozen=True)
class LocatedRow:
    """A row with the line that its record begins in."""

    line: int
    row: Row


class Joiner(Protocol):
    """Makes one row of several records of a file; a new one for each file."""

    def add(self, entry: LocatedRow) -> tuple[list[LocatedRow], int]:
        """(rows that are complete now, how many records completed an earlier one)."""

    def flush(self) -> list[LocatedRow]:
        """The rows that are incomplete at the end of the file."""


@dataclass(frozen=True)
class RecordRows:
    """Reads the rows of a table from CSV, JSON and Parquet.

    Attributes:
        table: its rows are `RecordRow`s; with `other_fields`, unknown fields are kept.
        columns: the names of the table's columns in files.
        row_of: (column -> value, kinds of repairs to add to) -> a row; raises `InvalidRecord`.
        joiner: a factory; None where each record is a row.
    """

    table: Table
    columns: Columns
    row_of: Callable[[Mapping[str, Any], list[str]], Row]
    joiner: Callable[[], Joiner] | None = None

    def read(self, landing: Store, files: Sequence[LandedFile]) -> Generator[Parsed]:
        """Parse the records, batch by batch.

        Raises:
            DamagedFile: a file cannot be trusted as a whole.
            TransientFailure: a file changed while it was read.
        """
        for file in files:
            yield from self._read(landing, file)

    def _read(self, landing: Store, file: LandedFile) -> Generator[Parsed]:
        joiner = self.joiner() if self.joiner else None
        batch = _Batch()
        trailing: list[int] = []
        for record in read_records(landing, file, self.columns, trailing.append):
            batch.records += 1
            if record.is_blank:
                batch.blank += 1
            elif record.values is None:
                batch.bad.append((record, record.reason or ""))
            else:
                self._add(record, batch, joiner)
            if batch.records >= BATCH_RECORDS:
                yield self._parsed(file, batch)
                batch = _Batch(batch.first + batch.records)
        if joiner is not None:
            batch.entries += joiner.flush()
        yield self._parsed(file, batch, sum(trailing))

    def _add(self, record: Record, batch: "_Batch", joiner: Joiner | None) -> None:
        assert record.values is not None
        mended = list(record.mended)
        try:
            row = self.row_of(record.values, mended)
        except InvalidRecord as error:
            batch.bad.append((record, str(error)))
            return
        row[MENDED] = sorted(set(mended))
        row[RECORD] = batch.first + batch.records - 1
        if OTHER_FIELDS in self.table.schema.names:
            row[OTHER_FIELDS] = self._other_fields(record.values)
        entries, completed = [LocatedRow(record.line, row)], 0
        if joiner is not None:
            entries, completed = joiner.add(entries[0])
        batch.entries += entries
        batch.completed += completed

    def _other_fields(self, values: Mapping[str, Any]) -> str | None:
        fields = {
            name: value
            for name, value in values.items()
            if name not in self.columns.names and value not in (None, "")
        }
        return write_json(fields, (", ", ": ")) if fields else None

    def _parsed(self, file: LandedFile, batch: "_Batch", trailing_bytes: int = 0) -> Parsed:
        file_slice = FileSlice(file, 1, batch.records, trailing_bytes)
        entries, count = batch.entries, len(batch.entries)
        assert file.hour is not None
        landed = {
            "upload_date": [file.hour.date()] * count,
            "upload_hour": [file.hour] * count,
            "file": [file.file] * count,
            "line": [entry.line for entry in entries],
        }
        assert set(landed) == set(LANDED)
        schema = self.table.schema
        columns = [
            pa.array(landed.get(f.name) or [entry.row.get(f.name) for entry in entries], f.type)
            for f in schema
        ]
        bad = tuple(_bad(file_slice, record, reason) for record, reason in batch.bad)
        return Parsed(
            (file_slice,),
            pa.table(columns, schema=schema),
            np.zeros(count, np.int64),
            bad,
            (batch.blank,),
            (batch.completed,),
            (Counter(kind for entry in entries for kind in entry.row[MENDED]),),
        )


@dataclass
class _Batch:
    first: int = 1
    records: int = 0
    blank: int = 0
    completed: int = 0
    entries: list[LocatedRow] = field(default_factory=list)
    bad: list[tuple[Record, str]] = field(default_factory=list)


def _bad(file_slice: FileSlice, record: Record, reason: str) -> BadLine:
    raw = record.text.encode("utf-8", "surrogateescape").rstrip(b"\r\n")
    # `text` is truncated where the record is too long.
    size = max(len(raw), record.size - len(record.text) + len(raw))
    return BadLine(file_slice, record.line, reason, raw[:RAW_BYTES], size)
