"""Records of Parquet: rows, of the known columns and all others, batch by batch."""

import io
import json
import math
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pyarrow as pa

from novade_pipeline.landing.files import DamagedFile, LandedFile, open_landed
from novade_pipeline.landing.records import MAX_RECORD_BYTES, Columns, Record
from novade_pipeline.storage.store import Store

_BATCH_ROWS = 4096
# Files up to this size are read with one request.
_WHOLE_BYTES = 4 * 2**20
# A row group is the least that can be read; files that people write have far smaller ones.
_MAX_GROUP_BYTES = 2**29


def parquet_records(landing: Store, file: LandedFile, columns: Columns) -> Iterator[Record]:
    """The rows of a Parquet file, in order.

    Raises:
        DamagedFile: it is no Parquet, has not the required columns, or has too large row groups.
    """
    line = 0
    for batch in parquet_batches(landing, file, columns, _BATCH_ROWS):
        for row in rows_of(batch):
            line += 1
            yield row_record(line, row, columns)


def parquet_batches(
    landing: Store, file: LandedFile, columns: Columns, rows: int
) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file as Arrow batches of at most `rows`, in order.

    Raises:
        DamagedFile: as for `parquet_records`.
    """
    from pyarrow import parquet

    if not file.size:
        raise DamagedFile(file, "expected records, found an empty file")
    with ExitStack() as opened:
        stream = opened.enter_context(open_landed(landing, file))
        if file.size <= _WHOLE_BYTES:
            stream = io.BytesIO(stream.read())
        elif not stream.seekable():
            spool = opened.enter_context(tempfile.TemporaryFile(prefix="novade-spool-"))
            shutil.copyfileobj(stream, spool)
            spool.seek(0)
            stream = spool
        try:
            parquet_file = parquet.ParquetFile(stream)
            _refuse(parquet_file, file, columns)
            yield from parquet_file.iter_batches(rows, use_threads=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            # Errors of Parquet have no errno; those of the system are not the file's fault.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise DamagedFile(file, f"Parquet is damaged ({type(error).__name__})") from None


def _refuse(parquet_file: Any, file: LandedFile, columns: Columns) -> None:
    if missing := columns.missing(parquet_file.schema_arrow.names):
        raise DamagedFile(
            file, f"expected the columns {', '.join(missing)}, found none of the name"
        )
    groups = (
        parquet_file.metadata.row_group(i) for i in range(parquet_file.metadata.num_row_groups)
    )
    largest = max((group.total_byte_size for group in groups), default=0)
    if largest > _MAX_GROUP_BYTES:
        raise DamagedFile(
            file,
            f"expected row groups of at most {_MAX_GROUP_BYTES >> 20} MiB, found one of "
            f"{largest >> 20} MiB; write it with smaller ones",
        )


def rows_of(batch: pa.RecordBatch | pa.Table) -> list[dict[str, Any] | None]:
    """The rows; None for a row with a string that is not UTF-8, which Parquet does not check."""
    try:
        return list(batch.to_pylist())
    except UnicodeDecodeError:
        parts = (batch.slice(0, len(batch) // 2), batch.slice(len(batch) // 2))
        return [None] if len(batch) == 1 else [row for part in parts for row in rows_of(part)]


def row_record(line: int, row: dict[str, Any] | None, columns: Columns) -> Record:
    """The record of a row; `row` is None for one that is not UTF-8."""
    if row is None:
        return Record(line, None, "", 0, "expected UTF-8 text, found other bytes")
    text = json.dumps(row, ensure_ascii=False, default=str)
    if len(text) > MAX_RECORD_BYTES:
        reason = (
            f"expected a record of at most {MAX_RECORD_BYTES >> 20} MiB, found {len(text):,} "
            "characters"
        )
        return Record(line, None, text, len(text), reason)
    # Some programs write NaN for a missing number.
    values = {
        columns.column_of(name): None if isinstance(value, float) and math.isnan(value) else value
        for name, value in row.items()
    }
    if not any(str(value).strip() for value in values.values() if value is not None):
        return Record(line, None, text, len(text))
    return Record(line, values, text, len(text))
