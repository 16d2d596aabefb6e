"""Which offsets are read next, and how they are cut into work."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from novade_pipeline.streams.broker import TopicState
from novade_pipeline.streams.offsets import (
    Names,
    OffsetRange,
    bounded,
    identity_of,
    work_items,
)

RANGES = st.lists(st.tuples(st.integers(0, 100), st.integers(1, 50)), max_size=6).map(
    lambda pairs: [OffsetRange(n, at, at + size) for n, (at, size) in enumerate(pairs)]
)


def offsets_of(ranges: list[OffsetRange]) -> Counter[tuple[int, int]]:
    return Counter((r.partition, offset) for r in ranges for offset in range(r.start, r.end))


@given(ranges=RANGES, most=st.integers(0, 400))
def test_the_beginnings_of_all_partitions_are_read_as_far_as_allowed(
    ranges: list[OffsetRange], most: int
) -> None:
    parts = bounded(ranges, most)
    total = sum(part.size for part in ranges)
    assert sum(part.size for part in parts) == min(most, total)
    starts = {part.partition: part for part in ranges}
    for part in parts:
        assert part.start == starts[part.partition].start
        assert part.start < part.end <= starts[part.partition].end
    # No partition waits while another of more records has a share twice as large.
    sizes = [part.size for part in parts]
    cut = [part.size for part in parts if part.end < starts[part.partition].end]
    assert not cut or max(sizes) - min(cut) <= 1


@given(
    ranges=RANGES,
    parallelism=st.integers(1, 9),
    least=st.integers(1, 60),
    more=st.integers(0, 100),
)
def test_every_offset_is_in_one_item(
    ranges: list[OffsetRange], parallelism: int, least: int, more: int
) -> None:
    items = work_items(ranges, parallelism, least, least + more)
    assert offsets_of([part for item in items for part in item]) == offsets_of(ranges)
    for item in items:
        assert item
        assert len({part.partition for part in item}) == len(item)
        assert sum(part.size for part in item) <= max(least + more, 1)
    total = sum(part.size for part in ranges)
    if total <= least:
        assert len(items) == bool(ranges)


def test_names_tell_generations_and_topics_apart() -> None:
    first, second = Names("c", "topic"), Names("c", "topic", 2)
    assert first.partition(3) == "kafka/c/topic/3"
    assert second.partition(3) == "kafka/c/topic@2/3"
    assert first.topic_name == second.topic_name == "kafka/c/topic"
    names = [
        name
        for each in (first, second)
        for name in (each.partition(0), each.lost(0), each.identity, each.broker_time)
    ]
    assert len({*names}) == 8


def test_an_identity_is_a_number_that_delta_can_record() -> None:
    states = [TopicState(f"cluster/{n}", {}, {}) for n in range(1000)]
    identities = {identity_of(state) for state in states}
    assert len(identities) == 1000
    assert all(0 <= identity < 2**63 for identity in identities)
