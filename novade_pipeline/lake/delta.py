"""How rows get into a Delta table: `replace_window`, `merge`, `replace`, `append_once`.

Writes stream in bounded memory. Column types, nulls and window membership are checked here before
delta-rs sees a row, since its own errors print rows and must not be passed on. Each write is one
commit; a lost race is a `TransientFailure`, and the caller reads its source again. A commit whose
answer was lost is found in the log, and is a success.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import (
    CommitProperties,
    DeltaTable,
    Transaction,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.lake.commits import Commit, find_commit, new_mark
from novade_pipeline.lake.conform import conform, refuse_changed_types
from novade_pipeline.lake.retention import TIME_TRAVEL_DAYS, retention
from novade_pipeline.lake.stream import CheckedStream, Rows, greatest, writer_properties
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Moment, Window, interval, is_inside, predicate
from novade_pipeline.storage import Store

# delta-rs pauses and tries again by itself, but not where a listing was cut short.
OPEN_TRIES = 4

_UNWRITABLE = ("ermission denied", "Read-only file system", "Not a directory")


@dataclass(frozen=True)
class WriteReceipt:
    """What one write did.

    Attributes:
        rows: rows written.
        bytes: bytes of the files added.
        files: files added.
        table_version: the Delta version that holds the write.
        newest: the greatest value of the table's data time among the rows, if it has one.
        seconds: wall time of the write, its source's time included.
    """

    rows: int
    bytes: int
    files: int
    table_version: int
    newest: Moment | None
    seconds: float


def location(store: Store, table: Table) -> str:
    """Where the table is."""
    return store.child(*table.path)


def open_table(store: Store, table: Table, version: int | None = None) -> DeltaTable | None:
    """The Delta table, or None where nothing has been written yet.

    Raises:
        UserError: a version is asked for that the log does not reach, or not any more.
    """
    for left in reversed(range(OPEN_TRIES)):
        try:
            return DeltaTable(
                store.table_url(*table.path), version=version, storage_options=store.options()
            )
        except TableNotFoundError:
            if version is None:
                return None
            raise UserError(
                f"{table.name}: expected version {version}, found that the log does not reach it; "
                "versions stay readable for NOVADE_TIME_TRAVEL_DAYS."
            ) from None
        except (OSError, DeltaError) as error:
            failure = store.explained(error, "read") or error
            if not left or not isinstance(failure, TransientFailure):
                raise failure from None
    raise AssertionError("the last try returns or raises")


def current_version(store: Store, table: Table) -> int | None:
    """The newest version, or None where nothing has been written yet."""
    found = open_table(store, table)
    return None if found is None else found.version()


def transaction_version(store: Store, table: Table, app_id: str) -> int | None:
    """The version that `app_id` last recorded with a commit to the table."""
    found = open_table(store, table)
    return None if found is None else found.transaction_version(app_id)


def create(store: Store, table: Table) -> DeltaTable:
    """The Delta table, created empty where it is not there yet; new columns are found by writes.

    Raises:
        UserError: the lake cannot be written.
    """
    found = open_table(store, table)
    if found is not None:
        return found
    try:
        return DeltaTable.create(
            store.table_url(*table.path),
            schema=table.schema,
            mode="ignore",
            partition_by=list(table.partition_by),
            name=table.name,
            description=table.description,
            configuration={"delta.checkpointInterval": "50"}
            | retention(max(TIME_TRAVEL_DAYS, table.time_travel_days)),
            storage_options=store.options(),
        )
    except (OSError, DeltaError) as error:
        failure = cannot_write(store, table, error)
        # Another writer was faster, or it was us and the answer is lost.
        may_be_there = isinstance(failure, TransientFailure | PermanentFailure)
        if may_be_there and (found := open_table(store, table)):
            return found
        raise failure from None


def replace_window(
    store: Store,
    table: Table,
    rows: Rows,
    windows: Sequence[Window] | None,
    *,
    where: Mapping[str, str] | None = None,
    transactions: Mapping[str, int] | None = None,
) -> WriteReceipt:
    """Put `rows` in the place of those that the windows hold; no rows clear the windows.

    Args:
        windows: which values of the table's window column are replaced; None for its nulls.
        where: further columns and the one value that the replaced rows, and the new ones, have.
        transactions: app id -> version, recorded with the commit.

    Raises:
        PermanentFailure: a row lies outside, or a column has another type; nothing is written.
        TransientFailure: another writer was faster.
    """
    assert table.window is not None, f"{table.name} has no window column"
    column = table.window
    ranges = None if windows is None else sorted(windows)

    def inside(batch: pa.RecordBatch) -> None:
        if not is_inside(batch.column(column), ranges):
            told = "no value" if ranges is None else ", ".join(interval(w) for w in ranges[:3])
            raise PermanentFailure(
                f"{table.name}: expected {column} in {told}, found rows outside; nothing is "
                "written."
            )
        for name, value in (where or {}).items():
            if batch.num_rows and not pc.all(pc.equal(batch.column(name), value)).as_py():
                raise PermanentFailure(
                    f"{table.name}: expected {name} {value!r} only, found others; "
                    "nothing is written."
                )

    replaced = predicate(table, ranges, where or {})
    if ranges is None:
        replaced += f' AND "{column}" IS NULL'
    return _write(store, table, rows, inside, transactions, mode="overwrite", predicate=replaced)


def replace(
    store: Store, table: Table, rows: Rows, *, transactions: Mapping[str, int] | None = None
) -> WriteReceipt:
    """Put `rows` in the place of all rows, as a new version; older versions stay readable."""
    return _write(store, table, rows, None, transactions, mode="overwrite")


def append_once(
    store: Store, table: Table, rows: Rows, *, app_id: str, version: int
) -> WriteReceipt | None:
    """Append unless `app_id` already recorded `version` or a newer one; None when it had.

    delta-rs records transactions but does not refuse a replay, so the snapshot is asked first.
    """
    done = transaction_version(store, table, app_id)
    if done is not None and done >= version:
        return None
    return _write(store, table, rows, None, {app_id: version}, mode="append")


def merge(store: Store, table: Table, rows: pa.Table, *, ties: bool = False) -> WriteReceipt:
    """Upsert by key: of several rows of a key the one with the greatest version column wins.

    A deletion is a row like any other, with its `is_deleted` true.

    Args:
        ties: a row of the same version replaces the one there as well, and any row one that is
            deleted: for callers that have looked and hand over only what differs.
    """
    assert table.version is not None, f"{table.name} has no version column"
    started = time.monotonic()
    checked = pa.Table.from_batches(
        [conform(table, batch) for batch in rows.to_batches()], schema=table.schema
    )
    newest_first = checked.sort_by([(table.version, "descending")])
    first = (
        newest_first.append_column("_row", pa.array(range(len(newest_first)), pa.int64()))
        .group_by(list(table.key))
        .aggregate([("_row", "min")])
    )
    kept = newest_first.take(first["_row_min"])
    target = create(store, table)
    same_key = " AND ".join(f't."{name}" = s."{name}"' for name in table.key)
    is_newer = f's."{table.version}" {">=" if ties else ">"} t."{table.version}"'
    if ties and "is_deleted" in table.schema.names:
        is_newer += ' OR t."is_deleted"'
    before, mark = target.version(), new_mark()
    try:
        metrics = (
            target.merge(
                kept,
                same_key,
                source_alias="s",
                target_alias="t",
                merge_schema=True,
                commit_properties=CommitProperties(custom_metadata=mark),
            )
            .when_matched_update_all(predicate=is_newer)
            .when_not_matched_insert_all()
            .execute()
        )
        commit = Commit(target.version(), metrics)
    except (OSError, DeltaError) as error:
        commit = own_commit(store, table, mark, before, error)
    changed = commit.metrics["num_target_rows_inserted"] + commit.metrics["num_target_rows_updated"]
    files, size = added(store, table, commit.version) if changed else (0, 0)
    return WriteReceipt(
        rows=changed,
        bytes=size,
        files=files,
        table_version=commit.version,
        newest=greatest(kept[table.data_time]) if table.data_time else None,
        seconds=time.monotonic() - started,
    )


def _write(
    store: Store,
    table: Table,
    rows: Rows,
    check: Callable[[pa.RecordBatch], None] | None,
    transactions: Mapping[str, int] | None,
    **how: Any,
) -> WriteReceipt:
    started = time.monotonic()
    target = create(store, table)
    refuse_changed_types(table, pa.schema(target.schema().to_arrow()))
    written = CheckedStream(table, rows, check)
    before, mark = target.version(), new_mark()
    properties = CommitProperties(
        custom_metadata=mark,
        app_transactions=[Transaction(a, v) for a, v in (transactions or {}).items()] or None,
        # A retry by delta-rs would not read our source again.
        max_commit_retries=15,
    )
    if len(target.schema().fields) < len(table.schema):
        how["schema_mode"] = "merge"
    try:
        with written.reader() as batches:
            write_deltalake(
                target,
                batches,
                writer_properties=writer_properties(table),
                commit_properties=properties,
                **how,
            )
        version = target.version()
    except Exception as error:
        # What our own stream raised comes back wrapped in delta-rs's words.
        if written.failure is not None:
            raise written.failure from None
        if not isinstance(error, OSError | DeltaError):
            raise
        version = own_commit(store, table, mark, before, error).version
    files, size = added(store, table, version)
    return WriteReceipt(
        rows=written.rows,
        bytes=size,
        files=files,
        table_version=version,
        newest=written.newest,
        seconds=time.monotonic() - started,
    )


def added(store: Store, table: Table, version: int) -> tuple[int, int]:
    """(files, bytes) that a commit added, from its log entry."""
    entry = store.read(*table.path, "_delta_log", f"{version:020}.json")
    actions = map(json.loads, entry.splitlines())
    sizes = [action["add"]["size"] for action in actions if "add" in action]
    return len(sizes), sum(sizes)


def own_commit(
    store: Store, table: Table, mark: Mapping[str, str], before: int, error: Exception
) -> Commit:
    """Our commit, where delta-rs says that it failed but the log has it.

    Args:
        before: the version that the write began with.
        error: what delta-rs says.

    Raises:
        TransientFailure: another writer was faster, or the log cannot be read now.
        UserError: the lake cannot be written.
    """
    failure = (
        _lost_race(table)
        if isinstance(error, CommitFailedError)
        else cannot_write(store, table, error)
    )
    try:
        found = find_commit(store, table, mark, before)
    except (OSError, UserError):
        raise failure from None
    except TransientFailure:
        raise TransientFailure(
            f"{table.name}: storage failed during a commit, and whether it was done cannot be "
            "told now; the step runs again from its source."
        ) from None
    if found is None:
        raise failure from None
    return found


def _lost_race(table: Table) -> TransientFailure:
    return TransientFailure(
        f"{table.name}: another writer changed the same rows meanwhile; nothing is written, "
        "the step runs again from its source."
    )


def cannot_write(store: Store, table: Table, error: Exception) -> Exception:
    """delta-rs's words may print rows: only its kind of error is told."""
    if (failure := store.explained(error, "write")) is not None:
        return type(failure)(f"{table.name}: {failure}")
    # A folder that cannot be made is reported as a table that is not there.
    if isinstance(error, PermissionError | TableNotFoundError) or any(
        told in str(error) for told in _UNWRITABLE
    ):
        return UserError(
            f"{table.name}: expected to write to {location(store, table)}, found that this cannot "
            "be done; set NOVADE_LAKE_URL to a place that can be written."
        )
    if isinstance(error, OSError):
        return TransientFailure(f"{table.name}: storage failed ({type(error).__name__}).")
    return PermanentFailure(
        f"{table.name}: delta-rs refused the write ({type(error).__name__}); nothing is written."
    )
