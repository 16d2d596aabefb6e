"""Histories answer what was, are added to and never made anew, and come back from the lake."""

import shutil
import signal
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from novade_pipeline.defs.marts import dbt_runner, previews
from novade_pipeline.defs.marts import refresh as refresh_module
from novade_pipeline.defs.marts.project import Project
from novade_pipeline.defs.salesforce.tables import ACCOUNT, OPPORTUNITY
from novade_pipeline.lake.query import open_database, sql_type
from novade_pipeline_tests.defs.marts.crm import Crm, Row
from novade_pipeline_tests.defs.marts.dying import refresh_that_dies_in_the_snapshot
from novade_pipeline_tests.places import clear

D = Decimal
MARTS = ("opportunity_history", "sales_snapshot")


def _at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def _opportunity(day: int, hour: int = 12, **fields: Any) -> Row:
    return {
        "id": "o1",
        "amount": 100.0,
        "stage_name": "Proposal",
        "forecast_category": "Pipeline",
        "is_closed": False,
        "is_won": False,
        "created_date": _at(1),
        "close_date": date(2026, 3, 30),
        "system_modstamp": _at(day, hour),
        **fields,
    }


WON = {"is_closed": True, "is_won": True, "stage_name": "Won", "close_date": date(2026, 3, 9)}


def _file_states(crm: Crm) -> list[tuple[Any, ...]]:
    return crm.query(
        "select opportunity_id, stage_name, valid_from, valid_to from marts.opportunity_history"
        " order by opportunity_id, valid_from"
    )


def _pipeline(crm: Crm, day: int) -> dict[tuple[str, str], tuple[int, Decimal, int]]:
    states = crm.query(
        "select status, stage_name, opportunities, amount, inferred_opportunities"
        f" from marts.sales_snapshot where day = date '2026-03-{day:02}' and opportunities <> 0"
    )
    return {(status, stage): (count, amount, n) for status, stage, count, amount, n in states}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory, project: Project) -> Crm:
    """One opportunity that moves, is won, deleted and brought back; each state seen once."""
    crm = Crm(tmp_path_factory.mktemp("lived"), project)
    # Seen when it was won already: of what went before only two days are known.
    early = _opportunity(5, id="o2", amount=0.1, **{**WON, "close_date": date(2026, 3, 3)})
    for rows in (
        [_opportunity(4), early],
        [_opportunity(9, amount=300.0, **WON)],
        [_opportunity(12, amount=300.0, **WON, is_deleted=True)],
        [_opportunity(15, amount=300.0, **WON)],
        [_opportunity(18, hour=0, amount=300.0, **WON, is_deleted=True, vanished_at=_at(19))],
    ):
        crm.write(OPPORTUNITY, rows)
        assert not crm.refresh("opportunity_history").failures
    done = crm.refresh(*MARTS, checks=True)
    assert done.checks
    assert all(report.passed for report in done.checks)
    return crm


@pytest.fixture
def moved(lived: Crm, tmp_path: Path) -> Crm:
    """A copy of it, to be harmed."""
    copy = Crm(tmp_path, lived.project)
    shutil.copytree(lived.warehouse.parent, tmp_path, dirs_exist_ok=True)
    return copy


def test_each_state_is_valid_until_the_next_and_a_deletion_ends_the_last(lived: Crm) -> None:
    assert _file_states(lived) == [
        ("o1", "Proposal", _at(4), _at(9)),
        ("o1", "Won", _at(9), _at(12)),
        ("o1", "Won", _at(15), _at(19)),
        ("o2", "Won", _at(5), None),
    ]


@pytest.mark.parametrize(
    ("moment", "stages"),
    [
        ("2026-03-04 12:00", ["Proposal"]),
        ("2026-03-09 11:59", ["Proposal"]),
        ("2026-03-09 12:00", ["Won"]),
        ("2026-03-13 00:00", []),
        ("2026-03-16 00:00", ["Won"]),
        ("2026-03-19 12:00", []),
    ],
)
def test_the_documented_query_gives_the_pipeline_of_any_moment(
    lived: Crm, moment: str, stages: list[str]
) -> None:
    description = lived.project.nodes["opportunity_history"]["description"]
    condition = "valid_from <= moment and (valid_to is null or valid_to > moment)"
    assert condition in " ".join(description.split())
    states = lived.query(
        f"with asked as (select timestamptz '{moment}' as moment) select stage_name"
        f" from marts.opportunity_history, asked where {condition} and opportunity_id = 'o1'"
    )
    assert [stage for (stage,) in states] == stages


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        # Before it was first seen it counts as it was then; the other one until it closed as open.
        (
            1,
            {
                ("pipeline", "Proposal"): (1, D("100.0"), 1),
                ("pipeline", "unknown"): (1, D("0.1"), 1),
            },
        ),
        (3, {("pipeline", "Proposal"): (1, D("100.0"), 1), ("won", "Won"): (1, D("0.1"), 1)}),
        (4, {("pipeline", "Proposal"): (1, D("100.0"), 0), ("won", "Won"): (1, D("0.1"), 1)}),
        (6, {("pipeline", "Proposal"): (1, D("100.0"), 0), ("won", "Won"): (1, D("0.1"), 0)}),
        (8, {("pipeline", "Proposal"): (1, D("100.0"), 0), ("won", "Won"): (1, D("0.1"), 0)}),
        (9, {("won", "Won"): (2, D("300.1"), 0)}),
        (12, {("won", "Won"): (1, D("0.1"), 0)}),
        (15, {("won", "Won"): (2, D("300.1"), 0)}),
        (18, {("won", "Won"): (2, D("300.1"), 0)}),
        (19, {("won", "Won"): (1, D("0.1"), 0)}),
    ],
)
def test_the_snapshot_of_a_day_is_the_pipeline_at_its_end(
    lived: Crm, day: int, expected: dict[tuple[str, str], tuple[int, Decimal, int]]
) -> None:
    assert _pipeline(lived, day) == expected


