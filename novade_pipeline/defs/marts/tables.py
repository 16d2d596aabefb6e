"""The published tables of the marts."""

from pathlib import Path

from novade_pipeline.lake.table import Table


def mart_tables(warehouse_path: Path) -> list[Table]:
    """Returns the tables of all marts; `warehouse_path` is the DuckDB file."""
    # The project imports every domain's `tables`, this module among them.
    from novade_pipeline.defs.marts.project import prepared_project

    return list(prepared_project(warehouse_path).tables.values())
