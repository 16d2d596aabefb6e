"""Prepares a dbt invocation: the version of each source to read, and the changed windows."""

from collections.abc import Collection, Mapping, Sequence

import duckdb

from novade_pipeline.defs.marts.dbt_sources import SOURCES, source_name
from novade_pipeline.defs.marts.warehouse import Model, Version, WarehouseState
from novade_pipeline.lake.changed_windows import changed_windows, joined
from novade_pipeline.lake.changes import EVERYTHING, Everything
from novade_pipeline.lake.query import scan, sql_identifier, sql_type
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage.store import Store


def pin(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    tables: Sequence[Table],
    versions: Mapping[str, Version],
) -> None:
    """Makes each dbt source a view of one version of its table, and records the version."""
    connection.execute("begin")
    for table in tables:
        name = source_name(table)
        schema = sql_identifier(table.path[0])
        view = as_declared(connection, store, table, versions[name].number)
        connection.execute(f"create schema if not exists {schema}")
        # Quoted, since salesforce.order is a keyword.
        connection.execute(
            f"create or replace view {schema}.{sql_identifier(table.path[-1])} as {view}"
        )
    connection.execute("delete from novade.pinned")
    if versions:
        connection.executemany(
            "insert into novade.pinned values ($1, $2, $3)",
            [[name, version.number, version.table_id] for name, version in versions.items()],
        )
    connection.execute("commit")


def as_declared(
    connection: duckdb.DuckDBPyConnection, store: Store, table: Table, version: int
) -> str:
    """SQL that reads a version of a table with the declared columns.

    A column that does not exist yet is null; version -1, of no table, has no rows.
    """
    existing: set[str] = set()
    source = ""
    if version >= 0:
        source = f"from {scan(store, table, version)}"
        existing = {row[0] for row in connection.execute(f"describe select * {source}").fetchall()}
    return declared_columns(table, existing, source or "where false")


def declared_columns(table: Table, existing: Collection[str], source: str) -> str:
    """SQL of the declared columns of what follows `select …`; one that does not exist is null."""
    columns = (
        f"{sql_identifier(c.name) if c.name in existing else 'null'}::{sql_type(c.type)}"
        f" as {sql_identifier(c.name)}"
        for c in table.columns
    )
    return f"select {', '.join(columns)} {source}"


def prepare(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    state: WarehouseState,
    models: Sequence[Model],
    reasons: Mapping[str, str],
    versions: Mapping[str, Version],
    *,
    rebuild: bool = False,
) -> None:
    """Records, for each model to build, its changed windows or the reason for a full build.

    Args:
        state: of the warehouse before the invocation.
        reasons: the models to build, as `warehouse.pending` returns them.
        versions: the pinned version of each source.
        rebuild: build all rows.
    """
    connection.execute("begin")
    for model in models:
        if model.name not in reasons:
            continue
        reason, windows = _what_changed(store, state, model, versions)
        if rebuild:
            reason = "a rebuild was requested"
        connection.execute(
            "update novade.model set wanted_code = $2, rebuild = $3 where model = $1",
            [model.name, model.code, reason],
        )
        connection.execute("delete from novade.changed_windows where model = $1", [model.name])
        if reason is None and windows:
            connection.executemany(
                "insert into novade.changed_windows values ($1, $2, $3)",
                [[model.name, window.start, window.end] for window in windows],
            )
    connection.execute("commit")


def _what_changed(
    store: Store, state: WarehouseState, model: Model, versions: Mapping[str, Version]
) -> tuple[str | None, list[Window]]:
    """The reason for a full build, or None and the changed windows."""
    if model.name in state.rebuild:
        return state.rebuild[model.name], []
    if not model.incremental or not state.is_built(model.name):
        return None, []
    if state.codes.get(model.name) != model.code:
        return "its code has changed", []
    changed: list[Window] = []
    for table in SOURCES:
        source = source_name(table)
        if source not in model.sources:
            continue
        taken_in = state.taken_in.get((model.name, source), Version(-1))
        current = versions[source]
        if current.has_rows_of(taken_in):
            continue
        if source in model.whole_when_changed:
            return f"{source} has changed", []
        if table.window is None:
            continue
        windows = _windows_since(store, table, taken_in, current)
        if isinstance(windows, Everything):
            return f"the log of {source} does not reach back to version {taken_in.number}", []
        changed += windows
    return None, joined(changed)


def _windows_since(
    store: Store, table: Table, taken_in: Version, current: Version
) -> list[Window] | Everything:
    if taken_in.number < 0 or taken_in.table_id != current.table_id:
        return EVERYTHING
    return changed_windows(store, table, taken_in.number, current.number)
