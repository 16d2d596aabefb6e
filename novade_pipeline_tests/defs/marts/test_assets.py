"""The marts in the graph."""

from pathlib import Path
from typing import Any, TypeAlias

import dagster as dg
import pytest

from novade_pipeline.defs.amplitude.tables import REPEATS
from novade_pipeline.defs.marts import dbt_runner
from novade_pipeline.defs.marts import project as project_module
from novade_pipeline.defs.marts.assets import definitions
from novade_pipeline.defs.marts.project import Project
from novade_pipeline.lake.delta import replace
from novade_pipeline.settings import Settings, load_settings
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.places import NewStore

World = Any
SECRET = "u2@example.com"
# They stand on other sources, and are empty here.
MUSIC = {"dim_tracks", "dim_users", "fct_listens", "top_tracks_by_genre", "user_taste"}
SALES = {
    *("account_history", "opportunity_history", "sales_snapshot"),
    *("opportunity_enhanced", "owner_performance", "sales_by_currency"),
}
EVENTS = {
    *("event_enhanced", "sessions", "user_days", "user_enhanced"),
    *("daily_performance", "weekly_retention", "coverage_by_day", "tracking_plan_coverage"),
}
CHATS = {"conversation_enhanced"}
STREAMS = {"ticket_volume", "ticket_backlog", "client_tickets", "readings_hourly"}
ERP = {"order_lines", "orders"}
CUSTOMER = {
    *("customer_keys", "customer_matches", "customer_360", "match_rates", "daily_activity"),
}


@pytest.fixture
def new_store(tmp_path: Path) -> NewStore:
    """On the disk only: `test_running` has the same assets on Azurite."""
    return lambda name: store(str(tmp_path / name))


Graph: TypeAlias = list[dg.AssetsDefinition]


def _settings(world: World) -> Settings:
    return load_settings(lake_url=world.lake.url, warehouse_path=world.warehouse)


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory, project: Project) -> Graph:
    settings = load_settings(warehouse_path=tmp_path_factory.mktemp("w") / "warehouse.duckdb")
    steps = definitions(settings).assets or ()
    return [step for step in steps if isinstance(step, dg.AssetsDefinition)]


def _run(world: World, *selected: str, **config: Any) -> dg.ExecuteInProcessResult:
    settings = _settings(world)
    chosen = [dg.AssetKey(["marts", name]) for name in selected]
    return dg.materialize(
        [*(definitions(settings).assets or ())],  # type: ignore[list-item]
        resources={"lake": settings.lake},
        selection=dg.AssetSelection.assets(*chosen) if chosen else None,
        run_config={"ops": {"marts_amplitude": {"config": config}}},
        raise_on_error=False,
    )


