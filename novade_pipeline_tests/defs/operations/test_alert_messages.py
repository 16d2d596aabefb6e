"""What an alert looks like to Slack, to Teams and to all others, and who is taken for whom."""

import json
from typing import Any

import pytest

from novade_pipeline.defs.operations.alert_messages import body, format_of
from novade_pipeline.defs.operations.alerts import Alert, Memory, Problem, fingerprint
from novade_pipeline.defs.operations.webhook import Webhook
from novade_pipeline.errors import UserError
from novade_pipeline.settings import load_settings
from novade_pipeline_tests.defs.operations.conftest import SECRET, Receiver

WEB = "https://dagster.example.com"
PROBLEM = Problem(
    cause="check: amplitude/events: key_is_unique",
    subject="check: amplitude/events: key_is_unique",
    kind="check",
    severity="error",
    title="amplitude/events: key_is_unique failed",
    text="Expected: <!channel> & *no* two rows.",
    at="2026-11-02T10:00:00+00:00",
    assets=1,
    run_id="5206e1aa-a5eb-484d-8ca4-6421d8240e3a",
    asset="amplitude/events",
    check="key_is_unique",
)
FAILING = Alert(PROBLEM, "failing", PROBLEM.at)
WELL = Alert(PROBLEM, "well", "2026-11-03T12:05:00+00:00")
RUN = f"{WEB}/runs/{PROBLEM.run_id}"
CHECK = f"{WEB}/assets/amplitude/events?view=checks&checkDetail=key_is_unique"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://hooks.slack.com/services/T0/B0/x", "slack"),
        ("https://hooks.slack-gov.com/services/T0/B0/x", "slack"),
        ("https://acme.webhook.office.com/webhookb2/x/IncomingWebhook/y", "teams"),
        ("https://prod-05.westeurope.logic.azure.com:443/workflows/x?sig=y", "teams"),
        ("https://d1.61.environment.api.powerplatform.com:443/powerautomate/x", "teams"),
        ("https://n8n.example.com/webhook/x", "json"),
        ("https://nothooks.slack.com.example.com/x", "json"),
        ("http://127.0.0.1:5678/webhook/hooks.slack.com", "json"),
    ],
)
def test_the_format_is_reported_by_the_host(url: str, message: str) -> None:
    assert format_of(url, "auto") == message


def test_a_format_that_is_requested_wins() -> None:
    assert format_of("https://mattermost.example.com/hooks/x", "slack") == "slack"


def test_json_is_flat_and_has_all_a_flow_needs() -> None:
    assert body(FAILING, "json", WEB) == {
        "id": FAILING.id,
        "status": "failing",
        "severity": "error",
        "kind": "check",
        "cause": PROBLEM.cause,
        "title": "amplitude/events: key_is_unique failed",
        "text": "Expected: <!channel> & *no* two rows.",
        "asset": "amplitude/events",
        "check": "key_is_unique",
        "assets": 1,
        "run_id": PROBLEM.run_id,
        "run_url": RUN,
        "url": RUN,
        "since": "2026-11-02T10:00:00+00:00",
        "at": "2026-11-02T10:00:00+00:00",
    }


def test_slack_gets_blocks_without_mentions() -> None:
    message = body(FAILING, "slack", WEB)
    section, context = message["blocks"]
    assert section["text"]["type"] == "mrkdwn"
    assert "&lt;!channel&gt; &amp; *no* two rows" in section["text"]["text"]
    assert context["elements"][0]["text"].startswith(f"<{RUN}|Run 5206e1aa>")
    assert CHECK in context["elements"][0]["text"]
    assert message["text"].startswith("\N{LARGE RED CIRCLE} amplitude/events: key_is_unique failed")
    assert "<!" not in json.dumps(message)


def test_teams_gets_an_adaptive_card_that_reads_no_markdown() -> None:
    message = body(FAILING, "teams", WEB)
    (attachment,) = message["attachments"]
    card = attachment["content"]
    assert message["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert card["body"][1]["inlines"][0]["text"] == PROBLEM.text
    assert [action["url"] for action in card["actions"]] == [RUN, CHECK]


@pytest.mark.parametrize("form", ["slack", "teams", "json"])
def test_what_is_well_again_says_so_and_how_long_it_was_not(form: Any) -> None:
    message = json.dumps(body(WELL, form, WEB))
    assert "Well again: amplitude/events: key_is_unique failed" in message
    assert "After 1 d 2 h." in message


def test_the_same_message_has_the_same_id_and_another_has_another() -> None:
    assert FAILING.id == Alert(PROBLEM, "failing", "2026-11-02T11:00:00+00:00").id
    assert FAILING.id != WELL.id


def test_the_id_is_sent_as_the_idempotency_key(receiver: Receiver) -> None:
    assert Webhook(receiver.url).send({"text": "x"}, FAILING.id) == "taken"
    assert receiver.keys == [FAILING.id]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("part-1.parquet is gone", "part-2.parquet is gone", True),
        ("expected 3, found 4", "expected 3, found 17", True),
        ("'a b c' can't be read", "'d' can't be read", True),
        ("no space", "no plan", False),
    ],
)
def test_an_error_is_known_by_its_words_not_by_its_particulars(
    first: str, second: str, same: bool
) -> None:
    assert (fingerprint("Failure", first) == fingerprint("Failure", second)) is same


def test_the_memory_is_what_it_was_after_it_was_written_down() -> None:
    memory = Memory(
        position=7,
        began=PROBLEM.at,
        open={PROBLEM.cause: PROBLEM},
        settling={"freshness: a": PROBLEM.at},
        outbox=[FAILING, WELL],
        left_out=2,
    )
    assert Memory.from_json(memory.to_json()) == memory
    assert Memory.from_json(None) == Memory()


@pytest.mark.parametrize("wrong", ["hooks.example.com/x", "ftp://h/x", "https:///", "http://h:x/y"])
def test_an_address_that_is_none_is_reported_without_its_value(wrong: str) -> None:
    with pytest.raises(
        UserError, match=r"NOVADE_ALERT_WEBHOOK: .*expected https://HOST"
    ) as message:
        load_settings(alert_webhook=f"{wrong}{SECRET}")
    assert SECRET not in str(message.value)


def test_an_address_with_a_port_a_user_and_a_query_is_kept_secret(receiver: Receiver) -> None:
    hook = Webhook(f"http://user:{SECRET}@127.0.0.1:{receiver.port}/x?sig={SECRET}")
    receiver.answers[:] = [404]
    assert hook.send({"text": "x"}, "1") == "unreachable"
    assert hook.last_error == "127.0.0.1 answered 404, expected 2xx"
    assert SECRET not in repr(hook)
