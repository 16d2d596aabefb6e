"""How much Dagster's home grows in a day of polling, with an export each hour.

    .venv/bin/python benchmarks/dagster_growth.py [--seconds 120]

A sample is loaded. Then an hour lands and is loaded by the job of its domain, and another by the
job of everything, which is the peer. Then the web page runs: its sensors find an hour a few times,
and nothing for a while. A day is 24 runs of the sensor, with the evaluations that they cause; 24
probes of the rights; the nightly jobs; the ticks that are shown at a time; and SQLite's logs, which
are as long after an hour as after a day.
"""

import argparse
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean

from dagster import DefaultSensorStatus
from harness import verdict

from novade_pipeline.definitions import build_definitions
from novade_pipeline.defs.operations.sensors import PURGE_SECONDS
from novade_pipeline.defs.operations.settings import OperationsSettings
from novade_pipeline.execution.home import dagster_instance
from novade_pipeline.execution.local_run import run_graph
from novade_pipeline.graph.job_runs import JOB, job_of, range_tags
from novade_pipeline.sandbox import amplitude_exports
from novade_pipeline.settings import Settings, load_settings

GOAL_MB = 20
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
POLL = 15 * SECOND
HOURS = 24
TURNS = 3
NIGHTLY = ("optimize", "checkpoint", "vacuum", "check_marts")
TICKS = ("schedules/schedules.db", "select count(*) from job_ticks")
EVALUATIONS = ("schedules/schedules.db", "select max(id) from asset_daemon_asset_evaluations")
RUNS = ("history/runs.db", "select count(*) from runs where status = 'SUCCESS'")
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=int, default=120, help="of polling")
    seconds = parser.parse_args().seconds
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "landing").mkdir()
        os.environ.update(
            NOVADE_LANDING_URL=str(root / "landing"),
            NOVADE_LAKE_URL=str(root / "lake"),
            NOVADE_WAREHOUSE_PATH=str(root / "warehouse.duckdb"),
            NOVADE_DAGSTER_HOME=str(root / "dagster"),
            NOVADE_LANDING_POLL_SECONDS=str(POLL // SECOND),
        )
        settings = load_settings()
        hours = Hours(root)
        hours.land(HOURS)
        assert run_graph(settings).success
        grown = {}
        for job in (job_of("amplitude"), JOB):
            hours.land()
            grown[job] = _run(settings, job)
        others = {job: _run(settings, job) for job in ("watch_access", *NIGHTLY)}
        with _page(settings):
            by_sensor = []
            for _ in range(TURNS):
                hours.land()
                by_sensor.append(_run_of_sensor(settings))
            per_tick = _per_tick(settings, seconds)
            logs = sum(map(_megabytes, filter(_is_log, settings.dagster_home.rglob("*"))))
    domain, everything = grown.values()
    print(f"a run of {job_of('amplitude')}: {domain:.2f} MB; of {JOB}: {everything:.2f} MB")
    print(f"{domain / everything:.2f} of the job of everything, goal <= 0.5", end="   ")
    print(verdict(domain / everything <= 0.5))
    print(f"runs of the sensor, with evaluations: {', '.join(f'{r:.2f}' for r in by_sensor)} MB")
    print(f"other runs: {', '.join(f'{job} {size:.2f}' for job, size in others.items())} MB")
    shown = settings.of(OperationsSettings).skipped_tick_hours * HOUR + PURGE_SECONDS * SECOND
    running = [
        sensor.minimum_interval_seconds or 30
        for sensor in build_definitions(settings).sensors or ()
        if sensor.default_status == DefaultSensorStatus.RUNNING
    ]
    ticks = sum(shown / SECOND / seconds for seconds in running)
    print(f"a tick: {per_tick * 1e6:.0f} bytes; {ticks:,.0f} are shown, of {shown / HOUR:g} hours")
    parts = {
        "24 runs": by_sensor[0] + 23 * mean(by_sensor[1:]),
        "24 probes": 24 * others.pop("watch_access"),
        "nightly jobs": sum(others.values()),
        "ticks": ticks * per_tick,
        "SQLite's logs": logs,
    }
    day = sum(parts.values())
    print(f"a day: {', '.join(f'{name} {size:.1f}' for name, size in parts.items())} MB")
    print(f"together: {day:.1f} MB, goal < {GOAL_MB}", end="   ")
    print(verdict(day < GOAL_MB))


class Hours:
    """The hours that have landed, from the day before yesterday on."""

    def __init__(self, root: Path) -> None:
        self.zone = str(root / "landing")
        today = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        self.next = today - 2 * DAY

    def land(self, hours: int = 1) -> None:
        """Land the next hours."""
        amplitude_exports.land(
            self.zone, first_hour=self.next, hours=hours, events_per_hour=120, faults=False
        )
        self.next += hours * HOUR


def _run(settings: Settings, job: str) -> float:
    """By how many MB the home grows in a run."""
    before = _size(settings.dagster_home)
    definitions = build_definitions(settings)
    # Only jobs that load have partitions.
    tags = range_tags([]) if job.startswith("load_") else None
    with dagster_instance(settings) as instance:
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=instance, tags=tags, run_config=QUIET, raise_on_error=False
        )
    assert result.success
    return _size(settings.dagster_home) - before


def _run_of_sensor(settings: Settings) -> float:
    """By how many MB the home grows until the sensor's run, and all evaluations of it, are done."""
    before, ended = _size(settings.dagster_home), _count(settings, RUNS)
    deadline = time.monotonic() + 600
    while _count(settings, RUNS) == ended:
        assert time.monotonic() < deadline, "no run of the sensor"
        time.sleep(1)
    # Until nothing was evaluated anew for a tick of the automation.
    evaluations = -1
    while evaluations != (evaluations := _count(settings, EVALUATIONS)):
        time.sleep(90)
    return _size(settings.dagster_home) - before


@contextmanager
def _page(settings: Settings) -> Iterator[None]:
    """The web page and its sensors, after the first evaluation of all assets."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    page = subprocess.Popen(
        [sys.executable, "-m", "novade_pipeline", "ui", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 300
        while _count(settings, TICKS) < 30 and time.monotonic() < deadline:
            time.sleep(1)
        yield
    finally:
        os.killpg(page.pid, signal.SIGINT)
        page.wait(timeout=60)


def _per_tick(settings: Settings, seconds: int) -> float:
    """MB for each tick, while the sensors have nothing to do."""
    ticks, size = _count(settings, TICKS), _size(settings.dagster_home)
    time.sleep(seconds)
    more = _count(settings, TICKS) - ticks
    assert more > 0, "no sensor ticks"
    return (_size(settings.dagster_home) - size) / more


def _count(settings: Settings, what: tuple[str, str]) -> int:
    """The number of rows of a query in a database of the home."""
    database, query = what
    try:
        address = f"file:{settings.dagster_home / database}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            return int(connection.execute(query).fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def _size(folder: Path) -> float:
    """MB of all files below a folder, without SQLite's logs, which do not grow."""
    files = (path for path in folder.rglob("*") if path.is_file() and not _is_log(path))
    return sum(map(_megabytes, files))


def _is_log(path: Path) -> bool:
    return path.name.endswith(("-wal", "-shm"))


def _megabytes(file: Path) -> float:
    return file.stat().st_size / 1e6


if __name__ == "__main__":
    main()
