"""States of a record never overlap, whatever vanishes and comes back, and stuck ones are mended."""

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.marts.project import Project
from novade_pipeline.defs.salesforce.tables import ACCOUNT, OPPORTUNITY
from novade_pipeline_tests.defs.marts.crm import Crm, Row

MARTS = ("opportunity_history", "account_history", "sales_snapshot")
HISTORIES = {"opportunity_history": OPPORTUNITY, "account_history": ACCOUNT}


def _at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


CHANGED = _at(1, 8)


def _record(**fields: Any) -> Row:
    times = {"created_date": CHANGED, "system_modstamp": CHANGED}
    return {"id": "o1", "name": "Deal", **times, **fields}


def _deal(**fields: Any) -> Row:
    terms = {"amount": 100.0, "stage_name": "Proposal", "close_date": date(2026, 3, 30)}
    open_ = {"forecast_category": "Pipeline", "is_closed": False, "is_won": False}
    return _record(**{**terms, **open_, **fields})


def _gone(day: int, **fields: Any) -> Row:
    return _deal(is_deleted=True, vanished_at=_at(day), **fields)


def _see(crm: Crm, *rows: Row) -> None:
    """Load rows, and build the marts; their checks run when the test ends."""
    _load(crm, *rows)
    assert not crm.refresh(*MARTS).failures


def _load(crm: Crm, *rows: Row) -> None:
    """Take in rows of an opportunity, and the like of an account."""
    crm.write(OPPORTUNITY, rows, swept=True)
    names = {column.name for column in ACCOUNT.columns}
    accounts = [{k: v for k, v in row.items() if k in names} for row in rows]
    crm.write(ACCOUNT, accounts, swept=True)


def _build(crm: Crm) -> None:
    done = crm.refresh(*MARTS, checks=True)
    assert not done.failures
    assert [report.check.name for report in done.checks if not report.passed] == []


def _file_states(crm: Crm, history: str = "opportunity_history") -> list[tuple[Any, ...]]:
    return crm.query(f"select valid_from, valid_to from marts.{history} order by all nulls last")


def _open_on(crm: Crm, *days: int) -> list[int]:
    counts = dict(
        crm.query("select day, sum(opportunities) from marts.sales_snapshot group by day")
    )
    return [int(counts[date(2026, 3, day)]) for day in days]


@pytest.fixture
def crm(tmp_path: Path, project: Project) -> Iterator[Crm]:
    crm = Crm(tmp_path, project)
    yield crm
    _build(crm)


def test_a_record_that_is_back_unchanged_has_a_second_state(crm: Crm) -> None:
    _see(crm, _deal())
    _see(crm, _gone(2))
    _see(crm, _deal(returned_at=_at(3)))
    for history in HISTORIES:
        assert _file_states(crm, history) == [(CHANGED, _at(2)), (_at(3), None)]
    _see(crm, _deal(stage_name="Review", system_modstamp=_at(4)))
    assert _file_states(crm)[1:] == [(_at(3), _at(4)), (_at(4), None)]
    assert _open_on(crm, 1, 2, 3, 4) == [1, 0, 1, 1]


def test_a_record_may_vanish_and_come_back_as_often_as_it_likes(crm: Crm) -> None:
    _see(crm, _deal())
    for day in (2, 4, 6):
        _see(crm, _gone(day))
        _see(crm, _deal(returned_at=_at(day + 1)))
    assert _file_states(crm) == [
        (CHANGED, _at(2)),
        (_at(3), _at(4)),
        (_at(5), _at(6)),
        (_at(7), None),
    ]
    assert _open_on(crm, 1, 2, 3, 4, 5, 6, 7) == [1, 0, 1, 0, 1, 0, 1]
    before = {name: crm.rows(name) for name in MARTS}
    crm.warehouse.unlink()
    _build(crm)
    assert {name: crm.rows(name) for name in MARTS} == before


def test_what_no_snapshot_saw_vanish_was_there_all_the_time(crm: Crm) -> None:
    _see(crm, _deal(stage_name="Draft", system_modstamp=_at(1, 7)))
    _see(crm, _deal())
    _load(crm, _gone(2))
    _see(crm, _deal(returned_at=_at(3)))
    assert _file_states(crm) == [(_at(1, 7), CHANGED), (CHANGED, None)]


def test_a_record_that_changed_while_it_was_hidden_is_back_with_its_new_state(crm: Crm) -> None:
    _see(crm, _deal())
    _see(crm, _gone(5))
    _see(crm, _deal(stage_name="Review", system_modstamp=_at(3), returned_at=_at(6)))
    assert _file_states(crm) == [(CHANGED, _at(5)), (_at(6), None)]


def test_a_restored_record_is_valid_since_its_change(crm: Crm) -> None:
    _see(crm, _deal())
    _see(crm, _gone(5))
    _see(crm, _deal(stage_name="Review", system_modstamp=_at(3)))
    assert _file_states(crm) == [(CHANGED, _at(3)), (_at(3), None)]


def test_a_restored_record_without_a_time_is_valid_since_it_vanished(crm: Crm) -> None:
    _see(crm, _deal())
    _see(crm, _gone(2))
    _see(crm, _deal())
    assert _file_states(crm) == [(CHANGED, _at(2)), (_at(2), None)]


