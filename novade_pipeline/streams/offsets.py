"""Offsets: what a table has taken in, what is next, and what the broker no longer has.

All of it is Delta transactions of the table, recorded in the commits that hold the rows:

| transaction                                | says                                          |
|--------------------------------------------|-----------------------------------------------|
| `kafka/<cluster>/<topic>/<partition>`      | the next offset of a partition                |
| `kafka/<cluster>/<topic>`                  | the generation, where it is not the first     |
| `kafka/<cluster>/<topic>/identity`         | which topic of that name was read, as a hash  |
| `kafka/<cluster>/<topic>/broker_time`      | the newest timestamp of a row, milliseconds   |
| `kafka/<cluster>/<topic>/<partition>/lost` | in quarantine: where the last lost range ends |

From the second generation on `<topic>` is `<topic>@<generation>` in all of them but the second.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deltalake import DeltaTable

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.plurals import counted
from novade_pipeline.streams.broker import TopicState
from novade_pipeline.streams.topic import Topic


@dataclass(frozen=True)
class OffsetRange:
    """Offsets of one partition, from `start` to before `end`."""

    partition: int
    start: int
    end: int

    @property
    def size(self) -> int:
        """How many offsets; records may be fewer."""
        return self.end - self.start


@dataclass(frozen=True)
class Names:
    """The names of a topic's transactions in one generation."""

    cluster: str
    topic: str
    generation: int = 1

    @property
    def topic_name(self) -> str:
        """The transaction whose version is the generation."""
        return f"kafka/{self.cluster}/{self.topic}"

    @property
    def identity(self) -> str:
        """The transaction whose version says which topic it is."""
        return f"{self._prefix}/identity"

    @property
    def broker_time(self) -> str:
        """The transaction whose version is the newest timestamp of a row, in milliseconds."""
        return f"{self._prefix}/broker_time"

    def partition(self, number: int) -> str:
        """The transaction whose version is the next offset of a partition."""
        return f"{self._prefix}/{number}"

    def lost(self, number: int) -> str:
        """The transaction, in quarantine, whose version is the end of a partition's last gap."""
        return f"{self._prefix}/{number}/lost"

    @property
    def _prefix(self) -> str:
        generation = "" if self.generation == 1 else f"@{self.generation}"
        return f"{self.topic_name}{generation}"


@dataclass(frozen=True)
class Plan:
    """What a load reads.

    Attributes:
        names: of the transactions.
        ranges: what is read, one range a partition; none where there is nothing new.
        lost: offsets that were not read, and that the broker no longer has.
        remaining: how many offsets stay for later runs.
        transactions: name -> version, to be recorded with the rows.
        is_recorded: the table has all of these transactions already.
    """

    names: Names
    ranges: tuple[OffsetRange, ...]
    lost: tuple[OffsetRange, ...]
    remaining: int
    transactions: Mapping[str, int]
    is_recorded: bool


def names_of(topic: Topic, cluster: str, target: DeltaTable | None) -> Names:
    """The names of a topic's transactions, in the generation that its table has."""
    first = Names(cluster, topic.name)
    return Names(cluster, topic.name, recorded(target, first.topic_name) or 1)


def recorded(target: DeltaTable | None, name: str) -> int | None:
    """The version of a transaction; None where the table has none."""
    return None if target is None else target.transaction_version(name)


def plan_of(
    topic: Topic, names: Names, target: DeltaTable | None, state: TopicState, most: int
) -> Plan:
    """What is to be read next.

    Args:
        names: from `names_of`.
        target: the topic's table.
        state: what the broker has.
        most: how many offsets at most.

    Raises:
        PermanentFailure: the topic was deleted and made again.
    """
    known = {p: recorded(target, names.partition(p)) for p in state.latest}
    identity, known_identity = identity_of(state), recorded(target, names.identity)
    _refuse_another(topic, names, state, known, is_another=known_identity not in (None, identity))
    starts, lost = {}, []
    for partition, earliest in state.earliest.items():
        # A partition that was added later has been read from its beginning on, so far not at all.
        start = known[partition]
        if start is None:
            start = earliest if known_identity is None else 0
        if start < earliest:
            lost.append(OffsetRange(partition, start, earliest))
        starts[partition] = max(start, earliest)
    pending = [
        OffsetRange(p, start, state.latest[p])
        for p, start in starts.items()
        if start < state.latest[p]
    ]
    ranges = bounded(pending, most)
    ends = starts | {part.partition: part.end for part in ranges}
    transactions = {names.partition(p): end for p, end in ends.items()}
    transactions[names.identity] = identity
    return Plan(
        names=names,
        ranges=ranges,
        lost=tuple(lost),
        remaining=sum(map(_size, pending)) - sum(map(_size, ranges)),
        transactions=transactions,
        is_recorded=all(recorded(target, n) == v for n, v in transactions.items()),
    )


