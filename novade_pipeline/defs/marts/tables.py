"""The tables of the marts, as they are published."""

from pathlib import Path

from novade_pipeline.lake.table import Table


def mart_tables(warehouse_path: Path) -> list[Table]:
    """All marts, as they are published; `warehouse_path` is the DuckDB file."""
    # The project knows the sources, and so every domain's tables: this module is one of them.
    from novade_pipeline.defs.marts.project import prepared_project

    return list(prepared_project(warehouse_path).tables.values())
