"""Upserts into a Delta table by key, newest version first."""

import time
from collections.abc import Mapping

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import DeltaError

from novade_pipeline.lake.commits import Commit, added, new_mark, own_commit, recorded
from novade_pipeline.lake.conform import conform
from novade_pipeline.lake.delta import WriteReceipt, create
from novade_pipeline.lake.stream import Rows, greatest
from novade_pipeline.lake.table import Table
from novade_pipeline.storage import Store


def merge(
    store: Store,
    table: Table,
    rows: Rows,
    *,
    ties: bool = False,
    transactions: Mapping[str, int] | None = None,
) -> WriteReceipt:
    """Upsert by key: of several rows of a key the one with the greatest version column wins.

    A deletion is a row like any other, with its `is_deleted` true.

    Args:
        ties: a row of the same version replaces the one there as well, and any row one that is
            deleted: for callers that have looked and hand over only what differs.
        transactions: app id -> version, recorded with the commit; where no row changes, with an
            empty one, unless the table has them already, or newer ones.

    Raises:
        PermanentFailure: a column has another type than declared; nothing is written.
        TransientFailure: another writer was faster.
    """
    assert table.version is not None, f"{table.name} has no version column"
    started = time.monotonic()
    checked = pa.Table.from_batches(
        [
            conform(table, batch)
            for batch in (rows.to_batches() if isinstance(rows, pa.Table) else rows)
        ],
        schema=table.schema,
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
    properties = CommitProperties(
        custom_metadata=mark, app_transactions=recorded(transactions), max_commit_retries=15
    )
    try:
        metrics = (
            target.merge(
                kept,
                same_key,
                source_alias="s",
                target_alias="t",
                merge_schema=True,
                commit_properties=properties,
            )
            .when_matched_update_all(predicate=is_newer)
            .when_not_matched_insert_all()
            .execute()
        )
        commit = Commit(target.version(), metrics)
    except (OSError, DeltaError) as error:
        commit = own_commit(store, table, mark, before, error)
    changed = commit.metrics["num_target_rows_inserted"] + commit.metrics["num_target_rows_updated"]
    if not changed and (newer := _newer(target, transactions)):
        commit = _commit_nothing(store, table, target, newer)
    files, size = added(store, table, commit.version) if changed else (0, 0)
    return WriteReceipt(
        rows=changed,
        bytes=size,
        files=files,
        table_version=commit.version,
        newest=greatest(kept[table.data_time]) if table.data_time else None,
        seconds=time.monotonic() - started,
    )


def _newer(target: DeltaTable, transactions: Mapping[str, int] | None) -> dict[str, int]:
    """The transactions that the table does not have, nor newer ones."""
    found = {app: target.transaction_version(app) for app in transactions or {}}
    return {
        app: version
        for app, version in (transactions or {}).items()
        if (known := found[app]) is None or known < version
    }


def _commit_nothing(
    store: Store, table: Table, target: DeltaTable, transactions: Mapping[str, int]
) -> Commit:
    """Record transactions where no row changes."""
    before, mark = target.version(), new_mark()
    try:
        target.create_write_transaction(
            [],
            "append",
            target.schema(),
            list(table.partition_by),
            commit_properties=CommitProperties(
                custom_metadata=mark, app_transactions=recorded(transactions)
            ),
        )
    except (OSError, DeltaError) as error:
        return own_commit(store, table, mark, before, error)
    # delta-rs does not tell which version it became.
    target.update_incremental()
    return Commit(target.version(), {})
