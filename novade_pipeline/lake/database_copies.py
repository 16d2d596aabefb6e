"""The copies beside a DuckDB file that has one writer, by name."""

from pathlib import Path

WORKING_COPY = "warehouse_dev.duckdb"
"""The name in `dbt/profiles.yml`, after which dbt names the database."""


def reader_copy(path: Path) -> Path:
    """Where the copy for readers is: `warehouse.read.duckdb`."""
    return path.with_name(f"{path.stem}.read{path.suffix}")


def working_copy(path: Path) -> Path:
    """Where the copy is that `dbt` by hand writes."""
    return path.with_name(WORKING_COPY)
