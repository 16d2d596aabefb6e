"""What `dbt` typed by a person works on: a copy of the warehouse, with the newest sources.

The warehouse itself is written by runs alone, which pin its sources and record with each mart what
it is built from. The copy is made once and stays, so that `dbt test` sees what `dbt run` built;
nothing reads it but dbt, and deleting it makes the next command begin with a new one.
"""

import shutil
from collections.abc import Callable
from contextlib import chdir, closing
from dataclasses import dataclass
from pathlib import Path

import duckdb

from novade_pipeline.defs.marts.dbt_sources import SOURCES
from novade_pipeline.defs.marts.pinning import pin
from novade_pipeline.defs.marts.warehouse import Model, read_state, source_versions
from novade_pipeline.errors import UserError
from novade_pipeline.graph.project_files import project_file
from novade_pipeline.lake.database_copies import working_copy
from novade_pipeline.lake.duckdb_file import delete_database, open_when_free
from novade_pipeline.settings import load_settings
from novade_pipeline.storage.store import Store

DBT_DIR = project_file("dbt")


@dataclass(frozen=True)
class WorkingCopy:
    """The copy of the warehouse that dbt writes, and the lake that it reads."""

    path: Path
    lake: Store

    @classmethod
    def of_settings(cls, log: Callable[[str], None]) -> "WorkingCopy":
        """Copies the warehouse of the settings, if there is no copy yet.

        Relative paths begin, and `.env` is, where `novade` is called: beside the folder `dbt`.

        Args:
            log: receives one sentence that says which file dbt works on.

        Raises:
            UserError: the settings are wrong, there is no warehouse, or another process holds it.
        """
        with chdir(DBT_DIR.parent if Path.cwd().is_relative_to(DBT_DIR) else Path.cwd()):
            settings = load_settings()
            warehouse, lake = settings.warehouse_path.absolute(), settings.lake
        path = working_copy(warehouse)
        if path.exists():
            log(f"dbt works on {path}, a copy of the warehouse; delete it to begin with a new one.")
            return cls(path, lake)
        if not warehouse.is_file():
            raise UserError(
                f"dbt: expected the warehouse {warehouse}, found none; run `make run` or "
                "`novade run` first."
            )
        # Open, so that no run begins to write it meanwhile.
        with closing(open_when_free(warehouse, settings.warehouse_patience, log, read_only=True)):
            _copy(warehouse, path)
        log(f"dbt works on {path}, a new copy of {warehouse.name}, which it leaves alone.")
        return cls(path, lake)

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Pins the newest sources, and makes dbt build and test all rows of what is selected.

        What a person has changed in a model is unknown here, so no model is built in part.
        """
        files = [
            file for name in ("models", "snapshots") for file in (DBT_DIR / name).rglob("*.sql")
        ]
        read_state(connection, [Model(file.stem, (), (), "", incremental=False) for file in files])
        pin(connection, self.lake, SOURCES, source_versions(self.lake, SOURCES))
        connection.execute("update novade.model set rebuild = 'dbt was run by hand'")
        connection.execute("delete from novade.check_scope")


def _copy(source: Path, target: Path) -> None:
    """A copy with the log that a killed process has left, in place in one step."""
    fresh = target.with_name(f"{target.name}.new")
    delete_database(fresh)
    shutil.copyfile(source, fresh)
    log = source.with_name(f"{source.name}.wal")
    if log.exists():
        shutil.copyfile(log, target.with_name(f"{target.name}.wal"))
    fresh.replace(target)
