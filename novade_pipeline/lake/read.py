"""Rows of a table as Arrow, with columns and windows pushed down to the files."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, QueryBuilder

from novade_pipeline.lake.conform import conform_columns
from novade_pipeline.lake.data_files import files_of
from novade_pipeline.lake.decimals import with_stored_decimals
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.query import sql_identifier, sql_literal
from novade_pipeline.lake.stream import greatest
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Moment, Where, Window, at_least, predicate
from novade_pipeline.storage.store import Store


def stream(
    store: Store,
    table: Table,
    *,
    columns: Sequence[str] | None = None,
    windows: Sequence[Window] | None = None,
    where: Where | None = None,
    between: Mapping[str, tuple[str, str]] | None = None,
    version: int | None = None,
    limit: int | None = None,
) -> pa.RecordBatchReader:
    """The rows, batch by batch, in no order; none where nothing has been written yet.

    Decimals have the digits that the lake has of them, which may be more than are declared.

    Args:
        columns: which; all where None.
        windows: only rows within; all where None.
        where: columns and the value, or one of the values, that the rows have.
        between: columns, and a text that their values come after and one that they reach up to.
        version: of the Delta table; the newest where None.
        limit: at most so many rows.
    """
    schema = table.schema
    if columns is not None:
        schema = pa.schema([schema.field(name) for name in columns])
    target = open_table(store, table, version)
    if target is None:
        return pa.RecordBatchReader.from_batches(schema, [])
    stored = pa.schema(target.schema().to_arrow())
    schema = with_stored_decimals(schema, stored)
    names = ", ".join(f'"{name}"' for name in schema.names if name in stored.names)
    query = f"SELECT {names} FROM t"
    query += f" WHERE {predicate(table, None if windows is None else sorted(windows), where or {})}"
    for name, (after, up_to) in (between or {}).items():
        column = sql_identifier(name)
        query += f" AND {column} > {sql_literal(after)} AND {column} <= {sql_literal(up_to)}"
    if limit is not None:
        query += f" LIMIT {int(limit)}"

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in _query(store, target, query):
            yield conform_columns(table, schema, pa.record_batch(batch))

    return pa.RecordBatchReader.from_batches(schema, batches())


def read(
    store: Store,
    table: Table,
    *,
    columns: Sequence[str] | None = None,
    windows: Sequence[Window] | None = None,
    where: Where | None = None,
    between: Mapping[str, tuple[str, str]] | None = None,
    version: int | None = None,
) -> pa.Table:
    """As `stream`, all in memory."""
    return stream(
        store,
        table,
        columns=columns,
        windows=windows,
        where=where,
        between=between,
        version=version,
    ).read_all()


def distinct(store: Store, table: Table, column: str, where: Where | None = None) -> set[Any]:
    """The different values of a column, whether the lake is cut by it or not; in bounded memory."""
    batches = stream(store, table, columns=[column], where=where)
    return {value for batch in batches for value in pc.unique(batch.column(0)).to_pylist()}


def count_by(
    store: Store, table: Table, column: str, windows: Sequence[Window] | None = None
) -> Counter[str]:
    """Value of a column, as text -> its rows; of a partition column from the log alone."""
    counts: Counter[str] = Counter()
    target = open_table(store, table)
    files = [] if target is None or windows is not None else list(files_of(table, target))
    if files and all(column in file.partition and file.rows is not None for file in files):
        for file in files:
            counts[str(file.partition[column])] += file.rows
        return counts
    for batch in stream(store, table, columns=[column], windows=windows):
        for value in pc.value_counts(batch.column(0)).to_pylist():
            counts[str(value["values"])] += value["counts"]
    return counts


def newest(store: Store, table: Table) -> Moment | None:
    """The greatest data time of all rows, if there is any; of files that may have it alone."""
    assert table.data_time is not None
    target = open_table(store, table)
    if target is None:
        return None
    ranges = [file.ranges.get(table.data_time) for file in files_of(table, target)]
    lows = [values.low for values in ranges if values is not None and values.is_bounded]
    query = f"SELECT {sql_identifier(table.data_time)} FROM t"
    if lows and len(lows) == len(ranges):
        query += f" WHERE {at_least(table.data_time, max(lows))}"
    column = (pa.record_batch(batch).column(0) for batch in _query(store, target, query))
    greatest_values = (greatest(values) for values in column)
    return max((moment for moment in greatest_values if moment is not None), default=None)


def _query(store: Store, target: DeltaTable, query: str) -> Iterator[Any]:
    try:
        yield from QueryBuilder().register("t", target).execute(query)
    except Exception as error:  # delta-rs has no class of its own for it
        raise store.translate_error(error, "read") or error from None
