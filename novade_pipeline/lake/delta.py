"""Writes to Delta tables: `replace_window`, `replace` and `append_once`; merges: `lake.merge`.

Writes stream in bounded memory. Column types, nulls and window membership are checked before a row
is written. Each write is one commit; a lost race is a `TransientFailure`, and the caller reads its
source again. A commit whose response was lost is recognised in the log, and counts as a success.

`lake.data_files` writes the data files, in half the time of delta-rs's writer; delta-rs writes the
log. `Draft.commit` decides whether a write may follow a version that another writer committed.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.lake.commits import commit_conflict, write_failure
from novade_pipeline.lake.conform import refuse_changed_types
from novade_pipeline.lake.data_files import DataFile, statistics
from novade_pipeline.lake.decimals import widened_types
from novade_pipeline.lake.draft import Draft, known_transactions
from novade_pipeline.lake.prefetch import in_threads, prefetch
from novade_pipeline.lake.protocol import refuse_unfit
from novade_pipeline.lake.region import ConstantRegion, Region, WindowRegion
from novade_pipeline.lake.retention import TIME_TRAVEL_DAYS, retention
from novade_pipeline.lake.stream import CheckedRows, Rows, write
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Moment, Where, Window
from novade_pipeline.storage.store import Store

# delta-rs pauses and tries again by itself, but not where a listing was cut short.
OPEN_TRIES = 4
_BATCHES_AHEAD = 4


@dataclass(frozen=True)
class WriteReceipt:
    """The rows, and the files and bytes added, of one write.

    Attributes:
        newest: the greatest data time among the rows, if the table has one.
        seconds: wall time, the source's included.
        passed_over: of a merge, rows that the table has in a newer version.
    """

    rows: int
    bytes: int
    files: int
    table_version: int
    newest: Moment | None
    seconds: float
    passed_over: int = 0


def location(store: Store, table: Table) -> str:
    """The URL of the table."""
    return store.child(*table.path)


def open_table(store: Store, table: Table, version: int | None = None) -> DeltaTable | None:
    """The Delta table, or None where nothing has been written yet.

    Raises:
        UserError: a version is asked for that the log does not reach, or not any more.
    """
    for tries_left in reversed(range(OPEN_TRIES)):
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
            failure = store.translate_error(error, "read") or error
            if not tries_left or not isinstance(failure, TransientFailure):
                raise failure from None
    raise AssertionError("the last try returns or raises")


def current_version(store: Store, table: Table) -> int | None:
    """The newest version, or None where nothing has been written yet."""
    target = open_table(store, table)
    return None if target is None else target.version()


def transaction_version(store: Store, table: Table, app_id: str) -> int | None:
    """The version that `app_id` last recorded with a commit to the table."""
    target = open_table(store, table)
    return None if target is None else target.transaction_version(app_id)


def create(store: Store, table: Table) -> DeltaTable:
    """Open the table, or create it empty; `create_with_columns` adds columns declared since.

    Raises:
        UserError: the lake cannot be written.
    """
    target = open_table(store, table)
    if target is not None:
        return target
    try:
        return DeltaTable.create(
            store.table_url(*table.path),
            schema=table.schema,
            mode="ignore",
            partition_by=list(table.partition_by),
            name=table.name,
            description=table.description,
            configuration={"delta.checkpointInterval": "50"}
            | retention(max(TIME_TRAVEL_DAYS, table.time_travel_days))
            | statistics(table),
            storage_options=store.options(),
        )
    except (OSError, DeltaError) as error:
        failure = write_failure(store, table, error)
        # Another writer created it, or we did and the response was lost.
        may_exist = isinstance(failure, TransientFailure | PermanentFailure)
        if may_exist and (target := open_table(store, table)):
            return target
        raise failure from None


def create_with_columns(store: Store, table: Table) -> DeltaTable:
    """Open or create the table, with every declared column.

    A column with fewer digits than the declared decimals is widened: all files are rewritten.

    Raises:
        PermanentFailure: a stored column has another type, or the table uses a Delta feature that
            this package does not support.
        TransientFailure: another writer was faster.
        UserError: the lake cannot be written.
    """
    target = _create_and_add_columns(store, table)
    if types := widened_types(table.schema, pa.schema(target.schema().to_arrow())):
        draft = Draft(store, table, target, types)
        for file in list(draft.files.values()):
            rows = (batch for part in draft.read(file) for batch in part.to_batches())
            draft.replace([file], write(draft, rows))
        draft.commit()
        target.update_incremental()
    return target


def _create_and_add_columns(store: Store, table: Table) -> DeltaTable:
    """Open or create the table, and add the declared columns that it lacks; widen none."""
    target = create(store, table)
    stored = pa.schema(target.schema().to_arrow())
    refuse_changed_types(table, stored)
    new = [field.with_nullable(True) for field in table.schema if field.name not in stored.names]
    if new:
        # A draft refuses it as well, but after the columns are there.
        refuse_unfit(table, target)
        try:
            target.alter.add_columns(list(Schema.from_arrow(pa.schema(new)).fields))
        except CommitFailedError:
            raise commit_conflict(table) from None
        except (OSError, DeltaError) as error:
            raise write_failure(store, table, error) from None
        target.update_incremental()
    return target


def replace_window(
    store: Store,
    table: Table,
    rows: Rows,
    windows: Sequence[Window] | None,
    *,
    where: Where | None = None,
    transactions: Mapping[str, int] | None = None,
) -> WriteReceipt:
    """Replace the rows within the windows by `rows`; without rows, the windows become empty.

    Only files with such rows are written anew, without them.

    Args:
        windows: which values of the table's window column are replaced; None for its nulls.
        where: further columns and the value, or values, that the replaced rows, and the new ones,
            have.
        transactions: app id -> version, recorded with the commit.

    Raises:
        PermanentFailure: a row lies outside, or a column has another type; nothing is written.
        TransientFailure: another writer was faster.
    """
    draft = _draft(store, table)
    return _write(draft, rows, WindowRegion(table, windows, where or {}), transactions)


def replace(
    store: Store, table: Table, rows: Rows, *, transactions: Mapping[str, int] | None = None
) -> WriteReceipt:
    """Replace all rows by `rows`, as a new version; older versions stay readable."""
    target = _create_and_add_columns(store, table)
    types = widened_types(table.schema, pa.schema(target.schema().to_arrow()))
    return _write(Draft(store, table, target, types), rows, ConstantRegion(True), transactions)


def append_once(
    store: Store, table: Table, rows: Rows, *, app_id: str, version: int
) -> WriteReceipt | None:
    """Append rows, unless `app_id` has recorded `version` or a newer one: then None is returned.

    delta-rs records transactions but does not refuse a replay, so the recorded version is read
    first.

    Args:
        app_id: the writer, as the transactions of the Delta log name it.
        version: of these rows; it grows with each write of `app_id`.
    """
    draft = _draft(store, table)
    done = draft.target.transaction_version(app_id)
    if done is not None and done >= version:
        return None
    return _write(draft, rows, ConstantRegion(False), {app_id: version})


def _draft(store: Store, table: Table) -> Draft:
    return Draft(store, table, create_with_columns(store, table))


def _write(
    draft: Draft, rows: Rows, replaced: Region, transactions: Mapping[str, int] | None
) -> WriteReceipt:
    """Write new rows, and rewrite the files with rows that they replace, in one commit."""
    started = time.monotonic()
    known = known_transactions(draft.target, transactions)
    candidates = [file for file in draft.files.values() if replaced.contains(file) is not False]
    checked = CheckedRows(draft.table, rows, replaced.refuse_outside)
    # Rows are made and written concurrently.
    with closing(prefetch(checked, _BATCHES_AHEAD)) as batches:
        draft.replace([], write(draft, batches))
    contains = partial(_contains, draft, replaced)
    for file, is_contained in zip(candidates, in_threads(contains, candidates), strict=True):
        if is_contained is False:
            continue
        rest = [] if is_contained else write(draft, _outside(draft, replaced, file))
        draft.replace([file], rest)
    version = draft.version
    if draft.is_changed or known != dict(transactions or {}):
        version = draft.commit(transactions, conflicts=lambda file: contains(file) is not False)
    return WriteReceipt(
        rows=checked.rows,
        bytes=sum(file.size for file in draft.added.values()),
        files=len(draft.added),
        table_version=version,
        newest=checked.newest,
        seconds=time.monotonic() - started,
    )


def _contains(draft: Draft, region: Region, file: DataFile) -> bool | None:
    """Whether all rows of a file are inside the region, or none; None where some are."""
    is_contained = region.contains(file)
    if is_contained is not None:
        return is_contained
    masks = [region.mask(rows) for rows in draft.read(file, region.columns)]
    if all(part.all() for part in masks):
        return True
    return None if any(part.any() for part in masks) else False


def _outside(draft: Draft, region: Region, file: DataFile) -> Iterator[pa.RecordBatch]:
    """The rows of a file that stay."""
    for rows in draft.read(file):
        yield from rows.filter(pa.array(~region.mask(rows))).to_batches()
