"""The manifest of the final export: the contents of the copy, by which the tables are frozen.

It is written last, to `documents/drift/final_export.json`, and only once the copy is verified:
while it exists, the tables are frozen. `final_export.schema.json` describes it. Each export has a
folder of its own, with its manifest beside its files.
"""

import hashlib
import json
import zlib
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import IO, Any

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.storage.store import Store

SCHEMA_FILE = Path(__file__).with_name("final_export.schema.json")
FOLDER = ("documents", "drift", "final_export")
MANIFEST = ("documents", "drift", "final_export.json")
MANIFEST_NAME = "manifest.json"
_CHUNK_BYTES = 2**20
_MOST_VIOLATIONS = 10

Manifest = dict[str, Any]
COPY_COLUMNS = {
    "table": "The table that is copied.",
    "told": "Items that the service returned.",
    "rows": "Of them those that are rows.",
    "quarantined": "Of them those that are in quarantine.",
    "in_table": "Rows of the table.",
    "only_in_table": "Of them those that the service does not have any more.",
    "sha256": "Of the Parquet file.",
}
"""The columns of `copy_rows`."""


def read_manifest(lake: Store) -> Manifest | None:
    """Reads the manifest of the verified copy; None where there is none.

    Raises:
        PermanentFailure: the file is no manifest.
    """
    try:
        text = lake.read(*MANIFEST)
    except FileNotFoundError:
        return None
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if broken := violations(document):
        raise PermanentFailure(
            f"{lake.child(*MANIFEST)}: expected the manifest of a final export, found a document "
            f"that is none ({broken[0]}); restore it from a backup of the lake, or delete it and "
            "make the export again."
        )
    assert isinstance(document, dict)
    return document


def frozen_since(lake: Store) -> datetime | None:
    """Returns since when the tables are frozen, UTC; None where they are not."""
    manifest = read_manifest(lake)
    return None if manifest is None else datetime.fromisoformat(manifest["finished_at"])


def write_manifest(lake: Store, manifest: Manifest) -> None:
    """Writes the manifest beside its files, then in its place, which freezes the tables."""
    assert not violations(manifest), violations(manifest)
    rewrite_manifest(lake, manifest, is_current=True)


def rewrite_manifest(lake: Store, manifest: Manifest, *, is_current: bool) -> None:
    """Writes the manifest of a copy that replaces another."""
    text = json.dumps(manifest, ensure_ascii=False, indent=1).encode()
    lake.write(text, manifest["folder"], MANIFEST_NAME)
    if is_current:
        lake.write(text, *MANIFEST)


def remove_unfinished(lake: Store) -> None:
    """Deletes the files of exports that were killed: those without a manifest beside them."""
    files = [entry.file for entry in lake.entries("/".join((*FOLDER, "")))]
    done = {file.rpartition("/")[0] for file in files if file.endswith(f"/{MANIFEST_NAME}")}
    for file in files:
        if file.rpartition("/")[0] not in done:
            lake.delete(file)


def violations(document: object) -> list[str]:
    """Returns where a document breaks the schema, without its values."""
    broken = []
    for error in _validator().iter_errors(document):
        where = "/".join(map(str, error.instance_path)) or "the document"
        broken.append(f"{where}: breaks {'/'.join(map(str, error.schema_path))}")
        if len(broken) == _MOST_VIOLATIONS:
            break
    return broken


def faults(lake: Store, manifest: Manifest) -> list[str]:
    """Reads the whole copy, and returns the differences from its manifest, a sentence each."""
    files = copied_files(manifest)
    return [fault for file in files for fault in _faults_of(lake, manifest["folder"], file)]


def copied_files(manifest: Manifest) -> list[dict[str, Any]]:
    """Returns both files of each table."""
    tables = manifest["tables"].values()
    return [file for table in tables for file in (table["as_rows"], table["as_told"])]


def copy_rows(manifest: Manifest) -> list[list[Any]]:
    """Returns a row for each table, with the values of `COPY_COLUMNS`."""
    return [
        [name, *(table[column] for column in list(COPY_COLUMNS)[1:-1]), table["as_rows"]["sha256"]]
        for name, table in manifest["tables"].items()
    ]


def _faults_of(lake: Store, folder: str, file: dict[str, Any]) -> Iterator[str]:
    where = f"{folder}/{file['name']}"
    digest, size = hashlib.sha256(), 0
    is_lines = file["name"].endswith(".gz")
    unzip, lines = zlib.decompressobj(wbits=31), 0
    try:
        with lake.open(folder, file["name"]) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
                lines += unzip.decompress(chunk).count(b"\n") if is_lines else 0
            if not is_lines:
                lines = _rows_of(stream)
    except FileNotFoundError:
        yield f"{where}: expected a file, found none."
        return
    except (zlib.error, OSError, ValueError):
        # A file that cannot be unpacked has another checksum as well.
        pass
    if (size, digest.hexdigest()) != (file["bytes"], file["sha256"]):
        yield (
            f"{where}: expected {file['bytes']:,} bytes with SHA-256 {file['sha256'][:12]}…, "
            f"found {size:,} with {digest.hexdigest()[:12]}…: it was changed."
        )
    elif lines != file["count"]:
        yield f"{where}: expected {file['count']:,} rows, found {lines:,}."


def _rows_of(stream: IO[bytes]) -> int:
    import pyarrow.parquet as pq

    stream.seek(0)
    return int(pq.ParquetFile(stream).metadata.num_rows)


@cache
def _validator() -> Any:
    import jsonschema_rs

    schema = json.loads(SCHEMA_FILE.read_text())
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True, offline=True)
