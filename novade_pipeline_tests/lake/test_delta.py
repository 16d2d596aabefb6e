"""How rows get into a Delta table: windows, replacements, appends."""

import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.delta import (
    append_once,
    create,
    current_version,
    open_table,
    replace,
    replace_window,
    transaction_version,
)
from novade_pipeline.lake.read import read
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.lake.delta_tables import (
    BY_DAY,
    HOUR,
    PLAYS,
    SECRET,
    START,
    USERS,
    log_of,
    plays,
    songs_in,
    users,
    window_of,
)
from novade_pipeline_tests.places import credentials

# replace_window


def test_the_rows_of_a_window_replace_those_there(lake: Store) -> None:
    replace_window(lake, PLAYS, plays((0, "a"), (1, "b"), (2, "c")), [window_of(0, 3)])
    replace_window(lake, PLAYS, plays((1.5, "new")), [window_of(1, 2)])
    assert songs_in(lake) == ["a", "c", "new"]


def test_a_window_holds_its_start_and_not_its_end(lake: Store) -> None:
    replace_window(lake, PLAYS, plays((0, "a"), (1, "b")), [window_of(0, 2)])
    replace_window(lake, PLAYS, plays(), [window_of(0, 1)])
    assert songs_in(lake) == ["b"]
    with pytest.raises(PermanentFailure):
        replace_window(lake, PLAYS, plays((1, "x")), [window_of(0, 1)])


def test_no_rows_clear_the_window(lake: Store) -> None:
    replace_window(lake, PLAYS, plays((0, "a"), (30, "b")), [window_of(0, 48)])
    receipt = replace_window(lake, PLAYS, plays(), [window_of(0, 24)])
    assert songs_in(lake) == ["b"]
    assert receipt.rows == 0


def test_several_windows_leave_alone_what_lies_between(lake: Store) -> None:
    replace_window(lake, PLAYS, plays((0, "a"), (1, "b"), (2, "c"), (50, "d")), [window_of(0, 99)])
    windows = [window_of(50, 51), window_of(0, 1), window_of(2, 3)]
    replace_window(lake, PLAYS, plays((50.5, "new d"), (0.5, "new a")), windows)
    assert songs_in(lake) == ["b", "new a", "new d"]


def test_no_windows_replace_nothing(lake: Store) -> None:
    replace_window(lake, PLAYS, plays((0, "a")), [window_of(0, 1)])
    replace_window(lake, PLAYS, plays(), [])
    assert songs_in(lake) == ["a"]
    with pytest.raises(PermanentFailure, match="found rows outside"):
        replace_window(lake, PLAYS, plays((0, "b")), [])


def test_a_window_of_microseconds_is_exact(lake: Store) -> None:
    tick = timedelta(microseconds=1)
    rows = [(START - tick, "before"), (START, "first"), (START + HOUR - tick, "last")]
    table = pa.Table.from_pylist(
        [{"day": at.date(), "hour": at, "kind": "a", "song": song} for at, song in rows],
        schema=PLAYS.schema,
    )
    replace_window(lake, PLAYS, table, [Window(START - HOUR, START + 2 * HOUR)])
    replace_window(lake, PLAYS, plays(), [window_of(0, 1)])
    assert songs_in(lake) == ["before"]


def test_windows_across_midnight_are_exact(lake: Store) -> None:
    hours = [(float(hour), str(hour)) for hour in range(20, 30)]
    replace_window(lake, PLAYS, plays(*hours), [window_of(0, 48)])
    replace_window(lake, PLAYS, plays(), [window_of(22, 27)])
    assert songs_in(lake) == ["20", "21", "27", "28", "29"]


def test_rows_without_a_window_are_replaced_by_themselves(lake: Store) -> None:
    replace_window(lake, PLAYS, plays((0, "a")), [window_of(0, 1)])
    replace_window(lake, PLAYS, plays((None, "x")), None)
    replace_window(lake, PLAYS, plays((None, "y")), None)
    assert songs_in(lake) == ["a", "y"]
    replace_window(lake, PLAYS, plays(), [window_of(-9_999, 9_999)])
    assert songs_in(lake) == ["y"]


