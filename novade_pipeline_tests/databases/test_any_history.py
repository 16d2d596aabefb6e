"""After any sequence of changes and loads, killed and repeated, the lake equals the database."""

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from novade_pipeline.databases import load
from novade_pipeline.databases.database import Session
from novade_pipeline.databases.logical_decoding import LogicalDecoding
from novade_pipeline.lake.data_files import FileWriter
from novade_pipeline.lake.draft import Draft
from novade_pipeline.sandbox.database_servers import DatabaseServer
from novade_pipeline_tests.databases.world import World
from novade_pipeline_tests.forks import FORKS

TABLES: dict[str, dict[str, Any]] = {
    "whole": {},
    "rising": {"mode": "changed", "changed_by": "updated_at", "sweep_hours": 0},
    "followed": {"mode": "changes"},
    "paired": {"mode": "changes"},
}
IDS, NAMES = st.integers(1, 6), st.sampled_from(["a", "b", "Ünï'\\", "", None])
AMOUNTS = st.decimals(-999, 999, places=3)


STEPS = (
    *((Session, "query"), (FileWriter, "close"), (Draft, "_commit"), (Draft, "_open_newest")),
    *(
        (LogicalDecoding, "release"),
        (load, "watermark"),
        (load, "merge"),
        (load, "create_with_columns"),
    ),
)
"""What a load does, in many places; it is killed before one of them."""


class History(RuleBasedStateMachine):
    """Some tables, one for each mode, and one with a key of two columns."""

    server: DatabaseServer
    folder: Path
    count = 0
    kills = 0

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        type(self).count += 1
        self.world = self.stack.enter_context(World.new(self.server, self.folder / str(self.count)))
        self.is_loaded = False

    @initialize()
    def create(self) -> None:
        """Empty tables."""
        for table in TABLES:
            key = "id, part" if table == "paired" else "id"
            self.world.execute(
                f"create table {table} (id int, part text not null default 'p', name text, "
                "amount numeric(12, 3), updated_at timestamptz not null default clock_timestamp(), "
                f"primary key ({key}))"
            )
        self.world.execute("create publication novade for table followed, paired")
        for table, options in TABLES.items():
            key = ["id", "part"] if table == "paired" else "id"
            self.world.declare(table, key, **options)

    @rule(table=st.sampled_from([*TABLES]), id_=IDS, name=NAMES, amount=AMOUNTS)
    def upsert(self, table: str, id_: int, name: str | None, amount: Any) -> None:
        """Insert a row, or update it."""
        conflict = "id, part" if table == "paired" else "id"
        with self.world.connection.cursor() as cursor:
            cursor.execute(
                f"insert into {table} (id, part, name, amount) values (%s, %s, %s, %s) on conflict "
                f"({conflict}) do update set name = excluded.name, amount = excluded.amount, "
                "updated_at = clock_timestamp()",
                [id_, f"{id_ % 2}", name, amount],
            )
        self.is_loaded = False

    @rule(table=st.sampled_from([*TABLES]), id_=IDS)
    def delete(self, table: str, id_: int) -> None:
        """Delete a row, if it is there."""
        self.world.execute(f"delete from {table} where id = {id_}")
        self.is_loaded = False

    @rule(table=st.sampled_from([*TABLES]), id_=IDS, other=IDS)
    def rename(self, table: str, id_: int, other: int) -> None:
        """Change a key."""
        self.world.execute(
            f"update {table} set id = {other + 6}, updated_at = clock_timestamp() where id = {id_} "
            f"and not exists (select 1 from {table} where id = {other + 6})"
        )
        self.is_loaded = False

    @rule(table=st.sampled_from([*TABLES]))
    def truncate(self, table: str) -> None:
        """Empty a table."""
        self.world.execute(f"truncate {table}")
        self.is_loaded = False

    @rule(table=st.sampled_from([*TABLES]), id_=IDS)
    def roll_back(self, table: str, id_: int) -> None:
        """A transaction that changes nothing."""
        self.world.execute(f"begin; delete from {table} where id = {id_}; rollback")

    @rule()
    def lose_the_slot(self) -> None:
        """The feed's history is gone."""
        self.world.execute(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
            f"where database = '{self.world.name}'"
        )

    @rule()
    def load_all(self) -> None:
        """Load all tables."""
        self.world.load()
        self.is_loaded = True

    @rule(table=st.sampled_from([*TABLES]))
    def load_one(self, table: str) -> None:
        """Load one table alone."""
        self.world.load(table)

    @rule(steps=st.integers(1, 80))
    def load_and_die(self, steps: int) -> None:
        """A load is killed before its n-th step."""
        process = FORKS.Process(target=_load_and_die, args=(self.world_options(), steps))
        process.start()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        type(self).kills += process.exitcode != 0

    def world_options(self) -> dict[str, Any]:
        """What another process needs to load the same."""
        world = self.world
        return {
            **{"server": world.server, "name": world.name, "lake": world.lake},
            **{"connection": None, "tables": world.tables},
        }

    @invariant()
    def the_lake_equals_the_database(self) -> None:
        """After a whole load, each table does."""
        if not self.is_loaded:
            return
        for table in TABLES:
            columns = ("id", "part", "name", "amount", "updated_at")
            rows = self.world.rows(f"select {', '.join(columns)} from {table} order by 1, 2")
            stored = self.world.stored(table)
            assert [tuple(row[name] for name in columns) for row in stored] == rows, table

    def teardown(self) -> None:
        """The database goes."""
        self.stack.close()


def _load_and_die(options: dict[str, Any], steps: int) -> None:
    left = steps

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return step

    for owner, name in STEPS:
        setattr(owner, name, counted(getattr(owner, name)))
    World(**options).load()


def test_any_history(postgres: DatabaseServer, tmp_path: Path) -> None:
    History.server, History.folder = postgres, tmp_path
    run_state_machine_as_test(History, settings=settings(max_examples=10, stateful_step_count=14))
    assert History.kills > 5
