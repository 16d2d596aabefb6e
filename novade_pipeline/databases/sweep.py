"""The sweep of keys: finds deletions, and rows that changed without raising their changed_by."""

import pyarrow as pa

from novade_pipeline.databases.comparison import Comparison
from novade_pipeline.databases.feeds import MOST_KEYS, Key
from novade_pipeline.databases.reader import read_rows
from novade_pipeline.databases.sql import select
from novade_pipeline.databases.tables import DELETED
from novade_pipeline.lake.query import sql_identifier, workspace
from novade_pipeline.lake.read import stream


def differing_keys(comparison: Comparison) -> list[Key]:
    """The keys that only one of the two has, or whose changed_by differs.

    Returns:
        `MOST_KEYS` and one at most.

    Raises:
        TransientFailure: the database failed meanwhile.
    """
    declared, table = comparison.declared, comparison.table
    assert declared.changed_by is not None
    names = list(dict.fromkeys((*table.key, declared.changed_by)))
    columns = [declared.of_name(name) for name in names]
    schema = pa.schema([table.schema.field(name).with_nullable(True) for name in names])
    database = comparison.session.database
    sql = select(database.dialect, declared, columns)
    batches = comparison.watched(read_rows(database, sql, table, columns, comparison.time_zone))
    keys = [sql_identifier(name) for name in table.key]
    changed = sql_identifier(declared.changed_by)
    differs = f"or fresh.{changed} is distinct from stored.{changed}"
    if declared.changed_by in table.personal and comparison.policy.mode != "keep":
        differs = ""
    with workspace() as connection:
        connection.register("fresh", pa.RecordBatchReader.from_batches(schema, batches))
        version = comparison.target.version()
        stored = stream(comparison.lake, table, columns=[*names, DELETED], version=version)
        connection.register("stored", stored)
        try:
            rows = connection.execute(
                f"select {', '.join(f'coalesce(fresh.{k}, stored.{k})' for k in keys)} "
                "from fresh full join (select * from stored where not is_deleted) as stored on "
                f"{' and '.join(f'fresh.{k} = stored.{k}' for k in keys)} "
                f"where fresh.{keys[0]} is null or stored.{keys[0]} is null {differs} "
                f"limit {MOST_KEYS + 1}"
            ).fetchall()
        except Exception:
            # DuckDB tells in its own words why its input ended.
            if comparison.failure is not None:
                raise comparison.failure from None
            raise
    return rows