def test_the_snapshot_of_each_day_is_what_the_history_says_by_hand(lived: Crm) -> None:
    states = lived.rows("opportunity_history")
    for day in range(5, 20):
        end = datetime(2026, 3, day + 1, tzinfo=UTC)
        open_then = [
            state
            for state in states
            if state["valid_from"] < end and (state["valid_to"] is None or state["valid_to"] >= end)
        ]
        pipeline = _pipeline(lived, day).values()
        assert sum(count for count, _, _ in pipeline) == len(open_then)
        assert sum(amount for _, amount, _ in pipeline) == sum(
            state["amount"] for state in open_then
        )


def test_a_history_has_the_columns_and_types_that_its_yaml_says(project: Project) -> None:
    # dbt enforces contracts of models only.
    crm = Crm(Path("unused"), project)
    for name, source in (("opportunity_history", OPPORTUNITY), ("account_history", ACCOUNT)):
        table = crm.project.tables[name]
        types = {column.name: sql_type(column.type) for column in source.columns}
        for column in table.columns:
            if column.name in types:
                assert sql_type(column.type) == types[column.name], f"{name}.{column.name}"
        assert not table.personal
        assert not {column.name for column in table.columns} & set(source.personal)


def test_the_lake_holds_the_histories(lived: Crm) -> None:
    assert lived.published("opportunity_history") == lived.rows("opportunity_history")
    columns = lived.query(
        "select column_name, data_type from duckdb_columns()"
        " where table_name = 'opportunity_history' order by 1"
    )
    declared = lived.project.tables["opportunity_history"].columns
    assert columns == sorted((column.name, sql_type(column.type)) for column in declared)


def test_a_rebuild_destroys_no_history(moved: Crm) -> None:
    before = {name: moved.rows(name) for name in MARTS}
    done = moved.refresh(*MARTS, rebuild=True)
    assert done.marts["opportunity_history"].reason == "a rebuild was requested"
    assert {name: moved.rows(name) for name in MARTS} == before


def test_a_lost_warehouse_takes_its_histories_from_the_lake(moved: Crm) -> None:
    before = {name: moved.rows(name) for name in MARTS}
    moved.warehouse.unlink()
    assert not moved.refresh(*MARTS, checks=True).failures
    assert {name: moved.rows(name) for name in MARTS} == before
    assert moved.published("opportunity_history") == before["opportunity_history"]


def test_a_history_whose_table_was_dropped_comes_back(moved: Crm) -> None:
    before = moved.rows("opportunity_history")
    moved.query("drop table marts.opportunity_history")
    assert not moved.refresh(*MARTS).failures
    assert moved.rows("opportunity_history") == before


def test_a_warehouse_restored_from_a_copy_keeps_what_was_seen_since(moved: Crm) -> None:
    copy = moved.warehouse.with_suffix(".copy")
    shutil.copy(moved.warehouse, copy)
    for day, stage in ((20, "Proposal"), (21, "Negotiation")):
        moved.write(OPPORTUNITY, [_opportunity(day, id="o3", stage_name=stage)])
        moved.refresh("opportunity_history")
    before = moved.rows("opportunity_history")
    shutil.copy(copy, moved.warehouse)
    moved.write(OPPORTUNITY, [_opportunity(23, id="o3", stage_name="Won")])
    assert not moved.refresh(*MARTS, checks=True).failures
    stages = [(stage, start, end) for id_, stage, start, end in _file_states(moved) if id_ == "o3"]
    assert stages == [
        ("Proposal", _at(20), _at(21)),
        ("Negotiation", _at(21), _at(23)),
        ("Won", _at(23), None),
    ]
    assert len(moved.rows("opportunity_history")) == len(before) + 1
    assert moved.published("opportunity_history") == moved.rows("opportunity_history")


