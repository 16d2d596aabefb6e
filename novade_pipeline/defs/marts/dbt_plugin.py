"""dbt-duckdb's way to prepare its connections: what reads the lake, from its installed wheels.

`dbt/profiles.yml` names this module. dbt-duckdb's own `extensions:` setting installs, that is
copies 80 MB into the home directory, before it loads; its `secrets:` would have to be written down.
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
def reading(lake: Store) -> Iterator[None]:
    """The connections that dbt opens meanwhile, in this process, read this lake."""
    _lakes.append(lake)
    try:
        yield
    finally:
        _lakes.pop()


class Plugin(BasePlugin):
    """Makes each database that dbt opens read the lake; the one of the settings by default."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Called by dbt-duckdb with what `dbt/profiles.yml` says."""
        self._settings = plugin_config

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Called by dbt-duckdb, once for a database."""
        prepare(conn, _lakes[-1] if _lakes else load_settings().lake)
        limit(conn)
        for name, value in self._settings.items():
            conn.execute(f"SET GLOBAL {name} = {sql_literal(str(value))}")
        # It would be drawn over what the run tells. There is no global setting; cursors take it on.
        conn.execute("SET enable_progress_bar = false")
