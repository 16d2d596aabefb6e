"""Publications in a run: what the assets say of themselves, and what the command line answers."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from novade_pipeline.cli import app
from novade_pipeline.defs.publications.graph import DOCUMENT, PICTURE, counts
from novade_pipeline.defs.publications.tables import JOURNALS_BY_DRUG_COUNT, RELATED_DRUGS
from novade_pipeline.execution.home import dagster_instance
from novade_pipeline.execution.local_run import run_graph
from novade_pipeline.execution.outcome import RunOutcome
from novade_pipeline.graph.job_runs import RANGE_END_TAG, RANGE_START_TAG
from novade_pipeline.lake.read import read
from novade_pipeline.settings import Settings
from novade_pipeline_tests.worlds import settings_in


@pytest.fixture(scope="module")
def runs(
    shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, list[RunOutcome]]:
    root = tmp_path_factory.mktemp("run")
    (root / "landing").mkdir()
    shutil.copytree(shared / "landing" / "publications", root / "landing" / "publications")
    settings = settings_in(root, root / "landing")
    return settings, [run_graph(settings, select="publications/*") for _ in range(2)]


def test_a_run_makes_everything_and_the_second_has_nothing_to_do(
    runs: tuple[Settings, list[RunOutcome]],
) -> None:
    first, second = runs[1]
    assert first.success, first.failures
    assert first.assets["publications/drug_mentions"].rows == 19
    assert first.assets["publications/drug_graph"].passed == 1
    assert not first.unchanged
    assert second.unchanged


def test_the_materializations_tell_figures_mends_and_where_the_picture_is(
    runs: tuple[Settings, list[RunOutcome]],
) -> None:
    settings, (first, _) = runs
    told = _metadata(settings, first.run_id)
    graph = told["publications/drug_graph"]
    assert graph["drug_publication_mentions"].value == 19
    assert graph["picture"].value == settings.lake.child(*PICTURE)
    mended = told["publications/clinical_trials"]["rows_mended"].value
    assert mended == {"broken_escape": 2, "day_first_date": 1, "joined_halves": 1, "worded_date": 5}


def _metadata(settings: Settings, run_id: str) -> dict[str, Any]:
    import dagster as dg

    with dagster_instance(settings) as instance:
        records = instance.get_records_for_run(
            run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
        ).records
    found = [record.event_log_entry.asset_materialization for record in records]
    return {"/".join(f.asset_key.path): f.metadata for f in found if f is not None}


def test_the_document_and_its_picture_lie_in_the_lake(
    runs: tuple[Settings, list[RunOutcome]],
) -> None:
    lake = runs[0].lake
    assert counts(json.loads(lake.read(*DOCUMENT)))["journals"] == 10
    assert b"DIPHENHYDRAMINE" in lake.read(*PICTURE)


def test_the_answers_are_tables_too(runs: tuple[Settings, list[RunOutcome]]) -> None:
    lake = runs[0].lake
    top = [row for row in read(lake, JOURNALS_BY_DRUG_COUNT).to_pylist() if row["rank"] == 1]
    assert [row["drug_count"] for row in top] == [2, 2, 2]
    assert len(read(lake, JOURNALS_BY_DRUG_COUNT)) == 10
    assert len(read(lake, RELATED_DRUGS)) == 4


def test_the_command_line_answers_from_the_graph_alone(
    runs: tuple[Settings, list[RunOutcome]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = tmp_path / "graph.json"
    graph.write_bytes(runs[0].lake.read(*DOCUMENT))
    monkeypatch.chdir(tmp_path)
    top = CliRunner().invoke(app, ["publications", "top-journals", "--graph", str(graph)])
    assert top.exit_code == 0
    assert top.stdout.splitlines() == [
        "Journal of emergency nursing: 2 drugs (DIPHENHYDRAMINE, EPINEPHRINE)",
        "Psychopharmacology: 2 drugs (ETHANOL, TETRACYCLINE)",
        "The journal of maternal-fetal & neonatal medicine: 2 drugs (ATROPINE, BETAMETHASONE)",
    ]
    monkeypatch.setenv("NOVADE_LAKE_URL", runs[0].lake.path())
    related = CliRunner().invoke(app, ["publications", "related", "Ethanol"])
    assert related.stdout.splitlines() == ["TETRACYCLINE: Psychopharmacology"]


def test_without_a_graph_the_command_line_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOVADE_LAKE_URL", str(tmp_path))
    done = CliRunner().invoke(app, ["publications", "top-journals"])
    assert "run `novade run`" in str(done.exception)


def test_a_dropped_file_becomes_a_run_of_today_only(tmp_path: Path) -> None:
    import dagster as dg

    from novade_pipeline.definitions import build_definitions

    (tmp_path / "landing" / "publications").mkdir(parents=True)
    (tmp_path / "landing" / "publications" / "drugs.csv").write_text("drug\nASPIRIN\n")
    definitions = build_definitions(settings_in(tmp_path, tmp_path / "landing"))
    with dg.instance_for_test() as instance:
        context = dg.build_sensor_context(instance=instance, definitions=definitions)
        told = definitions.get_sensor_def("publications_landing").evaluate_tick(context)
    (request,) = told.run_requests
    first, last = (request.tags[tag] for tag in (RANGE_START_TAG, RANGE_END_TAG))
    assert first == last