def pending_offsets(
    names: Names, target: DeltaTable | None, state: TopicState
) -> dict[int, OffsetRange]:
    """Partition -> the offsets that the broker has and the table does not have; without none."""
    known = {p: recorded(target, names.partition(p)) for p in state.latest}
    ranges = {
        p: OffsetRange(p, max(known[p] or 0, state.earliest[p]), end)
        for p, end in state.latest.items()
    }
    return {p: pending for p, pending in ranges.items() if pending.size}


def is_behind(names: Names, target: DeltaTable | None, state: TopicState) -> bool:
    """Whether a load has something to do: records, lost offsets, or to refuse the topic."""
    known = {p: recorded(target, names.partition(p)) for p in state.latest}
    return recorded(target, names.identity) != identity_of(state) or any(
        known[p] != latest or state.earliest[p] > latest for p, latest in state.latest.items()
    )


def identity_of(state: TopicState) -> int:
    """The identity of a topic as a transaction's version: 63 bits."""
    digest = hashlib.sha256(state.identity.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def bounded(ranges: Iterable[OffsetRange], most: int) -> tuple[OffsetRange, ...]:
    """The beginnings of ranges with so many offsets at most, the same share of each if possible."""
    by_size = sorted(ranges, key=_size)
    parts = []
    for number, whole in enumerate(by_size):
        share = min(whole.size, most // (len(by_size) - number))
        most -= share
        if share:
            parts.append(OffsetRange(whole.partition, whole.start, whole.start + share))
    return tuple(sorted(parts, key=lambda part: part.partition))


def work_items(
    ranges: Iterable[OffsetRange], parallelism: int, least: int, most: int
) -> list[tuple[OffsetRange, ...]]:
    """Cut ranges into items of about the same number of offsets.

    Args:
        parallelism: how many items run at once.
        least: offsets that are worth an item of their own.
        most: offsets of an item.
    """
    ranges = list(ranges)
    total = sum(map(_size, ranges))
    count = max(min(-(-total // least), parallelism), -(-total // most))
    if count < 2:
        return [tuple(ranges)] if ranges else []
    each = -(-total // count)
    items: list[list[OffsetRange]] = [[]]
    room = each
    for whole in ranges:
        start = whole.start
        while start < whole.end:
            if not room:
                items.append([])
                room = each
            end = min(whole.end, start + room)
            items[-1].append(OffsetRange(whole.partition, start, end))
            room -= end - start
            start = end
    return [tuple(item) for item in items]


def _size(offsets: OffsetRange) -> int:
    return offsets.size


def _refuse_another(
    topic: Topic,
    names: Names,
    state: TopicState,
    known: Mapping[int, int | None],
    *,
    is_another: bool,
) -> None:
    """Refuse a topic that is not the one that was read so far.

    Raises:
        PermanentFailure: its identity differs, or its offsets end before ours.
    """
    below = {p: end for p, end in state.latest.items() if (known[p] or 0) > end}
    if not is_another and not below:
        return
    reason = "another topic of the same name"
    if below:
        partition, end = next(iter(below.items()))
        reason = (
            f"that partition {partition} ends at {end:,} and "
            f"{counted(known[partition] or 0, 'offset')} were read"
        )
    raise PermanentFailure(
        f"{topic.table.name}: expected the topic {topic.name} that was read so far, found "
        f"{reason}: it was deleted and made again, or the cluster was; nothing is loaded. To "
        f"keep its rows and read the new one from its beginning: novade streams restart "
        f"{topic.table.name}"
    )
