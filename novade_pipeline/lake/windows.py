"""Half-open windows of a column's values: what they hold, as SQL and as a test of Arrow columns."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.lake.table import Table

Moment = datetime | date
Value = str | int
Where = Mapping[str, Value | Collection[Value]]
"""Columns, and the value, or one of the values, that the rows have."""


@dataclass(frozen=True, order=True)
class Window:
    """Half-open: `start <= window column < end`."""

    start: Moment
    end: Moment


def day_of(moment: Moment) -> date:
    """The UTC day of a moment."""
    return moment.astimezone(UTC).date() if isinstance(moment, datetime) else moment


def predicate(table: Table, windows: Sequence[Window] | None, where: Where) -> str:
    """SQL for the rows that have the values of `where` and lie within one of the windows."""
    terms = [_term(name, value) for name, value in where.items()]
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


def has_value(column: pa.Array, value: Value | Collection[Value]) -> bool:
    """Whether every row of a column has the value, or one of the values."""
    values = [value] if isinstance(value, str | int) else list(value)
    return bool(pc.all(pc.is_in(column, pa.array(values, column.type))).as_py() in (True, None))


def _term(name: str, value: Value | Collection[Value]) -> str:
    if isinstance(value, str | int):
        return f'"{name}" = {_literal(value)}'
    # SQL has no empty list.
    return f'"{name}" IN ({", ".join(map(_literal, value))})' if value else "false"


def _literal(value: Value | Moment) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return f"'{value.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%S.%fZ')}'"
    return "'" + str(value).replace("'", "''") + "'"
