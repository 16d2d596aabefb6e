"""Half-open windows of a column's values, and SQL for the rows within them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pyarrow as pa

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
    for day in table.partition_by:
        if day in (table.window, *where) or not pa.types.is_date(table.schema.field(day).type):
            continue
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


def at_least(column: str, moment: Moment) -> str:
    """SQL for the rows whose value is this moment or a later one."""
    return f'"{column}" >= {_literal(moment)}'


def interval(window: Window) -> str:
    """A window as messages print it: `[start, end)`."""
    return f"[{window.start}, {window.end})"


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
