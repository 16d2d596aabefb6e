"""Notices of new blobs: read as Event Grid sends them, deleted when they are done with."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.queue import (
    AccountSasPermissions,
    ResourceTypes,
    generate_account_sas,
)

from novade_pipeline.errors import UserError
from novade_pipeline.landing.blob_events import NoticeQueue, read_notice
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.azurite import KEY, Azurite
from novade_pipeline_tests.event_grid import Queues, blob_created, cloud_event, encoded

FILE = "amplitude/events/1_2026-03-01_9#0.json.gz"
LANDING = store("abfss://landing@novade.dfs.core.windows.net/zone", {"account_key": KEY})
AT_ROOT = store("abfss://landing@novade.dfs.core.windows.net", {"account_key": KEY})


@pytest.fixture
def queues(azurite: Azurite) -> Queues:
    return Queues(azurite, azurite.new_store("landing"))


@pytest.fixture
def queue(queues: Queues) -> NoticeQueue:
    return NoticeQueue(queues.landing, queues.url)


@pytest.mark.parametrize("form", [blob_created, cloud_event])
@pytest.mark.parametrize("sent", [encoded, json.dumps, lambda event: encoded([event])])
def test_a_notice_names_a_file_below_the_landing_zone(form, sent) -> None:
    text = sent(form("landing", f"zone/{FILE}"))
    assert read_notice(text, LANDING) == (FILE, None)


def test_a_landing_zone_may_be_a_whole_container() -> None:
    assert read_notice(encoded(blob_created("landing", FILE)), AT_ROOT) == (FILE, None)


def test_a_name_that_is_quoted_as_in_a_url_is_the_same_name() -> None:
    text = encoded(blob_created("landing", FILE.replace("#", "%23")))
    assert read_notice(text, AT_ROOT) == (FILE, None)


@pytest.mark.parametrize("place", [("other", f"zone/{FILE}"), ("landing", FILE)])
def test_a_blob_elsewhere_is_nobodys_problem(place: tuple[str, str]) -> None:
    assert read_notice(encoded(blob_created(*place)), LANDING) == (None, None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hello", "expected an Event Grid event as JSON"),
        ("[]", "expected an Event Grid event as JSON"),
        ("{}", "expected an Event Grid event as JSON"),
        ("null", "expected an Event Grid event as JSON"),
        ("/w==", "expected an Event Grid event as JSON"),
        (
            encoded(blob_created("landing", FILE, "Microsoft.Storage.BlobDeleted")),
            "expected events of type Microsoft.Storage.BlobCreated only, found "
            "'Microsoft.Storage.BlobDeleted'",
        ),
        (
            encoded(blob_created("landing", FILE) | {"subject": "/x"}),
            "expected a subject that names",
        ),
    ],
)
def test_a_message_that_nobody_can_read_says_why(text: str, problem: str) -> None:
    file, reason = read_notice(text, LANDING)
    assert file is None
    assert problem in str(reason)


def test_what_is_received_is_hidden_until_it_is_let_go(queues: Queues, queue: NoticeQueue) -> None:
    queues.notify(FILE)
    (notice,) = queue.receive()
    assert (notice.file, notice.attempts) == (FILE, 1)
    assert queue.receive() == []
    (kept,) = queue.hide([notice])
    assert queue.receive() == []
    queue.hide([kept], 0)
    (again,) = queue.receive()
    assert (again.file, again.attempts) == (FILE, 2)


def test_what_is_deleted_does_not_come_again(queues: Queues, queue: NoticeQueue) -> None:
    queues.notify(*(f"amplitude/events/{n}" for n in range(40)))
    notices = queue.receive()
    assert len(notices) == 40
    queue.delete(notices)
    assert queues.message_count() == 0
    queue.delete(notices)


def test_what_somebody_else_has_received_meanwhile_is_theirs(
    queues: Queues, queue: NoticeQueue
) -> None:
    queues.notify(FILE)
    (ours,) = queue.receive()
    queue.hide([ours], 0)
    (theirs,) = queue.receive()
    queue.delete([ours])
    assert queue.hide([ours]) == []
    assert queues.message_count() == 1
    queue.delete([theirs])
    assert queues.message_count() == 0


def test_poison_goes_to_the_second_queue_with_its_reason(
    queues: Queues, queue: NoticeQueue
) -> None:
    queues.send("hello")
    (notice,) = queue.receive()
    queue.poison(notice, "it says nothing")
    assert queues.poison_messages() == [{"reason": "it says nothing", "message": "hello"}]
    assert queues.message_count() == 0


def test_a_missing_queue_is_reported(queues: Queues) -> None:
    with pytest.raises(UserError, match="expected a queue, found none of that name"):
        NoticeQueue(queues.landing, queues.url + "x").receive()


def test_a_missing_right_is_named(queues: Queues) -> None:
    sas = generate_account_sas(
        queues.landing.access.account,
        KEY,
        ResourceTypes(object=True, container=True, service=True),
        AccountSasPermissions(read=True),
        datetime.now(UTC) + timedelta(hours=1),
    )
    access = replace(queues.landing.access, key=None, sas=sas)
    queue = NoticeQueue(replace(queues.landing, access=access), queues.url)
    with pytest.raises(UserError, match=r"may not receive from there: .* Process \(p\)"):
        queue.receive()
