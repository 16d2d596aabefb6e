"""Which hours changed in a table is read from its log, finer than its days."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pydantic import BaseModel, Field

from novade_pipeline.lake.changed_windows import changed_windows, joined
from novade_pipeline.lake.changes import EVERYTHING
from novade_pipeline.lake.delta import current_version, replace_window
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage.store import Store

DAY = datetime(2026, 3, 2, tzinfo=UTC)


class Row(BaseModel):
    """A row."""

    day: date = Field(description="A day.")
    hour: datetime = Field(description="An hour.")
    n: int = Field(description="A number.")


TABLE = Table(
    name="some/rows",
    row=Row,
    key=("hour", "n"),
    write_mode="replace_window",
    partition_by=("day",),
    window="hour",
)
BY_DAY = Table(
    name="some/rows",
    row=Row,
    key=("day", "n"),
    write_mode="replace_window",
    partition_by=("day",),
    window="day",
)


def _hours(first: int, last: int) -> Window:
    return Window(DAY + timedelta(hours=first), DAY + timedelta(hours=last + 1))


def _rows(hours: dict[int, int]) -> pa.Table:
    moments = {DAY + timedelta(hours=hour): n for hour, n in hours.items()}
    rows = [{"day": m.date(), "hour": m, "n": n} for m, n in moments.items()]
    return pa.Table.from_pylist(rows, schema=TABLE.schema)


def _load(lake: Store, hours: dict[int, int], *windows: Window) -> int:
    chosen = list(windows) or [_hours(hour, hour) for hour in hours]
    return replace_window(lake, TABLE, _rows(hours), chosen).table_version


def _since(lake: Store, version: int, table: Table = TABLE) -> Any:
    now = current_version(lake, TABLE)
    assert now is not None
    return changed_windows(lake, table, version, now)


def test_an_hour_that_is_added_is_the_only_one_that_changed(lake: Store) -> None:
    before = _load(lake, {0: 1, 1: 2, 25: 3})
    _load(lake, {2: 4})
    assert _since(lake, before) == [_hours(2, 2)]


def test_hours_that_touch_are_one_window(lake: Store) -> None:
    before = _load(lake, {0: 1})
    _load(lake, {3: 1})
    _load(lake, {2: 1})
    _load(lake, {30: 1})
    assert _since(lake, before) == [_hours(2, 3), _hours(30, 30)]


def test_an_hour_that_is_emptied_has_changed(lake: Store) -> None:
    _load(lake, {0: 1})
    before = _load(lake, {1: 2})
    _load(lake, {}, _hours(1, 1))
    assert _since(lake, before) == [_hours(1, 1)]


def test_a_file_that_holds_several_hours_stands_for_all_of_them(lake: Store) -> None:
    before = _load(lake, {0: 1, 3: 2, 30: 3})
    _load(lake, {3: 9})
    assert _since(lake, before) == [_hours(0, 3)]


def test_a_file_that_came_and_went_meanwhile_has_changed_its_hour(lake: Store) -> None:
    before = _load(lake, {0: 1})
    _load(lake, {5: 1})
    _load(lake, {}, _hours(5, 5))
    assert _since(lake, before) == [_hours(5, 5)]


def test_a_compaction_changes_nothing(lake: Store) -> None:
    for hour in range(3):
        before = _load(lake, {hour: 1})
    url, options = lake.table_url(*TABLE.path), lake.options()
    DeltaTable(url, storage_options=options).optimize.compact()
    assert _since(lake, before) == []


def test_a_table_that_is_cut_by_its_window_has_changed_days(lake: Store) -> None:
    before = _load(lake, {0: 1, 24: 1})
    _load(lake, {48: 1, 60: 2, 100: 1})
    days = [(DAY + timedelta(days=n)).date() for n in (2, 3, 4, 5)]
    assert _since(lake, before, BY_DAY) == [Window(days[0], days[1]), Window(days[2], days[3])]


def test_a_file_without_a_range_stands_for_its_day(lake: Store) -> None:
    before = _load(lake, {0: 1})
    action = '{"add":{"path":"day=2026-03-03/a","partitionValues":{"day":"2026-03-03"}}}'
    lake.write(action.encode(), *TABLE.path, "_delta_log", f"{before + 1:020}.json")
    assert changed_windows(lake, TABLE, before, before + 1) == [_hours(24, 47)]


def test_another_engines_rows_are_seen_by_their_hours(lake: Store) -> None:
    before = _load(lake, {0: 1})
    url, options = lake.table_url(*TABLE.path), lake.options()
    write_deltalake(url, _rows({7: 1, 9: 2}), mode="append", storage_options=options)
    assert _since(lake, before) == [_hours(7, 9)]


@pytest.mark.parametrize("since", [None, 99])
def test_a_version_that_is_unknown_or_younger_than_the_table_means_everything(
    lake: Store, since: int | None
) -> None:
    now = _load(lake, {0: 1})
    assert changed_windows(lake, TABLE, since, now) is EVERYTHING


def test_a_log_that_was_cleaned_up_means_everything(lake: Store) -> None:
    before = _load(lake, {0: 1})
    now = _load(lake, {1: 1})
    lake.delete(*TABLE.path, "_delta_log", f"{now:020}.json")
    assert changed_windows(lake, TABLE, before, now) is EVERYTHING


def test_windows_are_joined_where_they_touch_or_overlap() -> None:
    windows = [_hours(5, 9), _hours(0, 1), _hours(2, 2), _hours(6, 7), _hours(12, 12)]
    assert joined(windows) == [_hours(0, 2), _hours(5, 9), _hours(12, 12)]
