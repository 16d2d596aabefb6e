"""What warehouse and lake store of the marts."""

from contextlib import closing
from typing import Any

from deltalake import DeltaTable

from novade_pipeline.lake.query import open_database

World = Any


def query_warehouse(world: World, sql: str) -> list[Any]:
    """Rows of a query of the warehouse."""
    with closing(open_database(world.warehouse)) as connection:
        return connection.execute(sql).fetchall()


def published_versions(world: World) -> dict[str, int]:
    """Mart -> the version that the lake has of it."""
    names = {entry.file.split("/")[1] for entry in world.lake.entries("marts/")}
    return {name: published_table(world, "marts", name).version() for name in names}


def published_table(world: World, *path: str) -> DeltaTable:
    """A table of the lake, as delta-rs opens it."""
    return DeltaTable(world.lake.table_url(*path), storage_options=world.lake.options())
