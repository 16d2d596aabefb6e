"""How rows get into a Delta table: windows, replacements, appends; and what is refused."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pytest
from pydantic import BaseModel, Field

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.lake.conform import conform
from novade_pipeline.lake.delta import (
    append_once,
    create,
    current_version,
    open_table,
    replace,
    replace_window,
    transaction_version,
)
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.personal_data import Personal
from novade_pipeline.storage import Store, store
from novade_pipeline_tests.places import NewStore, credentials, on_disk

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
    written="replace_window",
    partition_by=("day",),
    window="hour",
    data_time="hour",
)
BY_DAY = Table(name="shop/by_day", row=Play, key=("day",), written="replace_window", window="day")
USERS = Table(
    name="shop/users",
    row=User,
    key=("id",),
    written="merge",
    version="changed",
)


@pytest.fixture
def lake(new_store: NewStore) -> Store:
    return new_store("lake")


def _plays(*songs: tuple[float | None, str | None], kind: str = "a") -> pa.Table:
    rows = []
    for hour, song in songs:
        moment = None if hour is None else START + hour * HOUR
        rows.append({"day": (moment or START).date(), "hour": moment, "kind": kind, "song": song})
    return pa.Table.from_pylist(rows, schema=PLAYS.schema)


def _users(*rows: tuple[str, int, str | None, bool]) -> pa.Table:
    names = ("id", "changed", "name", "is_deleted")
    return pa.Table.from_pylist(
        [dict(zip(names, row, strict=True)) for row in rows], schema=USERS.schema
    )


def _window(start: float, end: float) -> Window:
    return Window(START + start * HOUR, START + end * HOUR)


def _songs(lake: Store, table: Table = PLAYS) -> list[str]:
    return sorted(str(song) for song in read(lake, table)["song"].to_pylist())


def _log(lake: Store, table: Table, version: int) -> list[dict[str, Any]]:
    log = lake.read(*table.path, "_delta_log", f"{version:020}.json")
    return [json.loads(line) for line in log.splitlines()]


# replace_window


def test_the_rows_of_a_window_replace_those_there(lake: Store) -> None:
    replace_window(lake, PLAYS, _plays((0, "a"), (1, "b"), (2, "c")), [_window(0, 3)])
    replace_window(lake, PLAYS, _plays((1.5, "new")), [_window(1, 2)])
    assert _songs(lake) == ["a", "c", "new"]


def test_a_window_holds_its_start_and_not_its_end(lake: Store) -> None:
    replace_window(lake, PLAYS, _plays((0, "a"), (1, "b")), [_window(0, 2)])
    replace_window(lake, PLAYS, _plays(), [_window(0, 1)])
    assert _songs(lake) == ["b"]
    with pytest.raises(PermanentFailure):
        replace_window(lake, PLAYS, _plays((1, "x")), [_window(0, 1)])


def test_no_rows_clear_the_window(lake: Store) -> None:
    replace_window(lake, PLAYS, _plays((0, "a"), (30, "b")), [_window(0, 48)])
    receipt = replace_window(lake, PLAYS, _plays(), [_window(0, 24)])
    assert _songs(lake) == ["b"]
    assert receipt.rows == 0


def test_several_windows_leave_alone_what_lies_between(lake: Store) -> None:
    replace_window(lake, PLAYS, _plays((0, "a"), (1, "b"), (2, "c"), (50, "d")), [_window(0, 99)])
    windows = [_window(50, 51), _window(0, 1), _window(2, 3)]
    replace_window(lake, PLAYS, _plays((50.5, "new d"), (0.5, "new a")), windows)
    assert _songs(lake) == ["b", "new a", "new d"]


def test_no_windows_replace_nothing(lake: Store) -> None:
    replace_window(lake, PLAYS, _plays((0, "a")), [_window(0, 1)])
    replace_window(lake, PLAYS, _plays(), [])
    assert _songs(lake) == ["a"]
    with pytest.raises(PermanentFailure, match="found rows outside"):
        replace_window(lake, PLAYS, _plays((0, "b")), [])


def test_a_window_of_microseconds_is_exact(lake: Store) -> None:
    tick = timedelta(microseconds=1)
    rows = [(START - tick, "before"), (START, "first"), (START + HOUR - tick, "last")]
    table = pa.Table.from_pylist(
        [{"day": at.date(), "hour": at, "kind": "a", "song": song} for at, song in rows],
        schema=PLAYS.schema,
    )
    replace_window(lake, PLAYS, table, [Window(START - HOUR, START + 2 * HOUR)])
    replace_window(lake, PLAYS, _plays(), [_window(0, 1)])
    assert _songs(lake) == ["before"]


def test_windows_across_midnight_are_exact(lake: Store) -> None:
    hours = [(float(hour), str(hour)) for hour in range(20, 30)]
    replace_window(lake, PLAYS, _plays(*hours), [_window(0, 48)])
    replace_window(lake, PLAYS, _plays(), [_window(22, 27)])
    assert _songs(lake) == ["20", "21", "27", "28", "29"]


def test_rows_without_a_window_are_replaced_by_themselves(lake: Store) -> None:
    replace_window(lake, PLAYS, _plays((0, "a")), [_window(0, 1)])
    replace_window(lake, PLAYS, _plays((None, "x")), None)
    replace_window(lake, PLAYS, _plays((None, "y")), None)
    assert _songs(lake) == ["a", "y"]
    replace_window(lake, PLAYS, _plays(), [_window(-9_999, 9_999)])
    assert _songs(lake) == ["y"]


def test_a_table_may_have_days_for_windows(lake: Store) -> None:
    replace_window(
        lake, BY_DAY, _plays((0, "a"), (24, "b")), [Window(date(2026, 3, 1), date(2026, 3, 3))]
    )
    replace_window(lake, BY_DAY, _plays(), [Window(date(2026, 3, 2), date(2026, 3, 3))])
    assert _songs(lake, BY_DAY) == ["a"]


def test_only_rows_with_the_given_values_are_replaced(lake: Store) -> None:
    for kind in ("a", "it's b"):
        rows = _plays((0, kind), kind=kind)
        replace_window(lake, PLAYS, rows, [_window(0, 1)], where={"kind": kind})
    replace_window(lake, PLAYS, _plays(), [_window(0, 1)], where={"kind": "it's b"})
    assert _songs(lake) == ["a"]


OUTSIDE: dict[str, tuple[pa.Table, list[Window] | None, dict[str, str]]] = {
    "before": (_plays((-1, SECRET)), [_window(0, 1)], {}),
    "at the end": (_plays((1, SECRET)), [_window(0, 1)], {}),
    "between": (_plays((0, "a"), (1, SECRET)), [_window(0, 1), _window(2, 3)], {}),
    "at the end of the first": (_plays((0, "a"), (1, SECRET)), [_window(0, 1), _window(5, 6)], {}),
    "one of many": (_plays(*[(0.5, "a")] * 99, (7, SECRET)), [_window(0, 1)], {}),
    "no value": (_plays((None, SECRET)), [_window(0, 1)], {}),
    "a value among none": (_plays((None, "a"), (0, SECRET)), None, {}),
    "another kind": (_plays((0, SECRET), kind="b"), [_window(0, 1)], {"kind": "a"}),
}


@pytest.mark.parametrize(("rows", "windows", "where"), OUTSIDE.values(), ids=OUTSIDE)
def test_a_row_outside_fails_the_write_before_anything_is_committed(
    rows: pa.Table, windows: list[Window] | None, where: dict[str, str], lake: Store
) -> None:
    replace_window(lake, PLAYS, _plays((0, "there"), (2, "there too")), [_window(0, 3)])
    before = current_version(lake, PLAYS)
    with pytest.raises(PermanentFailure, match=r"expected .*; nothing is written") as raised:
        replace_window(lake, PLAYS, rows, windows, where=where)
    assert current_version(lake, PLAYS) == before
    assert _songs(lake) == ["there", "there too"]
    assert SECRET not in str(raised.value)


def test_a_row_outside_in_a_later_batch_fails_the_whole_write(lake: Store) -> None:
    batches = [_plays((0, str(n))).to_batches()[0] for n in range(20)]
    batches += _plays((9, "outside")).to_batches()
    rows = pa.RecordBatchReader.from_batches(PLAYS.schema, iter(batches))
    with pytest.raises(PermanentFailure, match="found rows outside"):
        replace_window(lake, PLAYS, rows, [_window(0, 1)])
    assert _songs(lake) == []


# what is refused


REFUSED: dict[str, tuple[pa.Table, str]] = {
    "another type": (
        _plays((0, "a")).set_column(4, "count", pa.array([SECRET])),
        "column count is int64, found string",
    ),
    "a number for a text": (
        _plays((0, "a")).set_column(3, "song", pa.array([7])),
        "column song is string, found int64",
    ),
    "a time without a zone": (
        _plays((0, "a")).set_column(
            1, "hour", pa.array([datetime(2026, 3, 1)], pa.timestamp("us"))
        ),
        r"column hour is timestamp\[us, tz=UTC\], found timestamp\[us\]",
    ),
    "a number that does not fit": (
        _plays((0, "a")).set_column(4, "count", pa.array([2**63], pa.uint64())),
        "column count is int64, found uint64",
    ),
    "no value where one must be": (
        _plays((0, "a")).set_column(2, "kind", pa.array([None], pa.string())),
        "expected a value in every kind, found 1 without",
    ),
    "an unknown column": (
        _plays((0, "a")).append_column("more", pa.array([SECRET])),
        r"only the declared columns, found also \['more'\]; declare them in Play",
    ),
    "a required column less": (
        _plays((0, "a")).drop_columns(["kind"]),
        "expected a column kind, found none",
    ),
}


@on_disk
@pytest.mark.parametrize(("rows", "told"), REFUSED.values(), ids=REFUSED)
def test_rows_that_are_not_the_tables_are_refused_with_both_sides_named(
    rows: pa.Table, told: str, lake: Store
) -> None:
    create(lake, PLAYS)
    with pytest.raises(PermanentFailure, match=f"shop/plays: .*{told}") as raised:
        replace_window(lake, PLAYS, rows, [_window(0, 1)])
    assert current_version(lake, PLAYS) == 0
    assert SECRET not in str(raised.value)


TAKEN = {
    "large text": pa.array(["a"], pa.large_string()),
    "text view": pa.array(["a"], pa.string_view()),
    "dictionary": pa.array(["a"]).dictionary_encode(),
    "nothing": pa.nulls(1),
}


@on_disk
@pytest.mark.parametrize("song", TAKEN.values(), ids=TAKEN)
def test_another_representation_of_the_same_values_is_taken(song: pa.Array, lake: Store) -> None:
    rows = _plays((0, "a")).set_column(3, "song", song)
    replace_window(lake, PLAYS, rows, [_window(0, 1)])
    assert read(lake, PLAYS).schema == PLAYS.schema
    assert _songs(lake) == [str(song[0].as_py())]


def test_times_of_another_zone_and_unit_are_the_same_moments(lake: Store) -> None:
    moment = pa.array([START + HOUR]).cast(pa.timestamp("ms", "Asia/Tokyo"))
    replace_window(lake, PLAYS, _plays((0, "a")).set_column(1, "hour", moment), [_window(1, 2)])
    assert read(lake, PLAYS)["hour"].to_pylist() == [START + HOUR]


def test_a_type_that_changed_in_the_code_is_refused_with_both_types_named(lake: Store) -> None:
    class Play(BaseModel):
        """A play."""

        day: date
        hour: datetime | None
        kind: str
        song: str | None = None
        count: str | None = None

    replace_window(lake, PLAYS, _plays((0, "a")), [_window(0, 1)])
    changed = Table(
        name="shop/plays", row=Play, key=("hour",), written="replace_window", window="hour"
    )
    told = "column count is int64 in the lake and string in the code; nothing is written"
    with pytest.raises(PermanentFailure, match=told):
        replace_window(lake, changed, _plays().cast(changed.schema), [_window(0, 1)])
    assert _songs(lake) == ["a"]


def test_a_column_that_is_new_in_the_code_is_added(lake: Store) -> None:
    class Play(BaseModel):
        """A play."""

        day: date
        hour: datetime | None
        kind: str
        song: str | None = None
        count: int | None = None
        mood: str | None = None

    replace_window(lake, PLAYS, _plays((0, "a"), (2, "b")), [_window(0, 3)])
    grown = Table(
        name="shop/plays",
        row=Play,
        key=("hour",),
        written="replace_window",
        partition_by=("day",),
        window="hour",
    )
    row = {"day": START.date(), "hour": START, "kind": "a", "song": "c", "mood": "good"}
    assert read(lake, grown)["mood"].to_pylist() == [None, None]
    replace_window(lake, grown, pa.Table.from_pylist([row], schema=grown.schema), [_window(0, 1)])
    found = read(lake, grown).sort_by("song").to_pylist()
    assert [(r["song"], r["mood"]) for r in found] == [("b", None), ("c", "good")]


def test_conforming_puts_columns_in_order_and_fills_absent_ones() -> None:
    (batch,) = (
        _plays((0, "a"))
        .drop_columns(["count"])
        .select(["song", "kind", "hour", "day"])
        .to_batches()
    )
    conformed = conform(PLAYS, batch)
    assert conformed.schema == PLAYS.schema
    assert conformed.to_pylist() == _plays((0, "a")).to_pylist()


# replace, append_once


def test_a_replacement_is_a_new_version_and_the_old_one_stays_readable(lake: Store) -> None:
    first = replace(lake, USERS, _users(("a", 1, "Ann", False)))
    second = replace(lake, USERS, _users(("b", 1, "Bob", False)))
    assert read(lake, USERS)["id"].to_pylist() == ["b"]
    assert read(lake, USERS, version=first.table_version)["id"].to_pylist() == ["a"]
    assert second.table_version == first.table_version + 1


def test_a_replacement_by_nothing_leaves_nothing(lake: Store) -> None:
    replace(lake, USERS, _users(("a", 1, "Ann", False)))
    replace(lake, USERS, _users())
    assert len(read(lake, USERS)) == 0


def test_a_replay_is_not_appended(lake: Store) -> None:
    rows = _users(("a", 1, None, False))
    assert append_once(lake, USERS, rows, app_id="stream", version=4) is not None
    assert append_once(lake, USERS, rows, app_id="stream", version=4) is None
    assert append_once(lake, USERS, rows, app_id="stream", version=3) is None
    assert append_once(lake, USERS, rows, app_id="stream", version=5) is not None
    assert append_once(lake, USERS, rows, app_id="other", version=1) is not None
    assert len(read(lake, USERS)) == 3


# what a write leaves behind


def test_transactions_are_recorded_with_the_commit(lake: Store) -> None:
    rows = _plays((0, "a"))
    replace_window(lake, PLAYS, rows, [_window(0, 1)], transactions={"plan": 7, "events": 3})
    assert transaction_version(lake, PLAYS, "plan") == 7
    assert transaction_version(lake, PLAYS, "events") == 3
    assert transaction_version(lake, PLAYS, "nobody") is None
    assert transaction_version(lake, USERS, "plan") is None


def test_a_receipt_says_what_the_log_says(lake: Store) -> None:
    receipt = replace_window(lake, PLAYS, _plays((0, "a"), (30, "b"), (7, "c")), [_window(0, 48)])
    added = [a["add"] for a in _log(lake, PLAYS, receipt.table_version) if "add" in a]
    assert receipt.rows == sum(json.loads(a["stats"])["numRecords"] for a in added) == 3
    assert receipt.files == len(added) == 2
    assert receipt.bytes == sum(len(lake.read(*PLAYS.path, a["path"])) for a in added)
    assert receipt.newest == START + 30 * HOUR
    assert receipt.table_version == current_version(lake, PLAYS)
    assert receipt.seconds > 0


def test_a_receipt_counts_only_rows_written(lake: Store) -> None:
    replace_window(lake, PLAYS, _plays((0, "a"), (1, "b")), [_window(0, 2)])
    receipt = replace_window(lake, PLAYS, _plays((1, "c")), [_window(1, 2)])
    assert receipt.rows == 1


def test_an_empty_table_has_its_columns_partitions_and_name(lake: Store) -> None:
    create(lake, PLAYS)
    found = open_table(lake, PLAYS)
    assert found is not None
    assert found.metadata().partition_columns == ["day"]
    assert found.metadata().name == "shop/plays"
    assert pa.schema(found.schema().to_arrow()).names == PLAYS.schema.names


def test_times_are_stored_with_their_zone(lake: Store) -> None:
    replace_window(lake, PLAYS, _plays((0, "a")), [_window(0, 1)])
    (metadata,) = [a["metaData"] for a in _log(lake, PLAYS, 0) if "metaData" in a]
    types = {f["name"]: f["type"] for f in json.loads(metadata["schemaString"])["fields"]}
    assert types["hour"] == "timestamp"


def test_nothing_is_there_before_the_first_write(lake: Store) -> None:
    assert open_table(lake, PLAYS) is None
    assert current_version(lake, PLAYS) is None


# two writers, and no place to write


class _Race:
    """Rows that are not made before another writer has committed."""

    def __init__(self, other: Callable[[], object], rows: pa.Table) -> None:
        self.other = other
        self.rows = rows

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        done = threading.Thread(target=self.other)
        done.start()
        done.join()
        yield from self.rows.to_batches()

    def reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self.rows.schema, iter(self))


def test_two_writers_of_the_same_window_leave_one_of_them_to_try_again(lake: Store) -> None:
    replace_window(lake, PLAYS, _plays((0, "old")), [_window(0, 1)])
    race = _Race(
        lambda: replace_window(lake, PLAYS, _plays((0, "fast")), [_window(0, 1)]),
        _plays((0, "slow")),
    )
    with pytest.raises(TransientFailure, match="another writer changed the same rows"):
        replace_window(lake, PLAYS, race.reader(), [_window(0, 1)])
    assert _songs(lake) == ["fast"]


def test_two_writers_of_different_days_both_commit_and_tell_of_their_own(lake: Store) -> None:
    replace_window(lake, PLAYS, _plays((0, "a"), (24, "b")), [_window(0, 48)])
    receipts = []
    race = _Race(
        lambda: receipts.append(
            replace_window(lake, PLAYS, _plays((24, "b1"), (25, "b2")), [_window(24, 48)])
        ),
        _plays((0, "a1")),
    )
    receipts.append(replace_window(lake, PLAYS, race.reader(), [_window(0, 24)]))
    assert _songs(lake) == ["a1", "b1", "b2"]
    for receipt, rows in zip(receipts, (2, 1), strict=True):
        added = [a["add"] for a in _log(lake, PLAYS, receipt.table_version) if "add" in a]
        assert receipt.rows == rows
        assert sum(json.loads(a["stats"])["numRecords"] for a in added) == rows


def test_two_replays_at_once_are_appended_once(lake: Store) -> None:
    rows = _users(("a", 1, None, False))
    create(lake, USERS)
    race = _Race(lambda: append_once(lake, USERS, rows, app_id="stream", version=1), rows)
    with pytest.raises(TransientFailure):
        append_once(lake, USERS, race.reader(), app_id="stream", version=1)
    assert len(read(lake, USERS)) == 1


def test_what_the_rows_raise_is_what_the_write_raises(lake: Store) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from _plays((0, "a")).to_batches()
        raise KeyError("the source")

    rows = pa.RecordBatchReader.from_batches(PLAYS.schema, broken())
    with pytest.raises(KeyError, match="the source"):
        replace_window(lake, PLAYS, rows, [_window(0, 1)])
    assert _songs(lake) == []


@pytest.mark.parametrize(
    "write",
    [
        lambda lake: replace_window(lake, PLAYS, _plays((0, SECRET)), [_window(0, 1)]),
        lambda lake: merge(lake, USERS, _users((SECRET, 1, None, False))),
        lambda lake: replace(lake, USERS, _users((SECRET, 1, None, False))),
    ],
    ids=["replace_window", "merge", "replace"],
)
def test_a_lake_that_cannot_be_written_is_one_sentence(
    write: Callable[[Store], object], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError) as raised:
        write(store(str(tmp_path / "file" / "lake")))
    told = str(raised.value)
    assert "NOVADE_LAKE_URL" in told
    assert str(tmp_path / "file") in told
    assert SECRET not in told
    assert "\n" not in told


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
from novade_pipeline.storage import store

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
