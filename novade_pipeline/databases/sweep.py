"""The sweep of keys: finds deletions, and rows that changed without raising their changed_by."""

from collections.abc import Iterator

import pyarrow as pa
from deltalake import DeltaTable

from novade_pipeline.databases.database import Session
from novade_pipeline.databases.declaration import DatabaseTable
from novade_pipeline.databases.feeds import Key
from novade_pipeline.databases.reader import read_rows
from novade_pipeline.databases.sql import select
from novade_pipeline.databases.tables import DELETED
from novade_pipeline.lake.query import sql_identifier, workspace
from novade_pipeline.lake.read import stream
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.store import Store


def differing_keys(
    session: Session,
    lake: Store,
    target: DeltaTable,
    table: Table,
    declared: DatabaseTable,
    policy: PersonalDataPolicy,
    time_zone: str,
) -> list[Key]:
    """The keys that only one of the two has, or whose changed_by differs.

    Args:
        target: the version of the lake's table.
        policy: what it does not keep is not compared.

    Raises:
        TransientFailure: the database failed meanwhile.
    """
    assert declared.changed_by is not None
    names = list(dict.fromkeys((*table.key, declared.changed_by)))
    columns = [declared.of_name(name) for name in names]
    schema = pa.schema([table.schema.field(name).with_nullable(True) for name in names])
    failures: list[BaseException] = []

    def listed() -> Iterator[pa.RecordBatch]:
        try:
            sql = select(session.database.dialect, declared, columns)
            yield from read_rows(session.database, sql, table, columns, time_zone)
        except Exception as failure:
            failures.append(failure)
            raise

    keys = [sql_identifier(name) for name in table.key]
    changed = sql_identifier(declared.changed_by)
    differs = f"or fresh.{changed} is distinct from stored.{changed}"
    if declared.changed_by in table.personal and policy.mode != "keep":
        differs = ""
    with workspace() as connection:
        connection.register("fresh", pa.RecordBatchReader.from_batches(schema, listed()))
        connection.register(
            "stored", stream(lake, table, columns=[*names, DELETED], version=target.version())
        )
        try:
            rows = connection.execute(
                f"select {', '.join(f'coalesce(fresh.{k}, stored.{k})' for k in keys)} "
                "from fresh full join (select * from stored where not is_deleted) as stored on "
                f"{' and '.join(f'fresh.{k} = stored.{k}' for k in keys)} "
                f"where fresh.{keys[0]} is null or stored.{keys[0]} is null {differs}"
            ).fetchall()
        except Exception:
            # DuckDB tells in its own words why its input ended.
            if failures:
                raise failures[0] from None
            raise
    return rows
