"""The copy for readers, `warehouse.read.duckdb`: the published marts, in a file of its own.

Its marts are views of the Parquet files of the published tables, so it costs a few milliseconds,
holds no rows, and any DuckDB client reads it offline, without the Delta extension. Those files are
never changed, and vacuum keeps them for `NOVADE_TIME_TRAVEL_DAYS`: whoever has an older copy open
still reads what it was made from.

Of a lake that is not on the local disk a client could not read the files without credentials. There
the copy is one of the file, with its rows (of ten million events 1.5 GB, which took 4 to 6 s;
`create table as` 100 s), made only when a mart was published.
"""

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from novade_pipeline.defs.marts.pinning import as_declared, declared_columns
from novade_pipeline.errors import UserError
from novade_pipeline.lake.database_copies import reader_copy
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.duckdb_file import delete_database
from novade_pipeline.lake.query import connect, sql_identifier, sql_literal, sql_type
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.local import LocalStore
from novade_pipeline.storage.store import Store

PUBLISHED = "published"
"""A table of the copy: each mart, and which version of its table it shows."""


def update_reader_copy(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    tables: Sequence[Table],
    warehouse_path: Path,
) -> None:
    """Replaces the copy in one step, if it does not show what is published.

    Args:
        connection: to the warehouse, which no other process writes therefore.
        tables: of all marts; one that has never been published is left out.

    Raises:
        UserError: the warehouse cannot be copied.
    """
    path = reader_copy(warehouse_path)
    fresh = path.with_name(f"{path.name}.new")
    # What a killed process left may have rows of a person who was erased since.
    delete_database(fresh)
    opened: dict[Table, DeltaTable] = {}
    if isinstance(store, LocalStore):
        for table in tables:
            if (delta_table := open_table(store, table)) is not None:
                opened[table] = delta_table
        versions = {table: delta_table.version() for table, delta_table in opened.items()}
    else:
        versions = _published(connection, tables)
    if _shown(path) == (store.url, {table.name: number for table, number in versions.items()}):
        return
    if isinstance(store, LocalStore):
        _write_views(fresh, store, opened)
    else:
        _copy_rows(connection, warehouse_path, fresh, store, versions)
    _describe(fresh, store, versions)
    # The log of a client that writes into the old copy; DuckDB would replay it into the new one.
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
    fresh.replace(path)


def _published(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> dict[Table, int]:
    rows = connection.execute("select model, table_version from novade.published").fetchall()
    numbers = dict(rows)
    return {table: numbers[table.path[-1]] for table in tables if table.path[-1] in numbers}


def _shown(path: Path) -> tuple[str, dict[str, int]] | None:
    """The lake and the versions that a copy shows; None if it cannot be read."""
    with suppress(duckdb.Error), closing(duckdb.connect(str(path), read_only=True)) as connection:
        rows = connection.execute(f"from {PUBLISHED}").fetchall()
        return rows[0][0] if rows else "", {mart: version for _, mart, version in rows}
    return None


def _write_views(fresh: Path, store: Store, opened: Mapping[Table, DeltaTable]) -> None:
    # Without the warehouse's settings, so in the storage format of older clients.
    with closing(duckdb.connect(str(fresh))) as copy:
        # Each statement of its own would be written to the disk by itself.
        copy.execute("begin; create schema marts")
        for table, delta_table in opened.items():
            copy.execute(f"create view {_mart(table)} as {_of_files(store, table, delta_table)}")
        copy.execute("commit")


def _of_files(store: Store, table: Table, delta_table: DeltaTable) -> str:
    """SQL that reads the data files of a version without the Delta extension."""
    paths = pa.table(delta_table.get_add_actions(flatten=True))["path"].to_pylist()
    if not paths:
        return declared_columns(table, frozenset(), "where false")
    files = ", ".join(sql_literal(store.path(*table.path, unquote(path))) for path in paths)
    types = ", ".join(
        f"{sql_literal(name)}: {sql_type(table.schema.field(name).type)}"
        for name in delta_table.metadata().partition_columns
    )
    # Values of partition columns are in the names of folders.
    options = "hive_partitioning = false"
    if types:
        options = f"hive_partitioning = true, hive_types = {{{types}}}"
    existing = {field.name for field in delta_table.schema().fields}
    return declared_columns(table, existing, f"from read_parquet([{files}], {options})")


def _copy_rows(
    connection: duckdb.DuckDBPyConnection,
    warehouse_path: Path,
    fresh: Path,
    store: Store,
    versions: Mapping[Table, int],
) -> None:
    """A copy of the file, with nothing but the marts as they are published."""
    connection.execute("checkpoint")
    # Closing the file in this process would give up DuckDB's lock on it.
    command = ["cp", "--", str(warehouse_path), str(fresh)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise UserError(f"Warehouse: expected to copy it to {fresh}, found: {done.stderr.strip()}.")
    with closing(connect(fresh, lake=store)) as copy:
        current = dict(
            copy.execute(
                "select model, table_version from novade.published"
                " join novade.model using (model, generation)"
            ).fetchall()
        )
        kinds = _kinds(copy)
        for name in kinds.keys() - {table.path[-1] for table in versions}:
            copy.execute(f"drop {kinds[name]} marts.{sql_identifier(name)}")
        for table, version in versions.items():
            # A failed check withholds what the warehouse has.
            if (name := table.path[-1]) not in current:
                rows = as_declared(copy, store, table, version)
                if name in kinds:
                    copy.execute(f"drop {kinds[name]} {_mart(table)}")
                copy.execute(f"create table {_mart(table)} as {rows}")
        schemas = copy.execute(
            "select schema_name from duckdb_schemas() where not internal"
            " and database_name = current_database() and schema_name not in ('main', 'marts')"
        ).fetchall()
        for (schema,) in schemas:
            copy.execute(f"drop schema {sql_identifier(schema)} cascade")


def _describe(fresh: Path, store: Store, versions: Mapping[Table, int]) -> None:
    """Adds the descriptions of marts and columns, and which versions they show."""
    with closing(duckdb.connect(str(fresh))) as copy:
        kinds = _kinds(copy)
        copy.execute("begin")
        copy.execute(f"create table {PUBLISHED} (lake varchar, mart varchar, table_version bigint)")
        for table, version in versions.items():
            mart = _mart(table)
            copy.execute(
                f"insert into {PUBLISHED} values (?, ?, ?)", [store.url, table.name, version]
            )
            kind = kinds[table.path[-1]]
            copy.execute(f"comment on {kind} {mart} is {sql_literal(table.description)}")
            for column in table.columns:
                name = sql_identifier(column.name)
                text = sql_literal(column.description)
                copy.execute(f"comment on column {mart}.{name} is {text}")
        copy.execute("commit")


def _kinds(copy: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Mart -> `table` or `view`."""
    rows = copy.execute(
        "select table_name, if(table_type = 'VIEW', 'view', 'table')"
        " from information_schema.tables where table_schema = 'marts'"
    ).fetchall()
    return dict(rows)


def _mart(table: Table) -> str:
    return f"marts.{sql_identifier(table.path[-1])}"
