"""A DuckDB file that has one writer: waiting for it, rewriting it, deleting it.

DuckDB lets one process write a file, or several read it: whoever has it open, even to read, keeps
the writer out. So the writer waits, and readers have a copy.
"""

import shutil
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import duckdb

from novade_pipeline.lake.database_copies import reader_copy
from novade_pipeline.lake.query import (
    DatabaseHeldError,
    open_database,
    prepare,
    sql_identifier,
    sql_literal,
)
from novade_pipeline.storage.store import Store

POLL_SECONDS = 0.5
NO_WAIT = timedelta(0)


def open_when_free(
    path: Path,
    patience: timedelta = NO_WAIT,
    on_wait: Callable[[str], None] = lambda message: None,
    *,
    read_only: bool = False,
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file as soon as no other process holds it.

    Args:
        patience: how long to wait.
        on_wait: receives one sentence, if it waits.

    Raises:
        DatabaseHeldError: another process has held the file for all of that time.
        UserError: it is not a DuckDB database.
    """
    ends_at = time.monotonic() + patience.total_seconds()
    waits = False
    while True:
        try:
            return open_database(path, read_only=read_only)
        except DatabaseHeldError as error:
            remaining = ends_at - time.monotonic()
            if remaining <= 0:
                waited = f"after {_minutes(patience)}" if patience else ""
                raise DatabaseHeldError(path, error.holder, waited) from None
            if not waits:
                on_wait(_sentence(path, error.holder, patience))
                waits = True
        time.sleep(min(POLL_SECONDS, remaining))


def rewrite_database(
    path: Path,
    lake: Store,
    patience: timedelta = NO_WAIT,
    on_wait: Callable[[str], None] = lambda message: None,
) -> None:
    """Copy what a DuckDB file holds into a new one, which takes its place at once or not at all.

    Rows that are deleted leave their bytes in the pages of the old one. Nothing happens where there
    is no file.

    Raises:
        UserError: as `open_when_free`.
    """
    fresh = path.with_name(f"{path.name}.rewritten")
    delete_database(fresh)
    if not path.exists():
        return
    with closing(open_when_free(path, patience, on_wait)) as connection:
        # Views on the lake are copied too, and looked at when they are.
        prepare(connection, lake)
        row = connection.execute("select current_database()").fetchone()
        assert row is not None
        connection.execute(f"attach {sql_literal(str(fresh))} as rewritten")
        connection.execute(f"copy from database {sql_identifier(row[0])} to rewritten")
        connection.execute("detach rewritten")
        connection.execute("checkpoint")
        fresh.replace(path)
    # What the old one spilled, when it was killed.
    shutil.rmtree(path.with_name(f"{path.name}.tmp"), ignore_errors=True)


def delete_database(path: Path) -> None:
    """Delete a DuckDB file with its log and what it spilled; where it is missing, nothing."""
    for name in (path.name, f"{path.name}.wal"):
        path.with_name(name).unlink(missing_ok=True)
    shutil.rmtree(path.with_name(f"{path.name}.tmp"), ignore_errors=True)


def _sentence(path: Path, holder: str, patience: timedelta) -> str:
    return (
        f"Waiting up to {_minutes(patience)} (NOVADE_WAREHOUSE_WAIT_MINUTES) for {path}, which is "
        f"held by {holder}; close it there, and read {reader_copy(path).name} instead."
    )


def _minutes(patience: timedelta) -> str:
    minutes = f"{patience / timedelta(minutes=1):.3g}"
    return f"{minutes} minute{'' if minutes == '1' else 's'}"
