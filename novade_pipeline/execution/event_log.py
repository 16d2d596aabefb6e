"""Dagster's log of events in SQLite, over connections that stay open.

Dagster's own opens a database up to three times for each event, and prepares each statement anew:
of a run with little to do that was more than half of the time. With Dagster 1.13.27 a run of 729
events took 4.5 s over this log, 15.4 s over the faster of Dagster's two in SQLite and 19.8 s over
its default (`benchmarks/event_log.py`, one repetition on a busy machine). For that gain, this is
the one module that imports a part of `dagster._*`, which has no other address.

It stores events compressed, like the other databases of Dagster's home (`compressed_json`).
`dagster.yaml` names this class, so every process of one machine uses it; on Azure the log is in
PostgreSQL.
"""

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy import create_engine, event, inspect
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import StaticPool

from novade_pipeline.errors import UserError
from novade_pipeline.execution.compressed_json import compress_databases
from novade_pipeline.settings import load_settings

INDEX = "index"
"""Dagster's name of the database of all runs."""
OPEN_DATABASES = 8
"""How many databases stay open: that of all runs, and those of the latest runs."""
BUSY_SECONDS = 60
"""How long to wait for another process's lock on a database."""
PAGE_BYTES = 1024
"""Of a run's database: Dagster creates 27 tables and indexes in it, most of which stay empty."""
WAL_PAGES = 50
"""How long a database's log may be before it is written to the database."""
PLANNED_DAYS = 31
"""Of longer ranges it is one event, and not one a day, that a run plans to materialize an asset."""


class EventLog(SqliteEventLogStorage):
    """Has the same files as Dagster's own, and reads what that wrote.

    Dagster's own does not read what this wrote: it knows nothing of the compression.
    """

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        # The home: runs and schedules are beside the log.
        compress_databases(Path(base_dir).parents[1])
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        # Tables and columns that exist; `wipe` empties tables and drops none.
        self._existing: set[str] = set()
        # An engine has one connection, which threads share.
        self._lock = threading.Lock()
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "EventLog":
        """Called by Dagster with the config in `dagster.yaml`.

        Raises:
            UserError: `dagster dev` would show another home than `novade ui`.
        """
        base_dir = Path(config_value["base_dir"])
        if not base_dir.is_absolute():
            # That of a checkout, which Dagster reads where DAGSTER_HOME is not set.
            home = load_settings().dagster_home
            if base_dir.absolute() != (home / "history" / "runs").absolute():
                raise UserError(
                    f"dagster.yaml: expected Dagster's home in {base_dir.parents[1]}, found that "
                    f"the settings say {home}; set DAGSTER_HOME={home.absolute()}, or run "
                    "`novade ui`."
                )
        return cls(inst_data=inst_data, **config_value)

    def run_connection(self, run_id: str | None = None) -> AbstractContextManager[Connection]:
        """A transaction in the database of a run."""
        assert run_id is not None, "each event is of a run"
        return self._transaction(run_id)

    def index_connection(self) -> AbstractContextManager[Connection]:
        """A transaction in the database of the asset events of all runs."""
        return self._transaction(INDEX)

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        """Whether one event plans all partitions of a run."""
        return True

    def store_event(self, event: Any) -> None:
        """Stores an event; one that plans few partitions as one for each, which the page shows."""
        for stored in _planned_by_day(event):
            super().store_event(stored)

    def has_table(self, table_name: str) -> bool:
        """Whether the database of all runs has a table; called at each event, so cached."""
        if table_name not in self._existing and super().has_table(table_name):
            self._existing.add(table_name)
        return table_name in self._existing

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        """Whether its table of assets has a column; cached."""
        name = f"assets.{column_name}"
        if name not in self._existing and super()._has_asset_key_col_on_connection(
            conn, column_name
        ):
            self._existing.add(name)
        return name in self._existing

    def wipe(self) -> None:
        """Delete everything."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Close all databases."""
        super().dispose()
        self._close()

    @contextmanager
    def _transaction(self, name: str) -> Iterator[Connection]:
        with self._lock, self._engine(name).begin() as connection:
            yield connection

    def _engine(self, name: str) -> Engine:
        if name not in self._engines:
            file = Path(self.path_for_shard(name))
            is_new = not file.exists()
            if is_new:
                _create(file)
            # Dagster's own creates missing tables.
            with super().run_connection(name) as connection:
                if is_new and name != INDEX:
                    _drop_indexes(connection)
            self._engines[name] = _engine(self.conn_string_for_shard(name))
        self._engines.move_to_end(name)
        if len(self._engines) > OPEN_DATABASES:
            oldest = next(name for name in self._engines if name != INDEX)
            self._engines.pop(oldest).dispose()
        return self._engines[name]

    def _close(self) -> None:
        with self._lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


def _planned_by_day(entry: Any) -> Iterator[Any]:
    if entry.dagster_event_type == dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
        planned = entry.dagster_event.event_specific_data
        days = planned.partitions_subset
        if days is not None and len(days) <= PLANNED_DAYS:
            for day in days.get_partition_keys():
                of_day = planned._replace(partition=day, partitions_subset=None)
                yield entry._replace(
                    dagster_event=entry.dagster_event._replace(event_specific_data=of_day)
                )
            return
    yield entry


def _create(file: Path) -> None:
    """An empty database with small pages."""
    with closing(sqlite3.connect(file, BUSY_SECONDS)) as database:
        database.execute(f"pragma page_size = {PAGE_BYTES}")
        # Writes the first page, and so the size.
        database.execute("vacuum")


def _drop_indexes(connection: Connection) -> None:
    """Drops the indexes of events: in a run's database they are as large as the events."""
    for index in inspect(connection).get_indexes("event_logs"):
        connection.exec_driver_sql(f'drop index "{index["name"]}"')


def _engine(url: str) -> Engine:
    engine = create_engine(
        url,
        poolclass=StaticPool,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, record: Any) -> None:
        # In WAL mode a power cut may lose the newest events, on which the lake does not depend.
        connection.execute("pragma synchronous = normal")
        connection.execute(f"pragma wal_autocheckpoint = {WAL_PAGES}")

    return engine
