"""What dbt is told before it starts: which version of each source to read, and what changed."""

from collections.abc import Mapping, Sequence

import duckdb

from novade_pipeline.defs.marts.dbt_sources import SOURCES, source_name
from novade_pipeline.defs.marts.warehouse import Books, Model, Version
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
    """Make each dbt source a view of one version of its table, and write down which."""
    connection.execute("begin")
    for table in tables:
        name = source_name(table)
        schema = sql_identifier(table.path[0])
        view = as_declared(connection, store, table, versions[name].number)
        connection.execute(f"create schema if not exists {schema}")
        # Quoted: salesforce.order is a word of SQL's.
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
    """SQL that reads a version of a table with the columns that the code declares.

    A declared column that the table does not have yet, or a table that is not there (-1), is null.
    """
    there: set[str] = set()
    source = ""
    if version >= 0:
        source = f"from {scan(store, table, version)}"
        there = {row[0] for row in connection.execute(f"describe select * {source}").fetchall()}
    columns = (
        f"{sql_identifier(c.name) if c.name in there else 'null'}::{sql_type(c.type)}"
        f" as {sql_identifier(c.name)}"
        for c in table.columns
    )
    return f"select {', '.join(columns)} {source or 'where false'}"


def prepare(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    books: Books,
    models: Sequence[Model],
    reasons: Mapping[str, str],
    versions: Mapping[str, Version],
    *,
    rebuild: bool = False,
) -> None:
    """Write down, for each model that is about to be built, which windows changed, or why all did.

    Args:
        connection: the warehouse.
        store: the lake.
        books: as read before the invocation.
        models: all models.
        reasons: the models that are about to be built, as `warehouse.pending` found them.
        versions: the pinned version of each source.
        rebuild: build them whole.
    """
    connection.execute("begin")
    for model in models:
        if model.name not in reasons:
            continue
        why, windows = _what_changed(store, books, model, versions)
        if rebuild:
            why = "a rebuild was asked for"
        connection.execute(
            "update novade.model set wanted_code = $2, rebuild = $3 where model = $1",
            [model.name, model.code, why],
        )
        connection.execute("delete from novade.changed_windows where model = $1", [model.name])
        if why is None and windows:
            connection.executemany(
                "insert into novade.changed_windows values ($1, $2, $3)",
                [[model.name, window.start, window.end] for window in windows],
            )
    connection.execute("commit")


def _what_changed(
    store: Store, books: Books, model: Model, versions: Mapping[str, Version]
) -> tuple[str | None, list[Window]]:
    """Why the model has to be built whole, if it has, and else the windows that changed."""
    if model.name in books.rebuild:
        return books.rebuild[model.name], []
    if not model.incremental or not books.is_built(model.name):
        return None, []
    if books.codes.get(model.name) != model.code:
        return "its code has changed", []
    changed: list[Window] = []
    for table in SOURCES:
        source = source_name(table)
        if source not in model.sources:
            continue
        taken = books.taken_in.get((model.name, source), Version(-1))
        now = versions[source]
        if now.has_rows_of(taken):
            continue
        if source in model.whole_when_changed:
            return f"{source} has changed", []
        if table.window is None:
            continue
        windows = _windows_since(store, table, taken, now)
        if isinstance(windows, Everything):
            return f"the log of {source} does not reach back to version {taken.number}", []
        changed += windows
    return None, joined(changed)


def _windows_since(
    store: Store, table: Table, taken: Version, now: Version
) -> list[Window] | Everything:
    if taken.number < 0 or taken.table_id != now.table_id:
        return EVERYTHING
    return changed_windows(store, table, taken.number, now.number)
