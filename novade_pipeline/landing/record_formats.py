"""Files of records: CSV and JSON, plain or gzipped, Avro and Parquet.

Memory is bounded by the size of a record; one that is too long is reported and skipped.
A file that cannot be trusted as a whole is a `DamagedFile`.
"""

from collections.abc import Callable, Iterator

from novade_pipeline.landing.avro_records import avro_records
from novade_pipeline.landing.csv_records import csv_records
from novade_pipeline.landing.files import DamagedFile, LandedFile
from novade_pipeline.landing.json_records import json_records
from novade_pipeline.landing.parquet_records import parquet_records
from novade_pipeline.landing.records import Columns, Record, texts
from novade_pipeline.storage.store import Store

FORMATS = ("avro", "csv", "json", "jsonl", "ndjson", "parquet")
_BINARY = ("avro", "parquet")


def format_of(name: str) -> str | None:
    """The format that a file's name says, one of `FORMATS`; None where it says none."""
    ending = name.lower().removesuffix(".gz").rpartition(".")[2]
    is_zipped_binary = ending in _BINARY and name.lower().endswith(".gz")
    return ending if ending in FORMATS and not is_zipped_binary else None


def read_records(
    landing: Store,
    file: LandedFile,
    columns: Columns,
    on_trailing_bytes: Callable[[int], None] = lambda _: None,
) -> Iterator[Record]:
    """The records of a file, blank and bad ones included.

    Args:
        on_trailing_bytes: called with how many bytes follow the file's gzip stream, if any do.

    Raises:
        DamagedFile: the file is empty, cut off, not of the format that its name says, or has not
            the required columns.
        TransientFailure: it changed while it was read.
    """
    if not file.size:
        raise DamagedFile(file, "expected records, found an empty file")
    match format_of(file.name):
        case "avro":
            return avro_records(landing, file, columns)
        case "csv":
            return csv_records(texts(landing, file, on_trailing_bytes), file, columns)
        case "parquet":
            return parquet_records(landing, file, columns)
        case _:
            return json_records(texts(landing, file, on_trailing_bytes), file, columns)
