"""What the marts need: the file that holds them, and its folder."""

import tempfile
from collections.abc import Iterator

from novade_pipeline.errors import UserError
from novade_pipeline.graph.access import Probe
from novade_pipeline.settings import Settings

# Source: https://duckdb.org/docs/stable/internals/storage, the main header: a checksum, and these.
_MARK = b"DUCK"
_HEAD = 12


def probes(settings: Settings) -> Iterator[Probe]:
    """The probe of the warehouse; it takes no lock, since a run may be at work on the file."""
    path = settings.warehouse_path
    mend = "set NOVADE_WAREHOUSE_PATH to a place that can be written"

    def write() -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        # DuckDB keeps its log beside the file.
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        if not path.exists():
            return "It can be made."
        with path.open("r+b") as file:
            head = file.read(_HEAD)
        if not head.endswith(_MARK):
            raise UserError(
                f"Warehouse {path}: expected a DuckDB database, found another file; {mend}."
            )
        return "It can be written."

    yield Probe("warehouse", "write", "Marts are built.", f"Warehouse {path}", mend, write)
