"""Who is told of runs, tick by tick: a real instance, real runs, a webhook that listens."""

from pathlib import Path

import dagster as dg

from novade_pipeline_tests.defs.operations.alert_world import (
    World,
    failing_with,
)
from novade_pipeline_tests.defs.operations.conftest import Receiver


def test_without_a_webhook_the_sensor_names_its_variable(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        world = World(tmp_path, instance, "")
        world.errors["orders"] = failing_with("Lake: no space.")
        world.run()
        world.tick()
    assert "NOVADE_ALERT_WEBHOOK is not set" in world.skip_message


def test_what_is_well_is_not_reported(world: World, receiver: Receiver) -> None:
    world.run()
    world.tick()
    assert receiver.requests == []


def test_a_failed_run_is_reported_once_over_many_ticks(world: World, receiver: Receiver) -> None:
    world.errors["orders"] = failing_with("Lake: no space.")
    run_id = world.run()
    for _ in range(3):
        world.tick()
    (body,) = receiver.taken
    assert body["status"] == "failing"
    assert body["title"] == "orders failed"
    assert body["text"] == "Lake: no space. 2 assets were not made."
    assert body["assets"] == 2
    assert body["run_url"] == f"http://127.0.0.1:3000/runs/{run_id}"


def test_the_same_failure_of_a_retry_is_not_reported_again(
    world: World, receiver: Receiver
) -> None:
    for attempt in range(3):
        world.errors["orders"] = failing_with(f"Lake: no space for part-{attempt}.parquet.")
        world.run()
        world.tick()
    assert receiver.alerts() == [("failing", "orders failed")]


def test_another_failure_of_the_same_step_is_another_cause(
    world: World, receiver: Receiver
) -> None:
    for error in (
        failing_with("Lake: no space."),
        PermissionError("denied"),
        failing_with("No plan."),
    ):
        world.errors["orders"] = error
        world.run()
        world.tick()
    assert len(receiver.alerts()) == 3


def test_what_went_well_again_is_reported_once(world: World, receiver: Receiver) -> None:
    world.errors["orders"] = failing_with("Lake: no space.")
    world.run()
    world.tick()
    world.errors.clear()
    mended = world.run()
    world.tick()
    world.run()
    world.tick()
    assert [body["run_id"] for body in receiver.taken][1] == mended
    assert receiver.alerts() == [
        ("failing", "orders failed"),
        ("well", "Well again: orders failed"),
    ]
    assert world.memory.open == {}


def test_a_partial_retry_mends_what_it_ran_and_nothing_else(
    world: World, receiver: Receiver
) -> None:
    world.run()
    world.errors = {"orders": failing_with("Lake: no space."), "revenue": failing_with("No rate.")}
    world.run()
    world.run(asset_selection=[dg.AssetKey("revenue")])
    world.tick()
    del world.errors["orders"]
    world.run(asset_selection=[dg.AssetKey("orders")])
    receiver.alerts()
    world.tick()
    assert receiver.alerts() == [("well", "Well again: orders failed")]
    assert [problem.title for problem in world.memory.open.values()] == ["revenue failed"]


def test_a_failure_after_it_was_well_is_reported_again(world: World, receiver: Receiver) -> None:
    for _ in range(2):
        world.errors["orders"] = failing_with("Lake: no space.")
        world.run()
        world.tick()
        world.errors.clear()
        world.run()
        world.tick()
    assert [status for status, _ in receiver.alerts()] == ["failing", "well"] * 2


def test_a_failure_and_a_recovery_between_two_ticks_are_reported_in_order(
    world: World, receiver: Receiver
) -> None:
    world.tick()
    world.errors["orders"] = failing_with("Lake: no space.")
    world.run()
    world.errors.clear()
    world.run()
    world.tick()
    assert [status for status, _ in receiver.alerts()] == ["failing", "well"]


def test_the_first_tick_reports_only_unresolved_problems(world: World, receiver: Receiver) -> None:
    world.errors["orders"] = failing_with("Lake: no space.")
    world.run()
    world.errors = {"maintenance": failing_with("No table.")}
    world.run()
    world.run("maintenance")
    world.tick()
    assert receiver.alerts() == [("failing", "tidy failed")]


def test_a_run_that_dagster_tries_again_by_itself_waits_for_its_retry(
    world: World, receiver: Receiver
) -> None:
    world.errors["orders"] = failing_with("Lake: no space.")
    world.run(tags={"dagster/will_retry": "true"})
    world.tick()
    assert receiver.requests == []
    world.run(tags={"dagster/retry_number": "1"})
    world.tick()
    assert receiver.alerts() == [("failing", "orders failed")]


def test_a_run_that_died_without_a_failed_step_is_reported(
    world: World, receiver: Receiver
) -> None:
    run = world.instance.create_run_for_job(world.definitions.resolve_job_def("maintenance"))
    world.instance.report_run_failed(run, "The process that ran it ended without a word.")
    world.tick()
    (body,) = receiver.taken
    assert body["title"] == "maintenance failed"
    assert "ended without a word" in body["text"]
    world.run("maintenance")
    world.tick()
    assert receiver.alerts()[-1] == ("well", "Well again: maintenance failed")


def test_the_op_of_one_job_does_not_mend_another_job(world: World, receiver: Receiver) -> None:
    world.errors["maintenance"] = failing_with("No table.")
    world.run("maintenance")
    world.tick()
    world.run("clearance")
    world.tick()
    assert receiver.alerts() == [("failing", "tidy failed")]


def test_a_canceled_run_is_a_persons_doing(world: World, receiver: Receiver) -> None:
    run = world.instance.create_run_for_job(world.definitions.resolve_job_def("maintenance"))
    world.instance.report_run_canceled(run)
    world.tick()
    assert receiver.requests == []
