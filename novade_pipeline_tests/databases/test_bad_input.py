"""What can go wrong with a database is one sentence, or a full read that is reported."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pyarrow as pa
import pytest

from novade_pipeline.databases import sweep
from novade_pipeline.databases.database import Database
from novade_pipeline.databases.load import Loader
from novade_pipeline.databases.logical_decoding import LogicalDecoding, Snapshot
from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.sandbox.database_servers import running_postgres
from novade_pipeline_tests.databases.world import World


@pytest.fixture
def items(world: World) -> World:
    world.execute(
        "create table items (id int primary key, name text)",
        "insert into items values (1, 'a'), (2, 'b')",
        "create publication novade for table items",
    )
    world.declare("items", mode="changes")
    return world


def test_a_table_without_the_declared_key(items: World) -> None:
    items.tables[0] |= {"key": ["number"], "mode": "full"}
    items.tables[0]["columns"][0] |= {"name": "number", "source": "number"}
    with pytest.raises(PermanentFailure, match="expected its column number, by which rows are rea"):
        items.load()


def test_a_database_that_fails_in_mid_sweep_is_told_in_its_own_sentence(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.execute("create table t (id int primary key, n int)", "insert into t values (1, 1)")
    world.declare("t", mode="changed", changed_by="n", sweep_hours=0)
    world.load()

    def failing(*_: object) -> Iterator[pa.RecordBatch]:
        raise TransientFailure("the database restarted")
        yield

    monkeypatch.setattr(sweep, "read_rows", failing)
    with pytest.raises(TransientFailure, match=r"^the database restarted$"):
        world.load()


def test_a_key_that_does_not_identify_rows(world: World) -> None:
    world.execute("create table t (a int, b int)", "insert into t values (1, 1), (1, 2), (2, 1)")
    world.declare("t", "a")
    with pytest.raises(PermanentFailure, match=r"expected each key \(a\) once, found 1 key"):
        world.load()
    world.declare("t", ["a", "b"])
    assert world.load().read == 3


def test_a_table_that_is_not_there(world: World) -> None:
    world.execute("create table t (id int primary key)")
    world.declare("t")
    world.execute("drop table t")
    with pytest.raises(PermanentFailure, match=r"expected a table public\.t, found none"):
        world.load()


def test_a_table_that_is_not_published(items: World) -> None:
    items.execute(
        "alter publication novade drop table items, set (publish = 'insert')"
        if 0
        else "alter publication novade drop table items"
    )
    with pytest.raises(PermanentFailure, match="in the publication novade, found it is not; its"):
        items.load()


@pytest.mark.parametrize("lost", ["dropped", "moved on", "truncated"])
def test_a_feed_whose_history_is_gone_is_replaced_by_a_full_read(items: World, lost: str) -> None:
    items.load()
    items.execute("insert into items values (3, 'c')", "delete from items where id = 1")
    if lost == "dropped":
        items.execute(f"select pg_drop_replication_slot('{items.name}')")
    elif lost == "moved on":
        items.execute(f"select pg_replication_slot_advance('{items.name}', pg_current_wal_lsn())")
    else:
        items.execute("truncate items", "insert into items values (2, 'b'), (3, 'c')")
    report = items.load()
    assert report.full is not None
    assert not report.is_first
    assert [row["id"] for row in items.stored("items")] == [2, 3]
    items.execute("update items set name = 'z' where id = 2")
    report = items.load()
    assert report.full is None
    assert report.read <= 2
    assert items.stored("items")[0] == {"id": 2, "name": "z"}


def test_columns_that_come_go_and_change_are_reported(items: World) -> None:
    items.load()
    items.execute(
        "alter table items add column price numeric(10, 2), alter column name type bytea using ''",
    )
    drift = items.load().drift
    assert drift.problem == "price is new, name is bytes now"


def test_a_dropped_column_keeps_its_values(items: World) -> None:
    items.load()
    items.execute("alter table items drop column name", "insert into items values (3)")
    report = items.load()
    assert report.drift.problem == "name is gone"
    assert [row["name"] for row in items.stored("items")] == ["a", "b", None]


def test_a_wrong_password_is_reported_at_once_and_without_it(items: World) -> None:
    url = items.database.url.replace("sandbox-secret", "wrong-secret")
    started = time.monotonic()
    with (
        pytest.raises(
            PermanentFailure, match=r"set the user and the password in NOVADE_ERP_URL"
        ) as e,
        Database(url, "NOVADE_ERP_URL").session(),
    ):
        pass
    assert "wrong-secret" not in str(e.value)
    assert time.monotonic() - started < 5


def test_an_unreachable_server_is_transient() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        database = Database(f"postgresql://u:p@127.0.0.1:{port}/d", "NOVADE_ERP_URL")
        with pytest.raises(TransientFailure, match="start the server"), database.session():
            pass


def test_missing_rights_are_named(items: World) -> None:
    role = f"reader_{items.name}"
    items.execute(f"create role {role} login password 'reader-secret'")
    try:
        database = Database(items.server.url(items.name, role, "reader-secret"), "NOVADE_ERP_URL")
        with database.session() as session:
            feed = LogicalDecoding(session, items.declared)
            loader = Loader("erp", session, items.declared, items.lake, items.policy, feed)
            (table,) = items.declared.tables
            with pytest.raises(PermanentFailure, match="must be superuser or replication role"):
                loader.load(table)
            with pytest.raises(PermanentFailure, match=r"ALTER ROLE .* REPLICATION"):
                feed.check(table)
            full = table.model_copy(update={"mode": "full"})
            with pytest.raises(PermanentFailure, match=rf"permission denied .* grant .* to {role}"):
                loader.load(full)
    finally:
        items.execute(f"drop role {role}")


def test_a_commit_that_others_do_not_see_yet_is_left_for_the_next_load(tmp_path: Path) -> None:
    """It is in the log, and waits for a standby that does not answer."""
    waits = {"synchronous_standby_names": "nobody", "synchronous_commit": "local"}
    with running_postgres(options=waits) as server, World.new(server, tmp_path) as world:
        world.execute(
            "create table items (id int primary key)", "create publication novade for table items"
        )
        world.declare("items", mode="changes")
        world.load()
        waiting = psycopg2.connect(world.database.url)
        waiting.autocommit = True
        cursor = waiting.cursor()
        cursor.execute("set synchronous_commit = on")
        thread = threading.Thread(target=cursor.execute, args=["insert into items values (1)"])
        thread.start()
        try:
            running = "select pid from pg_stat_activity where wait_event = 'SyncRep'"
            while not (pids := world.rows(running)):
                pass
            world.execute("insert into items values (2)")
            world.load()
            assert world.stored("items") == []
        finally:
            world.execute(f"select pg_cancel_backend({pids[0][0]})")
            thread.join()
            waiting.close()
        world.load()
        assert [row["id"] for row in world.stored("items")] == [1, 2]


@pytest.mark.parametrize(
    ("xid", "following", "running", "is_seen"),
    [
        (10, 12, (), True),
        (10, 12, (10,), False),
        (12, 12, (), False),
        (2**32 - 1, 2**32 + 3, (), True),
        (3, 2**32 + 3, (), False),
    ],
    ids=["ended", "running", "later", "before the numbers wrapped", "later, wrapped"],
)
def test_which_transactions_are_visible(
    xid: int, following: int, running: tuple[int, ...], is_seen: bool
) -> None:
    assert Snapshot(following, frozenset(running)).sees(xid) is is_seen


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[World]:
    """A world on a server that a test may stop."""
    with running_postgres() as server, World.new(server, tmp_path) as new:
        yield new


def test_a_database_that_restarts_while_it_is_read(own_server: World) -> None:
    world = own_server
    world.execute(
        "create table t (id int primary key, text text)",
        "insert into t select i, repeat('x', 1000) from generate_series(1, 100000) i",
    )
    world.declare("t")
    is_reading = threading.Event()

    def restart() -> None:
        is_reading.wait(60)
        with psycopg2.connect(world.server.url("postgres")) as admin, admin.cursor() as cursor:
            cursor.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s "
                "and pid <> pg_backend_pid()",
                [world.name],
            )

    thread = threading.Thread(target=restart)
    thread.start()
    (table,) = world.declared.tables
    with world.database.session() as session:
        loader = Loader("erp", session, world.declared, world.lake, world.policy)
        from novade_pipeline.databases import comparison as module

        original = module.read_rows

        def announced(*args: object) -> object:
            batches = original(*args)
            yield next(batches)
            is_reading.set()
            thread.join()
            yield from batches

        module.read_rows = announced
        try:
            with pytest.raises(TransientFailure, match="the step runs again"):
                loader.load(table)
        finally:
            module.read_rows = original
    assert world.stored("t") == []
    world.connection = psycopg2.connect(world.server.url(world.name))
    world.connection.autocommit = True
    world.load()
    assert len(world.stored("t")) == 100_000


def test_a_password_of_any_characters_is_understood_by_both_clients(items: World) -> None:
    role = f"odd_{items.name}"
    items.execute(f"create role {role} login superuser password 'p@s/s:w%rd?#é'")
    try:
        url = items.server.url(items.name, role, "p%40s%2Fs%3Aw%25rd%3F%23%C3%A9")
        database = Database(url, "NOVADE_ERP_URL")
        with database.session() as session:
            (table,) = items.declared.tables
            full = table.model_copy(update={"mode": "full"})
            loader = Loader("erp", session, items.declared, items.lake, items.policy)
            assert loader.load(full).read == 2
    finally:
        items.execute(f"drop role {role}")
