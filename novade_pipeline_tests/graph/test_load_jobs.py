"""The jobs that load: what each holds, and when a schedule starts one."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from novade_pipeline.definitions import build_definitions
from novade_pipeline.graph.job_runs import EVERYTHING, LOAD_TAG, LOADED, PROCESS_TAG, process_tag
from novade_pipeline.graph.load_jobs import load_job, load_schedule
from novade_pipeline.settings import load_settings

MISSING = "NOVADE_SHOP_URL is not set: the shop is not read."


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions(load_settings())


@pytest.mark.parametrize(
    ("domain", "derived", "not_derived"),
    [
        ("amplitude", "marts/customer_360", "salesforce/account"),
        ("amplitude", "tracking_plan/event_verdicts", "tracking_plan/plan"),
        ("salesforce", "marts/sales_snapshot", "marts/event_enhanced"),
        ("drift", "marts/conversation_enhanced", "amplitude/events"),
        ("music", "marts/fct_listens", "marts/customer_360"),
        ("publications", "publications/drug_graph", "marts/fct_listens"),
        ("segment", "marts/all_events", "marts/event_enhanced"),
        ("tracking_plan", "marts/tracking_plan_coverage", "marts/event_enhanced"),
    ],
)
def test_a_domains_job_loads_its_tables_and_what_is_derived_from_them(
    definitions: dg.Definitions, domain: str, derived: str, not_derived: str
) -> None:
    job = definitions.resolve_job_def(f"load_{domain}")
    keys = {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
    graph = definitions.resolve_asset_graph()
    own = (dg.AssetSelection.groups(domain) & LOADED).resolve(graph)
    assert {key.to_user_string() for key in own} <= keys
    assert derived in keys
    assert not_derived not in keys


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("in_progress", "starts"),
    [("shop", False), (EVERYTHING, False), ("amplitude", True), (None, True)],
)
def test_a_schedule_waits_for_a_run_that_loads_the_same_domain(
    instance: dg.DagsterInstance, in_progress: str | None, starts: bool
) -> None:
    @dg.job
    def other() -> None: ...

    if in_progress is not None:
        instance.create_run_for_job(other, tags={LOAD_TAG: in_progress, PROCESS_TAG: process_tag()})
    schedule = load_schedule("shop", "5 * * * *", None, "Reads the shop.")
    tick = schedule.evaluate_tick(dg.build_schedule_context(instance=instance))
    assert bool(tick.run_requests) == starts


def test_the_schedule_of_a_system_that_is_not_configured_is_stopped_and_says_why() -> None:
    schedule = load_schedule("shop", "5 * * * *", MISSING, "Reads the shop.")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    assert str(schedule.description) == f"Reads the shop. {MISSING}"


def test_configured_systems_are_read_on_their_schedules() -> None:
    settings = load_settings(
        music_api_url="http://127.0.0.1:1",
        drift_token="t",
        salesforce_url="https://novade.my.salesforce.com",
        salesforce_client_id="i",
        salesforce_client_secret="s",
    )
    schedules = build_definitions(settings).schedules or ()
    running = {
        schedule.name
        for schedule in schedules
        if isinstance(schedule, dg.ScheduleDefinition)
        and schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    }
    assert {"drift", "music", "salesforce"} <= running


def test_sensors_and_schedules_say_what_they_do(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    automations = [*repository.sensor_defs, *repository.schedule_defs]
    assert automations
    assert [one.name for one in automations if not one.description] == []


def test_a_job_is_one_object() -> None:
    assert load_job("amplitude") is load_job("amplitude")
