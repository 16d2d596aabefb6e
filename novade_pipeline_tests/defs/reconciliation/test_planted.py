"""Planted differences between the two stacks are all found, and nothing else is."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from novade_pipeline.cli import app
from novade_pipeline.defs.marts import warehouse
from novade_pipeline.defs.marts.pinning import pin
from novade_pipeline.defs.marts.project import prepared_project
from novade_pipeline.defs.reconciliation.comparison import KINDS
from novade_pipeline.defs.reconciliation.report import PAGE
from novade_pipeline.defs.segment.landed_files import SOURCES
from novade_pipeline.defs.segment.tables import MART_SOURCES
from novade_pipeline.lake.query import connect, sql_literal
from novade_pipeline.landing.ledger import Rules
from novade_pipeline.landing.load import load
from novade_pipeline.landing.source import find_pending
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.sandbox.segment_tables import KINDS as PLANTS
from novade_pipeline.sandbox.segment_tables import AmplitudeEvent, exported_events
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.defs.reconciliation.conftest import (
    END,
    FIRST,
    KIND_OF,
    TwoStacks,
    land_segment,
)
from novade_pipeline_tests.worlds import environment_of

MART = "marts/reconciliation"
RULES = Rules(1, "keep", date(2018, 1, 1), timedelta(0))
MODELS = ("segment_events", "matched_events", "reconciliation")
# An event that is planted some minutes later is still of the second day.
DAYS_END = FIRST + timedelta(days=2, hours=-1)
SHOWN = 10


def found(stacks: TwoStacks) -> dict[str, set[str]]:
    """Kind of difference -> the ids of its examples."""
    by_kind: defaultdict[str, set[str]] = defaultdict(set)
    for kind in KINDS:
        rows = stacks.rows(f"select unnest({kind}_examples) from marts.reconciliation")
        by_kind[kind] |= {text.split(" ")[0].removesuffix(":") for (text,) in rows}
    return dict(by_kind)


def test_each_planted_difference_is_found_and_no_other(stacks: TwoStacks) -> None:
    expected = {KIND_OF[kind]: set(ids) for kind, ids in stacks.planted.items()}
    assert set(expected) == set(KINDS)
    assert found(stacks) == expected
    counts = ", ".join(f"sum({kind})::bigint" for kind in KINDS)
    ((*numbers,),) = stacks.rows(f"select {counts} from marts.reconciliation")
    assert dict(zip(KINDS, numbers, strict=True)) == {k: len(expected[k]) for k in KINDS}


def test_the_days_that_both_recorded_are_found(stacks: TwoStacks) -> None:
    sql = "select min(event_date), max(event_date), count(distinct event_date)"
    ((first, last, days),) = stacks.rows(f"{sql} from marts.reconciliation")
    assert (first, last, days) == (FIRST.date(), END.replace(day=20).date(), 10)


def test_no_event_is_in_the_history_twice_and_none_is_missing(stacks: TwoStacks) -> None:
    sql = "select recorded_by, taken_from, min(event_date), count(*), count(distinct insert_id)"
    rows = stacks.rows(f"{sql} from marts.all_events group by all order by all")
    sides = {(side, source): (first, events, ids) for side, source, first, events, ids in rows}
    assert all(events == ids for _, events, ids in sides.values())
    # Amplitude has the second day whole: from then on its copies count.
    assert sides["both", "amplitude"][0] == FIRST.replace(day=12).date()
    # What was uploaded late had happened before.
    assert sides["both", "segment"][0] < FIRST.date()
    assert sides["segment", "segment"][0] < sides["both", "segment"][0]
    persons = "select count(*), count(case when person_id > 0 then 1 end)"
    ((known, matched),) = stacks.rows(
        f"{persons} from marts.all_events where user_id is not null and event_date < '2018-11-11'"
    )
    # Nearly all users of the first days are Amplitude's users of the later ones.
    assert 0.9 * known < matched <= known


def test_the_checks_pass_and_the_page_says_what_would_be_lost(stacks: TwoStacks) -> None:
    outcome = stacks.outcome.assets[MART]
    assert (outcome.warned, outcome.failed, outcome.passed) == ({}, {}, 5)
    page = stacks.settings.lake.read(*PAGE).decode()
    assert "Hardly anything: Segment can be switched off." in page
    assert "4 events of" in page
    assert page.count("data:image/png;base64,") == 2
    # It fetches nothing.
    assert "http" not in page
    assert "<script" not in page
    values = stacks.rows("select distinct user_id from marts.all_events where user_id is not null")
    assert not [value for (value,) in values if value in page]


def run(stacks: TwoStacks, *arguments: str, **environment: str) -> tuple[int, str]:
    result = CliRunner().invoke(
        app, ["reconcile", *arguments], env={**environment_of(stacks.settings), **environment}
    )
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "words"),
    [
        ([], {}, 0, "Passed"),
        (["--window", "2018-11-11..2018-11-20"], {}, 0, "2018-11-20"),
        (["--window", "2018-11-11..2018-11-22"], {}, 1, "2 days lack events"),
        ([], {"NOVADE_RECONCILIATION_MATCHED_SHARE": "1"}, 1, "4 events would be lost"),
    ],
    ids=["all days", "a window", "days of one side", "a share that is too high"],
)
def test_the_command_says_the_same_and_ends_with_one_where_it_fails(
    stacks: TwoStacks, arguments: list[str], environment: dict[str, str], code: int, words: str
) -> None:
    exit_code, output = run(stacks, *arguments, **environment)
    assert (exit_code, words in " ".join(output.split())) == (code, True), output
    for ids in stacks.planted.values():
        assert all(id_ in output for id_ in ids)


def test_a_window_that_is_none_is_refused(stacks: TwoStacks, capsys: Any) -> None:
    result = CliRunner().invoke(app, ["reconcile", "--window", "2018-11-11"])
    assert "expected days as 2026-03-01..2026-03-10, found '2018-11-11'" in str(result.exception)


@dataclass(frozen=True)
class Days:
    """Two days of the public log: Amplitude's events in a database, and the SQL of the marts."""

    connection: duckdb.DuckDBPyConnection
    events: list[AmplitudeEvent]
    sql: dict[str, str]