def test_a_table_may_have_days_for_windows(lake: Store) -> None:
    replace_window(
        lake, BY_DAY, plays((0, "a"), (24, "b")), [Window(date(2026, 3, 1), date(2026, 3, 3))]
    )
    replace_window(lake, BY_DAY, plays(), [Window(date(2026, 3, 2), date(2026, 3, 3))])
    assert songs_in(lake, BY_DAY) == ["a"]


def test_only_rows_with_the_given_values_are_replaced(lake: Store) -> None:
    for kind in ("a", "it's b"):
        rows = plays((0, kind), kind=kind)
        replace_window(lake, PLAYS, rows, [window_of(0, 1)], where={"kind": kind})
    replace_window(lake, PLAYS, plays(), [window_of(0, 1)], where={"kind": "it's b"})
    assert songs_in(lake) == ["a"]


OUTSIDE: dict[str, tuple[pa.Table, list[Window] | None, dict[str, str]]] = {
    "before": (plays((-1, SECRET)), [window_of(0, 1)], {}),
    "at the end": (plays((1, SECRET)), [window_of(0, 1)], {}),
    "between": (plays((0, "a"), (1, SECRET)), [window_of(0, 1), window_of(2, 3)], {}),
    "at the end of the first": (
        plays((0, "a"), (1, SECRET)),
        [window_of(0, 1), window_of(5, 6)],
        {},
    ),
    "one of many": (plays(*[(0.5, "a")] * 99, (7, SECRET)), [window_of(0, 1)], {}),
    "no value": (plays((None, SECRET)), [window_of(0, 1)], {}),
    "a value among none": (plays((None, "a"), (0, SECRET)), None, {}),
    "another kind": (plays((0, SECRET), kind="b"), [window_of(0, 1)], {"kind": "a"}),
}


@pytest.mark.parametrize(("rows", "windows", "where"), OUTSIDE.values(), ids=OUTSIDE)
def test_a_row_outside_fails_the_write_before_anything_is_committed(
    rows: pa.Table, windows: list[Window] | None, where: dict[str, str], lake: Store
) -> None:
    replace_window(lake, PLAYS, plays((0, "there"), (2, "there too")), [window_of(0, 3)])
    before = current_version(lake, PLAYS)
    with pytest.raises(PermanentFailure, match=r"expected .*; nothing is written") as raised:
        replace_window(lake, PLAYS, rows, windows, where=where)
    assert current_version(lake, PLAYS) == before
    assert songs_in(lake) == ["there", "there too"]
    assert SECRET not in str(raised.value)


def test_a_row_outside_in_a_later_batch_fails_the_whole_write(lake: Store) -> None:
    batches = [plays((0, str(n))).to_batches()[0] for n in range(20)]
    batches += plays((9, "outside")).to_batches()
    rows = pa.RecordBatchReader.from_batches(PLAYS.schema, iter(batches))
    with pytest.raises(PermanentFailure, match="found rows outside"):
        replace_window(lake, PLAYS, rows, [window_of(0, 1)])
    assert songs_in(lake) == []


# replace, append_once


def test_a_replacement_is_a_new_version_and_the_old_one_stays_readable(lake: Store) -> None:
    first = replace(lake, USERS, users(("a", 1, "Ann", False)))
    second = replace(lake, USERS, users(("b", 1, "Bob", False)))
    assert read(lake, USERS)["id"].to_pylist() == ["b"]
    assert read(lake, USERS, version=first.table_version)["id"].to_pylist() == ["a"]
    assert second.table_version == first.table_version + 1


def test_a_replacement_by_nothing_leaves_nothing(lake: Store) -> None:
    replace(lake, USERS, users(("a", 1, "Ann", False)))
    replace(lake, USERS, users())
    assert len(read(lake, USERS)) == 0


def test_a_replay_is_not_appended(lake: Store) -> None:
    rows = users(("a", 1, None, False))
    assert append_once(lake, USERS, rows, app_id="stream", version=4) is not None
    assert append_once(lake, USERS, rows, app_id="stream", version=4) is None
    assert append_once(lake, USERS, rows, app_id="stream", version=3) is None
    assert append_once(lake, USERS, rows, app_id="stream", version=5) is not None
    assert append_once(lake, USERS, rows, app_id="other", version=1) is not None
    assert len(read(lake, USERS)) == 3


