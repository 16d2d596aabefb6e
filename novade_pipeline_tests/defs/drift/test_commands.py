"""`novade drift`: the final export as people make it, and look at it again."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from novade_pipeline.cli import app
from novade_pipeline.defs.drift.tables import MESSAGES
from novade_pipeline.errors import UserError
from novade_pipeline.sandbox.drift_api import TOKEN, DriftApi, Faults

World = Any
RUNNER = CliRunner()


@pytest.fixture
def at_home(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A folder of one's own, with a landing zone in which nothing has landed."""
    (world.root / "landing").mkdir()
    world.serve(DriftApi(conversations=4))
    monkeypatch.chdir(world.root)
    values = {
        "NOVADE_LAKE_URL": world.lake.url,
        "NOVADE_LANDING_URL": str(world.root / "landing"),
        "NOVADE_WAREHOUSE_PATH": str(world.root / "warehouse.duckdb"),
        "NOVADE_DAGSTER_HOME": str(world.root / "dagster"),
        "NOVADE_DRIFT_API_URL": world.url,
        "NOVADE_DRIFT_TOKEN": TOKEN,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return world


def test_an_export_is_made_once_and_again_only_when_requested(at_home: World) -> None:
    made = RUNNER.invoke(app, ["drift", "final-export"])
    assert made.exit_code == 0, made.output
    assert "conversations.parquet" in made.output
    assert "Every file is as the manifest says." in made.output
    refused = RUNNER.invoke(app, ["drift", "final-export"])
    assert refused.exit_code == 1
    assert "Failed: drift_final_export: Drift is frozen since" in refused.output
    assert RUNNER.invoke(app, ["drift", "final-export", "--again"]).exit_code == 0


def test_a_run_finds_what_the_list_has_at_a_wrong_place_on_page_2_and_further_back_by_a_sweep(
    at_home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = DriftApi(conversations=160, faults=Faults(misplaced_every=1))
    at_home.serve(service)
    monkeypatch.setenv("NOVADE_DRIFT_API_URL", at_home.url)
    run = ["run", "--select", "drift/messages"]
    assert RUNNER.invoke(app, run).exit_code == 0
    for row in service.newest_first()[:49]:
        row["updatedAt"] = service.tick()
    near, far = (service.write(service.newest_first()[at]["id"])["id"] for at in (50, 150))
    done = RUNNER.invoke(app, run)
    assert done.exit_code == 0, done.output
    assert near in at_home.rows(MESSAGES)
    assert far not in at_home.rows(MESSAGES)
    monkeypatch.setenv("NOVADE_DRIFT_SWEEP_HOURS", "0")
    assert RUNNER.invoke(app, run).exit_code == 0
    assert far in at_home.rows(MESSAGES)


def test_a_copy_that_was_changed_is_reported(
    exported: tuple[World, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, manifest = exported
    monkeypatch.setenv("NOVADE_LAKE_URL", world.lake.url)
    assert RUNNER.invoke(app, ["drift", "verify"]).exit_code == 0
    path = Path(world.lake.path(manifest["folder"], "messages.parquet"))
    kept = path.read_bytes()
    path.write_bytes(kept[:-1])
    verified = RUNNER.invoke(app, ["drift", "verify"])
    path.write_bytes(kept)
    assert verified.exit_code == 1
    assert "messages.parquet: expected" in verified.output


def test_without_a_token_no_run_begins(at_home: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOVADE_DRIFT_TOKEN")
    failed = RUNNER.invoke(app, ["drift", "final-export"])
    assert isinstance(failed.exception, UserError)
    assert "NOVADE_DRIFT_TOKEN" in str(failed.exception)
    assert not (at_home.root / "dagster").exists()


def test_without_a_copy_there_is_nothing_to_verify(at_home: World) -> None:
    failed = RUNNER.invoke(app, ["drift", "verify"])
    assert isinstance(failed.exception, UserError)
    assert "make one with `novade drift final-export`" in str(failed.exception)
