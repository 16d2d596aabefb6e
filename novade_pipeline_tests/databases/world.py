"""A database of its own in a real server, and a lake that its tables are loaded into."""

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from novade_pipeline.databases.database import Database
from novade_pipeline.databases.declaration import DatabaseTables
from novade_pipeline.databases.load import Loader, LoadReport
from novade_pipeline.databases.logical_decoding import LogicalDecoding
from novade_pipeline.databases.reflection import reflect
from novade_pipeline.databases.tables import lake_table
from novade_pipeline.lake.read import read
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.sandbox.database_servers import DatabaseServer
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store

ADDED = ("is_deleted", "row_version")


@dataclass
class World:
    """A database, the tables declared of it, and a lake."""

    server: DatabaseServer
    name: str
    lake: Store
    connection: Any
    tables: list[dict[str, Any]] = field(default_factory=list)
    time_zone: str = "UTC"
    policy: PersonalDataPolicy = field(default_factory=PersonalDataPolicy)

    @staticmethod
    @contextmanager
    def new(
        server: DatabaseServer, folder: Path, options: str = "", name: str | None = None
    ) -> Iterator["World"]:
        """Make a database, which is gone afterwards, with its slots."""
        name = name or f"t_{uuid.uuid4().hex[:12]}"
        with closing(psycopg2.connect(server.url("postgres"))) as admin:
            admin.autocommit = True
            with admin.cursor() as cursor:
                cursor.execute(f"create database {name} {options}")
            connection = psycopg2.connect(server.url(name))
            connection.autocommit = True
            try:
                yield World(server, name, store(str(folder / "lake")), connection)
            finally:
                connection.close()
                with admin.cursor() as cursor:
                    cursor.execute(
                        "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
                        f"where database = '{name}'"
                    )
                    cursor.execute(f"drop database {name} with (force)")

    @property
    def database(self) -> Database:
        """As the loader sees it."""
        return Database(self.server.url(self.name), "NOVADE_ERP_URL")

    @property
    def declared(self) -> DatabaseTables:
        """The declaration; slots are the server's, so that each database has its own."""
        return DatabaseTables.model_validate(
            {"tables": self.tables, "slot": self.name, "time_zone": self.time_zone}
        )

    def execute(self, *statements: str) -> None:
        """Run statements, each in a transaction of its own."""
        with self.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def declare(self, table: str, key: str | list[str] = "id", **options: Any) -> None:
        """Declare a table with the columns that the database has."""
        keys = [key] if isinstance(key, str) else key
        draft = {
            "table": table,
            "key": keys,
            "columns": [{"name": k, "type": "text"} for k in keys],
        }
        probe = DatabaseTables.model_validate({"tables": [draft]}).tables[0]
        with self.database.session() as session:
            reflected = reflect(session, probe).columns
        marks = options.pop("marks", {})
        described = [
            column.model_dump(exclude_defaults=True) | marks.get(column.name, {})
            for column in reflected
        ]
        if any(t["table"] == table for t in self.tables):
            self.tables = [t for t in self.tables if t["table"] != table]
        self.tables.append({"table": table, "key": keys, "columns": described, **options})

    def load(self, table: str | None = None) -> LoadReport:
        """Load a table, or all of them; the report of the last."""
        declared = self.declared
        with self.database.session() as session:
            feed = LogicalDecoding(session, declared)
            loader = Loader("erp", session, declared, self.lake, self.policy, feed)
            reports = [loader.load(t) for t in declared.tables if table in (None, t.table)]
            loader.release()
        return reports[-1]

    def stored(self, table: str, *, deleted: bool = False) -> list[dict[str, Any]]:
        """The lake's rows without the columns that it adds, in the order of the key."""
        (declared,) = [t for t in self.declared.tables if t.table == table]
        rows = read(self.lake, lake_table("erp", declared)).to_pylist()
        chosen = [row for row in rows if row["is_deleted"] == deleted]
        for row in chosen:
            for name in ADDED:
                del row[name]
        return sorted(chosen, key=lambda row: tuple(row[name] for name in declared.key))
