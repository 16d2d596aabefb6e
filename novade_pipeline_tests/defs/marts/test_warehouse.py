"""What is pending follows from the state of the warehouse, and from nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from novade_pipeline.defs.marts.dbt_sources import SOURCES
from novade_pipeline.defs.marts.pinning import pin
from novade_pipeline.defs.marts.warehouse import (
    Model,
    Version,
    WarehouseState,
    pending,
    prune,
    read_state,
    with_unbuilt,
)
from novade_pipeline.lake.query import connect, prepare, sql_identifier
from novade_pipeline.storage.locations import store

MODELS = (
    Model("base", sources=("s.t",), refs=(), code="1", incremental=True),
    Model("next", sources=(), refs=("base",), code="1", incremental=True),
    Model("last", sources=("s.u",), refs=("base",), code="1", incremental=False),
)
NOW = {"s.t": Version(5, "id"), "s.u": Version(2, "id")}
BUILT = WarehouseState(
    generations={"base": 3, "next": 1, "last": 1},
    codes={"base": "1", "next": "1", "last": "1"},
    since={"base": 1, "next": 1, "last": 1},
    taken_in={
        ("base", "s.t"): Version(5, "id"),
        ("next", "marts.base"): Version(3),
        ("last", "marts.base"): Version(3),
        ("last", "s.u"): Version(2, "id"),
    },
    tables=frozenset({"base", "next", "last"}),
)
ALL = ("base", "next", "last")


def _with_taken_in(key: tuple[str, str], version: Version) -> WarehouseState:
    return replace(BUILT, taken_in={**BUILT.taken_in, key: version})


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (BUILT, {}),
        (WarehouseState(), dict.fromkeys(ALL, "it has never been built")),
        (replace(BUILT, tables=frozenset({"base", "last"})), {"next": "it has never been built"}),
        (
            replace(BUILT, codes={**BUILT.codes, "last": "0"}),
            {"last": "its code has changed"},
        ),
        (replace(BUILT, rebuild={"next": "somebody said so"}), {"next": "somebody said so"}),
        (_with_taken_in(("last", "s.u"), Version(1, "id")), {"last": "s.u has changed"}),
        (_with_taken_in(("last", "s.u"), Version(2, "other")), {"last": "s.u has changed"}),
        (_with_taken_in(("next", "marts.base"), Version(2)), {"next": "base has changed"}),
        (
            _with_taken_in(("base", "s.t"), Version(4, "id")),
            {"base": "s.t has changed", "next": "base has changed", "last": "base has changed"},
        ),
    ],
)
def test_a_model_is_pending_when_what_it_is_made_of_is_not_what_is_there(
    state: WarehouseState, expected: dict[str, str]
) -> None:
    assert pending(state, MODELS, NOW, ALL) == expected


def test_only_what_is_selected_is_built() -> None:
    state = _with_taken_in(("base", "s.t"), Version(4, "id"))
    assert pending(state, MODELS, NOW, ["next"]) == {}
    assert pending(state, MODELS, NOW, ["base"]) == {"base": "s.t has changed"}


def test_a_rebuild_builds_all_that_is_selected() -> None:
    assert pending(BUILT, MODELS, NOW, ["base", "last"], rebuild=True) == {
        "base": "a rebuild was requested",
        "last": "a rebuild was requested",
    }


def test_what_a_model_reads_is_built_first_if_it_never_was() -> None:
    assert with_unbuilt(WarehouseState(), MODELS, ["next"]) == {"base", "next"}
    assert with_unbuilt(BUILT, MODELS, ["next"]) == {"next"}


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        yield opened


def test_the_books_are_made_once_and_kept(connection: duckdb.DuckDBPyConnection) -> None:
    first = read_state(connection, MODELS)
    assert first.generations == {"base": 0, "next": 0, "last": 0}
    assert not first.is_built("base")
    assert read_state(connection, MODELS) == first


def test_a_source_that_does_not_exist_yet_is_empty_with_its_columns(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    read_state(connection, MODELS)
    versions = {".".join(table.path): Version(-1) for table in SOURCES}
    pin(connection, store(str(tmp_path)), SOURCES, versions)
    for table in SOURCES:
        name = ".".join(map(sql_identifier, table.path))
        rows = connection.execute(f"select * from {name}").fetch_arrow_table()
        assert rows.num_rows == 0
        assert rows.schema.names == table.schema.names
        assert rows.schema.types == table.schema.types


def test_a_pinned_source_does_not_move(connection: duckdb.DuckDBPyConnection, world: Any) -> None:
    world.land(0, world.event("a", 0.0))
    world.write()
    prepare(connection, world.lake)
    read_state(connection, MODELS)
    # The first makes the table.
    versions = {".".join(table.path): Version(1, "id") for table in SOURCES[:1]}
    pin(connection, world.lake, SOURCES[:1], versions)
    world.land(1, world.event("b", 1.0))
    world.write()
    assert connection.execute("select uuid from amplitude.events").fetchall() == [("a",)]


def test_the_log_is_kept_for_whoever_has_not_read_it(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    models = [
        Model("event_enhanced", sources=(), refs=(), code="", incremental=True),
        Model("sessions", sources=(), refs=("event_enhanced",), code="", incremental=True),
        Model("user_days", sources=(), refs=("event_enhanced",), code="", incremental=True),
        Model("usage", sources=(), refs=("event_enhanced",), code="", incremental=False),
    ]
    read_state(connection, models)
    connection.execute("update novade.model set generation = 9, since = 1")
    connection.execute(
        "insert into novade.changes (model, generation)"
        " select 'event_enhanced', g from range(2, 10) t(g);"
        "insert into novade.touched select 'event_enhanced', g, now() from range(2, 10) t(g);"
        "insert into novade.touched select 'sessions', g, now() from range(2, 10) t(g)"
    )
    connection.execute(
        "insert into novade.taken_in values ('sessions', 'marts.event_enhanced', 8, null),"
        " ('user_days', 'marts.event_enhanced', 5, null),"
        " ('usage', 'marts.event_enhanced', 2, null);"
        "insert into novade.published values ('event_enhanced', 7, 1), ('sessions', 9, 1)"
    )
    prune(connection, models)
    assert _generations(connection, "changes", "event_enhanced") == [6, 7, 8, 9]
    assert _generations(connection, "touched", "event_enhanced") == [6, 7, 8, 9]
    assert _generations(connection, "touched", "sessions") == []
    assert read_state(connection, models).since["event_enhanced"] == 5


def test_the_log_of_an_unpublished_mart_is_retained_for_the_lake(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    models = [Model("sessions", sources=(), refs=(), code="", incremental=True)]
    read_state(connection, models)
    connection.execute(
        "update novade.model set generation = 4, since = 1;"
        "insert into novade.touched select 'sessions', g, now() from range(2, 5) t(g);"
        "insert into novade.published values ('sessions', 3, 1)"
    )
    prune(connection, models)
    assert _generations(connection, "touched", "sessions") == [4]


def _generations(connection: duckdb.DuckDBPyConnection, log: str, model: str) -> list[int]:
    rows = connection.execute(
        f"select generation from novade.{log} where model = $1 order by 1", [model]
    )
    return [generation for (generation,) in rows.fetchall()]
