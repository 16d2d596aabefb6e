"""Who is told of checks and of assets that are late."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from novade_pipeline.defs.operations import problems
from novade_pipeline.graph.upload_days import NEW_DAY_TAG
from novade_pipeline_tests.defs.operations.alert_world import (
    ERROR,
    WARN,
    World,
    failing_with,
)
from novade_pipeline_tests.defs.operations.conftest import Receiver


@pytest.mark.parametrize(
    ("severity", "severity_text", "title"),
    [
        (ERROR, "error", "orders: is_whole failed"),
        (WARN, "warning", "orders: is_whole warns"),
    ],
)
def test_a_check_that_does_not_pass_is_reported_and_so_is_when_it_does(
    world: World,
    receiver: Receiver,
    severity: dg.AssetCheckSeverity,
    severity_text: str,
    title: str,
) -> None:
    world.not_passing["is_whole"] = severity
    run_id = world.run()
    for _ in range(2):
        world.tick()
    (body,) = receiver.taken
    assert (body["title"], body["severity"], body["run_id"]) == (title, severity_text, run_id)
    assert body["text"] == "Expected: Every order is there. Found: rows 1,200."
    world.run()
    world.not_passing.clear()
    world.run()
    world.tick()
    assert receiver.alerts() == [("failing", title), ("well", f"Well again: {title}")]


def test_a_blocking_check_is_reported_as_one_cause(world: World, receiver: Receiver) -> None:
    world.not_passing["is_blocking"] = ERROR
    world.run()
    world.tick()
    assert receiver.alerts() == [("failing", "orders: is_blocking failed")]


def test_a_check_that_gets_worse_is_reported_again(world: World, receiver: Receiver) -> None:
    for severity in (WARN, ERROR, WARN):
        world.not_passing["is_whole"] = severity
        world.run()
        world.tick()
    assert [title for _, title in receiver.alerts()] == [
        "orders: is_whole warns",
        "orders: is_whole failed",
    ]


def test_a_check_that_could_not_run_stays_as_it_was(world: World, receiver: Receiver) -> None:
    world.not_passing["is_whole"] = ERROR
    world.run()
    world.errors["orders"] = failing_with("Lake: no space.")
    world.run()
    world.tick()
    assert sorted(receiver.alerts()) == [
        ("failing", "orders failed"),
        ("failing", "orders: is_whole failed"),
    ]
    world.run()
    world.tick()
    assert receiver.alerts() == []


def test_warnings_are_reported_only_where_they_are_requested(
    world: World, receiver: Receiver
) -> None:
    world.set(alert_severity="error")
    world.not_passing["is_whole"] = WARN
    world.run()
    world.tick()
    assert receiver.requests == []


def test_a_late_asset_is_reported_with_what_follows_from_it(
    world: World, receiver: Receiver
) -> None:
    run_id = world.run()
    world.passed_hours = 23.9
    world.tick()
    world.passed_hours = 24.1
    world.tick()
    assert receiver.requests == []
    world.passed_hours += 0.2
    for _ in range(2):
        world.tick()
    (body,) = receiver.taken
    assert (body["title"], body["kind"], body["assets"]) == ("orders is late", "freshness", 2)
    assert "Expected it made within 24 hours" in body["text"]
    assert body["run_id"] == run_id


def test_a_report_that_a_day_has_begun_makes_no_asset_fresh(
    world: World, receiver: Receiver
) -> None:
    run_id = world.run()
    report = dg.AssetMaterialization("orders", partition="2026-11-28", tags={NEW_DAY_TAG: ""})
    world.instance.report_runless_asset_event(report)
    for world.passed_hours in (24.1, 24.3):
        world.tick()
    (body,) = receiver.taken
    assert (body["title"], body["run_id"]) == ("orders is late", run_id)


def test_a_late_asset_that_is_made_is_reported_well(world: World, receiver: Receiver) -> None:
    world.run()
    for world.passed_hours in (25, 26):
        world.tick()
    world.passed_hours = 0
    world.run(asset_selection=[dg.AssetKey("orders")])
    world.tick()
    assert receiver.alerts() == [
        ("failing", "orders is late"),
        ("well", "Well again: orders is late"),
    ]


def test_what_only_just_waits_for_its_source_is_not_reported(
    world: World, receiver: Receiver
) -> None:
    world.run(asset_selection=[dg.AssetKey("revenue")])
    world.passed_hours = 25
    world.tick()
    world.passed_hours = 0
    world.run()
    world.tick()
    world.passed_hours = 23
    world.tick()
    assert receiver.requests == []


def test_what_was_never_made_is_not_late(world: World, receiver: Receiver) -> None:
    world.passed_hours = 1000
    for _ in range(2):
        world.tick()
        world.passed_hours += 1
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("made", "now", "late"),
    [
        ((2, 1), (2, 6), True),
        ((2, 3), (2, 6), False),
        ((2, 5), (2, 6), False),
        ((1, 3), (2, 4), False),
        ((1, 1), (2, 4), True),
    ],
)
def test_what_is_due_by_a_cron_is_late_after_its_deadline(
    made: tuple[int, int], now: tuple[int, int], late: bool
) -> None:
    """Due daily at five, made at two or later; days and hours of one month."""
    policy = dg.FreshnessPolicy.cron(
        deadline_cron="0 5 * * *", lower_bound_delta=timedelta(hours=3), timezone="UTC"
    )
    at = [datetime(2026, 3, day, hour, tzinfo=UTC) for day, hour in (made, now)]
    severity_text = problems.lateness(policy, *at)
    assert severity_text == (("error", "by 0 5 * * * (UTC)") if late else None)
