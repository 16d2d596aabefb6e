"""Deletes rows, and older versions that still have them.

Files are rewritten without the rows, in memory that does not grow with the table. The commit has no
predicate: that would record the values that must go.
"""

import json
import re
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from novade_pipeline.errors import TransientFailure
from novade_pipeline.lake.commits import write_failure
from novade_pipeline.lake.data_files import DataFile
from novade_pipeline.lake.delta import WriteReceipt, create, create_with_columns, open_table
from novade_pipeline.lake.draft import Draft
from novade_pipeline.lake.stream import write
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Entry, Store

ERASURE = "novade.erasure"
"""Marks a commit after which older versions must go."""

_AMENDED, _STORED = "_amended", "_stored"
_DATA = re.compile(r"part-[^/]*\.parquet(#\d+)?")


Change = Callable[[DataFile, int, pa.Table], pa.Table]
"""Rows of a file, before which it has so many, as they shall be; the same object where they stay.

The rows have the lake's own columns, and keep them.
"""


def rewrite(
    store: Store,
    table: Table,
    change: Change,
    *,
    is_touched: Callable[[Draft, DataFile], bool] = lambda draft, file: True,
) -> WriteReceipt | None:
    """Change rows or leave some out, in one commit; None where there is no table.

    Only files with such rows are written anew. Memory holds some row groups of one file.

    Args:
        is_touched: whether a file of the version can have such rows; others are not read whole.

    Raises:
        TransientFailure: the storage failed, or another writer was faster; nothing is written.
        PermanentFailure: the table has features that are not known here.
    """
    started = time.monotonic()
    target = open_table(store, table)
    if target is None:
        return None
    draft = Draft(store, table, target, as_stored=True)
    for file in list(draft.files.values()):
        if is_touched(draft, file) and _differs(draft, file, change):
            batches = (
                batch
                for _, after in _changed(draft, file, change)
                for batch in after.to_batches()
                if batch.num_rows
            )
            draft.replace([file], write(draft, batches))
    version = draft.version
    if draft.removed:
        version = draft.commit(metadata={ERASURE: "true"})
    before, after = (
        sum(file.rows for file in files.values()) for files in (draft.removed, draft.added)
    )
    return WriteReceipt(
        rows=before - after,
        bytes=sum(file.size for file in draft.added.values()),
        files=len(draft.added),
        table_version=version,
        newest=None,
        seconds=time.monotonic() - started,
    )


def amend(store: Store, table: Table, rows: pa.Table) -> WriteReceipt | None:
    """Change values of some rows, in one commit; None without a table.

    Args:
        rows: the table's key columns and partition columns, none of them null, and the columns that
            change, in their declared types.

    Raises:
        TransientFailure: the storage failed, or another writer was faster; nothing is written.
    """
    if open_table(store, table) is None:
        return None
    create_with_columns(store, table)
    names = row_key(table)
    keys = rows.select(names).append_column(_AMENDED, pa.array(range(len(rows)), pa.int64()))

    def amended(file: DataFile, at: int, stored: pa.Table) -> pa.Table:
        row_numbers = pa.array(range(len(stored)), pa.int64())
        matches = (
            stored.select(names)
            .append_column(_STORED, row_numbers)
            .join(keys, names, join_type="inner")
        )
        if not len(matches):
            return stored
        matches = matches.sort_by(_STORED)
        mask = pc.is_in(row_numbers, value_set=matches[_STORED].combine_chunks())
        values = rows.take(matches[_AMENDED].combine_chunks())
        for name in (name for name in rows.schema.names if name not in names):
            stored = with_values(stored, name, mask, values[name].combine_chunks())
        return stored

    return rewrite(store, table, amended)


def with_values(rows: pa.Table, name: str, mask: pa.Array, values: pa.Array) -> pa.Table:
    """The rows with other values of a column where the mask is true, in their order."""
    at = rows.schema.get_field_index(name)
    replacements = values.cast(rows.schema.field(at).type)
    column = pc.replace_with_mask(rows.column(at).combine_chunks(), mask, replacements)
    return rows.set_column(at, rows.schema.field(at), column)


def row_key(table: Table) -> list[str]:
    """The columns that locate a row: its key, and its partition."""
    return list(dict.fromkeys((*table.key, *table.partition_by)))


