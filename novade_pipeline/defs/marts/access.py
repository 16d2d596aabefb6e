"""The right that the marts need: to write the warehouse file and its folder."""

import tempfile
from collections.abc import Iterator

from novade_pipeline.errors import UserError
from novade_pipeline.graph.access import Probe
from novade_pipeline.settings import Settings

# Source: https://duckdb.org/docs/stable/internals/storage, the main header: a checksum, and these.
_MARK = b"DUCK"
_HEAD = 12


def probes(settings: Settings) -> Iterator[Probe]:
    """The probe of the warehouse, without a lock, since a run may be in progress."""
    path = settings.warehouse_path
    remedy = "set NOVADE_WAREHOUSE_PATH to a writable location"

    def write() -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        # DuckDB writes its log beside the file.
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        if not path.exists():
            return "The file can be created."
        with path.open("r+b") as file:
            head = file.read(_HEAD)
        if not head.endswith(_MARK):
            raise UserError(
                f"Warehouse {path}: expected a DuckDB database, found another file; {remedy}."
            )
        return "The file can be written."

    yield Probe("warehouse", "write", "Marts are built.", f"Warehouse {path}", remedy, write)


def not_configured(settings: Settings) -> dict[str, str]:
    """Nothing: the warehouse has a default path."""
    return {}
