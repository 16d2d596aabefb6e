"""Rows of a table as Arrow, with columns and windows pushed down to the files."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, QueryBuilder

from novade_pipeline.lake.conform import conform_columns
from novade_pipeline.lake.decimals import as_held
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.query import identifier, literal
from novade_pipeline.lake.stream import greatest
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Moment, Where, Window, predicate
from novade_pipeline.storage import Store


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
    found = open_table(store, table, version)
    if found is None:
        return pa.RecordBatchReader.from_batches(schema, [])
    there = pa.schema(found.schema().to_arrow())
    schema = as_held(schema, there)
    names = ", ".join(f'"{name}"' for name in schema.names if name in there.names)
    query = f"SELECT {names} FROM t"
    query += f" WHERE {predicate(table, None if windows is None else sorted(windows), where or {})}"
    for name, (after, up_to) in (between or {}).items():
        column = identifier(name)
        query += f" AND {column} > {literal(after)} AND {column} <= {literal(up_to)}"
    if limit is not None:
        query += f" LIMIT {int(limit)}"

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in _asked(store, found, query):
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


def newest(store: Store, table: Table) -> Moment | None:
    """The greatest data time of all rows, if there is any; in bounded memory."""
    assert table.data_time is not None
    batches = stream(store, table, columns=[table.data_time])
    found = (greatest(batch.column(0)) for batch in batches)
    return max((moment for moment in found if moment is not None), default=None)


def _asked(store: Store, found: DeltaTable, query: str) -> Iterator[Any]:
    try:
        yield from QueryBuilder().register("t", found).execute(query)
    except Exception as error:  # delta-rs has no class of its own for it
        raise store.explained(error, "read") or error from None
