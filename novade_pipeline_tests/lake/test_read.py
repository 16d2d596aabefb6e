"""Rows of a table as Arrow, with columns, windows and versions chosen."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from novade_pipeline.lake.delta import replace_window
from novade_pipeline.lake.read import count_by, newest, read, stream
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.places import NewStore

START = datetime(2026, 3, 1, tzinfo=UTC)


class Row(BaseModel):
    """A row."""

    day: date
    hour: datetime | None
    kind: str
    n: int
    told: list[str]


TABLE = Table(
    name="some/rows",
    row=Row,
    key=("n",),
    write_mode="replace_window",
    partition_by=("day",),
    window="hour",
    data_time="hour",
)


def _hour(number: int) -> datetime:
    return START + timedelta(hours=number)


@pytest.fixture(scope="module")
def lake(new_lasting_store: NewStore) -> Store:
    """Sixty hours of rows, one an hour, and one without an hour."""
    lake = new_lasting_store("lake")
    rows = [
        {
            "day": _hour(n).date(),
            "hour": _hour(n),
            "kind": "it's odd" if n % 2 else "even",
            "n": n,
            "told": [str(n)],
        }
        for n in range(60)
    ]
    table = pa.Table.from_pylist(rows, schema=TABLE.schema)
    replace_window(lake, TABLE, table, [Window(_hour(0), _hour(60))])
    timeless = {**rows[0], "hour": None, "n": -1}
    replace_window(lake, TABLE, pa.Table.from_pylist([timeless], schema=TABLE.schema), None)
    return lake


def _numbers(rows: pa.Table) -> list[int]:
    return sorted(rows["n"].to_pylist())


def test_all_rows_are_read_as_they_were_written(lake: Store) -> None:
    found = read(lake, TABLE)
    assert found.schema == TABLE.schema
    assert _numbers(found) == list(range(-1, 60))
    assert found.filter(pa.compute.equal(found["n"], 7))["told"].to_pylist() == [["7"]]


def test_a_table_that_was_never_written_has_its_columns_and_no_rows(new_store: NewStore) -> None:
    empty = new_store("empty")
    found = read(empty, TABLE, columns=["n", "hour"])
    assert (len(found), found.schema.names) == (0, ["n", "hour"])
    assert stream(empty, TABLE).schema == TABLE.schema


def test_only_the_columns_asked_for_are_read_in_their_order(lake: Store) -> None:
    assert read(lake, TABLE, columns=["n", "day"]).schema.names == ["n", "day"]


CHOICES: dict[str, tuple[dict[str, Any], list[int]]] = {
    "a window": ({"windows": [Window(_hour(3), _hour(6))]}, [3, 4, 5]),
    "across midnight": ({"windows": [Window(_hour(23), _hour(25))]}, [23, 24]),
    "two windows": (
        {"windows": [Window(_hour(50), _hour(52)), Window(_hour(1), _hour(2))]},
        [1, 50, 51],
    ),
    "no windows": ({"windows": []}, []),
    "an empty window": ({"windows": [Window(_hour(3), _hour(3))]}, []),
    "a value": ({"where": {"kind": "it's odd"}}, list(range(1, 60, 2))),
    "a value and a window": (
        {"where": {"kind": "even"}, "windows": [Window(_hour(3), _hour(6))]},
        [4],
    ),
    "the version before any row without an hour": ({"version": 1}, list(range(60))),
    "the version before any row": ({"version": 0}, []),
}


@pytest.mark.parametrize(("how", "numbers"), CHOICES.values(), ids=CHOICES)
def test_only_the_rows_asked_for_are_read(
    how: dict[str, Any], numbers: list[int], lake: Store
) -> None:
    assert _numbers(read(lake, TABLE, **how)) == numbers


def test_the_newest_data_time_is_told(lake: Store, new_store: NewStore) -> None:
    assert newest(lake, TABLE) == _hour(59)
    assert newest(new_store("empty"), TABLE) is None


@pytest.mark.parametrize("column", ["day", "kind"])
def test_rows_are_counted_by_a_column_that_the_lake_is_cut_by_and_by_any_other(
    column: str, lake: Store
) -> None:
    rows = read(lake, TABLE, columns=[column])[column].to_pylist()
    assert count_by(lake, TABLE, column) == Counter(map(str, rows))


def test_rows_are_counted_within_windows(lake: Store) -> None:
    windows = [Window(_hour(20), _hour(30))]
    assert count_by(lake, TABLE, "day", windows) == {"2026-03-01": 4, "2026-03-02": 6}


def test_a_table_that_was_never_written_has_no_rows_to_count(new_store: NewStore) -> None:
    assert count_by(new_store("lake"), TABLE, "day") == {}


def test_rows_of_a_table_that_is_cut_otherwise_are_counted(new_store: NewStore) -> None:
    lake = new_store("lake")
    rows = pa.table({"day": [START.date()] * 3, "hour": [START] * 3, "n": [1, 2, 3]})
    write_deltalake(lake.table_url("some", "rows"), rows, storage_options=lake.options())
    assert count_by(lake, TABLE, "day") == {"2026-03-01": 3}


def test_no_more_rows_than_asked_for_are_read(lake: Store) -> None:
    assert len(stream(lake, TABLE, limit=5).read_all()) == 5


@given(bounds=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=4))
@settings(max_examples=20)
def test_windows_are_read_exactly(bounds: list[tuple[int, int]], lake: Store) -> None:
    windows = [Window(_hour(start), _hour(start + hours)) for start, hours in bounds]
    inside = {n for start, hours in bounds for n in range(start, min(start + hours, 60))}
    assert _numbers(read(lake, TABLE, windows=windows)) == sorted(inside)


def test_a_stream_that_is_left_unread_can_be_let_go(lake: Store) -> None:
    batches = iter(stream(lake, TABLE))
    assert next(batches).num_rows > 0
    del batches
    assert len(read(lake, TABLE)) == 61
