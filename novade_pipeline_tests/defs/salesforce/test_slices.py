"""A long time in slices: none is forgotten, none is told twice, none is much too large."""

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
    asked = []

    def count(one: Slice) -> int:
        asked.append(one)
        return sum(one.since <= time < one.until for time in times if one.since is not None)

    until = BEGIN + timedelta(seconds=100_001)
    whole = Slice(BEGIN if has_beginning else None, until, len(times))
    found = list(slices(whole, most, lambda: times[0], count))
    assert found[0].since == whole.since
    assert found[-1].until == until
    assert all(one.until == other.since for one, other in pairwise(found))
    for one in found:
        inside = [t for t in times if (one.since is None or one.since <= t) and t < one.until]
        assert len(inside) == one.rows
        assert one.rows <= most or len(set(inside)) <= 1
    assert len(asked) <= 18 * len(found)


def test_small_neighbours_are_one_slice() -> None:
    whole = Slice(BEGIN, BEGIN + timedelta(days=64), 64)

    def count(one: Slice) -> int:
        assert one.since is not None
        return (one.until - one.since).days

    found = list(slices(whole, 24, lambda: BEGIN, count))
    assert [one.rows for one in found] == [16, 16, 16, 16]
    assert [one.rows for one in slices(whole, 64, lambda: BEGIN, count)] == [64]


def test_the_next_slice_is_planned_when_the_one_before_is_done() -> None:
    asked: list[Slice] = []

    def count(one: Slice) -> int:
        asked.append(one)
        assert one.since is not None
        return int((one.until - one.since).total_seconds())

    whole = Slice(BEGIN, BEGIN + timedelta(seconds=1 << 20), 1 << 20)
    first = next(slices(whole, 1 << 10, lambda: BEGIN, count))
    assert first.rows == 1 << 10
    assert len(asked) <= 2 * 10
