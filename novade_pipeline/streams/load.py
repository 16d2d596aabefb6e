"""Loading a topic: from the offsets that its table has to those that the broker has, exactly once.

Executors make files, this process commits them: first the quarantine, then rows and offsets in one
commit. A load that dies between the two has committed bad records that the next one recognises by
the offsets that the quarantine itself records.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial, reduce
from operator import add
from typing import Protocol, TypeVar

import pyarrow as pa

from novade_pipeline.lake.commits import CommitConflict
from novade_pipeline.lake.data_files import DataFile
from novade_pipeline.lake.delta import WriteReceipt, create_with_columns
from novade_pipeline.lake.draft import Draft
from novade_pipeline.lake.stream import write
from novade_pipeline.plurals import counted
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect
from novade_pipeline.storage.store import Store
from novade_pipeline.streams.broker import Broker, BrokerClient
from novade_pipeline.streams.offsets import (
    OffsetRange,
    Plan,
    names_of,
    plan_of,
    recorded,
    work_items,
)
from novade_pipeline.streams.registry import Registry
from novade_pipeline.streams.rows import lost_row
from novade_pipeline.streams.topic import Topic
from novade_pipeline.streams.work import Work, WorkResult, run

MOST_RECORDS = 5_000_000
"""Of one load, by default."""
TRIES = 5
ITEM_LEAST = 25_000
ITEM_MOST = 500_000

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executors(Protocol):
    """Runs a function for each of some items, somewhere."""

    @property
    def parallelism(self) -> int:
        """How many items run at once."""

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item], name: str
    ) -> list[Result]:
        """The results in the order of the items; `name` says in Spark's page what it is."""


@dataclass(frozen=True)
class InProcess:
    """Runs items one after the other in this process."""

    parallelism: int = 1

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item], name: str
    ) -> list[Result]:
        """The results in the order of the items."""
        return [function(item) for item in items]


@dataclass(frozen=True)
class LoadReport:
    """What one load did.

    Attributes:
        work: what the records became.
        lost: ranges that the broker no longer had, and that were not reported before.
        remaining: offsets that the broker had at the start of the load and that are left.
        receipt: of the commit of the rows; None where nothing was new.
        quarantine: of the commit of the quarantine; None where nothing was bad.
    """

    work: WorkResult
    lost: tuple[OffsetRange, ...]
    remaining: int
    receipt: WriteReceipt | None
    quarantine: WriteReceipt | None