# what a write leaves behind


def test_transactions_are_recorded_with_the_commit(lake: Store) -> None:
    rows = plays((0, "a"))
    replace_window(lake, PLAYS, rows, [window_of(0, 1)], transactions={"plan": 7, "events": 3})
    assert transaction_version(lake, PLAYS, "plan") == 7
    assert transaction_version(lake, PLAYS, "events") == 3
    assert transaction_version(lake, PLAYS, "nobody") is None
    assert transaction_version(lake, USERS, "plan") is None


def test_a_receipt_says_what_the_log_says(lake: Store) -> None:
    receipt = replace_window(lake, PLAYS, plays((0, "a"), (30, "b"), (7, "c")), [window_of(0, 48)])
    added = [a["add"] for a in log_of(lake, PLAYS, receipt.table_version) if "add" in a]
    assert receipt.rows == sum(json.loads(a["stats"])["numRecords"] for a in added) == 3
    assert receipt.files == len(added) == 2
    assert receipt.bytes == sum(len(lake.read(*PLAYS.path, a["path"])) for a in added)
    assert receipt.newest == START + 30 * HOUR
    assert receipt.table_version == current_version(lake, PLAYS)
    assert receipt.seconds > 0


def test_a_receipt_counts_only_rows_written(lake: Store) -> None:
    replace_window(lake, PLAYS, plays((0, "a"), (1, "b")), [window_of(0, 2)])
    receipt = replace_window(lake, PLAYS, plays((1, "c")), [window_of(1, 2)])
    assert receipt.rows == 1


def test_an_empty_table_has_its_columns_partitions_and_name(lake: Store) -> None:
    create(lake, PLAYS)
    found = open_table(lake, PLAYS)
    assert found is not None
    assert found.metadata().partition_columns == ["day"]
    assert found.metadata().name == "shop/plays"
    assert pa.schema(found.schema().to_arrow()).names == PLAYS.schema.names


def test_times_are_stored_with_their_zone(lake: Store) -> None:
    replace_window(lake, PLAYS, plays((0, "a")), [window_of(0, 1)])
    (metadata,) = [a["metaData"] for a in log_of(lake, PLAYS, 0) if "metaData" in a]
    types = {f["name"]: f["type"] for f in json.loads(metadata["schemaString"])["fields"]}
    assert types["hour"] == "timestamp"


def test_nothing_is_there_before_the_first_write(lake: Store) -> None:
    assert open_table(lake, PLAYS) is None
    assert current_version(lake, PLAYS) is None


@pytest.mark.parametrize(
    ("new_store", "attempt"),
    [("disk", 1), ("disk", 2), ("disk", 3), ("azurite", 1)],
    indirect=["new_store"],
)
def test_a_process_that_wrote_and_read_ends_with_0(attempt: int, lake: Store) -> None:
    code = """
import json, sys
from datetime import date, datetime, UTC, timedelta
import pyarrow as pa
from pydantic import BaseModel
from novade_pipeline.lake.delta import replace_window
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import read, stream
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage.locations import store

class Row(BaseModel):
    day: date
    n: int

table = Table("a/b", Row, ("n",), "replace_window", window="day", partition_by=("day",))
keyed = Table("a/c", Row, ("n",), "merge", version="n")
lake = store(sys.argv[1], json.loads(sys.argv[2]))
days = [date(2026, 3, 1) + timedelta(days=n % 5) for n in range(500)]
rows = pa.table({"day": days, "n": range(500)}, schema=table.schema)
for _ in range(3):
    replace_window(lake, table, rows, [Window(date(2026, 1, 1), date(2027, 1, 1))])
merge(lake, keyed, rows)
unread = stream(lake, table)
next(iter(unread))
assert len(read(lake, table)) == len(read(lake, keyed)) == 500
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, lake.url, json.dumps(credentials(lake))],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
