"""How much Dagster's home grows in a day of polling, with an export each hour.

    .venv/bin/python benchmarks/dagster_growth.py [--seconds 120]

A sample is loaded. Then, in turns, an hour lands and is loaded by the job of its domain, and
another by the job of everything, which is the peer; and the web page with its sensors runs for a
while with nothing to do. A day is 24 of such runs, and the ticks of each sensor at its interval.
Ticks are deleted after a day, so only the runs make the home grow for longer.
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
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness import verdict

from novade_pipeline.definitions import build_definitions
from novade_pipeline.execution.home import dagster_instance
from novade_pipeline.execution.local_run import run_graph
from novade_pipeline.graph.job_runs import JOB, job_of, range_tags
from novade_pipeline.sandbox import amplitude_exports
from novade_pipeline.settings import Settings, load_settings

GOAL_MB = 20
DAY = timedelta(days=1)
POLL = timedelta(seconds=15)
HOURS = 24
TURNS = 3
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
        variables = {
            "NOVADE_LANDING_URL": str(root / "landing"),
            "NOVADE_LAKE_URL": str(root / "lake"),
            "NOVADE_WAREHOUSE_PATH": str(root / "warehouse.duckdb"),
            "NOVADE_DAGSTER_HOME": str(root / "dagster"),
            "NOVADE_LANDING_POLL_SECONDS": "5",
        }
        os.environ.update(variables)
        settings = load_settings()
        _land(root, HOURS)
        assert run_graph(settings).success
        grown: dict[str, list[float]] = {job_of("amplitude"): [], JOB: []}
        hours = HOURS
        for _ in range(TURNS):
            for job, megabytes in grown.items():
                hours += 1
                _land(root, hours)
                megabytes.append(_run(settings, job))
        per_tick = _per_tick(settings, seconds)
    domain, everything = (sum(of) / len(of) for of in grown.values())
    polls, others = DAY / POLL, DAY / timedelta(seconds=30)
    sensors = list(build_definitions(settings).sensors or ())
    landing = sum(sensor.name.endswith("_landing") for sensor in sensors)
    ticks = (landing * polls + (len(sensors) - landing) * others) * per_tick
    runs = 24 * domain
    print(f"a run of {job_of('amplitude')}: {domain:.2f} MB; of {JOB}: {everything:.2f} MB")
    print(f"{domain / everything:.2f} of the job of everything, goal <= 0.5", end="   ")
    print(verdict(domain / everything <= 0.5))
    print(f"a tick: {per_tick * 1e6:.0f} bytes; a day of ticks: {ticks:.1f} MB, kept for a day")
    print(f"a day of runs: {runs:.1f} MB; both: {runs + ticks:.1f} MB, goal < {GOAL_MB}", end="   ")
    print(verdict(runs + ticks < GOAL_MB))


def _land(root: Path, hours: int) -> None:
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 2 * DAY
    amplitude_exports.land(
        str(root / "landing"), first_hour=first, hours=hours, events_per_hour=120, faults=False
    )


def _run(settings: Settings, job: str) -> float:
    """Load what is pending; by how many MB the home grows."""
    before = _size(settings.dagster_home)
    definitions = build_definitions(settings)
    with dagster_instance(settings) as instance:
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=instance, tags=range_tags([]), run_config=QUIET, raise_on_error=False
        )
    assert result.success
    return _size(settings.dagster_home) - before


def _per_tick(settings: Settings, seconds: int) -> float:
    """MB for each tick, while the page and its sensors run with nothing to do."""
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
        # The first evaluation of all assets is long, and not repeated.
        while _ticks(settings) < 60 and time.monotonic() < deadline:
            time.sleep(1)
        ticks, size = _ticks(settings), _size(settings.dagster_home)
        time.sleep(seconds)
        more = _ticks(settings) - ticks
        assert more > 0, "no sensor ticks"
        return (_size(settings.dagster_home) - size) / more
    finally:
        os.killpg(page.pid, signal.SIGINT)
        page.wait(timeout=60)


def _ticks(settings: Settings) -> int:
    path = settings.dagster_home / "schedules" / "schedules.db"
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            return int(database.execute("select count(*) from job_ticks").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def _size(folder: Path) -> float:
    """MB of all files below a folder, without SQLite's logs, which have a limit."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files if not path.name.endswith("-wal")) / 1e6


if __name__ == "__main__":
    main()
