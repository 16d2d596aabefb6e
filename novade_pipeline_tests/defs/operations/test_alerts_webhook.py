"""Nothing is lost and nothing told twice, whatever the webhook does."""

import logging

import pytest

from novade_pipeline.defs.operations import alerts, problems
from novade_pipeline_tests.defs.operations.alert_world import (
    ERROR,
    World,
    failing_with,
)
from novade_pipeline_tests.defs.operations.conftest import SECRET, Receiver


def test_while_the_webhook_is_down_nothing_is_lost_and_nothing_sent_twice(
    world: World, receiver: Receiver
) -> None:
    receiver.is_down()
    world.errors["orders"] = failing_with("Lake: no space.")
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
    assert [status for status, _ in receiver.alerts()] == ["failing", "well"]


def test_a_webhook_that_fails_for_a_moment_is_tried_again_at_once(
    world: World, receiver: Receiver
) -> None:
    receiver.answers[:] = [500, 503]
    world.errors["orders"] = failing_with("Lake: no space.")
    world.run()
    world.tick()
    assert len(receiver.requests) == 3
    assert len(receiver.alerts()) == 1
    assert world.memory.outbox == []


def test_an_unreachable_webhook_gets_the_alert_when_it_is_back(
    world: World, receiver: Receiver
) -> None:
    world.webhook = "http://127.0.0.1:9/hooks"
    world.set()
    world.errors["orders"] = failing_with("Lake: no space.")
    world.run()
    world.tick()
    assert "127.0.0.1 did not answer (ConnectError)" in world.skip_message
    world.webhook = receiver.url
    world.set()
    for _ in range(2):
        world.tick()
    assert receiver.alerts() == [("failing", "orders failed")]


def test_a_message_that_is_refused_holds_up_no_other(world: World, receiver: Receiver) -> None:
    receiver.answers[:] = [400]
    world.errors = {
        "orders": failing_with("Lake: no space."),
        "maintenance": failing_with("No table."),
    }
    world.run()
    world.run("maintenance")
    world.tick()
    assert receiver.alerts() == [("failing", "tidy failed")]
    world.tick()
    assert receiver.alerts() == [("failing", "orders failed")]


def test_what_had_no_room_while_the_webhook_was_down_is_counted(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "OUTBOX", 2)
    receiver.is_down()
    world.tick()
    for word in ("table", "column", "row", "name", "key"):
        world.errors["maintenance"] = failing_with(f"No {word}.")
        world.run("maintenance")
        world.tick()
    assert len(world.memory.outbox) == 2
    receiver.is_up()
    for _ in range(2):
        world.tick()
    assert [body["text"] for body in receiver.taken[:2]] == ["No table.", "No column."]
    assert "3 more had no room" in receiver.taken[2]["text"]
    assert len(receiver.taken) == 3


def test_a_backlog_of_runs_is_processed_over_several_ticks(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems, "RUNS_PER_TICK", 2)
    world.tick()
    for word in ("table", "column", "row", "", "key"):
        world.errors = {"maintenance": failing_with(f"No {word}.")} if word else {}
        world.run("maintenance")
    for _ in range(3):
        world.tick()
    messages = [(body["status"], body["text"].split(" It was: ")[-1]) for body in receiver.taken]
    each = ["No table.", "No column.", "No row."]
    assert messages[:3] == [("failing", text) for text in each]
    assert sorted(messages[3:6]) == sorted(("well", text) for text in each)
    assert messages[6:] == [("failing", "No key.")]


@pytest.mark.parametrize("answers", [[], [500] * 9, [403]])
def test_the_address_of_the_webhook_is_in_no_log_and_no_cursor(
    world: World, receiver: Receiver, caplog: pytest.LogCaptureFixture, answers: list[int]
) -> None:
    receiver.answers[:] = answers
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger=name)
    world.errors["orders"] = failing_with("Lake: no space.")
    world.run()
    world.tick()
    assert receiver.requests
    messages = [world.skip_message, world.cursor or "", caplog.text, repr(world.settings.masked())]
    assert [text for text in messages if SECRET in text] == []


def test_text_of_a_checks_metadata_is_not_reported(world: World, receiver: Receiver) -> None:
    world.not_passing["is_whole"] = ERROR
    world.run()
    world.tick()
    assert receiver.requests
    assert "jane@example.com" not in str(receiver.requests)
