"""Marts on their way back into the lake, as Delta tables that anybody can read.

The commit records the mart's generation as a Delta transaction of this warehouse, so that the lake
itself says what it holds: a publication that a crash cut off is found and done by the next run.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from novade_pipeline.lake.changes import has_changed
from novade_pipeline.lake.conform import conform
from novade_pipeline.lake.data_files import ROW_GROUP_ROWS
from novade_pipeline.lake.delta import (
    WriteReceipt,
    open_table,
    replace,
    replace_window,
)
from novade_pipeline.lake.query import identifier
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage import Store


@dataclass(frozen=True)
class Published:
    """A mart in the lake.

    Attributes:
        table_version: the Delta version that holds the mart's generation.
        bytes: size of the table's files at that version.
        receipt: of the write; None where the lake held the generation already.
    """

    table_version: int
    bytes: int
    receipt: WriteReceipt | None


def publish(connection: duckdb.DuckDBPyConnection, store: Store, table: Table) -> Published:
    """Bring `marts/<model>` of the lake to the generation that the warehouse holds.

    A mart that is partitioned by day writes only the days that were touched since the generation
    that the lake holds; if that cannot be told, or somebody else wrote there, the whole mart.
    """
    name = table.path[-1]
    generation, since, app_id, noted = warehouse_state(connection, name)
    found = open_table(store, table)
    held = None if found is None else found.transaction_version(app_id)
    if held is not None and held > generation:
        # A warehouse restored from a copy counts again from there; its past is another's now.
        connection.execute("update novade.warehouse set id = uuid()")
        connection.execute("delete from novade.published")
        return publish(connection, store, table)
    ours = found is not None and not (
        noted is not None and has_changed(store, table, noted, found.version(), app_id)
    )
    receipt = None
    if held != generation or not ours:
        days = None
        if held is not None and ours and since <= held and table.window is not None:
            days = _touched_days(connection, name, held)
        receipt = _write(connection, store, table, days, {app_id: generation})
        found = open_table(store, table)
    assert found is not None
    if receipt is not None or noted is None:
        _note(connection, name, generation, found.version())
    return Published(found.version(), _size(found), receipt)


def warehouse_state(
    connection: duckdb.DuckDBPyConnection, name: str
) -> tuple[int, int, str, int | None]:
    """Of a mart: generation, since when its log goes, our application id, version published."""
    row = connection.execute(
        "select model.generation, model.since, 'warehouse:' || warehouse.id,"
        " published.table_version"
        " from novade.model as model cross join novade.warehouse as warehouse"
        " left join novade.published as published using (model) where model = $1",
        [name],
    ).fetchone()
    assert row is not None
    return row


def _note(
    connection: duckdb.DuckDBPyConnection, name: str, generation: int, table_version: int
) -> None:
    connection.execute("begin")
    connection.execute("delete from novade.published where model = $1", [name])
    connection.execute(
        "insert into novade.published values ($1, $2, $3)", [name, generation, table_version]
    )
    connection.execute("commit")


def _touched_days(connection: duckdb.DuckDBPyConnection, name: str, held: int) -> list[date]:
    rows = connection.execute(
        "select distinct day from novade.touched_days where model = $1 and generation > $2"
        " order by day",
        [name, held],
    )
    return [row[0] for row in rows.fetchall()]


def _write(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    table: Table,
    days: list[date] | None,
    transactions: dict[str, int],
) -> WriteReceipt:
    rows = pa.RecordBatchReader.from_batches(table.schema, _batches(connection, table, days))
    if days is None:
        return replace(store, table, rows, transactions=transactions)
    windows = [Window(day, day + timedelta(days=1)) for day in days]
    return replace_window(store, table, rows, windows, transactions=transactions)


def _batches(
    connection: duckdb.DuckDBPyConnection, table: Table, days: list[date] | None
) -> Iterator[pa.RecordBatch]:
    """The mart's rows, day by day; of all days when none are named."""
    columns = ", ".join(identifier(column.name) for column in table.columns)
    mart = f"marts.{identifier(table.path[-1])}"
    if table.window is None:
        parts: list[tuple[str, list[date]]] = [("true", [])]
    else:
        day = identifier(table.window)
        counts = connection.execute(
            f"select {day}, count(*) from {mart} where $1 is null or list_contains($1, {day})"
            " group by 1 order by 1",
            [days],
        ).fetchall()
        parts = [(f"list_contains($1::date[], {day})", part) for part in _parts(counts)]
    for condition, part in parts:
        # DuckDB holds a whole result, and a sort of it, in memory: a part at a time.
        order = f"order by {identifier(table.window)}" if table.window is not None else ""
        found = connection.execute(
            f"select {columns} from {mart} where {condition} {order}", [part] if part else None
        )
        for batch in found.fetch_record_batch(ROW_GROUP_ROWS):
            yield conform(table, batch)


def _parts(counts: list[tuple[date, int]]) -> list[list[date]]:
    """Days in their order, in parts of about `ROW_GROUP_ROWS` rows."""
    parts: list[list[date]] = []
    size = ROW_GROUP_ROWS
    for day, count in counts:
        if size >= ROW_GROUP_ROWS:
            parts.append([])
            size = 0
        parts[-1].append(day)
        size += count
    return parts


def _size(found: DeltaTable) -> int:
    files = pa.table(found.get_add_actions(flatten=True))
    return int(pc.sum(files["size_bytes"]).as_py() or 0)
