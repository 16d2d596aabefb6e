"""Histories (dbt snapshots): the only marts that cannot be rebuilt from their sources.

Before a snapshot is taken, the rows that only the published table in the lake has are restored:
after the warehouse file was lost or restored from an older copy, or when another warehouse has
published. The macros in `dbt/macros/histories.sql` then separate the states of a record.
"""

from collections.abc import Collection, Mapping
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from novade_pipeline.defs.marts.pinning import as_declared
from novade_pipeline.defs.marts.project import Project
from novade_pipeline.defs.marts.publish import mart_state
from novade_pipeline.lake import query
from novade_pipeline.lake.changes import has_changed
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.query import sql_identifier, sql_type
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store


def restore(
    connection: duckdb.DuckDBPyConnection, store: Store, project: Project, selected: Collection[str]
) -> dict[str, int]:
    """Restores the versions of records that only the lake has.

    Args:
        selected: names of the models that may be built.

    Returns:
        History that differs from the lake's table -> number of rows added or ended.
    """
    restored = {}
    for model in project.models:
        if not model.is_history or model.name not in selected:
            continue
        node = project.nodes[model.name]
        table = project.tables[model.name]
        _make_exact(connection, table)
        delta_table = open_table(store, table)
        if delta_table is None or _is_own_publication(connection, store, table, delta_table):
            continue
        query.prepare(connection, store)
        restored[model.name] = _merge_published(connection, store, table, node, delta_table)
    return restored


def _make_exact(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Converts double columns to the declared decimals, the type of the rows that dbt adds."""
    types = _types(connection, table)
    for column in table.columns:
        if pa.types.is_decimal(column.type) and types.get(column.name) == "DOUBLE":
            connection.execute(
                f"alter table marts.{sql_identifier(table.path[-1])}"
                f" alter column {sql_identifier(column.name)} set data type {sql_type(column.type)}"
            )


def _is_own_publication(
    connection: duckdb.DuckDBPyConnection, store: Store, table: Table, delta_table: DeltaTable
) -> bool:
    """Whether the lake has only what this warehouse published and still has."""
    generation, _, app_id, recorded = mart_state(connection, table.path[-1])
    stored = delta_table.transaction_version(app_id)
    if not _columns(connection, table) or stored is None or stored > generation:
        return False
    return recorded is None or not has_changed(
        store, table, recorded, delta_table.version(), app_id
    )


def _merge_published(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    table: Table,
    node: Mapping[str, Any],
    delta_table: DeltaTable,
) -> int:
    """Merges the rows of both; of two states of a record's version, the ended one wins."""
    name, mart = table.path[-1], f"marts.{sql_identifier(table.path[-1])}"
    record = sql_identifier(node["config"]["unique_key"])
    published = as_declared(connection, store, table, delta_table.version())
    app_id = mart_state(connection, name)[2]
    connection.execute("begin")
    connection.execute("create schema if not exists marts")
    connection.execute(f"create table if not exists {mart} as {published} limit 0")
    columns = ", ".join(map(sql_identifier, _columns(connection, table)))
    ended = connection.execute(
        f"update {mart} as local set valid_to = published.valid_to from ({published}) as published"
        " where local.version_id = published.version_id"
        " and local.valid_to is null and published.valid_to is not null"
    ).fetchone()
    added = connection.execute(
        f"insert into {mart} ({columns}) select {columns} from ({published})"
        f" where version_id not in (select version_id from {mart})"
    ).fetchone()
    # Each of two warehouses may have a state that the second does not have.
    connection.execute(
        f"update {mart} as local set valid_to = next.valid_from from ("
        "   select version_id, lead(valid_from) over ("
        f"     partition by {record} order by valid_from, valid_to nulls last) as valid_from"
        f"   from {mart}"
        " ) as next where local.version_id = next.version_id"
        " and local.valid_to is null and next.valid_from is not null"
    )
    assert ended is not None
    assert added is not None
    rows = int(ended[0] + added[0])
    # A new generation, for the models that read it and for the lake.
    connection.execute(
        "update novade.model set generation = greatest(generation, $2) + 1,"
        " rebuild = case when $3 > 0 then 'the lake had more rows' else rebuild end"
        " where model = $1",
        [name, delta_table.transaction_version(app_id) or 0, rows],
    )
    connection.execute("commit")
    return rows


def _columns(connection: duckdb.DuckDBPyConnection, table: Table) -> list[str]:
    """The declared columns that exist in the warehouse."""
    types = _types(connection, table)
    return [column.name for column in table.columns if column.name in types]


def _types(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[str, str]:
    """Column -> type in the warehouse; empty if the table does not exist."""
    columns = connection.execute(
        "select column_name, data_type from duckdb_columns()"
        " where schema_name = 'marts' and table_name = $1",
        [table.path[-1]],
    )
    return dict(columns.fetchall())
