"""Whatever is produced, aborted, killed and added: the tables equal what the broker committed."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from novade_pipeline.lake import commits, data_files, draft
from novade_pipeline.sandbox.broker import Broker as Server
from novade_pipeline.storage.local import LocalStore
from novade_pipeline.storage.locations import store
from novade_pipeline.streams.load import InProcess
from novade_pipeline_tests.streams.world import World, encoded, new_world

VALUES = st.sampled_from([{"song": "a"}, {"song": "b", "more": 1}, b"{", b"", None])
MOST_PARTITIONS = 4


class Death(BaseException):
    """The process is killed: nothing that it would do afterwards is done."""


class History(RuleBasedStateMachine):
    """A topic and its table, and what the broker has committed."""

    server: ClassVar[Server]
    folder: ClassVar[Path]
    number: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        History.number += 1
        lake = store(str(self.folder / f"lake{self.number}"))
        self.world: World = new_world(self.server, lake)
        self.partitions = 1
        self.count = 0
        self.committed: dict[str, Any] = {}

    @rule(values=st.lists(VALUES, min_size=1, max_size=5), partition=st.integers(0, 3))
    def produce(self, values: list[Any], partition: int) -> None:
        with self.world.producing() as producer:
            self.send(producer, values, partition, commits=True)

    @rule(
        values=st.lists(VALUES, min_size=1, max_size=3),
        partition=st.integers(0, 3),
        commits=st.booleans(),
    )
    def transact(self, values: list[Any], partition: int, commits: bool) -> None:
        with self.world.transaction("t", commits=commits) as producer:
            self.send(producer, values, partition, commits=commits)

    @rule()
    def add_partition(self) -> None:
        if self.partitions < MOST_PARTITIONS:
            self.partitions += 1
            self.world.add_partitions(self.partitions)

    @rule(most=st.integers(1, 6))
    def load(self, most: int) -> None:
        self.world.load(most_records=most)

    @rule(point=st.integers(0, 12), most=st.integers(1, 50))
    def die(self, point: int, most: int) -> None:
        """Load, and die at one of the moments at which something is written."""
        with pytest.MonkeyPatch.context() as patch, suppress(Death):
            die_at(patch, point)
            self.world.load(most_records=most)

    def send(self, producer: Any, values: list[Any], partition: int, *, commits: bool) -> None:
        for value in values:
            key = f"{self.count}"
            self.count += 1
            place = partition % self.partitions
            producer.produce(self.world.topic.name, encoded(value), key=key, partition=place)
            if commits:
                self.committed[key] = value

    def teardown(self) -> None:
        while self.world.load(most_records=7, executors_for=lambda _: InProcess(2)).remaining:
            pass
        rows = self.world.rows("key", "song")
        bad = self.world.quarantined("key", "raw")
        good = {k: v["song"] for k, v in self.committed.items() if isinstance(v, dict)}
        assert sorted(rows) == sorted(good.items())
        assert sorted(bad, key=str) == sorted(
            ((k, encoded(v)) for k, v in self.committed.items() if not isinstance(v, dict)), key=str
        )
        before = self.world.version()
        self.world.load()
        assert self.world.version() == before


def die_at(patch: pytest.MonkeyPatch, point: int) -> None:
    """Die at the n-th write: before or after a file, a commit, the look for its answer."""
    left = [point]

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def dying(*args: Any, **options: Any) -> Any:
            for done in (False, True):
                if not left[0]:
                    raise Death
                left[0] -= 1
                if not done:
                    result = function(*args, **options)
            return result

        return dying

    for owner, name in (
        (LocalStore, "create"),
        (data_files.FileWriter, "close"),
        (draft.Draft, "_commit"),
        (commits, "find_commit"),
    ):
        patch.setattr(owner, name, counted(getattr(owner, name)))


def test_whatever_happens_the_tables_equal_what_was_committed(
    broker: Server, tmp_path: Path
) -> None:
    History.server, History.folder = broker, tmp_path
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=12,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_each_kind_of_event_once(broker: Server, tmp_path: Path) -> None:
    """The same without chance, for who reads the numbers: each death at each point."""
    History.server, History.folder = broker, tmp_path
    history = History()
    for point in range(13):
        history.produce([{"song": "a"}, b"{"], point)
        history.transact([{"song": "x"}], point, commits=False)
        history.die(point, 50)
    history.add_partition()
    history.produce([{"song": "b"}, None], 1)
    history.load(3)
    assert json.dumps(sorted(history.committed)) != "[]"
    history.teardown()
