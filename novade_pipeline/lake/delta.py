"""How rows get into a Delta table: `replace_window`, `replace`, `append_once`; `lake.merge` beside.

Writes stream in bounded memory. Column types, nulls and window membership are checked here before
delta-rs sees a row, since its own errors print rows and must not be passed on. Each write is one
commit; a lost race is a `TransientFailure`, and the caller reads its source again. A commit whose
answer was lost is found in the log, and is a success.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from deltalake import (
    CommitProperties,
    DeltaTable,
    write_deltalake,
)
from deltalake.exceptions import DeltaError, TableNotFoundError

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.lake.commits import added, cannot_write, new_mark, own_commit, recorded
from novade_pipeline.lake.conform import refuse_changed_types
from novade_pipeline.lake.retention import TIME_TRAVEL_DAYS, retention
from novade_pipeline.lake.stream import CheckedStream, Rows, writer_properties
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import (
    Moment,
    Where,
    Window,
    has_value,
    interval,
    is_inside,
    predicate,
)
from novade_pipeline.storage import Store

# delta-rs pauses and tries again by itself, but not where a listing was cut short.
OPEN_TRIES = 4


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
    where: Where | None = None,
    transactions: Mapping[str, int] | None = None,
) -> WriteReceipt:
    """Put `rows` in the place of those that the windows hold; no rows clear the windows.

    Args:
        windows: which values of the table's window column are replaced; None for its nulls.
        where: further columns and the value, or values, that the replaced rows, and the new ones,
            have.
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
            if not has_value(batch.column(name), value):
                told = repr(value) if isinstance(value, str | int) else f"of {len(value)} values"
                raise PermanentFailure(
                    f"{table.name}: expected {name} {told} only, found others; nothing is written."
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
        app_transactions=recorded(transactions),
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