def purge_history(store: Store, table: Table, before: datetime) -> "PurgeReceipt | None":
    """Delete all versions of a table but the newest, with the log before it.

    The newest version gets a checkpoint. Data files that it does not have are deleted, those of
    loads that died included.

    Args:
        before: files that no version ever had go where they were last changed up to then, by the
            storage's clock: those of a load that began later stay.

    Raises:
        UserError: the lake cannot be written.
        TransientFailure: the storage failed, or another writer was faster.
    """
    target = open_table(store, table)
    if target is None:
        return None
    _add_empty_entry(store, table, target)
    try:
        target.create_checkpoint()
    except (OSError, DeltaError) as error:
        raise write_failure(store, table, error) from None
    files, size = 0, 0
    for entry, parts in list(_expendable_files(store, table, target, before)):
        store.delete(*table.path, *parts)
        files, size = files + 1, size + entry.size
    return PurgeReceipt(files, size, target.version())


@dataclass(frozen=True)
class PurgeReceipt:
    """The files of data and log that a purge deleted, and the version that is left."""

    files: int
    bytes: int
    table_version: int


def storage_clock(store: Store, table: Table) -> datetime:
    """The time by the storage's clock, from a new log entry that changes nothing.

    Raises:
        UserError: the lake cannot be written.
        TransientFailure: the storage failed, or another writer was faster.
    """
    target = create(store, table)
    _add_empty_entry(store, table, target)
    entry = "/".join((*table.path, "_delta_log", f"{target.version():020}.json"))
    return next(entry_.modified for entry_ in store.entries(entry))


def has_erasures(store: Store, table: Table) -> bool:
    """Whether the log still has a commit of an erasure, so older versions are not purged yet."""
    return any(ERASURE in action.get("commitInfo", {}) for action in _actions(store, table))


def _actions(store: Store, table: Table) -> Iterator[dict[str, Any]]:
    """The actions of the log's entries."""
    prefix = "/".join((*table.path, "_delta_log", ""))
    for entry in store.entries(prefix):
        name = entry.file.removeprefix(prefix)
        if name.endswith(".json") and name[:20].isdigit():
            yield from map(json.loads, store.read(entry.file).splitlines())


def _add_empty_entry(store: Store, table: Table, target: DeltaTable) -> None:
    """Commit a log entry without rows and without values."""
    try:
        target.alter.set_table_properties(
            {**target.metadata().configuration, "delta.enableExpiredLogCleanup": "false"}
        )
        target.update_incremental()
    except CommitFailedError:
        raise TransientFailure(f"{table.name}: another writer was faster.") from None
    except (OSError, DeltaError) as error:
        raise write_failure(store, table, error) from None


def _expendable_files(
    store: Store, table: Table, target: DeltaTable, before: datetime
) -> Iterator[tuple[Entry, Sequence[str]]]:
    """The files that the newest version does not need, data before log."""
    paths = pa.table(target.get_add_actions(flatten=True))["path"].to_pylist()
    live = _both_forms(paths)
    removed = _both_forms(a["remove"]["path"] for a in _actions(store, table) if "remove" in a)
    prefix = "/".join((*table.path, ""))
    log_files = []
    for entry in store.entries(prefix):
        file = entry.file.removeprefix(prefix)
        *folders, name = file.split("/")
        if folders == ["_delta_log"]:
            is_old = int(name[:20]) < target.version() if name[:20].isdigit() else False
            if is_old or (name.endswith(".tmp") and entry.modified <= before):
                log_files.append((entry, (*folders, name)))
        elif (
            _DATA.fullmatch(name)
            and file not in live
            and (file in removed or entry.modified <= before)
        ):
            yield entry, (*folders, name)
    yield from log_files


def _both_forms(paths: Iterable[str]) -> set[str]:
    """Paths as the log encodes them, and decoded: the form of a listing depends on the storage."""
    return {form for path in paths for form in (path, unquote(path))}


def _changed(draft: Draft, file: DataFile, change: Change) -> Generator[tuple[pa.Table, pa.Table]]:
    """The rows of a file as they are and as they shall be, some at a time."""
    at = 0
    for rows in draft.read(file):
        yield rows, change(file, at, rows)
        at += len(rows)


def _differs(draft: Draft, file: DataFile, change: Change) -> bool:
    with closing(_changed(draft, file, change)) as changed:
        return any(after is not rows for rows, after in changed)
