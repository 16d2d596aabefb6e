"""What `marts.py` measures, each in a process of its own: `marts_work.py NAME ROOT`.

`ROOT/landing` is the landing zone; `run` makes `ROOT/lake` from it, which the peers read. Each
prints one JSON object: seconds, peak memory, bytes written, and of each step the same.
"""

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb

MEMORY = "1500MB"
_STATUS, _IO = Path("/proc/self/status"), Path("/proc/self/io")
_BUILT = re.compile(r"OK created .* model (?P<model>marts\.\w+)")
_STEP = re.compile(r"(?P<step>\w+): (?P<what>begins|done)$")
LOOK_BACK_DAYS = 3


class Steps:
    """Wall seconds, greatest resident memory and bytes written of each step."""

    def __init__(self) -> None:
        self.steps: dict[str, dict[str, float]] = {}
        self._since, self._peak, self._written = time.perf_counter(), 0.0, _written()
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()

    def ended(self, name: str) -> None:
        """What has gone on since the last call was this step."""
        now, written = time.perf_counter(), _written()
        step = self.steps.setdefault(name, {"seconds": 0.0, "peak_mib": 0.0, "written_gb": 0.0})
        step["seconds"] += now - self._since
        step["peak_mib"] = max(step["peak_mib"], self._peak)
        step["written_gb"] += written - self._written
        self._since, self._peak, self._written = now, 0.0, written

    def close(self) -> None:
        """Sample no more."""
        self._ended.set()
        self._sampler.join()

    def _sample(self) -> None:
        while not self._ended.wait(0.02):
            self._peak = max(self._peak, _memory("VmRSS"))


def _memory(kind: str) -> float:
    """MiB, as the kernel counts them."""
    line = next(s for s in _STATUS.read_text().splitlines() if s.startswith(kind))
    return int(line.split()[1]) / 1024


def _written() -> float:
    """GB that this process has had written to the disk."""
    line = next(s for s in _IO.read_text().splitlines() if s.startswith("write_bytes"))
    return int(line.split()[1]) / 1e9


def run(root: Path, steps: Steps) -> None:
    """A `novade run` of everything."""
    from novade_pipeline.execution.local_run import run_graph
    from novade_pipeline.settings import load_settings

    settings = load_settings(
        lake_url=str(root / "lake"),
        landing_url=str(root / "landing"),
        warehouse_path=root / "warehouse.duckdb",
        dagster_home=root / "dagster",
        history_start="2025-01-01",
        memory=MEMORY,
    )

    def on_message(message: str) -> None:
        built, step = _BUILT.search(message), _STEP.search(message)
        if built:
            steps.ended(built["model"].replace(".", "/"))
        elif step:
            steps.ended("start" if step["what"] == "begins" and not steps.steps else step["step"])

    outcome = run_graph(settings, on_message=on_message)
    assert outcome.success, outcome.failures
    steps.ended("end")


