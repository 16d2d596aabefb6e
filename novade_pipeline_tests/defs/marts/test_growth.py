"""A refresh reads what is new: with three times the history it reads hardly more bytes."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import duckdb
import pytest

from novade_pipeline.defs.amplitude.repeats import find_repeats
from novade_pipeline.defs.amplitude.tables import EVENTS
from novade_pipeline.defs.marts.project import prepared_project
from novade_pipeline.defs.marts.refresh import refresh
from novade_pipeline.defs.segment.tables import TRACKS
from novade_pipeline.defs.tracking_plan.verdicts import count_changes, judge_changes
from novade_pipeline.lake.delta import replace_window
from novade_pipeline.lake.query import sql_type
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.forks import FORKS

FIRST_DAY = datetime(2025, 1, 6, tzinfo=UTC)
EVENTS_AN_HOUR = 1_000
PEOPLE = 400
DAYS = (4, 12)
# The keys of all uuids, 8 bytes each, are searched for copies, and the users by their ids.
SHARE = 0.1
VALUES = {
    "uuid": "md5(hour || ' ' || n)::uuid::varchar",
    "insert_id": "md5(hour || ' insert ' || n)::uuid::varchar",
    "event_type": "['Home', 'Song', 'Logout'][1 + n % 3]",
    "event_time": "hour + n % 3600 * interval 1 second",
    "amplitude_id": f"n % {PEOPLE} + 1",
    "session_id": "epoch_ms(hour)",
    "event_properties": (
        """'{"level":"a","song":"' || sha256(hour || ' ' || n) || md5(hour || ' ' || n) || '"}'"""
    ),
    "platform": "'Web'",
    "upload_date": "cast(hour as date)",
    "upload_hour": "hour",
    "file": "'a'",
    "line": "n + 1",
}


def _land(lake: Store, hours: range) -> None:
    """Events of some hours; each person has a session an hour."""
    _write(lake, EVENTS, VALUES, hours)


def _write(lake: Store, table: Table, values: Mapping[str, str], hours: range) -> None:
    start, end = (FIRST_DAY + timedelta(hours=hour) for hour in (hours.start, hours.stop))
    columns = ", ".join(
        f"cast({values.get(field.name, 'null')} as {sql_type(field.type)}) as {field.name}"
        for field in table.schema
    )
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        rows = connection.execute(
            f"select {columns} from range($1::timestamptz, $2::timestamptz, interval 1 hour)"
            f" as hours(hour), range({EVENTS_AN_HOUR}) as numbers(n)",
            [start, end],
        ).to_arrow_reader()
        replace_window(lake, table, rows, [Window(start, end)])


def _land_segment(lake: Store) -> None:
    """Segment's history of the first day, with the ids that Amplitude has; it ends there."""
    values = {
        **{"id": VALUES["insert_id"], "timestamp": VALUES["event_time"], "received_at": "hour"},
        **{"event": "'song'", "event_text": VALUES["event_type"]},
        **{"user_id": f"'user ' || n % {PEOPLE}", "properties": VALUES["event_properties"]},
        **{"upload_date": "cast(hour as date)", "upload_hour": "hour", "file": "'song/a'"},
        **{"line": "n + 1", "record": "n + 1", "mended": "[]"},
        **{"dataset": "'lantern'", "source_table": "'song'"},
    }
    _write(lake, TRACKS, values, range(24))


def _follow(root: Path) -> None:
    """Bring everything behind the events up to date, tests included."""
    lake, warehouse = store(str(root / "lake")), root / "warehouse.duckdb"
    project = prepared_project(warehouse)
    find_repeats(lake)
    judge_changes(lake)
    count_changes(lake)
    models, checks = ([one.name for one in of] for of in (project.models, project.checks))
    done = refresh(project, lake, warehouse, models=models, checks=checks)
    assert not done.failures


def _bytes_to_follow(root: Path) -> int:
    """The same in a process of its own, which has read nothing before; the bytes that it reads."""
    parent_end, child_end = FORKS.Pipe()
    process = FORKS.Process(target=_follow_and_count, args=(root, child_end))
    process.start()
    child_end.close()
    count: int = parent_end.recv()
    process.join()
    assert process.exitcode == 0
    return count


def _follow_and_count(root: Path, answer: Connection) -> None:
    before = _bytes_read()
    _follow(root)
    answer.send(_bytes_read() - before)


def _bytes_read() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("rchar")).split()[1])


def _size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="the kernel counts no bytes")
def test_one_more_hour_reads_hardly_more_of_a_longer_history(tmp_path: Path) -> None:
    size, read = {}, {}
    for days in DAYS:
        root = tmp_path / f"{days} days"
        lake = store(str(root / "lake"))
        _land(lake, range(days * 24))
        _land_segment(lake)
        _follow(root)
        size[days] = _size(root)
        _land(lake, range(days * 24, days * 24 + 1))
        read[days] = _bytes_to_follow(root)
    short, long = DAYS
    more_read, more_stored = read[long] - read[short], size[long] - size[short]
    assert more_stored > 30_000_000, "the histories should differ by much"
    assert more_read < SHARE * more_stored, f"{more_read:,} bytes more of {more_stored:,}"
