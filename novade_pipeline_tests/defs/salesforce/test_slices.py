"""A long time in slices: none is forgotten, none is read twice, none is much too large."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from novade_pipeline.defs.salesforce.slices import Slice, slices

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)


@given(
    st.lists(st.integers(0, 100_000), max_size=60),
    st.integers(1, 20),
    st.booleans(),
)
def test_slices_hold_each_moment_once_and_no_more_than_they_may(
    stamps: list[int], most: int, has_beginning: bool
) -> None:
    times = sorted(BEGIN + timedelta(seconds=second) for second in stamps)
    counted = []

    def count(part: Slice) -> int:
        counted.append(part)
        return sum(part.since <= time < part.until for time in times if part.since is not None)

    until = BEGIN + timedelta(seconds=100_001)
    period = Slice(BEGIN if has_beginning else None, until, len(times))
    planned = list(slices(period, most, lambda: times[0], count))
    assert planned[0].since == period.since
    assert planned[-1].until == until
    assert all(part.until == following.since for part, following in pairwise(planned))
    for part in planned:
        inside = [t for t in times if (part.since is None or part.since <= t) and t < part.until]
        assert len(inside) == part.rows
        assert part.rows <= most or len(set(inside)) <= 1
    assert len(counted) <= 18 * len(planned)


def test_small_neighbours_are_one_slice() -> None:
    period = Slice(BEGIN, BEGIN + timedelta(days=64), 64)

    def count(part: Slice) -> int:
        assert part.since is not None
        return (part.until - part.since).days

    planned = list(slices(period, 24, lambda: BEGIN, count))
    assert [part.rows for part in planned] == [16, 16, 16, 16]
    assert [part.rows for part in slices(period, 64, lambda: BEGIN, count)] == [64]


def test_the_next_slice_is_planned_when_the_one_before_is_done() -> None:
    counted: list[Slice] = []

    def count(part: Slice) -> int:
        counted.append(part)
        assert part.since is not None
        return int((part.until - part.since).total_seconds())

    period = Slice(BEGIN, BEGIN + timedelta(seconds=1 << 20), 1 << 20)
    first = next(slices(period, 1 << 10, lambda: BEGIN, count))
    assert first.rows == 1 << 10
    assert len(counted) <= 2 * 10