def _metadata(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    return {
        event.asset_key.path[-1]: dict(event.materialization.metadata)
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def test_loading_with_a_prepared_manifest_starts_no_dbt(
    built: World, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("dbt was started")

    monkeypatch.setattr(project_module, "invoke", refuse)
    assert definitions(_settings(built)).assets


def test_each_mart_shows_what_it_is(graph: Graph, project: Project) -> None:
    specs = [spec for step in graph for spec in step.specs]
    assert sorted(spec.key.path[-1] for spec in specs) == sorted(project.nodes)
    for spec in specs:
        assert spec.group_name == f"marts_{spec.tags['domain']}"
        assert spec.owners == ["team:data-platform"]
        assert spec.kinds == {"dbt", "duckdb"}
        assert spec.description
        schema = spec.metadata["dagster/column_schema"]
        assert all(column.description and column.type != "?" for column in schema.columns)


def test_the_marts_hang_on_the_sources(graph: Graph) -> None:
    deps = {
        spec.key.path[-1]: {dep.asset_key.to_user_string() for dep in spec.deps}
        for step in graph
        for spec in step.specs
    }
    assert deps["event_enhanced"] == {
        *("amplitude/events", "amplitude/repeats", "amplitude/identities"),
    }
    assert deps["tracking_plan_coverage"] == {"marts/coverage_by_day", "tracking_plan/plan"}


def test_marts_of_other_sources_are_a_step_of_their_own(graph: Graph, project: Project) -> None:
    step_of = {key.path[-1]: step.op.name for step in graph for key in step.keys}
    assert step_of["tracking_plan_coverage"] == step_of["event_enhanced"] == "marts_amplitude"
    assert step_of["dim_users"] == step_of["fct_listens"] == "marts_music"


def test_marts_that_join_several_sources_make_none_of_them_wait_for_another(
    graph: Graph, project: Project
) -> None:
    step_of = {key.path[-1]: step.op.name for step in graph for key in step.keys}
    assert {step_of[name] for name in SALES} == {"marts_salesforce"}
    assert {step_of[name] for name in CHATS} == {"marts_drift"}
    assert {step_of[name] for name in CUSTOMER} == {"marts_customer"}
    for name, node in project.nodes.items():
        if name not in CUSTOMER:
            assert {step_of[ref["name"]] for ref in node["refs"]} <= {step_of[name]}


def test_a_history_is_an_asset_like_any_other(graph: Graph) -> None:
    specs = {spec.key.path[-1]: spec for step in graph for spec in step.specs}
    spec = specs["opportunity_history"]
    assert (spec.tags["layer"], spec.tags["domain"]) == ("mart", "salesforce")
    assert {dep.asset_key.to_user_string() for dep in spec.deps} == {"salesforce/opportunity"}
    snapshot = {dep.asset_key.to_user_string() for dep in specs["sales_snapshot"].deps}
    assert {dep for dep in snapshot if dep.startswith("marts/")} == {"marts/opportunity_history"}


def test_each_dbt_test_is_a_check_of_its_model(graph: Graph, project: Project) -> None:
    checks = [spec for step in graph for spec in step.check_specs]
    specs_of_checks = {(spec.asset_key.path[-1], spec.name) for spec in checks}
    assert specs_of_checks == {(check.model, check.name) for check in project.checks}
    assert all(spec.description for spec in checks if "_has_each_" in spec.name)


@pytest.mark.usefixtures("pictures")
def test_a_run_reports_rows_bytes_versions_previews_and_pictures(world: World) -> None:
    person = {"amplitude_id": 2, "user_id": SECRET, "user_properties": f'{{"email":"{SECRET}"}}'}
    world.land(0, world.event("a", 0.1), world.event("b", 0.2, **person))
    world.write()
    result = _run(world)
    assert result.success
    metadata = _metadata(result)
    assert metadata["event_enhanced"]["dagster/row_count"].value == 2
    assert metadata["event_enhanced"]["taken_in"].value["amplitude.events"] == 1
    assert metadata["event_enhanced"]["bytes"].value > 0
    assert "| a |" in metadata["event_enhanced"]["preview"].value
    for name, entries in metadata.items():
        assert SECRET not in str(entries), name
        hidden = ("email", "first_name", "owner_name") if name not in EVENTS else ("user_id",)
        shown = entries["preview"].value.splitlines()[0]
        assert not [column for column in hidden if f"| {column} |" in shown]
        assert entries["unchanged"].value is False
    for name in ("weekly_retention", "daily_performance"):
        assert metadata[name]["picture"].value.startswith("![")
        assert "data:image/png;base64," in metadata[name]["picture"].value


def test_a_run_with_nothing_to_do_reports_all_assets_and_all_checks(
    built: World, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _run(built).success
    monkeypatch.setattr(dbt_runner, "build", None)
    result = _run(built)
    assert result.success
    assert {name: m["unchanged"].value for name, m in _metadata(result).items()} == dict.fromkeys(
        project.nodes, True
    )
    checks = result.get_asset_check_evaluations()
    assert {check.check_name for check in checks} == {check.name for check in project.checks}
    assert all(check.passed for check in checks)


def test_a_part_of_the_marts_is_run_alone(built: World) -> None:
    built.land(5, built.event("new", 5.0))
    built.write()
    result = _run(built, "event_enhanced", "sessions")
    assert result.success
    assert set(_metadata(result)) == {"event_enhanced", "sessions"}
    assert {check.asset_key.path[-1] for check in result.get_asset_check_evaluations()} == {
        *("event_enhanced", "sessions")
    }


def test_a_rebuild_is_requested_by_the_runs_config(built: World) -> None:
    metadata = _metadata(_run(built, "sessions", full_refresh=True))
    assert metadata["sessions"]["reason"].value == "a rebuild was requested"


def test_a_failed_check_fails_the_run_and_names_what_is_not_built(built: World) -> None:
    replace(built.lake, REPEATS, REPEATS.schema.empty_table())
    result = _run(built)
    assert not result.success
    # The customer is made from these, and waits.
    reported = {"event_enhanced", "segment_events", *MUSIC, *SALES, *CHATS, *STREAMS, *ERP}
    assert set(_metadata(result)) == reported
    failed = {c.check_name for c in result.get_asset_check_evaluations() if not c.passed}
    assert "unique_event_enhanced_uuid" in failed


def test_a_mart_that_reads_one_never_built_builds_that_too(world: World) -> None:
    result = _run(world, "sessions")
    assert result.success
    assert set(_metadata(result)) == {"sessions"}


def test_the_database_file_is_made_where_settings_say(world: World) -> None:
    world.warehouse = world.root / "deep" / "down" / "warehouse.duckdb"
    assert _run(world, "event_enhanced").success
    assert Path(world.warehouse).is_file()
