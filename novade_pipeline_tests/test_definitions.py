"""The graph as a whole: what is in it, what each asset says of itself, what loading it costs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from syrupy.assertion import SnapshotAssertion

from novade_pipeline.definitions import build_definitions
from novade_pipeline.graph.domains import landing_sources, tables
from novade_pipeline.settings import Settings, load_settings

# Each costs every process half a second or more.
NOT_AT_LOAD = (
    *("pandas", "matplotlib", "pyspark", "dagster_azure", "dagster_pyspark", "azure", "plotly"),
    *("dlt", "dbt", "dagster_dbt", "polars", "novade_pipeline.sandbox", "hypothesis", "pytest"),
    *("httpx", "tenacity", "starlette", "uvicorn", "simple_salesforce", "jwt", "numba"),
)


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_definitions(_settings(tmp_path_factory.mktemp("graph")))


def _settings(root: Path) -> Settings:
    return load_settings(
        lake_url=str(root / "lake"),
        landing_url=str(root / "landing"),
        warehouse_path=root / "warehouse.duckdb",
        dagster_home=root / "dagster",
    )


def _specs(definitions: dg.Definitions) -> list[dg.AssetSpec]:
    return sorted(definitions.resolve_all_asset_specs(), key=lambda spec: spec.key)


def test_the_graph_is_the_one_that_was_agreed_on(
    definitions: dg.Definitions, snapshot: SnapshotAssertion
) -> None:
    graph = {
        spec.key.to_user_string(): {
            "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
            "group": spec.group_name,
            "kinds": sorted(spec.kinds),
            "owners": list(spec.owners),
            "partitions": type(spec.partitions_def).__name__ if spec.partitions_def else None,
            "automation": spec.automation_condition.get_label()
            if spec.automation_condition
            else None,
            "fresh_within": spec.freshness_policy is not None,
            "columns": len(spec.metadata["dagster/column_schema"].columns),
        }
        for spec in _specs(definitions)
    }
    repository = definitions.get_repository_def()
    checks = sorted(
        f"{key.asset_key.to_user_string()}: {key.name}"
        for key in repository.asset_graph.asset_check_keys
    )
    sensors = {s.name: str(s.default_status) for s in repository.sensor_defs}
    jobs = sorted(name for name in repository.job_names if not name.startswith("__"))
    assert {"assets": graph, "checks": checks, "sensors": sensors, "jobs": jobs} == snapshot


def test_every_asset_says_what_it_is(definitions: dg.Definitions) -> None:
    for spec in _specs(definitions):
        name = spec.key.to_user_string()
        assert spec.description, name
        assert spec.group_name, name
        assert spec.kinds, name
        assert spec.owners, name
        assert spec.tags, name
        columns = spec.metadata["dagster/column_schema"].columns
        assert columns, name
        assert [c.name for c in columns if not c.description] == [], name


def test_every_freshness_policy_can_be_shown(definitions: dg.Definitions) -> None:
    for spec in _specs(definitions):
        policy: Any = spec.freshness_policy
        assert policy is not None, spec.key
        # GraphQL's whole numbers have 32 bits; one that is greater fails the page of all assets.
        assert policy.fail_window.to_timedelta().total_seconds() < 2**31, spec.key


def test_every_declared_table_is_an_asset(definitions: dg.Definitions) -> None:
    keys = {spec.key.to_user_string() for spec in _specs(definitions)}
    assert set(tables()) <= keys


def test_every_table_has_a_blocking_check_of_its_columns(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for name in tables():
        key = dg.AssetCheckKey(dg.AssetKey(name.split("/")), "columns_as_declared")
        assert graph.get(key).blocking, name


def test_landing_sources_are_found_by_folder() -> None:
    assert [[source.name for source in sources] for sources in landing_sources()] == [
        ["events", "merged_ids"],
        ["drugs", "pubmed_articles", "clinical_trials"],
        ["tracks", "pages", "identifies", "users", "groups", "aliases"],
    ]


def test_a_resource_can_be_overridden(tmp_path: Path) -> None:
    marker = object()
    built = build_definitions(_settings(tmp_path), landing=marker)
    assert built.resources is not None
    assert built.resources["landing"] is marker


def test_loading_the_graph_imports_nothing_heavy_and_writes_nothing(
    tmp_path: Path, definitions: dg.Definitions
) -> None:
    load = (
        "import sys\n"
        "from novade_pipeline.definitions import definitions\n"
        "definitions()\n"
        f"heavy = [n for n in {NOT_AT_LOAD!r} if n in sys.modules]\n"
        "sys.exit(f'imported at load: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", load], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(tmp_path.iterdir()) == []
