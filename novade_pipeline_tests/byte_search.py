"""Search for a text in all stored bytes, raw, decompressed and decoded."""

import io
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from novade_pipeline.storage.store import Store


def files_with(store: Store, *needles: str) -> list[str]:
    """The files of a store that contain any of the texts, in any case."""
    return [e.file for e in store.entries() if _holds(store.read(e.file), e.file, needles)]


def files_below_with(folder: Path, *needles: str) -> list[str]:
    """The same, of a folder of the local disk."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [str(path) for path in files if _holds(path.read_bytes(), path.name, needles)]


def tables_with(database: Path, *needles: str) -> list[str]:
    """The tables of a DuckDB file that contain any of the texts, decoded."""
    names = []
    with closing(duckdb.connect(str(database), read_only=True)) as connection:
        tables = connection.execute("select schema_name, table_name from duckdb_tables()")
        for schema, name in tables.fetchall():
            rows = connection.execute(f'from "{schema}"."{name}"').fetchall()
            if any(needle.lower() in repr(rows).lower() for needle in needles):
                names.append(f"{schema}.{name}")
    return names


def _holds(content: bytes, name: str, needles: tuple[str, ...]) -> bool:
    forms = [needle.lower().encode(code) for needle in needles for code in ("utf-8", "utf-16-le")]
    return any(form in part for part in _forms_of(content, name) for form in forms)


def _forms_of(content: bytes, name: str) -> Iterator[bytes]:
    yield content.lower()
    if name.endswith(".gz"):
        yield _unzipped(content)
    if ".parquet" in name:
        for row_of_group in pq.read_table(io.BytesIO(content), partitioning=None).to_batches():
            for row in row_of_group.to_pylist():
                yield repr(row).lower().encode()
                yield from (_unzipped(v) for v in row.values() if isinstance(v, bytes))


def _unzipped(value: bytes) -> bytes:
    """The content of a gzip file or of its head; other bytes as they are."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(value).lower()
    except zlib.error:
        return value.lower()
