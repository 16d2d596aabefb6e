"""The rows of a database that differ from the lake's, as rows to merge.

The join is DuckDB's, which spills what does not fit in memory. Rows are compared as the lake has
them: after the policy for personal data, in the lake's types.
"""

from collections.abc import Iterable, Iterator, Sequence

import duckdb
import pyarrow as pa

from novade_pipeline.databases.declaration import DatabaseColumn
from novade_pipeline.databases.tables import DELETED, VERSION
from novade_pipeline.lake.query import sql_identifier
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect

BATCH_ROWS = 50_000


def differing(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    stored: pa.RecordBatchReader,
    rows: Iterable[pa.RecordBatch],
    columns: Sequence[DatabaseColumn],
    load: int,
    *,
    deletions: bool,
) -> pa.RecordBatchReader:
    """The rows that are new or differ; with `deletions` also the stored ones that are not there.

    Args:
        stored: all stored rows, or those that the rows are compared with.
        rows: protected, in the columns that were read.
        columns: those; others keep their stored values.
        load: the number of this load.
    """
    schema = pa.schema([table.schema.field(c.name).with_nullable(True) for c in columns])
    connection.register("stored", stored)
    connection.register("fresh", pa.RecordBatchReader.from_batches(schema, iter(rows)))
    names = [sql_identifier(name) for name in schema.names]
    keys = [sql_identifier(name) for name in table.key]
    chosen = ", ".join(
        f"case when fresh.{keys[0]} is null then stored.{n} else fresh.{n} end as {n}"
        if n in names
        else f"stored.{n}"
        for n in (sql_identifier(f.name) for f in table.schema if f.name not in (DELETED, VERSION))
    )
    same_key = " and ".join(f"fresh.{key} = stored.{key}" for key in keys)
    differs = " or ".join(f"fresh.{n} is distinct from stored.{n}" for n in names)
    is_gone = f"fresh.{keys[0]} is null"
    changed = f"not ({is_gone}) and (coalesce(stored.{DELETED}, true) or {differs})"
    gone = f" or ({is_gone} and not stored.{DELETED})" if deletions else ""
    return connection.execute(
        f"select {chosen}, {is_gone} as {DELETED}, cast({int(load)} as bigint) as {VERSION} "
        f"from fresh {'full' if deletions else 'left'} join stored on {same_key} "
        f"where {changed}{gone}"
    ).to_arrow_reader(BATCH_ROWS)


def protected(
    table: Table, policy: PersonalDataPolicy, batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Rows under the policy for personal data, without those of erased persons."""
    for batch in batches:
        rows = protect(pa.Table.from_batches([batch]), table.personal, policy)
        yield from (part for part in rows.to_batches() if part.num_rows)


def as_new(table: Table, batch: pa.RecordBatch, load: int) -> pa.RecordBatch:
    """Rows as the lake stores them, where they need not be compared with its own."""
    count = batch.num_rows
    added = {
        DELETED: pa.repeat(False, count),
        VERSION: pa.repeat(pa.scalar(load, pa.int64()), count),
    }
    columns = [
        added[field.name]
        if field.name in added
        else batch[field.name]
        if field.name in batch.schema.names
        else pa.nulls(count, field.type)
        for field in table.schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=table.schema)
