"""A DuckDB file that is written anew holds what it held, and no byte of what was deleted."""

from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from novade_pipeline.errors import UserError
from novade_pipeline.lake.duckdb_file import rewrite_database
from novade_pipeline.storage.locations import store

ADA = b"ada.lovelace.4711@example.com"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute("set force_compression = 'uncompressed'; create schema marts")
        connection.execute(
            "create table marts.users as select i, 'ada.lovelace.' || i || '@example.com' as email"
            " from range(20000) as numbers(i)"
        )
        connection.execute("create table marts.kept (days date[] not null)")
        connection.execute("insert into marts.kept values ([date '2026-03-01'])")
        connection.execute("create view marts.seen as from marts.users")
        connection.execute("checkpoint")
        connection.execute("delete from marts.users where i <> 5")
    return path


def test_what_is_deleted_leaves_no_byte(database: Path) -> None:
    assert ADA in database.read_bytes()
    rewrite_database(database, store(str(database.parent / "lake")))
    assert ADA not in database.read_bytes()
    with closing(duckdb.connect(str(database))) as connection:
        assert connection.execute("from marts.seen").fetchall() == [
            (5, "ada.lovelace.5@example.com")
        ]
        assert len(connection.execute("from marts.kept").fetchall()) == 1
    assert [path.name for path in database.parent.iterdir()] == [database.name]


def test_what_a_killed_rewriting_left_does_not_matter(database: Path) -> None:
    for ending in ("rewritten", "rewritten.wal"):
        database.with_name(f"{database.name}.{ending}").write_bytes(ADA)
    rewrite_database(database, store(str(database.parent / "lake")))
    assert [path.name for path in database.parent.iterdir()] == [database.name]


def test_no_file_is_made_where_there_is_none(tmp_path: Path) -> None:
    rewrite_database(tmp_path / "none.duckdb", store(str(tmp_path / "lake")))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_another_holds_is_left_alone(database: Path) -> None:
    database.write_bytes(b"no database" * 1000)
    with pytest.raises(UserError):
        rewrite_database(database, store(str(database.parent / "lake")))
    assert database.read_bytes().startswith(b"no database")
