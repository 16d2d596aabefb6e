"""Which windows of a Delta table changed between two versions: finer than its partitions.

The log has the range of the window column for each file that was added; that of a file that was
removed is in the version that still had it. A file without a range stands for its whole day.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeAlias
from urllib.parse import unquote

from novade_pipeline.errors import UserError
from novade_pipeline.lake.changes import EVERYTHING, Everything, changed_files
from novade_pipeline.lake.data_files import files_of
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Moment, Window
from novade_pipeline.storage.store import Store

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Ends: TypeAlias = tuple[Moment, Moment]
"""The least and the greatest value of a column."""


def changed_windows(
    store: Store, table: Table, since: int | None, until: int
) -> list[Window] | Everything:
    """The windows whose rows differ, or may differ, between two versions.

    Args:
        table: a table with a window column that holds full hours, or days, and one partition
            column, the day of the window.
        since: the version that is known already, exclusive; None when none is.
        until: the last version that is compared, inclusive.

    Returns:
        Windows of whole hours, or of days where the column is a date, in order; `EVERYTHING`
        without `since`, or where the log between the two is gone or incomplete.
    """
    if since is None or since > until:
        return EVERYTHING
    try:
        files = list(changed_files(store, table, since + 1, until))
    except FileNotFoundError:
        return EVERYTHING
    ends = {_path(file): _logged_ends(table, file) for file in files if file.get("stats")}
    if any(_path(file) not in ends for file in files):
        ends = _ends_at(store, table, since) | ends
    windows = []
    for file in files:
        window = _window(ends.get(_path(file))) or _day(table, file)
        if window is None:
            return EVERYTHING
        windows.append(window)
    return joined(windows)


def joined(windows: Iterable[Window]) -> list[Window]:
    """The same moments as few windows, in order: those that touch or overlap become one."""
    result: list[Window] = []
    for window in sorted(windows):
        if result and window.start <= result[-1].end:
            result[-1] = Window(result[-1].start, max(result[-1].end, window.end))
        else:
            result.append(window)
    return result


def days_of(windows: Iterable[Window]) -> list[date]:
    """The UTC days that windows of hours lie in, in order."""
    days = set()
    for window in windows:
        assert isinstance(window.start, datetime), f"expected hours, found days: {window}"
        start = datetime.combine(window.start.date(), time(), UTC)
        while start < window.end:
            days.add(start.date())
            start += DAY
    return sorted(days)


def _path(file: Mapping[str, Any]) -> str:
    return unquote(file["path"])


def _logged_ends(table: Table, file: Mapping[str, Any]) -> Ends | None:
    """The ends of a file's window column, as its action has them; None where it has not."""
    stats = json.loads(file["stats"])
    values = [stats.get(end, {}).get(table.window) for end in ("minValues", "maxValues")]
    if None in values or stats.get("nullCount", {}).get(table.window) != 0:
        return None
    low, high = (datetime.fromisoformat(value) for value in values)
    if low.tzinfo is None:
        return low.date(), high.date()
    return low.astimezone(UTC), high.astimezone(UTC)


def _ends_at(store: Store, table: Table, version: int) -> dict[str, Ends | None]:
    """The same of all files of a version; none where the log no longer reaches it."""
    try:
        before = open_table(store, table, version)
    except UserError:
        return {}
    ranges = {
        file.path: file.ranges.get(str(table.window))
        for file in (files_of(table, before) if before is not None else ())
    }
    return {
        path: (values.low, values.high)
        if values and values.is_bounded and not values.nulls
        else None
        for path, values in ranges.items()
    }


def _window(ends: Ends | None) -> Window | None:
    if ends is None:
        return None
    low, high = ends
    if isinstance(low, datetime) and isinstance(high, datetime):
        first, last = (end.replace(minute=0, second=0, microsecond=0) for end in (low, high))
        return Window(first, last + HOUR)
    return Window(low, high + DAY)


def _day(table: Table, file: Mapping[str, Any]) -> Window | None:
    """The whole day that a file is of, by its partition."""
    (column,) = table.partition_by
    value = (file.get("partitionValues") or {}).get(column)
    if value is None:
        return None
    day = date.fromisoformat(value)
    if table.window == column:
        return Window(day, day + DAY)
    start = datetime.combine(day, time(), UTC)
    return Window(start, start + DAY)
