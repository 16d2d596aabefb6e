"""Publishes marts to the lake as Delta tables.

The commit records the mart's generation as a Delta transaction of this warehouse. The next run
therefore detects and completes a publication that was interrupted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from novade_pipeline.lake.changed_windows import DAY, HOUR, joined
from novade_pipeline.lake.changes import has_changed
from novade_pipeline.lake.conform import conform
from novade_pipeline.lake.data_files import ROW_GROUP_ROWS
from novade_pipeline.lake.delta import (
    WriteReceipt,
    open_table,
    replace,
    replace_window,
)
from novade_pipeline.lake.query import sql_identifier
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window, predicate
from novade_pipeline.storage.store import Store


@dataclass(frozen=True)
class Published:
    """A mart in the lake.

    Attributes:
        table_version: the Delta version of the mart's generation.
        bytes: size of the table's files at that version.
        receipt: of the write; None if the lake had the generation already.
    """

    table_version: int
    bytes: int
    receipt: WriteReceipt | None


def publish(connection: duckdb.DuckDBPyConnection, store: Store, table: Table) -> Published:
    """Updates `marts/<model>` in the lake to the generation in the warehouse.

    A mart that is partitioned by day writes only the windows touched since the lake's generation;
    if these are unknown, or another writer has committed, the whole mart.
    """
    name = table.path[-1]
    generation, since, app_id, recorded = mart_state(connection, name)
    delta_table = open_table(store, table)
    stored = None if delta_table is None else delta_table.transaction_version(app_id)
    if stored is not None and stored > generation:
        # A warehouse that was restored from an older copy gets a new identity.
        connection.execute("update novade.warehouse set id = uuid()")
        connection.execute("delete from novade.published")
        return publish(connection, store, table)
    is_unmodified = delta_table is not None and not (
        recorded is not None and has_changed(store, table, recorded, delta_table.version(), app_id)
    )
    receipt = None
    if stored != generation or not is_unmodified:
        windows = None
        if stored is not None and is_unmodified and since <= stored and table.window is not None:
            windows = _touched_windows(connection, table, stored)
        receipt = _write(connection, store, table, windows, {app_id: generation})
        delta_table = open_table(store, table)
    assert delta_table is not None
    if receipt is not None or recorded is None:
        _record(connection, name, generation, delta_table.version())
    return Published(delta_table.version(), _size(delta_table), receipt)


def mart_state(
    connection: duckdb.DuckDBPyConnection, name: str
) -> tuple[int, int, str, int | None]:
    """Of a mart: generation, start of its log, application id, published version."""
    row = connection.execute(
        "select model.generation, model.since, 'warehouse:' || warehouse.id,"
        " published.table_version"
        " from novade.model as model cross join novade.warehouse as warehouse"
        " left join novade.published as published using (model) where model = $1",
        [name],
    ).fetchone()
    assert row is not None
    return row


def _record(
    connection: duckdb.DuckDBPyConnection, name: str, generation: int, table_version: int
) -> None:
    connection.execute("begin")
    connection.execute("delete from novade.published where model = $1", [name])
    connection.execute(
        "insert into novade.published values ($1, $2, $3)", [name, generation, table_version]
    )
    connection.execute("commit")


def _touched_windows(
    connection: duckdb.DuckDBPyConnection, table: Table, stored: int
) -> list[Window]:
    """The windows, hours or days, that generations after `stored` have touched."""
    rows = connection.execute(
        "select distinct window_start from novade.touched where model = $1 and generation > $2",
        [table.path[-1], stored],
    ).fetchall()
    if pa.types.is_date(table.schema.field(table.window).type):
        return joined(Window(start.date(), start.date() + DAY) for (start,) in rows)
    return joined(Window(start, start + HOUR) for (start,) in rows)


def _write(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    table: Table,
    windows: list[Window] | None,
    transactions: dict[str, int],
) -> WriteReceipt:
    rows = pa.RecordBatchReader.from_batches(table.schema, _batches(connection, table, windows))
    if windows is None:
        return replace(store, table, rows, transactions=transactions)
    return replace_window(store, table, rows, windows, transactions=transactions)


def _batches(
    connection: duckdb.DuckDBPyConnection, table: Table, windows: list[Window] | None
) -> Iterator[pa.RecordBatch]:
    """The mart's rows within the windows, or all, in order of their days."""
    columns = ", ".join(sql_identifier(column.name) for column in table.columns)
    mart = f"marts.{sql_identifier(table.path[-1])}"
    for condition, order in _queries(connection, table, mart, predicate(table, windows, {})):
        rows = connection.execute(f"select {columns} from {mart} where {condition} {order}")
        for batch in rows.to_arrow_reader(ROW_GROUP_ROWS):
            yield conform(table, batch)


def _queries(
    connection: duckdb.DuckDBPyConnection, table: Table, mart: str, condition: str
) -> Iterator[tuple[str, str]]:
    """SQL conditions and orders, each for one large day or several small days, in order.

    DuckDB sorts in memory, so a part that is sorted has about `ROW_GROUP_ROWS` rows.
    """
    if not table.partition_by:
        yield condition, ""
        return
    (day,) = map(sql_identifier, table.partition_by)
    counts = connection.execute(
        f"select {day}, count(*) from {mart} where {condition} group by 1 order by 1"
    ).fetchall()
    for days in _day_groups(counts):
        between = f"{day} between date '{days[0]}' and date '{days[-1]}'"
        yield f"{between} and {condition}", "" if len(days) == 1 else f"order by {day}"


def _day_groups(counts: list[tuple[date, int]]) -> list[list[date]]:
    """Days in order, in groups of at most `ROW_GROUP_ROWS` rows, or of one day."""
    groups: list[list[date]] = []
    size = 0
    for day, count in counts:
        if not groups or size + count > ROW_GROUP_ROWS:
            groups.append([])
            size = 0
        groups[-1].append(day)
        size += count
    return groups


def _size(delta_table: DeltaTable) -> int:
    files = pa.table(delta_table.get_add_actions(flatten=True))
    return int(pc.sum(files["size_bytes"]).as_py() or 0)
