"""A lake that can be made as large as a test wants, and the erasure of somebody in it.

Every tenth row is somebody's, so that no file and no row group is without one.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from pydantic import BaseModel

from novade_pipeline.defs.erasure.erase import ErasureScope
from novade_pipeline.lake.delta import replace
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.marks import Identity
from novade_pipeline.settings import Settings, load_settings
from novade_pipeline.storage.store import Store

ADA = "ada@example.com"
DAY = datetime(2026, 3, 1, tzinfo=UTC)
ROWS_A_BATCH = 1_000


class Event(BaseModel):
    """An event with much to say."""

    day: str
    hour: datetime
    uuid: str
    user: Annotated[str, Identity("user")]
    device: Annotated[str, Identity("device", shared=True)]
    note: str


class Verdict(BaseModel):
    """What is thought of an event."""

    day: str
    hour: datetime
    uuid: str
    verdict: str


EVENTS = Table("x/events", Event, ("hour", "uuid"), "replace", partition_by=("day",))
VERDICTS = Table(
    "x/verdicts", Verdict, ("hour", "uuid"), "replace", partition_by=("day",), follows="x/events"
)
GRAPH = ErasureScope(
    tables={table.name: table for table in (EVENTS, VERDICTS)},
    marts=(),
    sources=(),
    require_no_run_in_progress=lambda: None,
    rebuild=lambda all_marts: [],
)


def settings_in(root: Path) -> Settings:
    """Settings whose lake is below a folder."""
    return load_settings(
        lake_url=str(root / "lake"),
        landing_url=str(root / "landing"),
        warehouse_path=root / "warehouse.duckdb",
    )


def fill(lake: Store, rows: int, note_bytes: int, *, rows_a_day: int = 8_000) -> None:
    """Write so many events, each with a note that nothing packs, and as many verdicts."""
    for table in (EVENTS, VERDICTS):
        made = batches(table, rows, note_bytes, rows_a_day=rows_a_day)
        replace(lake, table, pa.RecordBatchReader.from_batches(table.schema, made))


def batches(
    table: Table, rows: int, note_bytes: int, *, rows_a_day: int
) -> Iterator[pa.RecordBatch]:
    """The rows of either table."""
    for first in range(0, rows, ROWS_A_BATCH):
        numbers = range(first, min(first + ROWS_A_BATCH, rows))
        hour = DAY + timedelta(days=first // rows_a_day)
        told = {
            "day": [f"{hour:%Y-%m-%d}"] * len(numbers),
            "hour": [hour] * len(numbers),
            "uuid": [f"{n:08}" for n in numbers],
            "user": [f"user-{n}" if n % 10 else ADA.title() for n in numbers],
            "device": [f"device-{n}" for n in numbers],
            "note": [os.urandom(note_bytes // 2).hex() for _ in numbers],
            "verdict": ["conforming"] * len(numbers),
        }
        columns = [pa.array(told[field.name], field.type) for field in table.schema]
        yield pa.RecordBatch.from_arrays(columns, schema=table.schema)
