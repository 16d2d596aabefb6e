"""dbt-duckdb's way to prepare its connections: the Delta extension, from its installed wheel.

`dbt/profiles.yml` names this module. dbt-duckdb's own `extensions:` setting installs, that is
copies 80 MB into the home directory, before it loads.
"""

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from novade_pipeline.lake.query import prepare


class Plugin(BasePlugin):
    """Makes each database that dbt opens read the lake."""

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Called by dbt-duckdb, once for a database."""
        prepare(conn)
