"""The dbt project: parsed once for each state, described throughout, in step with the tables."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from novade_pipeline.defs.amplitude.tables import EVENTS, IDENTITIES
from novade_pipeline.defs.marts import dbt_runner
from novade_pipeline.defs.marts import project as project_module
from novade_pipeline.defs.marts.dbt_sources import SOURCES, SOURCES_FILE, sources_yaml
from novade_pipeline.defs.marts.model_tables import mart_table
from novade_pipeline.defs.marts.project import DBT_DIR, REBUILD, Project, prepared_project
from novade_pipeline_tests.places import on_disk


def test_dbts_sources_are_those_that_the_tables_declare() -> None:
    assert SOURCES_FILE.read_text("utf-8") == sources_yaml(SOURCES), (
        "run `python -m novade_pipeline.defs.marts.dbt_sources`"
    )


def test_dbts_sources_name_each_column_with_type_and_description() -> None:
    (source,) = yaml.safe_load(sources_yaml([IDENTITIES]))["sources"]
    (table,) = source["tables"]
    assert (source["name"], table["name"]) == ("amplitude", "identities")
    assert table["columns"] == [
        {"name": c.name, "description": c.description, "data_type": "BIGINT"}
        for c in IDENTITIES.columns
    ]


def test_a_check_that_warns_says_what_to_do(project: Project) -> None:
    silent = [c.name for c in project.checks if not c.blocking and c.remedy == REBUILD]
    assert silent == []


def test_the_models_read_exactly_the_tables_that_are_pinned(project: Project) -> None:
    read = {source for model in project.models for source in model.sources}
    assert read == {".".join(table.path) for table in SOURCES}


def test_each_model_is_after_those_that_it_reads(project: Project) -> None:
    names = [model.name for model in project.models]
    for model in project.models:
        assert all(names.index(ref) < names.index(model.name) for ref in model.refs)


def test_everything_is_described(project: Project) -> None:
    for name, node in project.nodes.items():
        assert node["description"], name
        for column in node["columns"].values():
            assert column["description"], f"{name}.{column['name']}"
        assert {check.model for check in project.checks} >= {name}, f"{name} has no test"


def test_what_is_personal_in_the_events_is_personal_in_the_marts(project: Project) -> None:
    checked = set()
    for node in project.nodes.values():
        if {"music", "iot"} & {*node["fqn"]}:
            # A user_id that is a number of another service's, and a key; sensors, not phones.
            continue
        table = mart_table(node)
        for column in table.columns:
            if column.name in EVENTS.personal:
                assert column.personal is not None, f"{table.name}.{column.name}"
                checked.add(column.name)
    assert {"user_id", "device_id", "ip_address", "user_properties"} <= checked


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "dbt"
    shutil.copytree(DBT_DIR, copy, ignore=shutil.ignore_patterns("target", "logs"))
    for module in (dbt_runner, project_module):
        monkeypatch.setattr(module, "DBT_DIR", copy)
    return copy


def test_a_project_is_parsed_again_only_when_its_files_change(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[Path] = []

    def parse(target: Path, warehouse_path: Path) -> None:
        parsed.append(target)
        target.mkdir(parents=True)
        (target / "manifest.json").write_text("{}")

    monkeypatch.setattr(project_module, "_parse", parse)
    path = Path("warehouse.duckdb")
    first = prepared_project(path)
    assert prepared_project(path) == first
    assert len(parsed) == 1
    with (copied / "macros" / "books.sql").open("a") as file:
        file.write("\n")
    assert prepared_project(path) != first
    prepared_project(Path("other.duckdb"))
    assert len(set(parsed)) == 3


@on_disk
def test_a_warehouse_of_another_name_is_built_as_well(world: Any) -> None:
    world.warehouse = world.root / "analytics 2026.duckdb"
    assert not world.refresh(prepared_project(world.warehouse), "event_enhanced").failures


def test_parsing_leaves_nothing_but_the_target(copied: Path) -> None:
    before = {path.name for path in copied.iterdir()}
    parsed_project = prepared_project(Path("warehouse.duckdb"))
    assert parsed_project.models
    assert {path.name for path in copied.iterdir()} == before | {"target"}
    assert {path.name for path in (copied / "target").iterdir()} == {
        parsed_project.target.name,
        *("manifest.json", "catalog.json"),
    }
