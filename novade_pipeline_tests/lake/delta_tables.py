"""Tables for the tests of writes, and rows for them."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import pyarrow as pa
from pydantic import BaseModel, Field

from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.privacy.policy import Personal
from novade_pipeline.storage.store import Store

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECRET = "jane@example.com"


class Play(BaseModel):
    """A play."""

    day: date = Field(description="Its day.")
    hour: datetime | None = Field(description="Its hour.")
    kind: str = Field("a", description="Its kind.")
    song: Annotated[str | None, Personal()] = Field(None, description="What was played.")
    count: int | None = Field(None, description="How often.")


class User(BaseModel):
    """A user."""

    id: str = Field(description="Names the user.")
    changed: int = Field(description="When it last changed.")
    name: str | None = Field(None, description="What it is called.")
    is_deleted: bool = Field(False, description="It is gone.")


PLAYS = Table(
    name="shop/plays",
    row=Play,
    key=("hour", "song"),
    write_mode="replace_window",
    partition_by=("day",),
    window="hour",
    data_time="hour",
)
BY_DAY = Table(
    name="shop/by_day", row=Play, key=("day",), write_mode="replace_window", window="day"
)
USERS = Table(
    name="shop/users",
    row=User,
    key=("id",),
    write_mode="merge",
    version="changed",
)


def plays(*songs: tuple[float | None, str | None], kind: str = "a") -> pa.Table:
    rows = []
    for hour, song in songs:
        moment = None if hour is None else START + hour * HOUR
        rows.append({"day": (moment or START).date(), "hour": moment, "kind": kind, "song": song})
    return pa.Table.from_pylist(rows, schema=PLAYS.schema)


def users(*rows: tuple[str, int, str | None, bool]) -> pa.Table:
    names = ("id", "changed", "name", "is_deleted")
    return pa.Table.from_pylist(
        [dict(zip(names, row, strict=True)) for row in rows], schema=USERS.schema
    )


def window_of(start: float, end: float) -> Window:
    return Window(START + start * HOUR, START + end * HOUR)


def songs_in(lake: Store, table: Table = PLAYS) -> list[str]:
    return sorted(str(song) for song in read(lake, table)["song"].to_pylist())


def log_of(lake: Store, table: Table, version: int) -> list[dict[str, Any]]:
    log = lake.read(*table.path, "_delta_log", f"{version:020}.json")
    return [json.loads(line) for line in log.splitlines()]
