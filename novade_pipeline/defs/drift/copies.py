"""Erased persons are taken out of the copies of the final export as well.

A copy is written anew beside the old one, its manifest last; then the old one goes, its manifest
last. So what is cut off is seen the next time: files without a manifest are begun anew, and where
both manifests stand, only the old copy has to go.
"""

import gzip
import json
import shutil
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from novade_pipeline.defs.drift.manifest import (
    BESIDE,
    FOLDER,
    Manifest,
    manifest,
    rewrite_manifest,
    sweep,
    violations,
)
from novade_pipeline.defs.drift.spool import as_document, file_of, upload
from novade_pipeline.defs.drift.tables import READ
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.forget import ErasedIdentifiers, Owners, without_erased
from novade_pipeline.storage.store import Store

_ROWS = 50_000
_LINES = 10_000


def forget_in_copies(lake: Store, erased: ErasedIdentifiers) -> list[str]:
    """Take erased persons out of every copy; the folders of the copies that had some.

    Args:
        erased: names as the lake has them.
    """
    # No run is at work beside an erasure, so that no export is either.
    sweep(lake)
    changed = []
    copies = _copies(lake)
    for folder, told in copies.items():
        after = copies.get(_beside(folder)) or _without(lake, told, erased)
        if after is None:
            continue
        changed.append(folder)
        current = manifest(lake)
        is_current = current is not None and current["folder"] == folder
        rewrite_manifest(lake, after, is_current=is_current)
        files = [entry.file for entry in lake.entries(f"{folder}/")]
        for file in sorted(files, key=lambda file: file.endswith(f"/{BESIDE}")):
            lake.delete(file)
    return changed


def _beside(folder: str) -> str:
    """Where a copy is written anew."""
    return f"{folder}e"


def _without(lake: Store, told: Manifest, erased: ErasedIdentifiers) -> Manifest | None:
    """Write a copy anew, all but its manifest, which is returned; None where no one is in it."""
    with tempfile.TemporaryDirectory(prefix="drift-forget-") as place:
        tables = {
            table.name: _forgotten(
                lake, told["folder"], table, told["tables"][table.name], erased, Path(place)
            )
            for table in READ
        }
        if tables == told["tables"]:
            return None
        after = {**told, "folder": _beside(told["folder"]), "tables": tables}
        assert not violations(after), violations(after)
        for file in Path(place).iterdir():
            upload(lake, file, after["folder"], file.name)
    return after


def _copies(lake: Store) -> dict[str, Manifest]:
    """Folder -> manifest."""
    files = [entry.file for entry in lake.entries("/".join((*FOLDER, "")))]
    return {
        file.rpartition("/")[0]: json.loads(lake.read(file))
        for file in files
        if file.endswith(f"/{BESIDE}")
    }


def _forgotten(
    lake: Store,
    folder: str,
    table: Table,
    told: dict[str, Any],
    erased: ErasedIdentifiers,
    place: Path,
) -> dict[str, Any]:
    """Write both files of a table without erased persons; what the manifest says of them then."""
    rows_name, lines_name = told["as_rows"]["name"], told["as_told"]["name"]
    gone: set[str] = set()
    rows = 0
    with (
        lake.open(folder, rows_name) as source,
        pq.ParquetWriter(place / rows_name, table.schema, compression="zstd") as writer,
    ):
        for batch in pq.ParquetFile(source).iter_batches(_ROWS):
            before = pa.Table.from_batches([batch]).cast(table.schema)
            kept = without_erased(before, table.owners, erased)
            keys = [set(map(str, one[table.key[0]].to_pylist())) for one in (before, kept)]
            gone |= keys[0] - keys[1]
            rows += len(kept)
            writer.write_table(kept)
    lines, is_changed = 0, bool(gone)
    with (place / lines_name).open("wb") as file, gzip.GzipFile("", "wb", 9, file, 0) as zipped:
        for before, after in _lines(lake, folder, lines_name, table, gone, erased):
            is_changed |= before != after
            lines += len(after)
            zipped.write("".join(f"{line}\n" for line in after).encode())
    if not is_changed:
        for name in (rows_name, lines_name):
            with lake.open(folder, name) as source, (place / name).open("wb") as file:
                shutil.copyfileobj(source, file)
        return told
    return told | {
        "rows": rows,
        "erased": told["erased"] + told["rows"] - rows,
        "in_table": told["in_table"] - (told["rows"] - rows),
        "as_rows": as_document(file_of(place / rows_name, rows)),
        "as_told": as_document(file_of(place / lines_name, lines)),
    }


def _lines(
    lake: Store, folder: str, name: str, table: Table, gone: set[str], erased: ErasedIdentifiers
) -> Iterator[tuple[list[str], list[str]]]:
    """Some lines at a time, as they are and as they may stay."""
    (key,) = (column.source for column in table.columns if column.name == table.key[0])
    with lake.open(folder, name) as source, gzip.open(source, "rt") as unzipped:
        while before := [line.rstrip("\n") for line in islice(unzipped, _LINES)]:
            stay = [line for line in before if str(json.loads(line).get(key)) not in gone]
            kept = without_erased(pa.table({"line": pa.array(stay, pa.string())}), Owners(), erased)
            yield before, kept["line"].to_pylist()