@dataclass(frozen=True)
class Loader:
    """Loads topics.

    Attributes:
        registry: of schemas, for Avro.
        most_records: how many offsets one load reads.
        executors_for: from a number of offsets to what makes their files: Spark or this process.
    """

    broker: Broker
    lake: Store
    policy: PersonalDataPolicy
    executors_for: Callable[[int], Executors]
    registry: Registry | None = None
    most_records: int = MOST_RECORDS

    def load(self, topic: Topic, on_progress: Callable[[str], None] = lambda _: None) -> LoadReport:
        """Load what is new in a topic.

        Raises:
            PermanentFailure: there is no such topic, or it was deleted and made again.
            TransientFailure: the broker or the storage failed, or other writers were faster again
                and again; nothing but bad records may be committed.
            UserError: the broker or the storage refuses us.
        """
        client = BrokerClient(self.broker)
        for left in reversed(range(TRIES)):
            try:
                return self._load(client, topic, on_progress)
            except CommitConflict:
                # Another load was faster: what it has committed is read again first.
                if not left:
                    raise
        raise AssertionError("the last try returns or raises")

    def _load(
        self, client: BrokerClient, topic: Topic, on_progress: Callable[[str], None]
    ) -> LoadReport:
        started = time.monotonic()
        policy = self.policy.pinned()
        draft = Draft(self.lake, topic.table, create_with_columns(self.lake, topic.table))
        names = names_of(topic, self.broker.cluster, draft.target)
        plan = plan_of(topic, names, draft.target, client.state(topic.name), self.most_records)
        if plan.is_recorded:
            return LoadReport(WorkResult(), (), plan.remaining, None, None)
        bad = Draft(self.lake, topic.quarantine, create_with_columns(self.lake, topic.quarantine))
        work = Work(
            topic=topic,
            generation=names.generation,
            broker=self.broker,
            registry=self.registry,
            policy=policy,
            rows=draft.new_files,
            quarantine=bad.new_files,
            quarantined={
                part.partition: recorded(bad.target, names.partition(part.partition)) or 0
                for part in plan.ranges
            },
        )
        size = sum(part.size for part in plan.ranges)
        executors = self.executors_for(size)
        items = work_items(plan.ranges, executors.parallelism, ITEM_LEAST, ITEM_MOST)
        name = f"{topic.table.name}: {counted(size, 'offset')}"
        results = executors.map(partial(run, work), items, name)
        result = reduce(add, results, WorkResult())
        lost, bad_version = self._commit_quarantine(bad, topic, plan, result, policy)
        draft.replace([], result.files)
        transactions = dict(plan.transactions)
        if result.newest is not None:
            known = recorded(draft.target, names.broker_time) or 0
            transactions[names.broker_time] = max(known, int(result.newest.timestamp() * 1000))
        version = draft.commit(transactions, conflicts=_no_file)
        on_progress(f"{topic.table.name}: {counted(result.records, 'record')}")
        receipt = _receipt(draft, version, result.rows, result.newest_data, started)
        return LoadReport(
            result,
            lost,
            plan.remaining,
            receipt,
            _receipt(bad, bad_version, sum(f.rows for f in bad.added.values()), None, started)
            if bad_version is not None
            else None,
        )

    def _commit_quarantine(
        self,
        bad: Draft,
        topic: Topic,
        plan: Plan,
        result: WorkResult,
        policy: PersonalDataPolicy,
    ) -> tuple[tuple[OffsetRange, ...], int | None]:
        """Commit bad records and lost ranges that the quarantine does not have yet.

        Returns:
            The lost ranges, without what an earlier load had reported, and the version.
        """
        names, lost = plan.names, []
        for part in plan.lost:
            start = max(part.start, recorded(bad.target, names.lost(part.partition)) or 0)
            if start < part.end:
                lost.append(OffsetRange(part.partition, start, part.end))
        bad.replace([], result.bad_files)
        if lost:
            rows = [lost_row(topic, names.generation, part) for part in lost]
            table = pa.Table.from_pylist(rows, topic.quarantine.schema)
            kept = protect(table, topic.quarantine.personal, policy)
            bad.replace([], write(bad, kept.to_batches()))
        transactions = {names.lost(part.partition): part.end for part in lost}
        transactions |= {
            names.partition(part.partition): max(
                part.end, recorded(bad.target, names.partition(part.partition)) or 0
            )
            for part in plan.ranges
        }
        if not bad.is_changed:
            return (), None
        return tuple(lost), bad.commit(transactions, conflicts=_no_file)


def restart(topic: Topic, cluster: str, lake: Store) -> int:
    """Begin a new generation, which reads the topic from its beginning; the rows stay.

    Returns:
        Its number.
    """
    draft = Draft(lake, topic.table, create_with_columns(lake, topic.table))
    names = names_of(topic, cluster, draft.target)
    draft.commit({names.topic_name: names.generation + 1}, conflicts=_no_file)
    return names.generation + 1


def _no_file(_: DataFile) -> bool:
    """New files of others never conflict: another load is refused by its transactions."""
    return False


def _receipt(
    draft: Draft, version: int, rows: int, newest: datetime | None, started: float
) -> WriteReceipt:
    return WriteReceipt(
        rows=rows,
        bytes=sum(file.size for file in draft.added.values()),
        files=len(draft.added),
        table_version=version,
        newest=newest,
        seconds=time.monotonic() - started,
    )
