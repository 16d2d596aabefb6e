"""A refresh does what is pending, repairs what was cut off, and rests when there is nothing."""

import hashlib
import json
import re
from contextlib import closing
from typing import Any

import duckdb
import pytest
from dbt_common.events.event_manager_client import get_event_manager

from novade_pipeline.defs.amplitude.tables import REPEATS
from novade_pipeline.defs.marts import dbt_runner
from novade_pipeline.defs.marts import refresh as refresh_module
from novade_pipeline.defs.marts.project import Project
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.delta import replace
from novade_pipeline_tests.defs.marts.conftest import MARTS
from novade_pipeline_tests.defs.marts.dying import killed_refresh, refresh_within
from novade_pipeline_tests.defs.marts.stored_marts import (
    published_table,
    published_versions,
    query_warehouse,
)
from novade_pipeline_tests.places import clear, on_disk

World = Any


@pytest.fixture
def no_dbt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting dbt fails the test."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("dbt was started")

    monkeypatch.setattr(dbt_runner, "build", refuse)


@pytest.mark.usefixtures("no_dbt")
def test_a_second_refresh_starts_no_dbt_and_writes_nothing(built: World, project: Project) -> None:
    before, versions = built.marts(), published_versions(built)
    done = built.refresh(project)
    assert all(mart.is_unchanged for mart in done.marts.values())
    assert (built.marts(), published_versions(built)) == (before, versions)


@on_disk
def test_checks_that_hold_are_reported_again_without_dbt(
    built: World, project: Project, request: pytest.FixtureRequest
) -> None:
    first = built.refresh(project, checks=True)
    assert first.checks
    assert all(report.passed and report.fresh for report in first.checks)
    request.getfixturevalue("no_dbt")
    again = built.refresh(project, checks=True)
    assert [r.check for r in again.checks] == [r.check for r in first.checks]
    assert all(report.passed and not report.fresh for report in again.checks)


def test_an_empty_lake_makes_empty_marts(world: World, project: Project) -> None:
    done = world.refresh(project, checks=True)
    assert not done.failures
    assert all(report.passed for report in done.checks)
    assert all(rows == [] for rows in world.marts().values())
    assert world.published() == world.marts()


@on_disk
def test_a_failed_check_stops_what_follows_and_keeps_the_mart_out_of_the_lake(
    built: World, project: Project
) -> None:
    versions, sessions = published_versions(built), built.marts()["sessions"]
    # A copy that is no repeat: its event stands twice.
    replace(built.lake, REPEATS, REPEATS.schema.empty_table())
    # Again: the marts that wait are pending still, and go on waiting.
    for _ in range(2):
        done = built.refresh(project, checks=True)
        failed = {report.check.name for report in done.checks if not report.passed}
        assert failed == {"unique_event_enhanced_uuid"}
        assert set(done.failures) == set(versions) - {"event_enhanced"}
        assert done.marts["event_enhanced"].published is None
        assert published_versions(built) == versions
        assert built.marts()["sessions"] == sessions
    clear(built.lake, *REPEATS.path)
    built.write()
    mended = built.refresh(project, checks=True)
    assert not mended.failures
    assert all(report.passed for report in mended.checks)
    assert built.published() == built.marts() == built.whole(project)


@pytest.mark.parametrize(
    ("new_store", "lost"),
    [("disk", "log"), ("disk", "table"), ("disk", "mart"), ("azurite", "log")],
    indirect=["new_store"],
)
def test_what_the_books_cannot_follow_is_built_whole(
    built: World, project: Project, lost: str
) -> None:
    built.land(5, built.event("new", 5.0))
    if lost == "table":
        clear(built.lake, "amplitude", "events")
        built._written.clear()
    built.write()
    if lost == "log":
        # The checkpoint knows the table, and not what changed before it.
        built.land(6, built.event("newer", 6.0))
        built.write()
        newest = published_table(built, "amplitude", "events")
        newest.create_checkpoint()
        for version in range(newest.version()):
            built.lake.delete("amplitude", "events", "_delta_log", f"{version:020}.json")
    if lost == "mart":
        query_warehouse(built, "drop table marts.sessions")
    assert not built.refresh(project).failures
    assert built.marts() == built.whole(project)
    assert built.published() == built.marts()
    whole = query_warehouse(built, "select model from novade.model where whole and generation > 1")
    assert ("sessions",) in whole
    assert (("event_enhanced",) in whole) == (lost != "mart")


@on_disk
@pytest.mark.usefixtures("pictures")
def test_a_mart_that_was_built_is_drawn_whatever_was_drawn_of_that_generation_before(
    built: World, project: Project
) -> None:
    def picture() -> str | None:
        done = refresh_module.refresh(
            project,
            built.lake,
            built.warehouse,
            models=(
                "event_enhanced",
                "sessions",
                "user_days",
                "user_enhanced",
                "daily_performance",
            ),
            checks=(),
            picture_of=lambda model, generation: f"{model} {generation}",
        )
        return done.marts["daily_performance"].picture

    assert picture() == "daily_performance 1"
    built.warehouse.unlink()
    drawn = picture()
    assert drawn is not None
    assert drawn.startswith("![Events a day, UTC](data:image/png;base64,")


