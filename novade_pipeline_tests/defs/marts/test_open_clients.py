"""People who query while runs write: whoever has a file open stops no run, and reads on."""

import shutil
import subprocess
import threading
from datetime import timedelta
from typing import Any

import duckdb
import pytest

from novade_pipeline.defs.marts.project import Project
from novade_pipeline.execution.local_run import run_graph
from novade_pipeline.lake.database_copies import reader_copy
from novade_pipeline.lake.duckdb_file import delete_database, rewrite_database
from novade_pipeline.lake.query import DatabaseHeldError
from novade_pipeline.settings import Settings
from novade_pipeline_tests.byte_search import tables_with
from novade_pipeline_tests.commands import NOVADE
from novade_pipeline_tests.defs.marts.conftest import MARTS
from novade_pipeline_tests.defs.marts.stored_marts import query_warehouse
from novade_pipeline_tests.holding import open_client
from novade_pipeline_tests.places import on_disk
from novade_pipeline_tests.worlds import environment_of

World = Any
COUNT = "select count(*) from marts.event_enhanced"


def test_a_run_waits_for_a_client_and_says_who_it_is(loaded: Settings) -> None:
    with open_client(loaded.warehouse_path, read_only=True) as client:
        run = subprocess.Popen(
            [*NOVADE, "run", "--select", "marts/daily_performance"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**environment_of(loaded), "COLUMNS": "400", "HOME": str(loaded.dagster_home)},
        )
        try:
            assert run.stdout is not None
            lines = iter(run.stdout.readline, "")
            waiting = next((line for line in lines if "Waiting up to" in line), "")
            assert "Waiting up to 10 minutes" in waiting
            assert f"PID {client.pid}" in waiting
            assert "read warehouse.read.duckdb instead" in waiting
            assert run.poll() is None
        except BaseException:
            run.kill()
            raise
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 0, output


def test_the_steps_of_a_run_wait_once_and_fail_with_one_sentence_each(loaded: Settings) -> None:
    impatient = loaded.model_copy(update={"warehouse_wait_minutes": 1 / 60})
    messages: list[str] = []
    with open_client(loaded.warehouse_path, read_only=False):
        outcome = run_graph(
            impatient,
            select="marts/daily_performance,marts/dim_users",
            on_message=messages.append,
        )
    assert len(outcome.failures) == 2
    assert all("close it there and try again." in failure for failure in outcome.failures)
    assert len([message for message in messages if message.startswith("Waiting up to")]) == 1


def test_the_copy_of_a_folder_that_was_moved_is_made_anew(loaded: Settings) -> None:
    # The run before has opened a warehouse that was copied with its lake.
    with open_client(reader_copy(loaded.warehouse_path), read_only=False) as client:
        lakes = client.query("select distinct lake from published")
        assert str(loaded.warehouse_path.parent) in lakes
        assert client.query(COUNT) == str(
            duckdb.connect(str(loaded.warehouse_path)).execute(COUNT).fetchall()
        )


@on_disk
@pytest.mark.parametrize("read_only", [True, False])
def test_a_refresh_waits_until_the_file_is_free(
    built: World, project: Project, read_only: bool
) -> None:
    messages: list[str] = []
    with open_client(built.warehouse, read_only=read_only) as client:
        with pytest.raises(DatabaseHeldError, match=r"after 0\.01 minutes, still held by another"):
            built.refresh(project, patience=timedelta(seconds=0.6), on_progress=messages.append)
        closing = threading.Timer(1.0, client.close)
        closing.start()
        done = built.refresh(project, patience=timedelta(minutes=1), on_progress=messages.append)
    assert not done.failures
    assert len(messages) == 2
    assert all(f"PID {client.pid}" in message for message in messages)


def test_a_client_that_has_the_copy_open_reads_on_while_a_refresh_replaces_it(
    built: World, project: Project
) -> None:
    built.refresh(project)
    path = reader_copy(built.warehouse)
    # Even one that could write.
    with open_client(path, read_only=False) as before:
        assert before.query("create table mine as select 1 as one") == "[(1,)]"
        old = before.query(COUNT)
        # An hour with an address goes; of a process that was killed, rows are left.
        built.empty(0)
        shutil.copy(path, path.with_name(f"{path.name}.new"))
        built.land(60, built.event("new", 60.0))
        built.write()
        assert built.refresh(project).marts["event_enhanced"].reason is not None
        with open_client(path, read_only=True) as after:
            assert before.query(COUNT) == old
            assert after.query(COUNT) != old
            assert "mine" not in after.query("select table_name from duckdb_tables()")
            marts = built.marts()
            for mart in MARTS:
                rows = after.query(f"select * from marts.{mart} order by all")
                assert rows == repr(marts[mart]), mart
    assert tables_with(path, "u2@example.com") == []
    # As an erasure ends.
    rewrite_database(built.warehouse, built.lake)
    delete_database(path)
    built.refresh(project)
    assert b"u2@example.com" not in path.read_bytes()
    assert not [*built.root.glob("*.new*"), *built.root.glob("*.wal")]


@on_disk
def test_the_copy_shows_what_was_published_and_describes_it(built: World, project: Project) -> None:
    built.refresh(project)
    path = reader_copy(built.warehouse)
    with open_client(path, read_only=True) as client:
        described = client.query(
            "select count(*) from duckdb_columns() where schema_name = 'marts' and comment is null"
        )
        assert described == "[(0,)]"
    states = path.stat()
    built.refresh(project)
    assert path.stat() == states
    path.write_bytes(b"no database")
    built.refresh(project)
    with open_client(path, read_only=True) as client:
        assert client.query("select count(*) from published") == f"[({len(MARTS)},)]"


def test_rows_that_a_failed_check_withholds_are_not_shown(built: World, project: Project) -> None:
    built.refresh(project)
    before = built.marts()["sessions"]
    query_warehouse(
        built,
        "update novade.model set generation = generation + 1 where model = 'sessions';"
        " delete from marts.sessions",
    )
    path = reader_copy(built.warehouse)
    path.unlink()
    built.refresh(project, "event_enhanced")
    with open_client(path, read_only=True) as client:
        assert client.query("from marts.sessions order by all") == repr(before)