@contextmanager
def _database(root: Path, name: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB file under the memory that a run has, whose sources are views of the lake."""
    from novade_pipeline.defs.marts import warehouse
    from novade_pipeline.defs.marts.dbt_sources import SOURCES
    from novade_pipeline.defs.marts.pinning import pin
    from novade_pipeline.defs.marts.project import prepared_project
    from novade_pipeline.lake import query
    from novade_pipeline.lake.memory import set_budget
    from novade_pipeline.settings import load_settings
    from novade_pipeline.storage.locations import store

    set_budget(load_settings(memory=MEMORY).memory)
    lake = store(str(root / "lake"))
    with closing(query.open_database(root / f"{name}.duckdb")) as connection:
        query.limit(connection)
        query.prepare(connection, lake)
        warehouse.read_state(connection, prepared_project(root / "warehouse.duckdb").models)
        pin(connection, lake, SOURCES, warehouse.source_versions(lake, SOURCES))
        connection.execute("create schema if not exists marts")
        yield connection


def copy(root: Path, steps: Steps) -> None:
    """The events' columns that `event_enhanced` has, copied into DuckDB as they are."""
    from novade_pipeline.defs.marts.project import prepared_project

    with _database(root, "copy") as connection:
        mart = prepared_project(root / "warehouse.duckdb").nodes["event_enhanced"]["columns"]
        described = connection.execute("describe amplitude.events").fetchall()
        columns = ", ".join(f'"{row[0]}"' for row in described if row[0] in mart)
        steps.ended("start")
        connection.execute(f"create table copied as select {columns} from amplitude.events")
        steps.ended("copy")


def by_hand(root: Path, steps: Steps) -> None:
    """The models of the events, each as one `create table as` of what dbt compiles."""
    from novade_pipeline.defs.marts.project import prepared_project

    project = prepared_project(root / "warehouse.duckdb")
    names = _models_of_events(project)
    compiled = project.compiled(root / "by_hand.duckdb", names)
    with _database(root, "by_hand") as connection:
        steps.ended("start")
        for name in names:
            # The project is compiled for the warehouse; this is another database.
            sql = compiled[name].replace('"warehouse".', "")
            connection.execute(f"create table marts.{name} as {sql}")
            steps.ended(f"marts/{name}")


def _models_of_events(project: Any) -> list[str]:
    folders = ("amplitude", "tracking_plan")
    return [
        name
        for name, node in project.nodes.items()
        if Path(node["original_file_path"]).parent.name in folders
    ]


def look_back(root: Path, steps: Steps) -> None:
    """Events of the last days are made again, by their ids; everything behind them whole.

    As https://github.com/fivetran/dbt_amplitude describes its models: events deduplicated by a
    window over their id, incremental by a look-back; sessions, users and days as tables.
    """
    with _database(root, "look_back") as connection:
        steps.ended("start")
        there = connection.execute(
            "select count(*) from duckdb_tables() where schema_name = 'peer'"
        ).fetchone()
        connection.execute("create schema if not exists peer")
        since = "date '1970-01-01'"
        if there is not None and there[0]:
            newest = connection.execute("select max(event_day) from peer.events").fetchone()
            assert newest is not None
            since = f"date '{newest[0]}' - {LOOK_BACK_DAYS}"
        connection.execute(
            "create or replace temp table fresh as select * exclude (place) from ("
            "  select *, cast(event_time as date) as event_day,"
            "    coalesce(user_id, device_id) as person,"
            "    coalesce(user_id, device_id) || '-' || session_id as unique_session_id,"
            "    row_number() over (partition by coalesce(insert_id, uuid)"
            "      order by server_upload_time desc) as place"
            f"  from amplitude.events where cast(event_time as date) >= {since}"
            ") where place = 1"
        )
        connection.execute("create table if not exists peer.events as from fresh limit 0")
        connection.execute(f"delete from peer.events where event_day >= {since}")
        connection.execute("insert into peer.events from fresh")
        connection.execute("drop table fresh")
        steps.ended("events")
        for name, sql in _LOOK_BACK.items():
            connection.execute(f"create or replace table peer.{name} as {sql}")
            steps.ended(name)


_LOOK_BACK = {
    "sessions": (
        "select unique_session_id, person, min(event_time) as started_at, max(event_time) as"
        " ended_at, count(*) as events, count(distinct event_type) as event_types,"
        " max(platform) as platform, max(country) as country, min(event_day) as session_day"
        " from peer.events where session_id <> -1 group by unique_session_id, person"
    ),
    "users": (
        "select person, min(event_time) as first_seen, max(event_time) as last_seen,"
        " count(*) as events, count(distinct unique_session_id) as sessions,"
        " max(platform) as platform, max(country) as country"
        " from peer.events group by person"
    ),
    "days": (
        "select event_day, event_type, count(*) as events, count(distinct person) as users,"
        " count(distinct unique_session_id) as sessions"
        " from peer.events group by event_day, event_type"
    ),
}
WORK: dict[str, Callable[[Path, Steps], None]] = {
    work.__name__: work for work in (run, copy, by_hand, look_back)
}


def main(name: str, root: str) -> None:
    """Do the work and print what it took."""
    started, written, failure = time.perf_counter(), _written(), None
    steps = Steps()
    try:
        WORK[name](Path(root), steps)
    except duckdb.Error as error:
        failure = f"fails: {str(error).splitlines()[0][:60]}"
    steps.close()
    seconds = time.perf_counter() - started
    if name == "copy":
        seconds = steps.steps["copy"]["seconds"]
    print(
        "\n"
        + json.dumps(
            {
                "seconds": seconds,
                "peak_mib": _memory("VmHWM"),
                "written_gb": _written() - written,
                "steps": steps.steps,
                "failure": failure,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
