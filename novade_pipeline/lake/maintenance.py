"""Upkeep of a table beside running loads: compaction, vacuum, checkpoint. No row ever changes.

A compaction commits with `dataChange` false, so that nothing derived from the table is made again,
and gives way to a load that was faster. A vacuum deletes files that no version within the retention
needs, and a checkpoint shortens what a reader reads of the log; neither commits anything.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from novade_pipeline.errors import TransientFailure
from novade_pipeline.lake.commits import write_failure
from novade_pipeline.lake.data_files import (
    FILE_BYTES,
    partition_value,
    statistics,
    writer_properties,
)
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.keyed_compaction import compact_by_key
from novade_pipeline.lake.retention import LOG_DAYS_MORE, expired, retention
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Entry, Store

# A file of half the usual size or more is left as it is, until smaller ones gather beside it.
SMALL_BYTES = FILE_BYTES // 2
# One commit holds so many partitions: a lost race costs no more than their compaction.
SLICE_PARTITIONS = 31
SPILL_BYTES = 256 * 2**20

Partition: TypeAlias = tuple[str | None, ...]
Filters: TypeAlias = list[tuple[str, str, Any]]


@dataclass(frozen=True)
class MaintenanceReceipt:
    """What one maintenance operation did.

    Attributes:
        files_before: of a compaction the newest version's, of a vacuum all data files, of a
            checkpoint the log's.
        table_version: the newest version, afterwards.
        gave_way: how many commits of a compaction lost to a load, and are left to the next.
    """

    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    table_version: int
    seconds: float
    gave_way: int = 0


def compact(store: Store, table: Table) -> MaintenanceReceipt | None:
    """Join the small files of each partition that has several; None where there is no table.

    Files of a table that is written by `merge` stay small, and are put in the order of their keys.
    A compaction gives way to a load that replaced rows of the same files meanwhile; a load that
    loses to a compaction gets `TransientFailure` and runs again.

    Raises:
        UserError: the lake cannot be written.
        TransientFailure: the storage failed.
    """
    started = time.monotonic()
    target = open_table(store, table)
    if target is None:
        return None
    before = _sizes(target)
    if table.write_mode == "merge":
        gave_way = int(not compact_by_key(store, table, target))
    else:
        gave_way = _join(store, table, target, _due(before))
    target.update_incremental()
    after = _sizes(target)
    return MaintenanceReceipt(
        *_counts(before, after),
        table_version=target.version(),
        seconds=time.monotonic() - started,
        gave_way=gave_way,
    )


def vacuum(
    store: Store, table: Table, keep_days: int, now: Callable[[], datetime] | None = None
) -> MaintenanceReceipt | None:
    """Delete data files that no version of the last `keep_days` days needs; None without a table.

    A file is deleted `keep_days` after the commit that removed it, one that was never committed
    `keep_days` after it was written. delta-rs lists the files, but would delete other programs'
    files too, and commit twice.

    Args:
        keep_days: at least 1; a longer one than before holds for what is removed from then on.
        now: the clock; the real one where None.

    Raises:
        UserError: the lake cannot be written.
        TransientFailure: the storage failed, or another writer was faster.
    """
    assert keep_days >= 1, "a running load's files would not be safe"
    started = time.monotonic()
    keep_days = max(keep_days, table.time_travel_days)
    target = open_table(store, table)
    if target is None:
        return None
    oldest = (now() if now is not None else datetime.now(UTC)) - timedelta(days=keep_days)
    _set_properties(store, table, target, keep_days)
    try:
        expendable = set(target.vacuum(retention_hours=24 * keep_days, dry_run=True, full=True))
    except (OSError, DeltaError) as error:
        raise write_failure(store, table, error) from None
    partition_by = target.metadata().partition_columns
    before = {file: entry for file, entry in _files(store, table) if _is_data(file, partition_by)}
    doomed = [file for file in before if file in expendable and before[file].modified < oldest]
    for file in doomed:
        store.delete(*table.path, *file.split("/"))
    size = sum(entry.size for entry in before.values())
    return MaintenanceReceipt(
        files_before=len(before),
        files_after=len(before) - len(doomed),
        bytes_before=size,
        bytes_after=size - sum(before[file].size for file in doomed),
        table_version=target.version(),
        seconds=time.monotonic() - started,
    )


def checkpoint(store: Store, table: Table, keep_days: int) -> MaintenanceReceipt | None:
    """Write a checkpoint, and delete expired files of the log; None without a table.

    A week more than `keep_days` is kept, for derived tables that are behind (`lake.changes`).

    Raises:
        UserError: the lake cannot be written.
        TransientFailure: the storage failed, or another writer was faster.
    """
    started = time.monotonic()
    keep_days = max(keep_days, table.time_travel_days)
    target = open_table(store, table)
    if target is None:
        return None
    _set_properties(store, table, target, keep_days)
    before = _log(store, table)
    try:
        if _last_checkpoint(store, table) != target.version():
            target.create_checkpoint()
    except (OSError, DeltaError) as error:
        raise write_failure(store, table, error) from None
    after = _log(store, table)
    for name in expired(after, datetime.now(UTC) - timedelta(days=keep_days + LOG_DAYS_MORE)):
        store.delete(*table.path, "_delta_log", name)
        del after[name]
    sizes = [[entry.size for entry in log.values()] for log in (before, after)]
    return MaintenanceReceipt(
        *_counts({(): sizes[0]}, {(): sizes[1]}),
        table_version=target.version(),
        seconds=time.monotonic() - started,
    )


def _join(store: Store, table: Table, target: DeltaTable, due: Sequence[Partition]) -> int:
    """Join the small files of these partitions; how many commits gave way to a load."""
    gave_way = 0
    for filters in _slices(target.metadata().partition_columns, due):
        try:
            target.optimize.compact(
                partition_filters=filters,
                target_size=FILE_BYTES,
                max_concurrent_tasks=1,
                max_spill_size=SPILL_BYTES,
                writer_properties=writer_properties(table),
                commit_properties=CommitProperties(max_commit_retries=15),
            )
        except CommitFailedError:
            gave_way += 1
            target.update_incremental()
        except (OSError, DeltaError) as error:
            raise write_failure(store, table, error) from None
    return gave_way


def _due(sizes: dict[Partition, list[int]]) -> list[Partition]:
    """The partitions in which files can be joined."""
    return [
        partition
        for partition, of_files in sizes.items()
        if sum(size < SMALL_BYTES for size in of_files) > 1
    ]


def _slices(
    partition_by: Sequence[str], partitions: Sequence[Partition]
) -> Iterator[Filters | None]:
    """The partitions in delta-rs's filters, one filter a commit."""
    if not partition_by:
        yield from (None for _ in partitions)
        return
    # delta-rs writes a missing value as an empty one, and finds it only by itself.
    alone = [p for p in partitions if len(p) > 1 or None in p]
    for partition in alone:
        yield [(c, "=", v or "") for c, v in zip(partition_by, partition, strict=True)]
    values = sorted(v for p in partitions if p not in alone for v in p if v is not None)
    for at in range(0, len(values), SLICE_PARTITIONS):
        yield [(partition_by[0], "in", values[at : at + SLICE_PARTITIONS])]


