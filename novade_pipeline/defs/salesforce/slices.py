"""A long time in slices that hold about so many records each, the oldest first.

How many records a slice holds is asked as it is planned: a load that is stopped has planned no
more than it has read. Times are whole seconds, as `SystemModstamp` is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Slice:
    """Records that were last changed between two times.

    Attributes:
        since: the first moment; None: since ever.
        until: the moment after the last.
        rows: how many there were when it was planned.
    """

    since: datetime | None
    until: datetime
    rows: int


def query(name: str, what: str, since: datetime | None, until: datetime | None) -> str:
    """A query for records that were changed between two times."""
    bounds = [
        f"SystemModstamp {sign} {at:%Y-%m-%dT%H:%M:%SZ}"
        for sign, at in ((">=", since), ("<", until))
        if at is not None
    ]
    return f"SELECT {what} FROM {name}" + (f" WHERE {' AND '.join(bounds)}" if bounds else "")


def slices(
    whole: Slice, most: int, oldest: Callable[[], datetime], count: Callable[[Slice], int]
) -> Iterator[Slice]:
    """The slices of a time, without gaps; small neighbours are one.

    Args:
        whole: the time.
        most: records in a slice, where it can be cut so fine; a second is never cut.
        oldest: asked where the whole has no beginning: when the oldest record was last changed.
        count: asked how many records a slice holds.
    """
    if whole.rows <= most:
        yield whole
        return
    begin = whole.since or oldest().replace(microsecond=0)
    left = [replace(whole, since=begin)]
    gathered: Slice | None = None
    first = True
    while left:
        one = left.pop()
        assert one.since is not None
        if one.rows > most and one.until - one.since > _SECOND:
            middle = one.since + (one.until - one.since) / 2
            middle = max(one.since + _SECOND, middle.replace(microsecond=0))
            lower = replace(one, until=middle)
            lower = replace(lower, rows=count(lower))
            left += [Slice(middle, one.until, max(0, one.rows - lower.rows)), lower]
            continue
        if gathered is not None and gathered.rows + one.rows > most:
            yield gathered if not first else replace(gathered, since=whole.since)
            gathered, first = None, False
        gathered = (
            one if gathered is None else Slice(gathered.since, one.until, gathered.rows + one.rows)
        )
    assert gathered is not None
    yield gathered if not first else replace(gathered, since=whole.since)