@on_disk
def test_what_is_built_is_reported_a_line_each_and_what_passed_is_not(
    world: World, project: Project
) -> None:
    messages: list[str] = []
    listening = get_event_manager()
    done = refresh_module.refresh(
        project,
        world.lake,
        world.warehouse,
        models=("event_enhanced",),
        checks=("unique_event_enhanced_uuid",),
        on_progress=messages.append,
    )
    assert [report.passed for report in done.checks] == [True]
    pending, built = messages
    assert pending.startswith("marts/event_enhanced is pending: ")
    assert "OK created" in built
    assert "event_enhanced" in built
    assert get_event_manager() is listening


@on_disk
def test_a_model_whose_code_changed_is_built_whole(built: World, project: Project) -> None:
    query_warehouse(built, "update novade.model set code = 'older' where model = 'event_enhanced'")
    query_warehouse(built, "update marts.event_enhanced set country = 'wrong'")
    done = built.refresh(project)
    assert done.marts["event_enhanced"].reason == "its code has changed"
    assert built.marts() == built.whole(project)


@on_disk
def test_a_build_of_everything_by_dbt_is_what_the_tests_compare_with(
    built: World, project: Project
) -> None:
    built.warehouse.unlink()
    built.refresh(project)
    assert built.published() == built.marts() == built.whole(project)


@on_disk
def test_a_rebuild_repairs_a_damaged_mart(built: World, project: Project) -> None:
    query_warehouse(built, "delete from marts.sessions")
    query_warehouse(built, "update marts.event_enhanced set country = 'wrong'")
    assert built.refresh(project).marts["sessions"].is_unchanged
    built.refresh(project, rebuild=True)
    assert built.marts() == built.whole(project)
    assert built.published() == built.marts()


@on_disk
def test_dbt_itself_failing_is_not_taken_for_done(built: World, project: Project) -> None:
    with pytest.raises(PermanentFailure, match="dbt build failed"):
        dbt_runner.build(project.parsed, built.root, built.lake, ["event_enhanced"])


@on_disk
def test_rows_and_books_are_committed_together_or_not_at_all(
    built: World, project: Project
) -> None:
    before = built.marts()
    newest = published_table(built, "amplitude", "events").version()
    refused = (
        f"(model text, source text, version bigint check (version <= {newest}), table_id text)"
    )
    query_warehouse(
        built,
        f"""create table novade.narrow {refused};
        insert into novade.narrow from novade.taken_in;
        drop table novade.taken_in;
        alter table novade.narrow rename to taken_in""",
    )
    built.land(5, built.event("new", 5.0))
    built.write()
    done = built.refresh(project)
    assert "event_enhanced" in done.failures
    assert built.marts()["event_enhanced"] == before["event_enhanced"]
    assert query_warehouse(
        built, "select generation from novade.model where model = 'event_enhanced'"
    ) == [(1,)]


@on_disk
@pytest.mark.parametrize("seconds", [0.5, 1.0])
def test_a_refresh_that_is_killed_is_finished_by_the_next(
    built: World, project: Project, seconds: float
) -> None:
    before = published_table(built, "amplitude", "events").version()
    built.empty(0)
    built.land(5, built.event("new", 5.0))
    built.identities = {1: 2, 3: 2}
    built.write()
    killed_refresh(built.root, [model.name for model in project.models], seconds)
    with closing(duckdb.connect(str(built.warehouse))) as connection:
        generations = dict(
            connection.execute("select model, generation from novade.model").fetchall()
        )
        taken_in = connection.execute(
            "select version from novade.taken_in where model = 'event_enhanced'"
            " and source = 'amplitude.events'"
        ).fetchone()
        rows = connection.execute(
            "select count(*) from marts.event_enhanced where uuid = 'new'"
        ).fetchone()
    # Rows and books are of one transaction: both are new, or neither is.
    is_new = generations["event_enhanced"] == 2
    assert rows == (int(is_new),)
    assert taken_in is not None
    assert (taken_in[0] > before) == is_new, json.dumps(generations)
    assert not built.refresh(project).failures
    assert built.marts() == built.whole(project)
    assert built.published() == built.marts()


@on_disk
@pytest.mark.parametrize("file_bytes", [200_000, 2_500_000])
def test_a_full_disk_is_reported_in_one_sentence_and_the_next_run_builds_the_rest(
    file_bytes: int, world: World, project: Project
) -> None:
    songs = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(30_000)]
    events = (
        world.event(song, number / 30_000, event_properties=json.dumps({"song": song[::-1]}))
        for number, song in enumerate(songs)
    )
    world.land(0, *events)
    world.write()
    error = refresh_within(world.root, MARTS, file_bytes)
    assert re.fullmatch(
        r"UserError: .*warehouse\.duckdb: expected space [^.]+\. What was .*", error
    )
    assert not world.refresh(project).failures
    assert world.marts() == world.whole(project)
