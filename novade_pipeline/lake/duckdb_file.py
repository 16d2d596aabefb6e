"""A DuckDB file without what was deleted from it: rows that go leave their bytes in its pages."""

import shutil
from contextlib import closing
from pathlib import Path

from novade_pipeline.lake.query import connect, sql_identifier, sql_literal
from novade_pipeline.storage.store import Store


def rewrite_database(path: Path, lake: Store) -> None:
    """Copy what a DuckDB file holds into a new one, which takes its place at once or not at all.

    Nothing happens where there is no file.

    Raises:
        UserError: another process holds it.
    """
    fresh = path.with_name(f"{path.name}.rewritten")
    _remove(fresh)
    if not path.exists():
        return
    # Views on the lake are copied too, and looked at when they are.
    with closing(connect(path, lake=lake)) as connection:
        row = connection.execute("select current_database()").fetchone()
        assert row is not None
        connection.execute(f"attach {sql_literal(str(fresh))} as rewritten")
        connection.execute(f"copy from database {sql_identifier(row[0])} to rewritten")
        connection.execute("detach rewritten")
        connection.execute("checkpoint")
        fresh.replace(path)
    # What the old one spilled, when it was killed.
    shutil.rmtree(path.with_name(f"{path.name}.tmp"), ignore_errors=True)


def _remove(path: Path) -> None:
    for name in (path.name, f"{path.name}.wal"):
        path.with_name(name).unlink(missing_ok=True)
