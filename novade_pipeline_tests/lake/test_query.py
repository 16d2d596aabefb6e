"""Connections that read the lake without a home directory, and fetch nothing to be able to."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import BaseModel, Field

from novade_pipeline.errors import UserError
from novade_pipeline.lake.delta import append_once
from novade_pipeline.lake.query import (
    connect,
    extension_path,
    open_database,
    scan,
    scratch,
    sql_identifier,
    sql_literal,
    sql_type,
)
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.places import NewStore, credentials


class Row(BaseModel):
    """A row."""

    day: date = Field(description="A day.")
    moment: datetime = Field(description="A moment.")


TABLE = Table(name="some/rows", row=Row, key=("day",), write_mode="replace")


def _rows(*hours: int) -> pa.Table:
    moments = [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in hours]
    rows = [{"day": moment.date(), "moment": moment} for moment in moments]
    return pa.Table.from_pylist(rows, schema=TABLE.schema)


def test_a_table_is_read_as_it_was_at_a_version(new_store: NewStore) -> None:
    lake = new_store("lake")
    append_once(lake, TABLE, _rows(1), app_id="a", version=1)
    append_once(lake, TABLE, _rows(2, 3), app_id="a", version=2)
    with connect(lake=lake) as connection:
        counts = [
            connection.execute(f"select count(*) from {scan(lake, TABLE, version)}").fetchone()
            for version in (0, 1, 2, None)
        ]
    assert counts == [(0,), (1,), (3,), (3,)]


def test_a_lake_may_have_any_name(tmp_path: Path) -> None:
    lake = store(str(tmp_path / "it's a lake"))
    append_once(lake, TABLE, _rows(1), app_id="a", version=1)
    with connect(lake=lake) as connection:
        found = connection.execute(f"select count(*) from {scan(lake, TABLE)}").fetchone()
    assert found == (1,)


def test_times_are_in_utc_whatever_the_time_zone_of_the_machine(
    new_store: NewStore, tmp_path: Path
) -> None:
    lake = new_store("lake")
    append_once(lake, TABLE, _rows(23), app_id="a", version=1)
    code = """
import json, sys
from novade_pipeline.lake.query import connect, sql_literal
from novade_pipeline.storage.locations import store
lake = store(sys.argv[1], json.loads(sys.argv[2]))
table = sql_literal(lake.duckdb_path("some", "rows"))
print(connect(lake=lake).execute(f"select moment::date from delta_scan({table})").fetchone()[0])
"""
    home = tmp_path / "empty home"
    home.mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", code, lake.url, json.dumps(credentials(lake))],
        env={"TZ": "Asia/Tokyo", "HOME": str(home), "PATH": os.environ["PATH"]},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "2026-03-01"
    assert list(home.iterdir()) == []


def test_a_file_that_another_process_holds_is_one_sentence_with_its_pid(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(UserError) as raised:
            open_database(path)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert str(path) in str(raised.value)
    assert f"PID {holder.pid}" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_text("this is a text, and long enough to be looked at as a header" * 100)
    with pytest.raises(UserError, match=r"warehouse\.duckdb cannot be opened: .*"):
        open_database(path)


def test_an_extension_that_is_not_installed_names_its_package() -> None:
    with pytest.raises(UserError, match="duckdb-extension-spatial"):
        extension_path("spatial")


def test_a_database_installs_nothing_by_itself(tmp_path: Path) -> None:
    with connect(tmp_path / "some.duckdb") as connection:
        told = connection.execute("select current_setting('autoinstall_known_extensions')")
        assert told.fetchone() == (False,)


def test_scratch_work_is_seen_by_nobody_else_and_in_utc() -> None:
    with scratch() as one, scratch() as other:
        for connection, number in ((one, 1), (other, 2)):
            connection.register("given", pa.table({"number": [number]}))
            connection.execute("create temp table kept as from given")
        assert [c.execute("from kept").fetchall() for c in (one, other)] == [[(1,)], [(2,)]]
        assert one.execute("select current_setting('TimeZone')").fetchone() == ("UTC",)
    with scratch() as later:
        assert later.execute("select count(*) from duckdb_tables()").fetchone() == (0,)


def test_limits_are_set(tmp_path: Path) -> None:
    with connect(tmp_path / "w.duckdb", threads=1, memory_limit="64MiB") as connection:
        row = connection.execute(
            "select current_setting('threads'), current_setting('memory_limit')"
        ).fetchone()
    assert row == (1, "64.0 MiB")


@pytest.mark.parametrize("name", ["plain", 'a "quoted" one', "select", "it's"])
def test_any_name_and_any_text_can_be_written_in_sql(name: str) -> None:
    with connect() as connection:
        found = connection.execute(f"select {sql_literal(name)} as {sql_identifier(name)}")
        assert [column[0] for column in found.description] == [name]
        assert found.fetchone() == (name,)


def test_arrow_types_have_the_duckdb_type_that_arrow_reads_back() -> None:
    kind = pa.list_(pa.struct([("a b", pa.string()), ("n", pa.decimal128(18, 2))]))
    with connect() as connection:
        found = connection.execute(f"select null::{sql_type(kind)} as it").fetch_arrow_table()
    assert found.schema.field("it").type == kind
    with pytest.raises(TypeError, match="no DuckDB type for float"):
        sql_type(pa.float32())
