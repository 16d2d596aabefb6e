"""History in the graph: a command, one run for many days, and nothing without a person."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from novade_pipeline.definitions import build_definitions
from novade_pipeline.defs.amplitude.tables import HISTORY
from novade_pipeline.execution.home import dagster_instance
from novade_pipeline.graph.job_runs import BACKFILL_TAG, LOADED
from novade_pipeline.graph.table_assets import key_of
from novade_pipeline.lake.read import read
from novade_pipeline.sandbox.amplitude_api import AmplitudeApi, made_up
from novade_pipeline.sandbox.serving import serving
from novade_pipeline.settings import Settings, load_settings
from novade_pipeline_tests.commands import novade
from novade_pipeline_tests.worlds import environment_of, settings_in

KEYS = ("swordfish", "tell-nobody")
KEY = key_of(HISTORY)
NOT_SET = "must be set to fetch Amplitude's history"


class Backfilled:
    """Two days that the command has fetched, and its Dagster home."""

    def __init__(self, root: Path) -> None:
        self.settings = settings_in(root, root / "landing")
        (root / "landing").mkdir()
        self.api = AmplitudeApi(made_up(1, 20), keys=KEYS)
        with serving(self.api.app()) as url:
            self.environment = environment_of(self.settings) | {
                "NOVADE_AMPLITUDE_API_URL": url,
                "NOVADE_AMPLITUDE_API_KEY": KEYS[0],
                "NOVADE_AMPLITUDE_SECRET_KEY": KEYS[1],
            }
            self.done = self.backfill("2024-05-01T06..2024-05-02")
            self.again = self.backfill("2024-05-01T06..2024-05-02")

    def backfill(self, window: str) -> Any:
        command = ("amplitude", "backfill", "--window", window, "--no-load")
        return novade(self.settings.dagster_home.parent, *command, env=self.environment)


@pytest.fixture(scope="module")
def backfilled(tmp_path_factory: pytest.TempPathFactory) -> Backfilled:
    return Backfilled(tmp_path_factory.mktemp("backfilled"))


@pytest.fixture
def materializations(backfilled: Backfilled) -> Iterator[list[dg.EventLogRecord]]:
    with dagster_instance(backfilled.settings) as instance:
        yield list(instance.fetch_materializations(KEY, limit=100).records)


def test_the_command_fetches_the_hours_of_its_window_in_one_run(backfilled: Backfilled) -> None:
    assert backfilled.done.returncode == 0, backfilled.done.stdout + backfilled.done.stderr
    hours = read(backfilled.settings.lake, HISTORY)["upload_hour"].to_pylist()
    assert f"{min(hours):%Y-%m-%dT%H}..{max(hours):%Y-%m-%dT%H}" == "2024-05-01T06..2024-05-02T23"
    assert len(hours) == 42
    assert "of 10,000 requests and" in backfilled.done.stdout
    assert "was fetched before" in backfilled.again.stdout
    assert backfilled.api.request_count == 2


def test_each_day_is_a_partition_and_the_last_says_what_was_fetched(
    backfilled: Backfilled, materializations: list[dg.EventLogRecord]
) -> None:
    first_run = materializations[2:]
    assert {record.partition_key for record in first_run} == {"2024-05-01", "2024-05-02"}
    metadata = {
        name: value.value
        for record in first_run
        if record.asset_materialization is not None
        for name, value in record.asset_materialization.metadata.items()
    }
    assert metadata["hours_fetched"] == 42
    assert metadata["requests"] == 2
    assert metadata["requests_allowed"] == 10_000
    assert metadata["bytes_landed"] == sum(
        read(backfilled.settings.lake, HISTORY)["bytes"].to_pylist()
    )


def test_the_keys_are_in_no_file(backfilled: Backfilled) -> None:
    root = backfilled.settings.dagster_home.parent
    for path in root.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not any(key.encode() in content for key in KEYS), path
    assert not any(key in backfilled.done.stdout + backfilled.done.stderr for key in KEYS)


def test_no_job_that_loads_fetches_history(tmp_path: Path) -> None:
    definitions = build_definitions(_settings(tmp_path))
    assert KEY not in LOADED.resolve(definitions.resolve_asset_graph())
    for name in ("load_everything", "load_amplitude"):
        layer = definitions.resolve_job_def(name).asset_layer
        assert KEY not in layer.executable_asset_keys


def test_the_page_offers_days_from_the_configured_one_on(tmp_path: Path) -> None:
    settings = _settings(tmp_path, amplitude_history_start="2021-02-03")
    definitions = build_definitions(settings)
    partitions = definitions.resolve_asset_graph().get(KEY).partitions_def
    assert partitions is not None
    assert partitions.get_first_partition_key() == "2021-02-03"


def test_without_keys_the_command_says_which_and_starts_no_run(tmp_path: Path) -> None:
    done = novade(tmp_path, "amplitude", "backfill", "--window", "2024-05-01..2024-05-02")
    assert done.returncode == 2
    message = " ".join(done.stderr.split())
    assert "NOVADE_AMPLITUDE_API_KEY and NOVADE_AMPLITUDE_SECRET_KEY must be set" in message
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("is_backfill", [False, True], ids=["alone", "in a backfill"])
def test_without_keys_a_run_says_what_to_set_and_a_backfill_of_all_assets_goes_on(
    is_backfill: bool, tmp_path: Path
) -> None:
    settings = _settings(tmp_path, amplitude_history_start="2024-05-01")
    (tmp_path / "landing").mkdir()
    job = build_definitions(settings).resolve_job_def("backfill_amplitude")
    range_tags = {
        "dagster/asset_partition_range_start": "2024-05-01",
        "dagster/asset_partition_range_end": "2024-05-01",
    }
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        result = job.execute_in_process(
            instance=instance,
            tags=range_tags | ({BACKFILL_TAG: "all"} if is_backfill else {}),
            raise_on_error=False,
        )
        assert result.success == is_backfill
        logged = [r.event_log_entry for r in instance.get_records_for_run(result.run_id).records]
        assert any("NOVADE_AMPLITUDE_API_KEY" in str(entry) for entry in logged)
        records = instance.fetch_materializations(KEY, limit=1).records
        notes = [str(record.asset_materialization) for record in records]
        assert [NOT_SET in note for note in notes] == ([True] if is_backfill else [])


def _settings(root: Path, **more: Any) -> Settings:
    return load_settings(
        lake_url=str(root / "lake"),
        landing_url=str(root / "landing"),
        warehouse_path=root / "warehouse.duckdb",
        dagster_home=root / "dagster",
        **more,
    )