def _sizes(target: DeltaTable) -> dict[Partition, list[int]]:
    """Partition -> the sizes of the newest version's files, bytes."""
    files = pa.table(target.get_add_actions(flatten=True))
    partition_by = target.metadata().partition_columns
    columns = [files[f"partition.{name}"].to_pylist() for name in partition_by]
    sizes: dict[Partition, list[int]] = defaultdict(list)
    for row, size in enumerate(files["size_bytes"].to_pylist()):
        values = (column[row] for column in columns)
        sizes[tuple(map(partition_value, values))].append(size)
    return sizes


def _counts(
    before: dict[Partition, list[int]], after: dict[Partition, list[int]]
) -> tuple[int, int, int, int]:
    """Files before and after, bytes before and after."""
    old = [size for of_files in before.values() for size in of_files]
    new = [size for of_files in after.values() for size in of_files]
    return len(old), len(new), sum(old), sum(new)


def _set_properties(store: Store, table: Table, target: DeltaTable, days: int) -> None:
    """Set the retention and the columns with ranges as table properties, for all writers."""
    properties = retention(days) | statistics(table)
    current = target.metadata().configuration
    if all(current.get(name) == value for name, value in properties.items()):
        return
    try:
        target.alter.set_table_properties(properties)
        target.update_incremental()
    except CommitFailedError:
        raise TransientFailure(
            f"{table.name}: another writer was faster; its properties are set by the next upkeep."
        ) from None
    except (OSError, DeltaError) as error:
        raise write_failure(store, table, error) from None


def _files(store: Store, table: Table) -> Iterator[tuple[str, Entry]]:
    """What lies below the table, by its path there."""
    prefix = "/".join(table.path) + "/"
    for entry in store.entries(prefix):
        yield entry.file.removeprefix(prefix), entry


def _is_data(file: str, partition_by: Sequence[str]) -> bool:
    """A Parquet file in a folder of each partition column, named as writers of Delta name them."""
    *folders, name = file.split("/")
    return (
        len(folders) == len(partition_by)
        and all(f.startswith(f"{c}=") for f, c in zip(folders, partition_by, strict=True))
        and name.startswith("part-")
        and name.endswith(".parquet")
    )


def _log(store: Store, table: Table) -> dict[str, Entry]:
    """The files of the log by their names."""
    prefix = "/".join((*table.path, "_delta_log", ""))
    return {entry.file.removeprefix(prefix): entry for entry in store.entries(prefix)}


def _last_checkpoint(store: Store, table: Table) -> int | None:
    try:
        checkpoint_ = json.loads(store.read(*table.path, "_delta_log", "_last_checkpoint"))
    except FileNotFoundError:
        return None
    return int(checkpoint_["version"])
