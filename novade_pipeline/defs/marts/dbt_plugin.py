"""A dbt-duckdb plugin, named in `dbt/profiles.yml`, that lets dbt's connections read the lake.

dbt-duckdb's `extensions:` would copy 80 MB of extensions into the home directory; its `secrets:`
would have to be written to a file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.events.logging import AdapterLogger
from dbt_common.exceptions import DbtRuntimeError
from duckdb import DuckDBPyConnection

from novade_pipeline.errors import TransientFailure, UserError
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
        self._is_by_hand = plugin_config["by_hand"]
        self._settings = plugin_config["settings"]

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Called by dbt-duckdb before it opens the database."""
        if not self._is_by_hand:
            return
        from novade_pipeline.defs.marts.by_hand import WorkingCopy

        with _reported_by_dbt():
            self._copy = WorkingCopy.of_settings(AdapterLogger("novade").info)
        creds.path = str(self._copy.path)

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Called by dbt-duckdb, once for each database."""
        if self._is_by_hand:
            lake = self._copy.lake
        else:
            lake = _lakes[-1] if _lakes else load_settings().lake
        prepare(conn, lake)
        limit(conn)
        for name, value in self._settings.items():
            conn.execute(f"SET GLOBAL {name} = {sql_literal(str(value))}")
        # There is no global setting; cursors inherit it.
        conn.execute("SET enable_progress_bar = false")
        if self._is_by_hand:
            with _reported_by_dbt():
                self._copy.prepare(conn)


@contextmanager
def _reported_by_dbt() -> Iterator[None]:
    """Of its own errors dbt prints the message, of others a stack trace."""
    try:
        yield
    except (UserError, TransientFailure) as error:
        raise DbtRuntimeError(str(error)) from None
