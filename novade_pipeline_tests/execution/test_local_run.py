"""The whole graph on the real data: one run, a run again, other ways to the same result."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from novade_pipeline.defs.amplitude.tables import EVENTS, FILES, MERGED_IDS
from novade_pipeline.defs.tracking_plan.tables import EVENT_VERDICTS
from novade_pipeline.errors import UserError
from novade_pipeline.execution.home import dagster_instance, only_command
from novade_pipeline.execution.local_run import parse_window, run_graph
from novade_pipeline.graph.domains import landing_sources
from novade_pipeline.graph.job_runs import (
    EVERYTHING,
    JOB,
    LOAD_TAG,
    PROCESS_TAG,
    process_tag,
    runs_in_progress,
)
from novade_pipeline.graph.table_assets import key_of
from novade_pipeline.graph.upload_days import landed_tables, upload_days
from novade_pipeline.lake.delta import current_version
from novade_pipeline.lake.read import read
from novade_pipeline.settings import Settings
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.azurite import Azurite
from novade_pipeline_tests.commands import novade
from novade_pipeline_tests.places import copy
from novade_pipeline_tests.worlds import (
    PRODUCT,
    TABLES,
    environment_of,
    marts_of,
    published_of,
    settings_in,
    settings_of,
    tables_of,
)


def versions_of(settings: Settings) -> dict[str, int | None]:
    return {t.name: current_version(settings.lake, t) for t in (*TABLES, FILES)}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, real_data: Settings, shared: Path) -> Settings:
    """The real data, loaded in one run; its tables and marts are not to be changed."""
    root = tmp_path_factory.mktemp("loaded") / "copy"
    shutil.copytree(real_data.warehouse_path.parent, root)
    return settings_in(root, shared / "landing")


@pytest.fixture
def query(loaded: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(loaded.warehouse_path), read_only=True) as connection:
        yield connection


def test_the_real_data_gives_exactly_the_expected_figures(
    loaded: Settings, query: duckdb.DuckDBPyConnection, shared: Path
) -> None:
    expected = json.loads((shared / "expected" / "amplitude.json").read_text())
    events = read(loaded.lake, EVENTS, columns=["uuid"])
    assert len(events) == expected["lines"]
    assert len(events["uuid"].unique()) == expected["unique_events"]
    assert len(read(loaded.lake, MERGED_IDS)) == expected["merged_ids"]
    assert len(read(loaded.lake, FILES)) == expected["files"]
    by_day = query.execute(
        "SELECT event_date::VARCHAR, count(*) FROM marts.event_enhanced GROUP BY 1"
    ).fetchall()
    assert dict(by_day) == expected["events_by_day"]
    by_type = query.execute(
        "SELECT event_type, count(*) FROM marts.event_enhanced GROUP BY 1"
    ).fetchall()
    assert dict(by_type) == expected["events_by_type"]
    sessions = query.execute(
        "SELECT count(DISTINCT (amplitude_id, session_id)) FROM marts.event_enhanced"
    ).fetchone()
    assert sessions == (expected["sessions"],)


def test_every_verdict_is_that_of_the_reference_library(loaded: Settings, shared: Path) -> None:
    expected = json.loads((shared / "expected" / "conformance.json").read_text())
    verdicts = read(loaded.lake, EVENT_VERDICTS).sort_by(
        [("upload_hour", "ascending"), ("file", "ascending"), ("line", "ascending")]
    )
    once = {row["uuid"]: row for row in reversed(verdicts.to_pylist())}
    by_type: dict[str, dict[str, int]] = {}
    for row in once.values():
        of = by_type.setdefault(row["event_type"], {})
        of[row["verdict"]] = of.get(row["verdict"], 0) + 1
    assert by_type == expected["by_event_type"]


def test_coverage_names_what_was_planned_and_never_seen(
    query: duckdb.DuckDBPyConnection, shared: Path
) -> None:
    expected = json.loads((shared / "expected" / "conformance.json").read_text())
    never = query.execute(
        "SELECT DISTINCT event_type FROM marts.tracking_plan_coverage "
        "WHERE planned AND event_type NOT IN (SELECT event_type FROM marts.event_enhanced)"
    ).fetchall()
    assert [name for (name,) in never] == expected["planned_never_seen"]


def test_running_again_changes_nothing_and_says_so(loaded: Settings) -> None:
    before = versions_of(loaded), marts_of(loaded)
    outcome = run_graph(loaded)
    assert outcome.unchanged
    assert (versions_of(loaded), marts_of(loaded)) == before


def test_the_web_page_shows_the_run(loaded: Settings) -> None:
    with dagster_instance(loaded) as instance:
        runs = instance.get_runs()
        assert {run.job_name for run in runs} == {JOB}
        assert all(run.is_success for run in runs)


def test_no_partition_is_missing_after_a_run(loaded: Settings) -> None:
    partitions = set(upload_days(loaded).get_partition_keys())
    assert (min(partitions), max(partitions)) == ("2018-11-01", "2018-12-03")
    with dagster_instance(loaded) as instance:
        for table in (table for sources in landing_sources() for table in landed_tables(sources)):
            assert partitions <= instance.get_materialized_partitions(key_of(table)), table.name


def test_windows_in_any_order_and_a_reexport_give_what_one_load_gives(
    loaded: Settings, tmp_path: Path, shared: Path
) -> None:
    landing = tmp_path / "landing"
    shutil.copytree(shared / "landing", landing)
    settings = settings_in(tmp_path, landing)
    later = parse_window("2018-11-16..2018-12-31", settings.history_start)
    earlier = parse_window("2018-11-01T00..2018-11-15T23", settings.history_start)
    assert run_graph(settings, window=later, select=PRODUCT).success
    # The first copy of an event that stands twice goes, and comes back with the last run.
    file = _file_with_a_repeated_event(loaded)
    held = tmp_path / "held"
    shutil.move(landing / file, held)
    assert run_graph(settings, window=earlier, select=PRODUCT).success
    assert marts_of(settings) != marts_of(loaded)
    shutil.move(held, landing / file)
    assert run_graph(settings, select=PRODUCT).success
    assert tables_of(settings) == tables_of(loaded)
    assert marts_of(settings) == marts_of(loaded)


def test_the_graph_on_azure_gives_the_same_tables_and_marts(
    loaded: Settings, azurite: Azurite, tmp_path: Path, shared: Path
) -> None:
    landing = azurite.new_store("landing")
    copy(store(str(shared / "landing")), landing)
    settings = settings_of(tmp_path, azurite.new_store("lake"), landing)
    outcome = run_graph(settings)
    assert outcome.success, outcome.failures
    assert tables_of(settings) == tables_of(loaded)
    assert marts_of(settings) == marts_of(loaded)
    assert published_of(settings) == published_of(loaded)


def _file_with_a_repeated_event(loaded: Settings) -> str:
    """The file of the first copy of some event of which there are two."""
    events = read(loaded.lake, EVENTS, columns=["uuid", "upload_hour", "file", "line"])
    first: dict[str, dict[str, Any]] = {}
    for row in sorted(events.to_pylist(), key=lambda r: (r["upload_hour"], r["file"], r["line"])):
        if row["uuid"] in first and first[row["uuid"]]["upload_hour"] < datetime(
            2018, 11, 15, tzinfo=UTC
        ):
            return str(first[row["uuid"]]["file"])
        first.setdefault(row["uuid"], row)
    raise AssertionError("the real data has repeated events")


def test_a_selection_runs_only_what_it_names_and_needs_no_landing_zone_for_it(
    loaded: Settings,
) -> None:
    nowhere = loaded.model_copy(update={"landing_url": "no/landing/zone"})
    outcome = run_graph(nowhere, select="amplitude/identities")
    assert set(outcome.assets) == {"amplitude/identities"}


def test_a_selection_of_nothing_names_what_is_similar(loaded: Settings) -> None:
    with pytest.raises(UserError, match="did you mean amplitude/events"):
        run_graph(loaded, select="amplitude/event")


def test_a_selection_of_something_else_names_all_assets(loaded: Settings) -> None:
    with pytest.raises(UserError, match=r"'x/y': .*amplitude/events.*tracking_plan/plan"):
        run_graph(loaded, select="x/y")


def test_a_second_command_on_the_same_home_is_refused(loaded: Settings) -> None:
    with (
        only_command(loaded),
        pytest.raises(UserError, match="expected no other command"),
    ):
        run_graph(loaded)


def test_rebuilding_the_marts_gives_the_same_marts(loaded: Settings, tmp_path: Path) -> None:
    before = marts_of(loaded)
    rebuilt = novade(tmp_path, "rebuild", "marts", env=environment_of(loaded))
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    assert "marts/event_enhanced" in rebuilt.stdout
    # The page made of the marts says the same as before.
    assert "1 other asset is unchanged." in rebuilt.stdout
    assert "Warning" not in rebuilt.stderr
    assert marts_of(loaded) == before


def test_a_run_in_progress_is_not_joined(loaded: Settings) -> None:
    with dagster_instance(loaded) as instance:
        run = _pretend_run(instance, process_tag())
        try:
            with pytest.raises(UserError, match=run.run_id):
                run_graph(loaded)
        finally:
            instance.report_run_failed(run)


def test_a_run_whose_process_is_gone_is_declared_failed(loaded: Settings) -> None:
    host = process_tag().rpartition(":")[0]
    with dagster_instance(loaded) as instance:
        run = _pretend_run(instance, f"{host}:{2**22 + 1}")
        assert runs_in_progress(instance) == []
        stored_run = instance.get_run_by_id(run.run_id)
        assert stored_run is not None
        assert stored_run.is_failure


def _pretend_run(instance: Any, process: str) -> Any:
    @dg.job
    def empty() -> None: ...

    return instance.create_run_for_job(empty, tags={LOAD_TAG: EVERYTHING, PROCESS_TAG: process})


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2018-11-01..2018-11-30", datetime(2018, 11, 1), datetime(2018, 12, 1)),
        ("2018-11-05T09..2018-11-05T09", datetime(2018, 11, 5, 9), datetime(2018, 11, 5, 10)),
        ("2018-11-05..2018-11-05T09", datetime(2018, 11, 5), datetime(2018, 11, 5, 10)),
        ("2018-01-01..2026-11-01", datetime(2018, 1, 1), datetime(2026, 11, 2)),
        ("0001-01-01..2026-11-01T03", datetime(2018, 1, 1), datetime(2026, 11, 1, 4)),
        ("2026-11-20..9999-12-31", datetime(2026, 11, 20), datetime(2026, 11, 23)),
    ],
)
def test_a_window_holds_both_its_ends(text: str, start: datetime, end: datetime) -> None:
    window = parse_window(text, date(2018, 1, 1), now=datetime(2026, 11, 21, tzinfo=UTC))
    assert (window.start, window.end) == (start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2018-11-30..2018-11-01", "START before END"),
        ("2030-01-01..2030-01-02", "in the past"),
        ("2018-11-01", "START..END"),
        ("yesterday..today", "START..END"),
        ("2001-01-01..2001-01-02", "NOVADE_HISTORY_START"),
    ],
)
def test_a_window_that_is_none_is_refused_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_window(text, date(2018, 1, 1), now=datetime(2026, 11, 21, tzinfo=UTC))
