"""Cuts a period into slices with about the same number of records each, the oldest first.

Slices are planned as they are read. Times are whole seconds, as `SystemModstamp` is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Slice:
    """Records that were last changed between two times.

    Attributes:
        since: the first moment, UTC; None where there is no lower bound.
        until: the moment after the last, UTC.
        rows: the number of records when it was planned.
    """

    since: datetime | None
    until: datetime
    rows: int


def query(name: str, what: str, since: datetime | None, until: datetime | None) -> str:
    """Returns the SOQL for records that were changed between two times."""
    bounds = [
        f"SystemModstamp {sign} {at:%Y-%m-%dT%H:%M:%SZ}"
        for sign, at in ((">=", since), ("<", until))
        if at is not None
    ]
    return f"SELECT {what} FROM {name}" + (f" WHERE {' AND '.join(bounds)}" if bounds else "")


def slices(
    period: Slice, max_rows: int, oldest: Callable[[], datetime], count: Callable[[Slice], int]
) -> Iterator[Slice]:
    """Cuts a period into slices without gaps; small neighbours are joined.

    Args:
        max_rows: records of a slice; a second is never cut.
        oldest: returns when the oldest record was last changed.
        count: returns the number of records of a slice.
    """
    if period.rows <= max_rows:
        yield period
        return
    begin = period.since or oldest().replace(microsecond=0)
    pending = [replace(period, since=begin)]
    gathered: Slice | None = None
    is_first = True
    while pending:
        part = pending.pop()
        assert part.since is not None
        if part.rows > max_rows and part.until - part.since > _SECOND:
            middle = part.since + (part.until - part.since) / 2
            middle = max(part.since + _SECOND, middle.replace(microsecond=0))
            lower = replace(part, until=middle)
            lower = replace(lower, rows=count(lower))
            pending += [Slice(middle, part.until, max(0, part.rows - lower.rows)), lower]
            continue
        if gathered is not None and gathered.rows + part.rows > max_rows:
            yield gathered if not is_first else replace(gathered, since=period.since)
            gathered, is_first = None, False
        gathered = (
            part
            if gathered is None
            else Slice(gathered.since, part.until, gathered.rows + part.rows)
        )
    assert gathered is not None
    yield gathered if not is_first else replace(gathered, since=period.since)
