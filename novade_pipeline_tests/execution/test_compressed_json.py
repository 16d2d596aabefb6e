"""What Dagster stores in SQLite: compressed below its home, and nowhere else."""

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import create_engine, text

from novade_pipeline.execution.compressed_json import (
    DICTIONARY,
    compress_databases,
    compressed,
    decompressed,
)
from novade_pipeline.execution.home import dagster_instance
from novade_pipeline_tests.worlds import settings_in

LONG = '{"__class__": "Ünïcode \\ud83c", "rows": [' + "1, " * 200 + "2]}"

DICTIONARY_CHECKSUM = 0xE4A4139F


@dg.asset(
    check_specs=[dg.AssetCheckSpec(f"check_{number}", asset="orders") for number in range(10)],
)
def orders() -> Iterator[dg.MaterializeResult[None]]:
    checks = [dg.AssetCheckResult(passed=True, check_name=f"check_{n}") for n in range(10)]
    yield dg.MaterializeResult(check_results=checks)


def test_stored_streams_stay_readable() -> None:
    """Whoever changes the dictionary keeps the old one for the streams that name it."""
    dictionary = Path(compress_databases.__code__.co_filename).with_name(DICTIONARY)
    assert zlib.adler32(dictionary.read_bytes()) == DICTIONARY_CHECKSUM
    assert compressed(LONG)[2:6] == DICTIONARY_CHECKSUM.to_bytes(4)


@pytest.mark.parametrize("value", [LONG, "", '{"__class__": "A"}', "\0"])
def test_a_text_is_decompressed_as_it_was(value: str) -> None:
    assert decompressed(compressed(value)) == value


@pytest.mark.parametrize("value", [None, 1, "x", b"", b"\x78", zlib.compress(b"a snapshot")])
def test_any_other_value_is_left_as_it_is(value: object) -> None:
    assert decompressed(value) == value


def test_a_run_is_stored_in_a_quarter_of_its_json(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, tmp_path / "landing")
    with dagster_instance(settings) as instance:
        result = dg.materialize([orders], instance=instance)
        records = instance.get_records_for_run(result.run_id).records
    json = sum(len(dg.serialize_value(record.event_log_entry)) for record in records)
    stored = 0
    for name in (result.run_id, "index"):
        file = settings.dagster_home / "history" / "runs" / f"{name}.db"
        with closing(sqlite3.connect(file)) as database:
            events = [event for (event,) in database.execute("select event from event_logs")]
        assert {type(event) for event in events} == {bytes}
        stored += sum(map(len, events))
    assert len(records) > 30
    assert stored < json / 4


def test_rows_are_compressed_one_by_one_and_many_at_once(tmp_path: Path) -> None:
    compress_databases(tmp_path / "home")
    (tmp_path / "home").mkdir()
    stored = _stored(tmp_path / "home" / "some.db")
    assert [type(value) for value in stored] == [bytes, bytes, bytes, str]
    assert [decompressed(value) for value in stored] == [LONG, LONG, LONG, "short"]


def test_databases_elsewhere_are_left_alone(tmp_path: Path) -> None:
    compress_databases(tmp_path / "home")
    assert _stored(tmp_path / "some.db") == [LONG, LONG, LONG, "short"]


def _stored(file: Path) -> list[object]:
    """Writes four values through SQLAlchemy, which reads them back; returns those in the file."""
    insert = text("insert into texts values (:value)")
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(text("create table texts (value text)"))
        connection.execute(insert, {"value": LONG})
        connection.execute(insert, [{"value": LONG}, {"value": LONG}, {"value": "short"}])
        read = connection.execute(text("select value from texts")).scalars().all()
    engine.dispose()
    assert read == [LONG, LONG, LONG, "short"]
    with closing(sqlite3.connect(file)) as database:
        return [value for (value,) in database.execute("select value from texts")]
