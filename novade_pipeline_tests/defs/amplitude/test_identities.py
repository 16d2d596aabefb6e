"""Who is who after all merges: chains, circles and any order."""

from collections.abc import Iterable
from random import Random
from typing import NamedTuple

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from novade_pipeline.defs.amplitude import identities


class Merge(NamedTuple):
    merged: int
    into: int
    time: int | None


def survivors(merges: Iterable[Merge]) -> dict[int, int]:
    """Merged user -> its survivor."""
    columns = [pa.array(column, pa.int64()) for column in zip(*merges, strict=True)]
    names = list(identities.MERGE_COLUMNS)
    empty = pa.table({name: pa.array([], pa.int64()) for name in names})
    rows = identities.survivors(pa.table(columns, names) if columns else empty)
    assert rows["amplitude_id"].to_pylist() == sorted(rows["amplitude_id"].to_pylist())
    return dict(zip(*(column.to_pylist() for column in rows.columns), strict=True))


CASES: dict[str, tuple[list[Merge], dict[int, int]]] = {
    "no merge": ([], {}),
    "one": ([Merge(1, 2, 0)], {1: 2}),
    "a chain": ([Merge(1, 2, 0), Merge(2, 3, 1), Merge(3, 4, 2)], {1: 4, 2: 4, 3: 4}),
    "two into one": ([Merge(1, 3, 0), Merge(2, 3, 1)], {1: 3, 2: 3}),
    "twice the same": ([Merge(1, 2, 0), Merge(1, 2, 0)], {1: 2}),
    "merged twice, the newer counts": ([Merge(1, 2, 5), Merge(1, 3, 4)], {1: 2}),
    "into itself": ([Merge(1, 1, 0)], {}),
    "into itself, and before into another": ([Merge(1, 2, 0), Merge(1, 1, 1)], {1: 2}),
    "there and back, the older is taken back": ([Merge(1, 2, 0), Merge(2, 1, 1)], {2: 1}),
    "a circle of three": ([Merge(1, 2, 3), Merge(2, 3, 1), Merge(3, 1, 2)], {1: 2, 3: 2}),
    "two circles": (
        [Merge(1, 2, 0), Merge(2, 1, 1), Merge(5, 6, 9), Merge(6, 5, 3), Merge(7, 5, 1)],
        {2: 1, 5: 6, 7: 6},
    ),
    "a merge without a time is the oldest": ([Merge(1, 2, None), Merge(1, 3, 1)], {1: 3}),
    "a way into a circle": (
        [Merge(9, 1, 0), Merge(1, 2, 1), Merge(2, 1, 2)],
        {9: 1, 2: 1},
    ),
}


@pytest.mark.parametrize(("merges", "survivor_of"), CASES.values(), ids=CASES)
def test_merges_are_followed_to_their_end(merges: list[Merge], survivor_of: dict[int, int]) -> None:
    assert survivors(merges) == survivor_of


def test_a_chain_of_a_hundred_thousand_ends() -> None:
    survivor_of = survivors(Merge(user, user + 1, user) for user in range(100_000))
    assert set(survivor_of.values()) == {100_000}


def test_a_circle_of_a_hundred_thousand_ends() -> None:
    last = 99_999
    survivor_of = survivors(
        Merge(user, (user + 1) % (last + 1), user + 1) for user in range(last + 1)
    )
    assert set(survivor_of.values()) == {0}


MERGES = st.lists(
    st.builds(Merge, st.integers(0, 8), st.integers(0, 8), st.integers(0, 5)), max_size=16
)


@given(merges=MERGES)
def test_a_survivor_was_never_merged_into_another(merges: list[Merge]) -> None:
    survivor_of = survivors(merges)
    assert not survivor_of.keys() & set(survivor_of.values())


@given(merges=MERGES, seed=st.integers(0, 99))
def test_the_order_of_merges_makes_no_difference(merges: list[Merge], seed: int) -> None:
    shuffled = Random(seed).sample(merges, len(merges))
    assert survivors(shuffled) == survivors(merges)


@given(merges=MERGES)
def test_every_merged_user_has_the_same_survivor_as_the_user_that_it_was_merged_into(
    merges: list[Merge],
) -> None:
    survivor_of = survivors(merges)
    newest: dict[int, Merge] = {}
    for merge in sorted(merges, key=lambda m: (m.time, m.into)):
        if merge.merged != merge.into:
            newest[merge.merged] = merge
    for merge in newest.values():
        assert survivor_of.get(merge.merged, merge.merged) == survivor_of.get(
            merge.into, merge.into
        )


@given(merges=MERGES)
def test_only_users_that_were_merged_have_a_survivor(merges: list[Merge]) -> None:
    assert survivors(merges).keys() <= {merge.merged for merge in merges}


@given(merges=MERGES)
def test_a_merge_that_was_exported_twice_counts_once(merges: list[Merge]) -> None:
    assert survivors([*merges, *merges]) == survivors(merges)
