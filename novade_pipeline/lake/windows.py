"""Half-open windows of a column's values: what they hold, as SQL and as a test of Arrow columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.lake.table import Table

Moment = datetime | date


@dataclass(frozen=True, order=True)
class Window:
    """Half-open: `start <= window column < end`."""

    start: Moment
    end: Moment


def day_of(moment: Moment) -> date:
    """The UTC day of a moment."""
    return moment.astimezone(UTC).date() if isinstance(moment, datetime) else moment


def predicate(table: Table, windows: Sequence[Window] | None, where: Mapping[str, str]) -> str:
    """SQL for the rows that have the values of `where` and lie within one of the windows."""
    terms = [f'"{name}" = {_literal(value)}' for name, value in where.items()]
    if windows is None:
        return " AND ".join(terms) or "true"
    if not windows:
        return "false"
    day = next((c for c in table.partition_by if c != table.window and c not in where), None)
    if day is not None:
        # Says the same by the partition column, so that other partitions' files are not read.
        first, last = windows[0].start, max(window.end for window in windows)
        terms.append(
            f'"{day}" >= {_literal(day_of(first))} AND "{day}" <= {_literal(day_of(last))}'
        )
    any_of = " OR ".join(
        f'("{table.window}" >= {_literal(w.start)} AND "{table.window}" < {_literal(w.end)})'
        for w in windows
    )
    return " AND ".join([*terms, f"({any_of})"])


def is_inside(column: pa.Array, ranges: Sequence[Window] | None) -> bool:
    """Whether every value lies within one of the windows; where None, whether all are null."""
    if ranges is None:
        return bool(column.null_count == len(column))
    if column.null_count:
        return False
    inside = pa.scalar(False)
    bounds = pc.min_max(column).as_py()
    for window in ranges:
        if bounds["min"] is None or (window.start <= bounds["min"] and bounds["max"] < window.end):
            return True
        within = pc.and_(
            pc.greater_equal(column, pa.scalar(window.start, column.type)),
            pc.less(column, pa.scalar(window.end, column.type)),
        )
        inside = pc.or_(inside, within)
    return bool(pc.all(inside).as_py())


def interval(window: Window) -> str:
    """A window as messages tell it: `[start, end)`."""
    return f"[{window.start}, {window.end})"


def _literal(value: str | Moment) -> str:
    if isinstance(value, datetime):
        return f"'{value.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%S.%fZ')}'"
    return "'" + str(value).replace("'", "''") + "'"
