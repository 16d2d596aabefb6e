"""Who is told, tick by tick: a real instance, real runs, and a webhook that really listens."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from novade_pipeline.defs.operations import alerts, problems
from novade_pipeline.defs.operations.alerts import Memory
from novade_pipeline.defs.operations.sensors import alert_sensor
from novade_pipeline.settings import load_settings
from novade_pipeline_tests.defs.operations.conftest import SECRET, Receiver

FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=24))
ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


class World:
    """A small graph that fails as it is told to, its instance, and the sensor over it."""

    def __init__(self, root: Path, instance: dg.DagsterInstance, webhook: str, **more: Any) -> None:
        self.root, self.instance, self.cursor = root, instance, None
        self.errors: dict[str, Exception] = {}
        self.not_passing: dict[str, dg.AssetCheckSeverity] = {}
        self.passed_hours = 0.0
        self.skip_message = ""
        self.webhook = webhook
        self.definitions = self._graph()
        self.set(**more)

    def set(self, **settings: Any) -> None:
        self.settings = load_settings(
            lake_url=str(self.root / "lake"), alert_webhook=self.webhook, **settings
        )
        self.sensor = alert_sensor(self.settings, now=self.now)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(hours=self.passed_hours)

    def _graph(self) -> dg.Definitions:
        def result(name: str) -> dg.AssetCheckResult:
            severity = self.not_passing.get(name)
            return dg.AssetCheckResult(
                passed=severity is None,
                check_name=name,
                severity=severity or ERROR,
                metadata={"rows": 1200, "shown": "jane@example.com"},
            )

        @dg.asset(
            freshness_policy=FRESH,
            check_specs=[
                dg.AssetCheckSpec("is_whole", asset="orders", description="Every order is there."),
                dg.AssetCheckSpec("is_blocking", asset="orders", blocking=True),
            ],
        )
        def orders() -> Iterator[Any]:
            if "orders" in self.errors:
                raise self.errors["orders"]
            yield dg.MaterializeResult()
            yield result("is_whole")
            yield result("is_blocking")

        @dg.asset(deps=[orders], freshness_policy=FRESH)
        def revenue() -> None:
            if "revenue" in self.errors:
                raise self.errors["revenue"]

        @dg.op
        def tidy(context: dg.OpExecutionContext) -> None:
            if context.job_name in self.errors:
                raise self.errors[context.job_name]

        @dg.job
        def maintenance() -> None:
            tidy()

        @dg.job
        def clearance() -> None:
            tidy()

        return dg.Definitions(
            assets=[orders, revenue],
            jobs=[
                maintenance,
                clearance,
                dg.define_asset_job("load", selection=dg.AssetSelection.all()),
            ],
            executor=dg.in_process_executor,
        )

    def run(self, job: str = "load", **more: Any) -> str:
        done = self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, raise_on_error=False, **more
        )
        return done.run_id

    def tick(self) -> None:
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            repository_def=self.definitions.get_repository_def(),
        )
        told = self.sensor.evaluate_tick(context)
        assert not told.run_requests
        self.cursor, self.skip_message = told.cursor, told.skip_message or ""

    @property
    def memory(self) -> Memory:
        return Memory.from_json(self.cursor)


@pytest.fixture
def world(tmp_path: Path, receiver: Receiver) -> Iterator[World]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield World(tmp_path, instance, receiver.url)


def _failure(sentence: str) -> dg.Failure:
    return dg.Failure(description=sentence, allow_retries=False)


def test_where_nobody_is_to_be_told_the_variable_is_named(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        world = World(tmp_path, instance, "")
        world.errors["orders"] = _failure("Lake: no space.")
        world.run()
        world.tick()
    assert "NOVADE_ALERT_WEBHOOK is not set" in world.skip_message


def test_what_is_well_is_not_told(world: World, receiver: Receiver) -> None:
    world.run()
    world.tick()
    assert receiver.asked == []


def test_a_failed_run_is_told_once_however_often_one_looks(
    world: World, receiver: Receiver
) -> None:
    world.errors["orders"] = _failure("Lake: no space.")
    run_id = world.run()
    for _ in range(3):
        world.tick()
    (body,) = receiver.taken
    assert body["status"] == "failing"
    assert body["title"] == "orders failed"
    assert body["text"] == "Lake: no space. 2 assets were not made."
    assert body["assets"] == 2
    assert body["run_url"] == f"http://127.0.0.1:3000/runs/{run_id}"


def test_the_same_failure_of_a_retry_is_not_told_again(world: World, receiver: Receiver) -> None:
    for attempt in range(3):
        world.errors["orders"] = _failure(f"Lake: no space for part-{attempt}.parquet.")
        world.run()
        world.tick()
    assert receiver.told() == [("failing", "orders failed")]


def test_another_failure_of_the_same_step_is_another_cause(
    world: World, receiver: Receiver
) -> None:
    for error in (_failure("Lake: no space."), PermissionError("denied"), _failure("No plan.")):
        world.errors["orders"] = error
        world.run()
        world.tick()
    assert len(receiver.told()) == 3


def test_what_went_well_again_is_told_once(world: World, receiver: Receiver) -> None:
    world.errors["orders"] = _failure("Lake: no space.")
    world.run()
    world.tick()
    world.errors.clear()
    mended = world.run()
    world.tick()
    world.run()
    world.tick()
    assert [body["run_id"] for body in receiver.taken][1] == mended
    assert receiver.told() == [("failing", "orders failed"), ("well", "Well again: orders failed")]
    assert world.memory.open == {}


def test_a_partial_retry_mends_what_it_ran_and_nothing_else(
    world: World, receiver: Receiver
) -> None:
    world.run()
    world.errors = {"orders": _failure("Lake: no space."), "revenue": _failure("No rate.")}
    world.run()
    world.run(asset_selection=[dg.AssetKey("revenue")])
    world.tick()
    del world.errors["orders"]
    world.run(asset_selection=[dg.AssetKey("orders")])
    receiver.told()
    world.tick()
    assert receiver.told() == [("well", "Well again: orders failed")]
    assert [problem.title for problem in world.memory.open.values()] == ["revenue failed"]


def test_a_failure_after_it_was_well_is_told_again(world: World, receiver: Receiver) -> None:
    for _ in range(2):
        world.errors["orders"] = _failure("Lake: no space.")
        world.run()
        world.tick()
        world.errors.clear()
        world.run()
        world.tick()
    assert [status for status, _ in receiver.told()] == ["failing", "well"] * 2


def test_what_failed_and_went_well_between_two_looks_is_told_in_this_order(
    world: World, receiver: Receiver
) -> None:
    world.tick()
    world.errors["orders"] = _failure("Lake: no space.")
    world.run()
    world.errors.clear()
    world.run()
    world.tick()
    assert [status for status, _ in receiver.told()] == ["failing", "well"]


def test_the_first_look_tells_only_what_is_not_well_by_then(
    world: World, receiver: Receiver
) -> None:
    world.errors["orders"] = _failure("Lake: no space.")
    world.run()
    world.errors = {"maintenance": _failure("No table.")}
    world.run()
    world.run("maintenance")
    world.tick()
    assert receiver.told() == [("failing", "tidy failed")]


def test_a_run_that_dagster_tries_again_by_itself_waits_for_its_retry(
    world: World, receiver: Receiver
) -> None:
    world.errors["orders"] = _failure("Lake: no space.")
    world.run(tags={"dagster/will_retry": "true"})
    world.tick()
    assert receiver.asked == []
    world.run(tags={"dagster/retry_number": "1"})
    world.tick()
    assert receiver.told() == [("failing", "orders failed")]


def test_a_run_that_died_without_a_failed_step_is_told(world: World, receiver: Receiver) -> None:
    run = world.instance.create_run_for_job(world.definitions.resolve_job_def("maintenance"))
    world.instance.report_run_failed(run, "The process that ran it ended without a word.")
    world.tick()
    (body,) = receiver.taken
    assert body["title"] == "maintenance failed"
    assert "ended without a word" in body["text"]
    world.run("maintenance")
    world.tick()
    assert receiver.told()[-1] == ("well", "Well again: maintenance failed")


def test_the_op_of_one_job_does_not_mend_another_job(world: World, receiver: Receiver) -> None:
    world.errors["maintenance"] = _failure("No table.")
    world.run("maintenance")
    world.tick()
    world.run("clearance")
    world.tick()
    assert receiver.told() == [("failing", "tidy failed")]


def test_a_canceled_run_is_a_persons_doing(world: World, receiver: Receiver) -> None:
    run = world.instance.create_run_for_job(world.definitions.resolve_job_def("maintenance"))
    world.instance.report_run_canceled(run)
    world.tick()
    assert receiver.asked == []


@pytest.mark.parametrize(
    ("severity", "told", "title"),
    [
        (ERROR, "error", "orders: is_whole failed"),
        (WARN, "warning", "orders: is_whole warns"),
    ],
)
def test_a_check_that_does_not_pass_is_told_and_so_is_when_it_does(
    world: World, receiver: Receiver, severity: dg.AssetCheckSeverity, told: str, title: str
) -> None:
    world.not_passing["is_whole"] = severity
    run_id = world.run()
    for _ in range(2):
        world.tick()
    (body,) = receiver.taken
    assert (body["title"], body["severity"], body["run_id"]) == (title, told, run_id)
    assert body["text"] == "Expected: Every order is there. Found: rows 1,200."
    world.run()
    world.not_passing.clear()
    world.run()
    world.tick()
    assert receiver.told() == [("failing", title), ("well", f"Well again: {title}")]


def test_a_blocking_check_is_told_as_one_cause(world: World, receiver: Receiver) -> None:
    world.not_passing["is_blocking"] = ERROR
    world.run()
    world.tick()
    assert receiver.told() == [("failing", "orders: is_blocking failed")]


def test_a_check_that_gets_worse_is_told_again(world: World, receiver: Receiver) -> None:
    for severity in (WARN, ERROR, WARN):
        world.not_passing["is_whole"] = severity
        world.run()
        world.tick()
    assert [title for _, title in receiver.told()] == [
        "orders: is_whole warns",
        "orders: is_whole failed",
    ]


def test_a_check_that_no_run_could_look_at_stays_as_it_was(
    world: World, receiver: Receiver
) -> None:
    world.not_passing["is_whole"] = ERROR
    world.run()
    world.errors["orders"] = _failure("Lake: no space.")
    world.run()
    world.tick()
    assert sorted(receiver.told()) == [
        ("failing", "orders failed"),
        ("failing", "orders: is_whole failed"),
    ]
    world.run()
    world.tick()
    assert receiver.told() == []


def test_warnings_are_told_only_where_they_are_asked_for(world: World, receiver: Receiver) -> None:
    world.set(alert_severity="error")
    world.not_passing["is_whole"] = WARN
    world.run()
    world.tick()
    assert receiver.asked == []


def test_a_late_asset_is_told_with_what_follows_from_it(world: World, receiver: Receiver) -> None:
    run_id = world.run()
    world.passed_hours = 23.9
    world.tick()
    world.passed_hours = 24.1
    world.tick()
    assert receiver.asked == []
    world.passed_hours += 0.2
    for _ in range(2):
        world.tick()
    (body,) = receiver.taken
    assert (body["title"], body["kind"], body["assets"]) == ("orders is late", "freshness", 2)
    assert "Expected it made within 24 hours" in body["text"]
    assert body["run_id"] == run_id


def test_a_late_asset_that_is_made_is_told_well(world: World, receiver: Receiver) -> None:
    world.run()
    for world.passed_hours in (25, 26):
        world.tick()
    world.passed_hours = 0
    world.run(asset_selection=[dg.AssetKey("orders")])
    world.tick()
    assert receiver.told() == [
        ("failing", "orders is late"),
        ("well", "Well again: orders is late"),
    ]


def test_what_only_just_waits_for_its_source_is_not_told(world: World, receiver: Receiver) -> None:
    world.run(asset_selection=[dg.AssetKey("revenue")])
    world.passed_hours = 25
    world.tick()
    world.passed_hours = 0
    world.run()
    world.tick()
    world.passed_hours = 23
    world.tick()
    assert receiver.asked == []


def test_what_was_never_made_is_not_late(world: World, receiver: Receiver) -> None:
    world.passed_hours = 1000
    for _ in range(2):
        world.tick()
        world.passed_hours += 1
    assert receiver.asked == []


def test_while_the_webhook_is_down_nothing_is_lost_and_nothing_told_twice(
    world: World, receiver: Receiver
) -> None:
    receiver.is_down()
    world.errors["orders"] = _failure("Lake: no space.")
    world.run()
    world.tick()
    assert "answered 500" in world.skip_message
    world.errors.clear()
    world.run()
    world.tick()
    assert receiver.taken == []
    receiver.is_up()
    for _ in range(3):
        world.tick()
    assert [status for status, _ in receiver.told()] == ["failing", "well"]


def test_a_webhook_that_fails_for_a_moment_is_tried_again_at_once(
    world: World, receiver: Receiver
) -> None:
    receiver.answers[:] = [500, 503]
    world.errors["orders"] = _failure("Lake: no space.")
    world.run()
    world.tick()
    assert len(receiver.asked) == 3
    assert len(receiver.told()) == 1
    assert world.memory.outbox == []


def test_where_nobody_listens_it_is_told_when_somebody_does(
    world: World, receiver: Receiver
) -> None:
    world.webhook = "http://127.0.0.1:9/hooks"
    world.set()
    world.errors["orders"] = _failure("Lake: no space.")
    world.run()
    world.tick()
    assert "127.0.0.1 did not answer (ConnectError)" in world.skip_message
    world.webhook = receiver.url
    world.set()
    for _ in range(2):
        world.tick()
    assert receiver.told() == [("failing", "orders failed")]


def test_a_message_that_is_refused_holds_up_no_other(world: World, receiver: Receiver) -> None:
    receiver.answers[:] = [400]
    world.errors = {"orders": _failure("Lake: no space."), "maintenance": _failure("No table.")}
    world.run()
    world.run("maintenance")
    world.tick()
    assert receiver.told() == [("failing", "tidy failed")]
    world.tick()
    assert receiver.told() == [("failing", "orders failed")]


def test_what_had_no_room_while_the_webhook_was_down_is_counted(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "OUTBOX", 2)
    receiver.is_down()
    world.tick()
    for word in ("table", "column", "row", "name", "key"):
        world.errors["maintenance"] = _failure(f"No {word}.")
        world.run("maintenance")
        world.tick()
    assert len(world.memory.outbox) == 2
    receiver.is_up()
    for _ in range(2):
        world.tick()
    assert [body["text"] for body in receiver.taken[:2]] == ["No table.", "No column."]
    assert "3 more had no room" in receiver.taken[2]["text"]
    assert len(receiver.taken) == 3


def test_a_backlog_of_runs_is_taken_in_over_several_looks(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems, "RUNS_PER_LOOK", 2)
    world.tick()
    for word in ("table", "column", "row", "", "key"):
        world.errors = {"maintenance": _failure(f"No {word}.")} if word else {}
        world.run("maintenance")
    for _ in range(3):
        world.tick()
    told = [(body["status"], body["text"].split(" It was: ")[-1]) for body in receiver.taken]
    each = ["No table.", "No column.", "No row."]
    assert told[:3] == [("failing", text) for text in each]
    assert sorted(told[3:6]) == sorted(("well", text) for text in each)
    assert told[6:] == [("failing", "No key.")]


@pytest.mark.parametrize("answers", [[], [500] * 9, [403]])
def test_the_address_of_the_webhook_is_in_no_log_and_no_cursor(
    world: World, receiver: Receiver, caplog: pytest.LogCaptureFixture, answers: list[int]
) -> None:
    receiver.answers[:] = answers
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger=name)
    world.errors["orders"] = _failure("Lake: no space.")
    world.run()
    world.tick()
    assert receiver.asked
    told = [world.skip_message, world.cursor or "", caplog.text, repr(world.settings.masked())]
    assert [text for text in told if SECRET in text] == []


def test_text_of_a_checks_metadata_is_not_told(world: World, receiver: Receiver) -> None:
    world.not_passing["is_whole"] = ERROR
    world.run()
    world.tick()
    assert receiver.asked
    assert "jane@example.com" not in str(receiver.asked)


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
    told = problems.lateness(policy, *at)
    assert told == (("error", "by 0 5 * * * (UTC)") if late else None)
