"""Tables for the tests of upkeep, loads of them, and a way to make them older."""

import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from pydantic import BaseModel, Field

from novade_pipeline.lake.delta import open_table, replace_window
from novade_pipeline.lake.maintenance import MaintenanceReceipt
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage.store import Store

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY_MILLISECONDS = 86_400_000
KEEP_DAYS = 30


class Play(BaseModel):
    """A play."""

    day: date = Field(description="Its day.")
    hour: datetime = Field(description="Its hour.")
    song: str = Field(description="What was played.")


class Landed(BaseModel):
    """A file."""

    source: str | None = Field(None, description="Whose it is.")
    day: date | None = Field(None, description="Its day.")
    n: int = Field(description="A number.")


PLAYS = Table(
    name="shop/plays",
    row=Play,
    key=("hour", "song"),
    write_mode="replace_window",
    partition_by=("day",),
    window="hour",
)
DERIVED = Table(name="shop/derived", row=Landed, key=("n",), write_mode="replace")


def plays(hour: int, *songs: str) -> pa.Table:
    at = START + hour * HOUR
    rows = [{"day": at.date(), "hour": at, "song": song} for song in songs]
    return pa.Table.from_pylist(rows, schema=PLAYS.schema)


def window_of(hour: int, hours: int = 1) -> Window:
    return Window(START + hour * HOUR, START + (hour + hours) * HOUR)


def load_hours(lake: Store, *hours: int) -> None:
    for hour in hours:
        replace_window(lake, PLAYS, plays(hour, f"song of {hour}"), [window_of(hour)])


def songs_in(lake: Store, version: int | None = None) -> list[str]:
    return sorted(read(lake, PLAYS, version=version)["song"].to_pylist())


def folder_of(lake: Store, table: Table = PLAYS) -> Path:
    return Path(lake.path(*table.path))


def opened(lake: Store, table: Table = PLAYS) -> DeltaTable:
    found = open_table(lake, table)
    assert found is not None
    return found


def files_on_disk(lake: Store) -> set[str]:
    """The data files on disk."""
    root = folder_of(lake)
    return {f.relative_to(root).as_posix() for f in root.glob("day=*/*.parquet")}


def as_if_before(lake: Store, days: int, until: int | None = None) -> None:
    """Make all that happened to the table, up to a version, so many days older."""
    root = folder_of(lake)
    for file in root.rglob("*"):
        is_log = file.parent.name == "_delta_log"
        version = int(file.name[:20]) if is_log and file.name[:20].isdigit() else 0
        if not file.is_file() or (until is not None and version > until):
            continue
        moment = file.stat().st_mtime - days * 86_400
        if is_log and file.suffix == ".json":
            actions = [json.loads(line) for line in file.read_text().splitlines()]
            for action in actions:
                if "remove" in action:
                    action["remove"]["deletionTimestamp"] -= days * DAY_MILLISECONDS
            file.write_text("".join(json.dumps(action) + "\n" for action in actions))
        os.utime(file, (moment, moment))


def done_by(upkeep: MaintenanceReceipt | None) -> MaintenanceReceipt:
    assert upkeep is not None
    return upkeep
