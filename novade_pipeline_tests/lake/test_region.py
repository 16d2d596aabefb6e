"""Which rows a write replaces, and what of that the ranges of a file tell."""

from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from novade_pipeline.lake.data_files import DataFile, Range
from novade_pipeline.lake.region import WindowRegion
from novade_pipeline.lake.windows import Window
from novade_pipeline_tests.lake.delta_tables import BY_DAY, HOUR, PLAYS, START, plays, window_of

TICK = timedelta(microseconds=1)


def _file(low: float, high: float, nulls: int | None = 0, rows: int = 2) -> DataFile:
    ranges = {"hour": Range(START + low * HOUR, START + high * HOUR, nulls)}
    return DataFile("a", 1, rows, {}, ranges)


UNKNOWN = DataFile("a", 1, 2, {}, {"hour": Range(None, None, None)})
EMPTY_HOURS = DataFile("a", 1, 2, {}, {"hour": Range(None, None, 2)})

# windows -> a file -> whether all its rows are inside, or none; None where that must be looked at
TOLD: dict[str, tuple[list[Window] | None, DataFile, bool | None]] = {
    "within": ([window_of(0, 3)], _file(0, 2), True),
    "up to the end": ([window_of(0, 2)], _file(0, 2), None),
    "before": ([window_of(3, 4)], _file(0, 2), False),
    "up to the start": ([window_of(2, 4)], _file(0, 2), None),
    "from the end on": ([window_of(0, 2)], _file(2, 3), False),
    "after": ([window_of(0, 1)], _file(2, 3), False),
    "around": ([window_of(1, 2)], _file(0, 9), None),
    "between": ([window_of(0, 1), window_of(5, 6)], _file(2, 3), False),
    "in windows that touch": ([window_of(2, 4), window_of(0, 2)], _file(1, 3), True),
    "in a window around another": ([window_of(0, 9), window_of(1, 2)], _file(4, 5), True),
    "in windows with a gap": ([window_of(0, 2), window_of(3, 5)], _file(1, 4), None),
    "within, some without": ([window_of(0, 3)], _file(0, 2, nulls=1), None),
    "within, nobody knows whether without": ([window_of(0, 3)], _file(0, 2, nulls=None), None),
    "not known": ([window_of(0, 3)], UNKNOWN, None),
    "all without": ([window_of(0, 3)], EMPTY_HOURS, False),
    "no windows": ([], _file(0, 2), False),
    "a window of nothing": ([window_of(2, 1)], _file(0, 2), False),
    "none without, where those are meant": (None, _file(0, 2), False),
    "some without, where those are meant": (None, _file(0, 2, nulls=1), None),
    "all without, where those are meant": (None, EMPTY_HOURS, True),
    "not known, where those without are meant": (None, UNKNOWN, None),
    "without ranges": ([window_of(0, 3)], DataFile("a", 1, 2), None),
}


@pytest.mark.parametrize(("windows", "file", "told"), TOLD.values(), ids=TOLD)
def test_ranges_tell_of_whole_files(
    windows: list[Window] | None, file: DataFile, told: bool | None
) -> None:
    assert WindowRegion(PLAYS, windows, {}).contains(file) is told


@pytest.mark.parametrize(
    ("kind", "where", "told"),
    [
        ("a", {"kind": "a"}, True),
        ("b", {"kind": "a"}, False),
        ("b", {"kind": ["a", "b"]}, True),
        ("b", {"kind": []}, False),
        (None, {"kind": "None"}, False),
        ("a", {"kind": "a", "song": "x"}, None),
        ("b", {"kind": "a", "song": "x"}, False),
    ],
)
def test_a_partition_tells_of_its_files(kind: str | None, where: Any, told: bool | None) -> None:
    file = DataFile("a", 1, 2, {"kind": kind}, _file(0, 1).ranges)
    assert WindowRegion(PLAYS, [window_of(0, 3)], where).contains(file) is told


INSIDE: dict[str, tuple[list[Window] | None, list[int]]] = {
    "one": ([window_of(0, 2)], [0, 1]),
    "around another": ([window_of(0, 9), window_of(1, 2)], [0, 1, 2]),
    "from before 1970": ([Window(datetime.min.replace(tzinfo=START.tzinfo), START + HOUR)], [0]),
    "to the microsecond": ([Window(START + TICK, START + 2 * HOUR)], [1]),
    "none": ([], []),
    "those without": (None, [3]),
}


@pytest.mark.parametrize(("windows", "rows"), INSIDE.values(), ids=INSIDE)
def test_rows_are_inside_by_their_window(windows: list[Window] | None, rows: list[int]) -> None:
    table = plays((0, "0"), (1, "1"), (2, "2"), (None, "3"))
    assert WindowRegion(PLAYS, windows, {}).mask(table).nonzero()[0].tolist() == rows


def test_the_day_that_a_window_of_days_ends_with_is_outside() -> None:
    day = date(2026, 3, 2)
    file = DataFile("a", 1, 2, {}, {"day": Range(START.date(), day, 0)})
    region = WindowRegion(BY_DAY, [Window(START.date(), day)], {})
    assert region.contains(file) is None
    days = pa.table({"day": [START.date(), day]})
    assert region.mask(days).tolist() == [True, False]
