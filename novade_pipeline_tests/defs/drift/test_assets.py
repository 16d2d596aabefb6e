"""Drift in the graph: configured or not, asked for or not, frozen or not."""

from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from novade_pipeline.defs.drift.assets import NOT_CONFIGURED, ONLY_ALONE, definitions
from novade_pipeline.defs.drift.manifest import frozen_since, read_manifest
from novade_pipeline.defs.drift.tables import CONTACTS, CONVERSATIONS, MESSAGES, READ, TABLES
from novade_pipeline.graph.job_runs import BACKFILL_TAG
from novade_pipeline.lake.delta import current_version
from novade_pipeline.sandbox.drift_api import TOKEN, DriftApi, Faults
from novade_pipeline.settings import Settings, load_settings

World = Any
EXPORT = "final_export"


def _settings(world: World, **more: Any) -> Settings:
    values = {"drift_api_url": world.url or "http://127.0.0.1:1", "drift_token": TOKEN} | more
    return load_settings(lake_url=world.lake.url, **values)


def _run(
    world: World,
    *names: str,
    tags: dict[str, str] | None = None,
    config: dict[str, Any] | None = None,
    **more: Any,
) -> dg.ExecuteInProcessResult:
    settings = _settings(world, **more)
    graph = dg.Definitions(
        assets=definitions(settings).assets,
        resources={"lake": settings.lake},
        jobs=[dg.define_asset_job("everything", selection=dg.AssetSelection.all())],
    )
    return graph.resolve_job_def("everything").execute_in_process(
        asset_selection=[dg.AssetKey(["drift", name]) for name in names] or None,
        tags=tags,
        run_config=config or {},
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


def _failed(result: dg.ExecuteInProcessResult) -> list[str]:
    return sorted(c.check_name for c in result.get_asset_check_evaluations() if not c.passed)


def test_without_a_token_a_run_of_everything_passes_it_over_and_says_why(world: World) -> None:
    result = _run(world, drift_token=None)
    assert result.success
    metadata = _metadata(result)
    assert metadata.pop(EXPORT) == {"unchanged": True, "passed_over": ONLY_ALONE}
    assert set(metadata) == {table.path[-1] for table in TABLES}
    assert {metadata["note"] for metadata in metadata.values()} == {NOT_CONFIGURED}
    assert _failed(result) == []
    assert not Path(world.lake.path()).exists()


@pytest.mark.parametrize("name", ["conversations", EXPORT])
def test_without_a_token_a_run_that_asks_for_it_fails_in_one_sentence(
    world: World, name: str
) -> None:
    result = _run(world, name, drift_token=None)
    assert not result.success
    assert _why(result) == NOT_CONFIGURED


def test_a_materialization_tells_requests_and_what_became_of_each_item(world: World) -> None:
    long_ago = date(2026, 11, 1)
    service = DriftApi(conversations=20, as_of=long_ago, faults=Faults(broken_every=11))
    world.serve(service)
    result = _run(world)
    assert result.success
    metadata = _metadata(result)
    of_chats = metadata["conversations"]
    assert of_chats["requests"] == sum(
        number for path, number in service.request_counts.items() if path[:5] in ("/conv", "/cont")
    )
    assert (of_chats["items_told"], of_chats["rows_new"], of_chats["rows_quarantined"]) == (
        *(20, 19),
        1,
    )
    assert of_chats["conversations_read"] == 20
    assert of_chats["watermark"].startswith("2026-11-01T00:")
    assert metadata["quarantine"]["dagster/row_count"] == sum(
        metadata.get("rows_quarantined", 0) for metadata in metadata.values()
    )
    assert _failed(result) == [
        *("conversations_and_contacts_are_known", "data_is_fresh", "data_is_fresh"),
        "nothing_in_quarantine",
    ]
    for person in service.state.people.values():
        assert person.last_name not in str(metadata)
        assert person.email not in str(metadata)
    again = _metadata(_run(world))
    assert all(metadata["unchanged"] for metadata in again.values())


def test_a_part_is_read_with_what_it_needs(world: World) -> None:
    world.serve(DriftApi(conversations=3))
    metadata = _metadata(_run(world, "messages"))
    assert set(metadata) == {"messages"}
    written = {table for table in READ if current_version(world.lake, table) is not None}
    assert written == {CONVERSATIONS, MESSAGES, CONTACTS}


def test_a_service_that_refuses_fails_the_step_in_one_sentence(world: World) -> None:
    world.serve(DriftApi(conversations=3))
    result = _run(world, drift_token="wr0ng")
    assert not result.success
    assert "401 Unauthorized: Bad or expired token; look at NOVADE_DRIFT_API_URL" in _why(result)
    assert "wr0ng" not in str(result.all_events)


def test_the_export_is_made_only_where_it_alone_is_asked_for(world: World) -> None:
    world.serve(DriftApi(conversations=3))
    for names, tags in (([], {}), ([EXPORT, "users"], {}), ([EXPORT], {BACKFILL_TAG: "b"})):
        result = _run(world, *names, tags=tags)
        assert result.success
        assert _metadata(result)[EXPORT] == {"unchanged": True, "passed_over": ONLY_ALONE}
    assert frozen_since(world.lake) is None
    metadata = _metadata(_run(world, EXPORT))[EXPORT]
    metadata_of = read_manifest(world.lake)
    assert metadata_of is not None
    assert metadata["dagster/uri"] == world.lake.child(metadata_of["folder"])
    assert metadata["note"].startswith("Drift is frozen since 20")
    assert metadata["requests"] > 0


def _sentence(manifest: dict[str, Any]) -> str:
    since = manifest["finished_at"][:16].replace("T", " ")
    return f"Drift is frozen since {since} UTC, when its final export was verified"


@pytest.mark.parametrize("name", ["messages", EXPORT])
def test_frozen_tables_refuse_and_say_since_when(
    exported: tuple[World, dict[str, Any]], name: str
) -> None:
    world, manifest = exported
    refused = _run(world, name)
    assert not refused.success
    assert _why(refused).startswith(_sentence(manifest))


@pytest.mark.parametrize(
    ("tags", "token"), [({}, TOKEN), ({BACKFILL_TAG: "b"}, None)], ids=["run", "backfill"]
)
def test_frozen_tables_are_passed_over_and_are_still_checked(
    exported: tuple[World, dict[str, Any]], tags: dict[str, str], token: str | None
) -> None:
    world, manifest = exported
    before = world.versions()
    # The service is closed, and sooner or later its token is gone.
    world.url, url = "http://127.0.0.1:1", world.url
    result = _run(world, tags=tags, drift_token=token)
    world.url = url
    assert result.success
    assert world.versions() == before
    metadata_of = _metadata(result)
    copy = metadata_of.pop(EXPORT)
    assert copy["dagster/uri"] == world.lake.child(manifest["folder"])
    assert copy["passed_over"] == ONLY_ALONE
    notes = {metadata["note"] for metadata in metadata_of.values()}
    assert {note.startswith(_sentence(manifest)) for note in notes} == {True}
    assert {check.check_name for check in result.get_asset_check_evaluations()} == {
        *("columns_as_declared", "nothing_in_quarantine"),
        *("conversations_and_contacts_are_known", "copy_is_as_its_manifest_says"),
    }
    assert _failed(result) == []


def test_a_copy_that_was_changed_fails_its_check_in_each_run(
    exported: tuple[World, dict[str, Any]],
) -> None:
    world, manifest = exported
    kept = world.lake.read(manifest["folder"], "users.jsonl.gz")
    world.lake.write(b"{}\n", manifest["folder"], "users.jsonl.gz")
    result = _run(world)
    world.lake.write(kept, manifest["folder"], "users.jsonl.gz")
    (check,) = [c for c in result.get_asset_check_evaluations() if not c.passed]
    assert check.check_name == "copy_is_as_its_manifest_says"
    assert check.severity == dg.AssetCheckSeverity.ERROR
    assert "users.jsonl.gz: expected" in str(check.description)


def test_where_requested_frozen_tables_are_read_and_exported_again(world: World) -> None:
    service = DriftApi(conversations=3)
    world.serve(service)
    first = world.export()
    service.chat()
    metadata = _metadata(_run(world, "conversations", drift_unfreeze=True))["conversations"]
    assert metadata["rows_new"] == 1
    unfreeze = {"ops": {"drift_final_export": {"config": {"unfreeze": True}}}}
    assert _run(world, EXPORT, config=unfreeze).success
    again = read_manifest(world.lake)
    assert again is not None
    assert again["folder"] != first["folder"]
    assert again["tables"][CONVERSATIONS.name]["rows"] == 4
    # The first copy stays, with its manifest beside it.
    assert world.lake.read(first["folder"], "manifest.json")
