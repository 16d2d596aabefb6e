"""The specs that are kept say what dagster_dbt says."""

from pathlib import Path

import dagster as dg
import pytest

from novade_pipeline.defs.marts.project import Project, prepared_project
from novade_pipeline.graph import dbt_specs
from novade_pipeline.graph.dbt_specs import DbtSpecs


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return prepared_project(tmp_path_factory.mktemp("specs") / "warehouse.duckdb")


def test_the_specs_are_those_of_dagster_dbt(project: Project, tmp_path: Path) -> None:
    translator = dbt_specs._translator("marts")
    kept = _specs(project, tmp_path)
    for name, node in project.nodes.items():
        translated = translator.get_asset_spec(project.manifest, node["unique_id"], None)
        assert translated.metadata.keys() - kept.assets[name].metadata.keys() == {
            "dagster_dbt/manifest",
            "dagster_dbt/dagster_dbt_translator",
        }
        assert _without_order(kept.assets[name]) == _without_order(
            translated.replace_attributes(metadata=kept.assets[name].metadata)
        )
    for check in project.checks:
        spec = translator.get_asset_spec(
            project.manifest, project.nodes[check.model]["unique_id"], None
        )
        translated_check = translator.get_asset_check_spec(
            spec, project.manifest, check.unique_id, None
        )
        assert translated_check is not None
        assert _values(kept.checks[check.unique_id]) == _values(translated_check)


def test_they_are_translated_once(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _specs(project, tmp_path)
    monkeypatch.setattr(dbt_specs, "_translator", None)
    assert _specs(project, tmp_path) is first
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


def _specs(project: Project, target: Path) -> DbtSpecs:
    tests = {
        name: [check.unique_id for check in project.checks if check.model == name]
        for name in project.nodes
    }
    return dbt_specs.dbt_specs(target, "marts", lambda: project.manifest, project.nodes, tests)


def _without_order(spec: dg.AssetSpec) -> dg.AssetSpec:
    return spec.replace_attributes(deps=sorted(spec.deps, key=lambda dep: dep.asset_key))


def _values(spec: dg.AssetCheckSpec) -> dict[str, object]:
    deps = sorted(spec.additional_deps, key=lambda dep: dep.asset_key)
    return {**spec._asdict(), "additional_deps": deps}
