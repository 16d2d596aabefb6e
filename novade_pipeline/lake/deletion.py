"""Taking rows away by their keys, and what there was of them in older versions.

Deletions carry keys as rows of Arrow, never as SQL: a predicate would stand in the log with the
values that must go.
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError

from novade_pipeline.errors import TransientFailure
from novade_pipeline.lake.commits import added, cannot_write, new_mark, own_commit
from novade_pipeline.lake.data_files import writer_properties
from novade_pipeline.lake.delta import WriteReceipt, create, open_table
from novade_pipeline.lake.table import Table
from novade_pipeline.storage import Entry, Store

ERASURE = "novade.erasure"
"""Marks a commit after which older versions must go."""

_DATA = re.compile(r"part-[^/]*\.parquet(#\d+)?")


def delete(store: Store, table: Table, keys: pa.Table) -> WriteReceipt | None:
    """Take the rows of these keys away, in one commit; None where there is no table.

    Args:
        keys: the table's key columns and partition columns of the rows, each key once.

    Raises:
        TransientFailure: another writer was faster; nothing is written.
    """
    once = keys.group_by(keys.schema.names).aggregate([])
    return _changed(store, table, once, lambda merger: merger.when_matched_delete())


def amend(store: Store, table: Table, rows: pa.Table) -> WriteReceipt | None:
    """Put other values in the place of those of some rows, in one commit; None without a table.

    Args:
        rows: the table's key columns and partition columns, and the columns that change.

    Raises:
        TransientFailure: another writer was faster; nothing is written.
    """
    values = {
        f'"{name}"': f's."{name}"' for name in rows.schema.names if name not in named_by(table)
    }
    return _changed(store, table, rows, lambda merger: merger.when_matched_update(values))


def named_by(table: Table) -> list[str]:
    """The columns that find a row: its key, and the partition that it is in."""
    return list(dict.fromkeys((*table.key, *table.partition_by)))


def forget_the_past(store: Store, table: Table, before: datetime) -> "Forgotten | None":
    """Leave of a table its newest version alone: no older version, and no part of the log before.

    The newest version is summed up in a checkpoint; data files that are not of it go, those of
    loads that died as well, and the log before it. Its statistics are of the rows that are there.

    Args:
        before: files that no version ever had go where they were last changed up to then, by the
            storage's clock: those of a load that began later stay.

    Raises:
        UserError: the lake cannot be written.
        TransientFailure: the storage failed, or another writer was faster.
    """
    found = open_table(store, table)
    if found is None:
        return None
    _add_empty_entry(store, table, found)
    try:
        found.create_checkpoint()
    except (OSError, DeltaError) as error:
        raise cannot_write(store, table, error) from None
    files, size = 0, 0
    for entry, parts in list(_past(store, table, found, before)):
        store.delete(*table.path, *parts)
        files, size = files + 1, size + entry.size
    return Forgotten(files, size, found.version())


@dataclass(frozen=True)
class Forgotten:
    """What there was of older versions: files of data and of the log.

    Attributes:
        files: how many are deleted.
        bytes: their size.
        table_version: the one that is left.
    """

    files: int
    bytes: int
    table_version: int


def storage_clock(store: Store, table: Table) -> datetime:
    """What time it is by the storage's clock, told by an entry of the log that changes nothing.

    Raises:
        UserError: the lake cannot be written.
        TransientFailure: the storage failed, or another writer was faster.
    """
    found = create(store, table)
    _add_empty_entry(store, table, found)
    entry = "/".join((*table.path, "_delta_log", f"{found.version():020}.json"))
    return next(told.modified for told in store.entries(entry))


def has_erasures(store: Store, table: Table) -> bool:
    """Whether the log still has a commit of an erasure: the past is not forgotten yet."""
    return any(ERASURE in action.get("commitInfo", {}) for action in _actions(store, table))


def _actions(store: Store, table: Table) -> Iterator[dict[str, Any]]:
    """What the entries of the log say that are there still."""
    prefix = "/".join((*table.path, "_delta_log", ""))
    for entry in store.entries(prefix):
        name = entry.file.removeprefix(prefix)
        if name.endswith(".json") and name[:20].isdigit():
            yield from map(json.loads, store.read(entry.file).splitlines())


def _add_empty_entry(store: Store, table: Table, found: DeltaTable) -> None:
    """Make the newest entry of the log one without rows and without values."""
    try:
        found.alter.set_table_properties(
            {**found.metadata().configuration, "delta.enableExpiredLogCleanup": "false"}
        )
        found.update_incremental()
    except CommitFailedError:
        raise TransientFailure(f"{table.name}: another writer was faster.") from None
    except (OSError, DeltaError) as error:
        raise cannot_write(store, table, error) from None


def _past(
    store: Store, table: Table, found: DeltaTable, before: datetime
) -> Iterator[tuple[Entry, Sequence[str]]]:
    """What is not of the newest version, data before the log that tells of it."""
    paths = pa.table(found.get_add_actions(flatten=True))["path"].to_pylist()
    live = _both_forms(paths)
    removed = _both_forms(a["remove"]["path"] for a in _actions(store, table) if "remove" in a)
    prefix = "/".join((*table.path, ""))
    of_log = []
    for entry in store.entries(prefix):
        file = entry.file.removeprefix(prefix)
        *folders, name = file.split("/")
        if folders == ["_delta_log"]:
            is_old = int(name[:20]) < found.version() if name[:20].isdigit() else False
            if is_old or (name.endswith(".tmp") and entry.modified <= before):
                of_log.append((entry, (*folders, name)))
        elif (
            _DATA.fullmatch(name)
            and file not in live
            and (file in removed or entry.modified <= before)
        ):
            yield entry, (*folders, name)
    yield from of_log


def _both_forms(paths: Iterable[str]) -> set[str]:
    """The log has paths encoded; which form a listing has depends on the storage."""
    return {form for path in paths for form in (path, unquote(path))}


def _changed(
    store: Store, table: Table, rows: pa.Table, what: Callable[[Any], Any]
) -> WriteReceipt | None:
    started = time.monotonic()
    target = open_table(store, table)
    if target is None:
        return None
    before, mark = target.version(), {**new_mark(), ERASURE: "true"}
    same = " AND ".join(_is_same(table, name) for name in named_by(table))
    try:
        there = {field.name for field in target.schema().fields}
        if new := [table.schema.field(name) for name in rows.schema.names if name not in there]:
            target.alter.add_columns(Schema.from_arrow(pa.schema(new)).fields)
            target.update_incremental()
        merger = target.merge(
            rows,
            same,
            source_alias="s",
            target_alias="t",
            writer_properties=writer_properties(table),
            commit_properties=CommitProperties(custom_metadata=mark),
        )
        metrics = what(merger).execute()
        version = target.version()
    except (OSError, DeltaError) as error:
        commit = own_commit(store, table, mark, before, error)
        version, metrics = commit.version, commit.metrics
    count = metrics["num_target_rows_deleted"] + metrics["num_target_rows_updated"]
    files, size = added(store, table, version) if count else (0, 0)
    return WriteReceipt(
        rows=count,
        bytes=size,
        files=files,
        table_version=version,
        newest=None,
        seconds=time.monotonic() - started,
    )


def _is_same(table: Table, name: str) -> str:
    """SQL for the same value on both sides; a missing one is the same as a missing one."""
    same = f't."{name}" = s."{name}"'
    if table.schema.field(name).nullable:
        return f'({same} OR (t."{name}" IS NULL AND s."{name}" IS NULL))'
    return same
