"""`dbt` as a person types it in the folder `dbt`: it works, and leaves the warehouse alone."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from novade_pipeline.defs.marts.by_hand import WorkingCopy
from novade_pipeline.defs.marts.dbt_runner import DBT_DIR
from novade_pipeline.defs.marts.project import Project
from novade_pipeline.lake.database_copies import working_copy
from novade_pipeline.settings import Settings
from novade_pipeline_tests.holding import open_client
from novade_pipeline_tests.waiting import wait_until
from novade_pipeline_tests.worlds import environment_of

DBT = Path(sys.executable).with_name("dbt")


def dbt(settings: Settings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run dbt in its folder."""
    return subprocess.run(
        [DBT, "--no-use-colors", *arguments],
        cwd=DBT_DIR,
        env={**os.environ, **environment_of(settings)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_copy_is_made_while_a_reader_has_the_warehouse_open_and_then_stays(
    loaded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment_of(loaded).items():
        monkeypatch.setenv(name, value)
    messages: list[str] = []
    path = working_copy(loaded.warehouse_path)
    with open_client(loaded.warehouse_path, read_only=True):
        made = WorkingCopy.of_settings(messages.append)
    assert made.path == path
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute("create table mine as select 1 as one")
    assert WorkingCopy.of_settings(messages.append) == made
    assert len(messages) == 2
    assert all(str(path) in message for message in messages)
    with closing(duckdb.connect(str(path))) as connection:
        assert connection.execute("from mine").fetchall() == [(1,)]
        # What dbt builds next is built whole.
        connection.execute("delete from marts.sessions; delete from marts.user_enhanced")


def test_dbt_build_gives_what_runs_give_and_leaves_the_warehouse_alone(loaded: Settings) -> None:
    before = _digest(loaded.warehouse_path)
    built = dbt(loaded, "build")
    assert built.returncode == 0, built.stdout
    assert f"dbt works on {working_copy(loaded.warehouse_path)}" in built.stdout
    assert "ERROR=0 SKIP=0" in built.stdout
    assert _digest(loaded.warehouse_path) == before
    by_runs, by_hand = (
        _marts(path) for path in (loaded.warehouse_path, working_copy(loaded.warehouse_path))
    )
    assert len(by_runs) > 20
    assert by_hand == by_runs


def test_without_a_warehouse_dbt_says_so_in_one_sentence(loaded: Settings, tmp_path: Path) -> None:
    nowhere = loaded.model_copy(update={"warehouse_path": tmp_path / "warehouse.duckdb"})
    refused = dbt(nowhere, "test", "--select", "match_rates")
    assert refused.returncode == 2
    assert f"expected the warehouse {nowhere.warehouse_path}, found none" in refused.stdout
    assert "run `make run` or `novade run` first" in refused.stdout
    assert "Traceback" not in refused.stdout + refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_docs_are_served_with_every_column_of_every_mart(
    loaded: Settings, project: Project
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [DBT, "docs", "serve", "--no-browser", "--port", str(port)],
        cwd=DBT_DIR,
        env={**os.environ, **environment_of(loaded)},
        stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until("dbt serves its docs", lambda: _is_served(f"{url}/index.html"))
        manifest, catalog = (json.loads(_get(f"{url}/{n}.json")) for n in ("manifest", "catalog"))
    finally:
        server.kill()
        server.wait()
    for name, table in project.tables.items():
        (node,) = [n for n in manifest["nodes"].values() if n["name"] == name]
        columns = catalog["nodes"][node["unique_id"]]["columns"]
        assert list(columns) == [column.name for column in table.columns]


def _is_served(url: str) -> bool:
    try:
        return b"<html" in _get(url)
    except OSError:
        return False


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url) as response:
        content: bytes = response.read()
    return content


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _marts(path: Path) -> dict[str, list[str]]:
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        names = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts'"
        ).fetchall()
        return {
            name: sorted(map(repr, connection.execute(f"from marts.{name}").fetchall()))
            for (name,) in names
        }