def test_a_record_may_be_deleted_and_brought_back_within_a_second(crm: Crm) -> None:
    _see(crm, _deal())
    _see(crm, _deal(is_deleted=True))
    _see(crm, _deal())
    assert _file_states(crm) == [(CHANGED, CHANGED), (CHANGED, None)]
    assert len({row["version_id"] for row in crm.rows("opportunity_history")}) == 2


# stuck ones


def _as_the_version_before(crm: Crm) -> None:
    """Leave the warehouse as the version before this one had it: no currency, doubles."""
    for history in HISTORIES:
        number = "amount" if history == "opportunity_history" else "annual_revenue"
        crm.query(f"alter table marts.{history} alter column {number} set data type double")
        crm.query(f"alter table marts.{history} drop column currency_iso_code")
        crm.query(f"update novade.model set code = 'before' where model = '{history}'")


def _come_back_as_before(crm: Crm) -> None:
    """Take a snapshot as the version before did: dbt's own rows, and nothing set apart."""
    crm.write(OPPORTUNITY, [_deal()], swept=True)
    crm.write(ACCOUNT, [_record()], swept=True)
    for history in HISTORIES:
        crm.query(
            f"insert into marts.{history} by name select * replace (null as valid_to) from"
            f" (select distinct on (version_id) * from marts.{history})"
        )
        crm.query(f"update novade.model set generation = generation + 1 where model = '{history}'")


@pytest.fixture(scope="module")
def _stuck(tmp_path_factory: pytest.TempPathFactory, project: Project) -> Path:
    root = tmp_path_factory.mktemp("stuck")
    crm = Crm(root, project)
    _see(crm, _deal())
    _see(crm, _gone(2))
    _as_the_version_before(crm)
    _come_back_as_before(crm)
    ids = [row["version_id"] for row in crm.rows("opportunity_history")]
    assert (len(ids), len(set(ids))) == (2, 1)
    return root


@pytest.fixture
def stuck(crm: Crm, _stuck: Path, tmp_path: Path) -> Crm:
    """An opportunity and an account that were hidden for a day: two states of one version."""
    shutil.copytree(_stuck, tmp_path, dirs_exist_ok=True)
    return crm


APART = [(CHANGED, _at(2)), (_at(2), None)]


@pytest.mark.parametrize("how", ["as it is", "rebuilt", "without its file"])
def test_a_stuck_warehouse_is_mended_by_the_next_run(stuck: Crm, how: str) -> None:
    if how == "without its file":
        stuck.warehouse.unlink()
    done = stuck.refresh(*MARTS, checks=True, rebuild=how == "rebuilt")
    assert not done.failures
    assert all(report.passed for report in done.checks)
    for history in HISTORIES:
        assert _file_states(stuck, history) == APART
        assert stuck.published(history) == stuck.rows(history)
    assert _open_on(stuck, 1, 2) == [1, 1]
    _build(stuck)
    assert stuck.refresh(*MARTS).marts["sales_snapshot"].is_unchanged


def test_a_warehouse_that_is_stuck_twice_is_mended(stuck: Crm) -> None:
    for history in HISTORIES:
        stuck.query(f"update marts.{history} set valid_to = '2026-03-04' where valid_to is null")
    stuck.write(OPPORTUNITY, [_gone(4)], swept=True)
    _come_back_as_before(stuck)
    _build(stuck)
    assert _file_states(stuck) == [(CHANGED, _at(2)), (_at(2), _at(4)), (_at(4), None)]


def test_a_lake_that_holds_overlapping_states_is_mended(stuck: Crm, tmp_path: Path) -> None:
    # Where checks were not selected, what they would have kept back was published.
    stuck.query("update novade.model set code = null")
    done = stuck.refresh(*HISTORIES, checks=False)
    assert not done.failures
    stuck.warehouse.unlink()
    _build(stuck)
    assert _file_states(stuck) == APART
    assert stuck.published("opportunity_history") == stuck.rows("opportunity_history")


def test_a_second_warehouse_that_is_stuck_is_mended_alike(stuck: Crm, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "warehouse.duckdb"
    copy.parent.mkdir()
    shutil.copy(stuck.warehouse, copy)
    _build(stuck)
    first = stuck.rows("opportunity_history")
    stuck.warehouse = copy
    _build(stuck)
    assert stuck.rows("opportunity_history") == first


def test_states_that_two_warehouses_saw_are_cut_where_the_next_begins(crm: Crm) -> None:
    _see(crm, _deal())
    _see(crm, _deal(stage_name="Review", system_modstamp=_at(5)))
    # Another one has seen a state in between, and has ended none.
    crm.query(
        "insert into marts.opportunity_history by name"
        " select * replace ('2026-03-03' as changed_at, '2026-03-03' as valid_from,"
        " 'other' as version_id) from marts.opportunity_history where valid_to is not null"
    )
    crm.query("update novade.model set code = 'before' where model = 'opportunity_history'")
    _build(crm)
    assert _file_states(crm) == [(CHANGED, _at(3)), (_at(3), _at(5)), (_at(5), None)]


def test_amounts_of_a_warehouse_of_doubles_become_exact(stuck: Crm) -> None:
    _see(stuck, _deal(id="o2", amount=0.1))
    amounts = [row["amount"] for row in stuck.rows("opportunity_history")]
    assert sorted(map(str, amounts)) == ["0.100000", "100.000000", "100.000000"]
    types = stuck.query(
        "select data_type from duckdb_columns() where table_name = 'opportunity_history'"
        " and column_name in ('amount', 'probability')"
    )
    assert types == [("DECIMAL(26,6)",)] * 2
