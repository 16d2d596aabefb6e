"""Probes of a database: the connection, and for each table the rights that its mode needs."""

from collections.abc import Iterator

from novade_pipeline.databases.declaration import DatabaseTable, DatabaseTables
from novade_pipeline.databases.feed_of import feed_of
from novade_pipeline.databases.reflection import drift, reflect
from novade_pipeline.databases.sql import select
from novade_pipeline.graph.access import Probe
from novade_pipeline.graph.database_settings import DatabaseSettings


def database_probes(
    domain: str, declared: DatabaseTables, access: DatabaseSettings
) -> Iterator[Probe]:
    """Yields the probes of a domain's database; none where it is not configured."""
    if access.missing:
        return
    database = access.database
    location = f"Database {database.location}"

    def connect() -> str:
        with database.session() as session:
            session.query("SELECT 1")
        return f"The database answers {database.user}."

    remedy = f"set {access.url_variable}"
    yield Probe(domain, "connect", "Tables are read.", location, remedy, connect)
    for table in declared.tables:
        yield _read_probe(domain, table, access)
        if table.mode == "changes":
            yield _follow_probe(domain, table, declared, access)


def database_not_configured(domain: str, access: DatabaseSettings) -> dict[str, str]:
    """Says what to set where the database is not read."""
    return {domain: f"Set {access.url_variable} to read its tables."} if access.missing else {}


def _read_probe(domain: str, table: DatabaseTable, access: DatabaseSettings) -> Probe:
    database = access.database

    def read() -> str:
        with database.session() as session:
            gone = drift(table, reflect(session, table)).absent
            columns = [column for column in table.columns if column.name not in gone]
            sql = select(database.dialect, table, columns, "1 = 0")
            session.query(sql, f"to read {table.table}")
        return f"Table {table.table} can be read."

    location = f"Table {table.table} at {database.location}"
    purpose, remedy = f"{domain}/{table.lake_name} is loaded.", f"GRANT SELECT to {database.user}"
    return Probe(domain, f"read_{table.lake_name}", purpose, location, remedy, read)


def _follow_probe(
    domain: str, table: DatabaseTable, declared: DatabaseTables, access: DatabaseSettings
) -> Probe:
    database = access.database

    def follow() -> str:
        with database.session() as session:
            feed = feed_of(session, declared)
            assert feed is not None
            feed.check(table)
        return f"Changes of {table.table} are recorded."

    location = f"Table {table.table} at {database.location}"
    purpose, remedy = "Only changes are read.", "declare another mode in defs.yaml"
    return Probe(domain, f"follow_{table.lake_name}", purpose, location, remedy, follow)
