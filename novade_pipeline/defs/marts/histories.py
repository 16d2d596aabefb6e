"""Histories (dbt snapshots): the only marts that their sources cannot bring back.

A snapshot keeps what a source said before it changed. What the lake's published table holds and
this warehouse does not is therefore taken in before another snapshot is taken: after the file was
lost or restored from an older copy, and where another warehouse has published meanwhile. The macros
in `dbt/macros/histories.sql` then set the states of a record apart.
"""

from collections.abc import Collection, Mapping
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from novade_pipeline.defs.marts.pinning import as_declared
from novade_pipeline.defs.marts.project import Project
from novade_pipeline.defs.marts.publish import warehouse_state
from novade_pipeline.lake import query
from novade_pipeline.lake.changes import has_changed
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.query import sql_identifier, sql_type
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store


def restore(
    connection: duckdb.DuckDBPyConnection, store: Store, project: Project, selected: Collection[str]
) -> dict[str, int]:
    """Take in the versions of records that only the lake has.

    Args:
        connection: the warehouse, its books read.
        store: the lake.
        project: the dbt project.
        selected: names of the models that may be built.

    Returns:
        History -> how many rows were added or ended; of those that the lake has otherwise.
    """
    restored = {}
    for model in project.models:
        if not model.is_history or model.name not in selected:
            continue
        node = project.nodes[model.name]
        table = project.tables[model.name]
        _make_exact(connection, table)
        found = open_table(store, table)
        if found is None or _is_ours(connection, store, table, found):
            continue
        query.prepare(connection, store)
        restored[model.name] = _take_in(connection, store, table, node, found)
    return restored


def _make_exact(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Let columns of doubles be the decimals that are declared, as which dbt adds to them."""
    held = _types(connection, table)
    for column in table.columns:
        if pa.types.is_decimal(column.type) and held.get(column.name) == "DOUBLE":
            connection.execute(
                f"alter table marts.{sql_identifier(table.path[-1])}"
                f" alter column {sql_identifier(column.name)} set data type {sql_type(column.type)}"
            )


def _is_ours(
    connection: duckdb.DuckDBPyConnection, store: Store, table: Table, found: DeltaTable
) -> bool:
    """Whether the lake holds nothing but what this warehouse published and still has."""
    generation, _, app_id, noted = warehouse_state(connection, table.path[-1])
    held = found.transaction_version(app_id)
    if not _columns(connection, table) or held is None or held > generation:
        return False
    return noted is None or not has_changed(store, table, noted, found.version(), app_id)


def _take_in(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    table: Table,
    node: Mapping[str, Any],
    found: DeltaTable,
) -> int:
    """The rows of both; of two states of a version of a record, the one that has ended."""
    name, mart = table.path[-1], f"marts.{sql_identifier(table.path[-1])}"
    record = sql_identifier(node["config"]["unique_key"])
    published = as_declared(connection, store, table, found.version())
    app_id = warehouse_state(connection, name)[2]
    connection.execute("begin")
    connection.execute("create schema if not exists marts")
    connection.execute(f"create table if not exists {mart} as {published} limit 0")
    columns = ", ".join(map(sql_identifier, _columns(connection, table)))
    ended = connection.execute(
        f"update {mart} as here set valid_to = there.valid_to from ({published}) as there"
        " where here.version_id = there.version_id"
        " and here.valid_to is null and there.valid_to is not null"
    ).fetchone()
    added = connection.execute(
        f"insert into {mart} ({columns}) select {columns} from ({published})"
        f" where version_id not in (select version_id from {mart})"
    ).fetchone()
    # Two warehouses may each have seen a state that the other has not.
    connection.execute(
        f"update {mart} as here set valid_to = next.valid_from from ("
        "   select version_id, lead(valid_from) over ("
        f"     partition by {record} order by valid_from, valid_to nulls last) as valid_from"
        f"   from {mart}"
        " ) as next where here.version_id = next.version_id"
        " and here.valid_to is null and next.valid_from is not null"
    )
    assert ended is not None
    assert added is not None
    rows = int(ended[0] + added[0])
    # Those that read it are to see it, and the lake is to have what comes of it; a snapshot sets
    # the states of both apart.
    connection.execute(
        "update novade.model set generation = greatest(generation, $2) + 1,"
        " rebuild = case when $3 > 0 then 'the lake had more of it' else rebuild end"
        " where model = $1",
        [name, found.transaction_version(app_id) or 0, rows],
    )
    connection.execute("commit")
    return rows


def _columns(connection: duckdb.DuckDBPyConnection, table: Table) -> list[str]:
    """The declared columns that the warehouse has of it; none where it is not there."""
    held = _types(connection, table)
    return [column.name for column in table.columns if column.name in held]


def _types(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[str, str]:
    """Column -> its type, of what the warehouse has of it."""
    found = connection.execute(
        "select column_name, data_type from duckdb_columns()"
        " where schema_name = 'marts' and table_name = $1",
        [table.path[-1]],
    )
    return dict(found.fetchall())