def test_two_warehouses_on_one_lake_know_what_both_have_seen(moved: Crm, tmp_path: Path) -> None:
    first, other = moved.warehouse, tmp_path / "other" / "warehouse.duckdb"
    for warehouse, day, stage in (
        (other, 20, "Proposal"),
        (first, 21, "Negotiation"),
        (other, 22, "Review"),
        (first, 22, "Review"),
    ):
        moved.warehouse = warehouse
        moved.write(OPPORTUNITY, [_opportunity(day, id="o3", stage_name=stage)])
        assert not moved.refresh("opportunity_history", checks=warehouse is first).failures
    stages = [(stage, end) for id_, stage, _, end in _file_states(moved) if id_ == "o3"]
    assert stages == [("Proposal", _at(21)), ("Negotiation", _at(22)), ("Review", None)]


def test_what_others_deleted_in_the_lake_is_published_again(moved: Crm) -> None:
    before = moved.rows("opportunity_history")
    DeltaTable(moved.lake.table_url("marts", "opportunity_history")).delete("stage_name = 'Won'")
    assert not moved.refresh("opportunity_history").failures
    assert moved.published("opportunity_history") == moved.rows("opportunity_history") == before


def test_a_source_that_is_gone_for_a_while_ends_nothing(moved: Crm) -> None:
    before = moved.rows("opportunity_history")
    published = DeltaTable(moved.lake.table_url(*OPPORTUNITY.path)).to_pyarrow_table()
    clear(moved.lake, *OPPORTUNITY.path)
    moved.refresh("opportunity_history")
    assert moved.rows("opportunity_history") == before
    moved.write(OPPORTUNITY, published.to_pylist())
    moved.refresh("opportunity_history")
    assert moved.rows("opportunity_history") == before


def test_a_second_refresh_takes_no_snapshot(moved: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbt_runner, "build", None)
    done = moved.refresh(*MARTS)
    assert all(mart.is_unchanged for mart in done.marts.values())


def test_states_and_books_are_committed_together_or_not_at_all(moved: Crm) -> None:
    before = moved.rows("opportunity_history")
    moved.query(
        """create table novade.narrow (
            model text, source text, version bigint check (version < 6), table_id text);
        insert into novade.narrow from novade.taken_in;
        drop table novade.taken_in;
        alter table novade.narrow rename to taken_in"""
    )
    moved.write(OPPORTUNITY, [_opportunity(20, id="o3")])
    assert "opportunity_history" in moved.refresh(*MARTS).failures
    assert moved.rows("opportunity_history") == before
    assert moved.query(
        "select generation from novade.model where model = 'opportunity_history'"
    ) == [(5,)]


@pytest.mark.parametrize("lost", [False, True], ids=["published late", "restored twice"])
def test_a_refresh_that_is_cut_off_loses_no_state(
    moved: Crm, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    before = moved.rows("opportunity_history")
    if lost:
        moved.warehouse.unlink()
    moved.write(OPPORTUNITY, [_opportunity(20, id="o3")])

    def die(*args: Any, **kwargs: Any) -> Any:
        raise OSError("cut off")

    with monkeypatch.context() as patched:
        if lost:
            patched.setattr(dbt_runner, "build", die)
        else:
            patched.setattr(refresh_module, "publish", die)
        with pytest.raises(OSError, match="cut off"):
            moved.refresh(*MARTS)
    assert not moved.refresh(*MARTS, checks=True).failures
    after = moved.rows("opportunity_history")
    assert [row for row in after if row["opportunity_id"] != "o3"] == before
    assert len(after) == len(before) + 1
    assert moved.published("opportunity_history") == after


def test_a_snapshot_that_is_killed_before_its_commit_was_not_taken(moved: Crm) -> None:
    before = moved.rows("opportunity_history")
    state = "select generation from novade.model where model = 'opportunity_history'"
    generation = moved.query(state)
    moved.write(OPPORTUNITY, [_opportunity(20, id="o3")])
    ended = refresh_that_dies_in_the_snapshot(moved.warehouse.parent, ["opportunity_history"])
    assert ended == -signal.SIGKILL
    assert (moved.rows("opportunity_history"), moved.query(state)) == (before, generation)
    assert not moved.refresh("opportunity_history").failures
    assert len(moved.rows("opportunity_history")) == len(before) + 1


def test_the_pipeline_is_drawn_by_status(lived: Crm) -> None:
    with closing(open_database(lived.warehouse)) as connection:
        drawn = previews.pipeline_picture(connection)
        assert drawn is not None
        assert "data:image/png;base64," in drawn
        connection.execute("begin")
        connection.execute("delete from marts.sales_snapshot")
        assert previews.pipeline_picture(connection) is None
        connection.execute("rollback")
