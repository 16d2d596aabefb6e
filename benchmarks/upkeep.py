"""How long it takes to read a table after thousands of hourly commits, against one commit.

    .venv/bin/python benchmarks/upkeep.py [--commits 5000] [--repeat 7] [--every 24]

The same rows twice: written at once, and hour by hour. Both tables are read whole, in turns, by
`lake.read` and by DuckDB, before the upkeep (compaction, checkpoint, vacuum) and after it. Upkeep
is done once at the end, which leaves every hour's file in the log as one that was removed; or after
every so many commits, as the schedules do. A benchmark, not a test: a missed goal ends with 0.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from harness import verdict
from pydantic import BaseModel, Field

from novade_pipeline.lake.delta import current_version, replace_window
from novade_pipeline.lake.maintenance import MaintenanceReceipt, checkpoint, compact, vacuum
from novade_pipeline.lake.query import connect, scan
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store

GOAL = 1.5
START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROWS_PER_HOUR = 20
KEEP_DAYS = 30


class Play(BaseModel):
    """A play."""

    day: date = Field(description="Its day.")
    hour: datetime = Field(description="Its hour.")
    song: str = Field(description="What was played.")
    seconds: int = Field(description="How long, seconds.")


def plays(name: str) -> Table:
    """A table as the landed events are: one file a commit, in the folder of its day."""
    return Table(
        name=f"shop/{name}",
        row=Play,
        key=("hour", "song"),
        write_mode="replace_window",
        partition_by=("day",),
        window="hour",
        data_time="hour",
    )


AT_ONCE, HOURLY = plays("at_once"), plays("hourly")


def rows(hour: int) -> pa.RecordBatch:
    """The plays of an hour."""
    at = START + hour * HOUR
    found = [
        {"day": at.date(), "hour": at, "song": f"song {n}", "seconds": 60 + n}
        for n in range(ROWS_PER_HOUR)
    ]
    return pa.RecordBatch.from_pylist(found, schema=HOURLY.schema)


def write_at_once(lake: Store, hours: int) -> None:
    """All hours in one commit."""
    batches: Iterator[pa.RecordBatch] = (rows(hour) for hour in range(hours))
    reader = pa.RecordBatchReader.from_batches(AT_ONCE.schema, batches)
    replace_window(lake, AT_ONCE, reader, [Window(START, START + hours * HOUR)])


def write_hourly(lake: Store, hours: int, every: int) -> None:
    """An hour a commit; upkeep after every so many, never where 0."""
    for hour in range(hours):
        start = START + hour * HOUR
        replace_window(
            lake, HOURLY, pa.Table.from_batches([rows(hour)]), [Window(start, start + HOUR)]
        )
        if every and not (hour + 1) % every:
            keep_up(lake)
        if sys.stderr.isatty():
            print(f"\r{hour + 1} of {hours} commits", end="", file=sys.stderr)


def keep_up(lake: Store) -> MaintenanceReceipt:
    """What the schedules do in a night; what became of the newest version's files."""
    done = compact(lake, HOURLY)
    checkpoint(lake, HOURLY, KEEP_DAYS)
    vacuum(lake, HOURLY, KEEP_DAYS)
    assert done is not None
    return done


def by_delta_rs(lake: Store, table: Table) -> int:
    """How many rows `lake.read` finds."""
    return int(read(lake, table).num_rows)


def compared(
    lake: Store, how: Callable[[Store, Table], int], expected: int, repeat: int
) -> tuple[float, float]:
    """The best seconds of a read of either table, in turns."""
    best = {AT_ONCE.name: float("inf"), HOURLY.name: float("inf")}
    for _ in range(repeat):
        for table in (AT_ONCE, HOURLY):
            started = time.perf_counter()
            found = how(lake, table)
            best[table.name] = min(best[table.name], time.perf_counter() - started)
            assert found == expected, f"{table.name}: expected {expected} rows, found {found}"
    return best[AT_ONCE.name], best[HOURLY.name]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--commits", type=int, default=5000, help="hours, a commit each")
    parser.add_argument("--repeat", type=int, default=7, help="reads of each table")
    parser.add_argument("--every", type=int, default=0, help="commits from upkeep to upkeep")
    asked = parser.parse_args()
    expected = asked.commits * ROWS_PER_HOUR
    with tempfile.TemporaryDirectory() as folder, closing(connect()) as connection:
        lake = store(str(Path(folder)))

        def by_duckdb(lake: Store, table: Table) -> int:
            return connection.sql(f"from {scan(lake, table)}").to_arrow_table().num_rows

        ways = {"lake.read": by_delta_rs, "DuckDB": by_duckdb}
        write_at_once(lake, asked.commits)
        started = time.perf_counter()
        write_hourly(lake, asked.commits, asked.every)
        seconds = time.perf_counter() - started
        before = {n: compared(lake, how, expected, asked.repeat) for n, how in ways.items()}
        started = time.perf_counter()
        done = keep_up(lake)
        upkept = time.perf_counter() - started
        after = {n: compared(lake, how, expected, asked.repeat) for n, how in ways.items()}
        version = current_version(lake, HOURLY)
    often = f"after every {asked.every} commits and at the end" if asked.every else "at the end"
    print(f"{asked.commits} hours of {ROWS_PER_HOUR} rows; upkeep {often}; best of {asked.repeat}")
    print(f"hourly commits {seconds:.1f} s, the last upkeep {upkept:.2f} s, version {version}")
    print(f"files {done.files_before} -> {done.files_after}")
    for told, figures in (("before the last upkeep", before), ("after it", after)):
        for name, (one, many) in figures.items():
            ratio = many / one
            goal = "" if figures is before else f"   wanted <= {GOAL}   {verdict(ratio <= GOAL)}"
            print(
                f"{told:<23} {name:<10} one commit {one * 1000:7.1f} ms   "
                f"hourly {many * 1000:7.1f} ms   ratio {ratio:6.2f}{goal}"
            )


if __name__ == "__main__":
    main()
