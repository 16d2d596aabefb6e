"""The manifest of the final export: what the copy holds, whether it still does, what is frozen.

It stands at `documents/drift/final_export.json`, is written last, and only once the copy is
verified: where it stands, the tables are frozen. `final_export.schema.json` describes it. An
export that is made again has a folder of its own, with its manifest beside it.
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
BESIDE = "manifest.json"
_PIECE = 2**20
_MOST = 10

Manifest = dict[str, Any]


def manifest(lake: Store) -> Manifest | None:
    """The manifest of the verified copy; None where there is none.

    Raises:
        PermanentFailure: what stands there is none.
    """
    try:
        text = lake.read(*MANIFEST)
    except FileNotFoundError:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if broken := violations(found):
        raise PermanentFailure(
            f"{lake.child(*MANIFEST)}: expected the manifest of a final export, found a document "
            f"that is none ({broken[0]}); put it back from the lake's copies, or take it away and "
            "make the export again."
        )
    assert isinstance(found, dict)
    return found


def frozen_since(lake: Store) -> datetime | None:
    """Since when the tables are frozen, UTC; None where they are not."""
    found = manifest(lake)
    return None if found is None else datetime.fromisoformat(found["finished_at"])


def write_manifest(lake: Store, told: Manifest) -> None:
    """Put the manifest beside its files, then in its place: from now on the tables are frozen."""
    assert not violations(told), violations(told)
    rewrite_manifest(lake, told, is_current=True)


def rewrite_manifest(lake: Store, told: Manifest, *, is_current: bool) -> None:
    """Put the manifest of a copy that was written anew in the place of the one before."""
    text = json.dumps(told, ensure_ascii=False, indent=1).encode()
    lake.write(text, told["folder"], BESIDE)
    if is_current:
        lake.write(text, *MANIFEST)


def sweep(lake: Store) -> None:
    """Take away what exports left that were killed: files without a manifest beside them."""
    files = [entry.file for entry in lake.entries("/".join((*FOLDER, "")))]
    done = {file.rpartition("/")[0] for file in files if file.endswith(f"/{BESIDE}")}
    for file in files:
        if file.rpartition("/")[0] not in done:
            lake.delete(file)


def violations(document: object) -> list[str]:
    """Where a document breaks the schema, in words without its values; empty where it does not."""
    found = []
    for error in _validator().iter_errors(document):
        where = "/".join(map(str, error.instance_path)) or "the document"
        found.append(f"{where}: breaks {'/'.join(map(str, error.schema_path))}")
        if len(found) == _MOST:
            break
    return found


def faults(lake: Store, told: Manifest) -> list[str]:
    """What of the copy is not as its manifest says, a sentence each; all of it is read."""
    return [
        fault
        for table in told["tables"].values()
        for file in (table["as_rows"], table["as_told"])
        for fault in _faults_of(lake, told["folder"], file)
    ]


def _faults_of(lake: Store, folder: str, file: dict[str, Any]) -> Iterator[str]:
    where = f"{folder}/{file['name']}"
    digest, size = hashlib.sha256(), 0
    is_lines = file["name"].endswith(".gz")
    unzip, lines = zlib.decompressobj(wbits=31), 0
    try:
        with lake.open(folder, file["name"]) as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
                size += len(piece)
                lines += unzip.decompress(piece).count(b"\n") if is_lines else 0
            if not is_lines:
                lines = _rows_of(stream)
    except FileNotFoundError:
        yield f"{where}: expected a file, found none."
        return
    except (zlib.error, OSError, ValueError):
        # What cannot be unpacked has another checksum as well, told below.
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
