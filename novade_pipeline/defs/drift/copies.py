"""Erasure of persons from the copies of the final export.

A copy is rewritten beside the old one, its manifest last; then the old one is deleted, its
manifest last. After an interruption, files without a manifest are written again, and where both
manifests exist, only the old copy is deleted.
"""

import gzip
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from novade_pipeline.defs.drift.manifest import (
    FOLDER,
    MANIFEST_NAME,
    Manifest,
    read_manifest,
    remove_unfinished,
    rewrite_manifest,
    violations,
)
from novade_pipeline.defs.drift.spool import file_of, upload
from novade_pipeline.defs.drift.tables import READ
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.forget import ErasedIdentifiers, Owners, without_erased
from novade_pipeline.storage.store import Store

_ROWS = 50_000
_LINES = 10_000


def forget_in_copies(lake: Store, erased: ErasedIdentifiers) -> list[str]:
    """Removes erased persons from every copy, and returns the folders of the changed copies.

    Args:
        erased: identities as the lake has them.
    """
    # No run, and so no export, is running during an erasure.
    remove_unfinished(lake)
    changed = []
    copies = _copies(lake)
    for folder, manifest in copies.items():
        after = copies.get(_successor(folder)) or _without(lake, manifest, erased)
        if after is None:
            continue
        changed.append(folder)
        current = read_manifest(lake)
        is_current = current is not None and current["folder"] == folder
        rewrite_manifest(lake, after, is_current=is_current)
        files = [entry.file for entry in lake.entries(f"{folder}/")]
        for file in sorted(files, key=lambda file: file.endswith(f"/{MANIFEST_NAME}")):
            lake.delete(file)
    return changed


def _successor(folder: str) -> str:
    """Returns the folder of the rewritten copy."""
    return f"{folder}e"


def _without(lake: Store, manifest: Manifest, erased: ErasedIdentifiers) -> Manifest | None:
    """Rewrites a copy's files, and returns its manifest; None where no erased person is in it."""
    with tempfile.TemporaryDirectory(prefix="drift-forget-") as target:
        tables = {
            table.name: _rewritten(
                lake,
                manifest["folder"],
                table,
                manifest["tables"][table.name],
                erased,
                Path(target),
            )
            for table in READ
        }
        if tables == manifest["tables"]:
            return None
        after = {**manifest, "folder": _successor(manifest["folder"]), "tables": tables}
        assert not violations(after), violations(after)
        for file in Path(target).iterdir():
            upload(lake, file, after["folder"], file.name)
    return after


def _copies(lake: Store) -> dict[str, Manifest]:
    """Returns the manifests by folder."""
    files = [entry.file for entry in lake.entries("/".join((*FOLDER, "")))]
    return {
        file.rpartition("/")[0]: json.loads(lake.read(file))
        for file in files
        if file.endswith(f"/{MANIFEST_NAME}")
    }


def _rewritten(
    lake: Store,
    folder: str,
    table: Table,
    entry: dict[str, Any],
    erased: ErasedIdentifiers,
    target: Path,
) -> dict[str, Any]:
    """Rewrites both files of a table without erased persons; returns their manifest entry."""
    rows_name, lines_name = entry["as_rows"]["name"], entry["as_told"]["name"]
    gone: set[str] = set()
    rows = 0
    with (
        lake.open(folder, rows_name) as source,
        pq.ParquetWriter(target / rows_name, table.schema, compression="zstd") as writer,
    ):
        for batch in pq.ParquetFile(source).iter_batches(_ROWS):
            before = pa.Table.from_batches([batch]).cast(table.schema)
            kept = without_erased(before, table.owners, erased)
            keys = [set(map(str, part[table.key[0]].to_pylist())) for part in (before, kept)]
            gone |= keys[0] - keys[1]
            rows += len(kept)
            writer.write_table(kept)
    lines, is_changed = 0, bool(gone)
    with (target / lines_name).open("wb") as file, gzip.GzipFile("", "wb", 9, file, 0) as zipped:
        for before, after in _lines(lake, folder, lines_name, table, gone, erased):
            is_changed |= before != after
            lines += len(after)
            zipped.write("".join(f"{line}\n" for line in after).encode())
    if not is_changed:
        for name in (rows_name, lines_name):
            with lake.open(folder, name) as source, (target / name).open("wb") as file:
                shutil.copyfileobj(source, file)
        return entry
    return entry | {
        "rows": rows,
        "erased": entry["erased"] + entry["rows"] - rows,
        "in_table": entry["in_table"] - (entry["rows"] - rows),
        "as_rows": asdict(file_of(target / rows_name, rows)),
        "as_told": asdict(file_of(target / lines_name, lines)),
    }


def _lines(
    lake: Store, folder: str, name: str, table: Table, gone: set[str], erased: ErasedIdentifiers
) -> Iterator[tuple[list[str], list[str]]]:
    """Yields some lines at a time, before and after the erasure."""
    (key,) = (column.source for column in table.columns if column.name == table.key[0])
    with lake.open(folder, name) as source, gzip.open(source, "rt") as unzipped:
        while before := [line.rstrip("\n") for line in islice(unzipped, _LINES)]:
            kept_lines = [line for line in before if str(json.loads(line).get(key)) not in gone]
            kept = without_erased(
                pa.table({"line": pa.array(kept_lines, pa.string())}), Owners(), erased
            )
            yield before, kept["line"].to_pylist()
