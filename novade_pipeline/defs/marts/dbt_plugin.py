"""A dbt-duckdb plugin, named in `dbt/profiles.yml`, that lets dbt's connections read the lake.

dbt-duckdb's `extensions:` would copy 80 MB of extensions into the home directory; its `secrets:`
would have to be written to a file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from novade_pipeline.lake.query import limit, prepare, sql_literal
from novade_pipeline.settings import load_settings
from novade_pipeline.storage.store import Store

_lakes: list[Store] = []


@contextmanager
def use_lake(lake: Store) -> Iterator[None]:
    """Lets the connections that dbt opens in this process read this lake."""
    _lakes.append(lake)
    try:
        yield
    finally:
        _lakes.pop()


class Plugin(BasePlugin):
    """Lets each database that dbt opens read the lake; by default that of the settings."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Called by dbt-duckdb with the config in `dbt/profiles.yml`."""
        self._settings = plugin_config

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Called by dbt-duckdb, once for each database."""
        prepare(conn, _lakes[-1] if _lakes else load_settings().lake)
        limit(conn)
        for name, value in self._settings.items():
            conn.execute(f"SET GLOBAL {name} = {sql_literal(str(value))}")
        # There is no global setting; cursors inherit it.
        conn.execute("SET enable_progress_bar = false")