@pytest.fixture(scope="module")
def days(stacks: TwoStacks, shared: Path) -> Iterator[Days]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "warehouse.duckdb")
        project = prepared_project(path)
        sql = project.compiled(path, MODELS)
    with closing(connect()) as connection:
        loaded = sql_literal(str(stacks.settings.warehouse_path))
        connection.execute(f"attach {loaded} as loaded (read_only)")
        connection.execute("attach ':memory:' as warehouse; use warehouse; create schema marts")
        warehouse.read_state(connection, project.models)
        connection.execute(
            "create table marts.event_enhanced as from loaded.marts.event_enhanced"
            " where effective_time < $1 and uuid not like 'again-%'",
            [DAYS_END],
        )
        events = list(exported_events(store(str(shared / "landing")), FIRST, DAYS_END))
        yield Days(connection, events, sql)


@settings(max_examples=8)
@given(
    counts=st.dictionaries(st.sampled_from(PLANTS), st.integers(0, 25)),
    seed=st.integers(1, 1000),
)
def test_each_difference_is_found_and_no_other(
    days: Days, counts: dict[str, int], seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        planted = land_segment(Path(folder, "landing"), days.events, counts, seed)
        landing, lake = (store(str(Path(folder, name))) for name in ("landing", "lake"))
        for source in SOURCES:
            pending = find_pending(source, landing, lake, RULES)
            load(source, landing, lake, PersonalDataPolicy(), pending)
        versions = warehouse.source_versions(lake, MART_SOURCES)
        pin(days.connection, lake, MART_SOURCES, versions)
        for model in MODELS:
            days.connection.execute(f"create or replace table marts.{model} as {days.sql[model]}")
    for plant in PLANTS:
        kind, ids = KIND_OF[plant], set(planted.get(plant, ()))
        rows = days.connection.execute(
            f"select {kind}, {kind}_examples from marts.reconciliation"
        ).fetchall()
        assert sum(count for count, _ in rows) == len(ids), plant
        assert [len(texts) for _, texts in rows] == [min(count, SHOWN) for count, _ in rows]
        examples = [text.split(" ")[0].removesuffix(":") for _, texts in rows for text in texts]
        assert len(examples) == len(set(examples))
        assert set(examples) <= ids
