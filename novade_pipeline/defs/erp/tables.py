"""The lake's tables of the database, as `defs.yaml` declares them."""

from pathlib import Path

from novade_pipeline.databases.declaration_file import lake_tables
from novade_pipeline.lake.table import Table

DECLARATION = Path(__file__).with_name("defs.yaml")


def __getattr__(name: str) -> tuple[Table, ...]:
    if name in ("TABLES", "MART_SOURCES"):
        return lake_tables(DECLARATION)
    raise AttributeError(name)
