"""The music service in the graph: configured or not, asked for or not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from novade_pipeline.cli import app
from novade_pipeline.defs.music.assets import NOT_CONFIGURED, definitions
from novade_pipeline.defs.music.tables import TABLES, TRACKS
from novade_pipeline.graph.api_assets import NEWEST_CHECK
from novade_pipeline.graph.job_runs import BACKFILL_TAG
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import read
from novade_pipeline.sandbox.music_api import Faults, MusicApi
from novade_pipeline.settings import Settings, load_settings

World = Any


def _settings(world: World, **more: Any) -> Settings:
    return load_settings(
        env_file="/dev/null" if Path("/dev/null").is_file() else None,
        lake_url=world.lake.url,
        music_api_url=world.url or None,
        **more,
    )


def _run(
    world: World, *names: str, tags: dict[str, str] | None = None, **more: Any
) -> dg.ExecuteInProcessResult:
    settings = _settings(world, **more)
    graph = dg.Definitions(
        assets=definitions(settings).assets,
        resources={"lake": settings.lake},
        jobs=[dg.define_asset_job("everything", selection=dg.AssetSelection.all())],
    )
    return graph.resolve_job_def("everything").execute_in_process(
        asset_selection=[dg.AssetKey(["music", name]) for name in names] or None,
        tags=tags,
        raise_on_error=False,
    )


def _metadata(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    return {
        event.asset_key.path[-1]: {k: v.value for k, v in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def _why(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    data = failure.step_failure_data
    assert data.user_failure_data is not None
    return str(data.user_failure_data.description)


def test_without_an_address_a_run_of_everything_passes_it_over_and_says_why(world: World) -> None:
    result = _run(world)
    assert result.success
    by_table = _metadata(result)
    assert set(by_table) == {table.path[-1] for table in TABLES}
    assert {metadata["note"] for metadata in by_table.values()} == {NOT_CONFIGURED}
    assert all(metadata["unchanged"] for metadata in by_table.values())
    assert all(check.passed for check in result.get_asset_check_evaluations())
    assert not Path(world.lake.path()).exists()


def test_without_an_address_a_run_that_asks_for_it_fails_in_one_sentence(world: World) -> None:
    result = _run(world, "tracks")
    assert not result.success
    assert _why(result) == NOT_CONFIGURED
    assert "NOVADE_MUSIC_API_URL is not set" in NOT_CONFIGURED


def test_a_backfill_of_everything_passes_it_over_too(world: World) -> None:
    assert _run(world, "tracks", tags={BACKFILL_TAG: "b"}).success


def test_a_materialization_tells_requests_bytes_and_what_became_of_each_row(world: World) -> None:
    world.serve(MusicApi(faults=Faults(limited_every=4, retry_after=0, broken_every=50)))
    result = _run(world)
    assert result.success
    by_table = _metadata(result)
    tracks = by_table["tracks"]
    assert tracks["requests"] == 6 + tracks["retries"]
    assert sum(metadata.get("retries", 0) for metadata in by_table.values()) > 0
    assert tracks["bytes_received"] > 2 * 240 * 100
    assert (tracks["rows_read"], tracks["rows_new"], tracks["rows_quarantined"]) == (240, 236, 4)
    assert (tracks["reads"], tracks["pages"], tracks["settled"]) == (2, 3, True)
    assert by_table["quarantine"]["dagster/row_count"] == 240 // 50 + 60 // 50 + 400 // 50
    failed = [c.check_name for c in result.get_asset_check_evaluations() if not c.passed]
    assert sorted(failed) == ["data_is_fresh", "nothing_in_quarantine"]
    again = _metadata(_run(world))
    assert all(metadata["unchanged"] for metadata in again.values())


def test_no_personal_data_is_in_any_metadata(world: World) -> None:
    world.serve(MusicApi(faults=Faults(broken_every=5)))
    by_table = _metadata(_run(world))
    assert "listener" not in str(by_table)
    assert "song" in str(by_table) or "Salt" in str(by_table)


def test_a_part_is_read_alone(world: World) -> None:
    world.serve(MusicApi())
    by_table = _metadata(_run(world, "tracks", "quarantine"))
    assert set(by_table) == {"tracks", "quarantine"}
    assert world.versions()[TRACKS.name] is not None
    assert world.versions()["music/users"] is None


def test_a_service_that_refuses_fails_the_step_in_one_sentence(world: World) -> None:
    world.serve(MusicApi(faults=Faults(token="right")))
    result = _run(world, music_api_token="wr0ng")
    assert not result.success
    assert "answered 401 Unauthorized: Not authenticated; look at NOVADE_MUSIC_API_URL." in _why(
        result
    )
    assert "wr0ng" not in str(result.all_events)


def test_rows_that_another_load_read_later_are_passed_over_and_told_of(world: World) -> None:
    service = MusicApi(tracks=5)
    world.serve(service)
    _run(world)
    rows = read(world.lake, TRACKS)
    later = datetime.now(UTC) + timedelta(minutes=5)
    read_at = rows.schema.get_field_index("read_at")
    column = pa.array([later] * len(rows), rows.schema.field(read_at).type)
    merge(world.lake, TRACKS, rows.set_column(read_at, rows.schema.field(read_at), column))
    for row in service.tables["tracks"][:3]:
        row["name"] = "Changed"
    result = _run(world, "tracks")
    assert result.success
    assert _metadata(result)["tracks"]["rows_passed_over"] == 3
    (check,) = [c for c in result.get_asset_check_evaluations() if not c.passed]
    assert (check.check_name, check.severity) == (NEWEST_CHECK, dg.AssetCheckSeverity.WARN)
    assert check.metadata["rows_passed_over"].value == 3


def test_a_run_takes_what_the_service_restored_and_then_says_that_nothing_is_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = MusicApi(tracks=17)
    world.serve(service)
    (world.root / "landing").mkdir()
    for name, value in {
        "NOVADE_LAKE_URL": world.lake.url,
        "NOVADE_LANDING_URL": str(world.root / "landing"),
        "NOVADE_WAREHOUSE_PATH": str(world.root / "warehouse.duckdb"),
        "NOVADE_DAGSTER_HOME": str(world.root / "dagster"),
        "NOVADE_MUSIC_API_URL": world.url,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(world.root)
    run = ["run", "--select", "music/tracks"]
    for name, updated_at in (("NEW", "2026-08-01"), ("RESTORED", "2026-05-01")):
        service.tables["tracks"][4] |= {"name": name, "updated_at": f"{updated_at}T00:00:00"}
        done = CliRunner().invoke(app, run)
        assert done.exit_code == 0, done.output
        assert "Nothing to do" not in done.output
    assert world.rows(TRACKS)[4]["name"] == "RESTORED"
    assert "Nothing to do" in CliRunner().invoke(app, run).output
