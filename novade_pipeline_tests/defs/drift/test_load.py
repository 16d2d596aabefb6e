"""What the workspace has is in the lake: each row once, none lost, nothing written for nothing."""

from datetime import timedelta
from typing import Any

import pytest

from novade_pipeline.defs.drift import load
from novade_pipeline.defs.drift import writer as writing
from novade_pipeline.defs.drift.tables import (
    ACCOUNTS,
    CONTACTS,
    CONVERSATIONS,
    EPOCH,
    MESSAGES,
    QUARANTINE,
    USERS,
    milliseconds,
)
from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.lake.watermarks import watermark
from novade_pipeline.sandbox.drift_api import DriftApi, Faults

World = Any
LIST = "/conversations/list"


def _details(service: DriftApi) -> list[str]:
    """The requests for single items."""
    return sorted(path for path in service.request_counts if path.split("/")[-1].isdigit())


def _is_the_workspace(world: World, service: DriftApi) -> None:
    """The lake holds just what the service has."""
    assert {number: row["status"] for number, row in world.rows(CONVERSATIONS).items()} == {
        number: row["status"] for number, row in service.state.conversations.items()
    }
    assert {key: row["body"] for key, row in world.rows(MESSAGES).items()} == {
        message["id"]: message["body"]
        for number in service.state.conversations
        for message in service.state.messages[number]
    }
    live = {key for key, row in world.rows(CONTACTS).items() if not row["is_deleted"]}
    assert live == {row["contactId"] for row in service.state.conversations.values()} & set(
        service.state.contacts
    )


def test_all_that_the_workspace_has_is_in_the_lake_in_its_types(world: World) -> None:
    service = DriftApi(conversations=60)
    world.serve(service)
    loaded, writer = world.load()
    _is_the_workspace(world, service)
    assert (loaded.read, writer.tally(CONVERSATIONS).new) == (60, 60)
    newest = service.newest_first()[7]
    row = world.rows(CONVERSATIONS)[newest["id"]]
    assert row["updated_at"] == EPOCH + timedelta(milliseconds=newest["updatedAt"])
    assert row["participants"] == newest["participants"]
    message = service.state.messages[newest["id"]][1]
    stored = world.rows(MESSAGES)[message["id"]]
    assert (stored["author_type"], stored["author_id"]) == ("contact", newest["contactId"])
    assert (stored["ip"], stored["user_agent"]) == tuple(message["context"].values())
    contact = world.rows(CONTACTS)[newest["contactId"]]
    assert contact["email"] == service.state.people[newest["contactId"]].email.lower()
    assert len(world.rows(ACCOUNTS)) == len(service.state.accounts)
    assert len(world.rows(USERS)) == len(service.state.users)
    assert world.rows(QUARANTINE) == {}


def test_what_did_not_change_is_neither_asked_for_nor_written(world: World) -> None:
    service = DriftApi(conversations=60)
    world.serve(service)
    world.load()
    before = world.versions()
    service.request_counts.clear()
    loaded, _ = world.load()
    assert loaded.read == 0
    assert _details(service) == []
    assert world.versions() == before


def test_only_conversations_that_changed_are_read_and_their_contacts_again(world: World) -> None:
    service = DriftApi(conversations=60)
    world.serve(service)
    world.load()
    ended, written = (service.newest_first()[at]["id"] for at in (20, 40))
    service.close(ended)
    service.write(written)
    service.state.contacts[service.state.conversations[written]["contactId"]]["attributes"][
        "name"
    ] = "Somebody Else"
    begun = service.chat()
    service.request_counts.clear()
    loaded, writer = world.load()
    assert loaded.read == 3
    numbers = (ended, written, begun)
    contacts = {service.state.conversations[number]["contactId"] for number in numbers}
    expected = [f"/conversations/{number}" for number in numbers]
    assert _details(service) == sorted(
        [*expected, *(f"/contacts/{contact}" for contact in contacts)]
    )
    assert (writer.tally(CONVERSATIONS).new, writer.tally(CONVERSATIONS).changed) == (1, 2)
    assert (writer.tally(CONTACTS).new, writer.tally(CONTACTS).changed) == (1, 1)
    _is_the_workspace(world, service)


@pytest.mark.parametrize("overlap_minutes", [0, 5])
def test_what_the_list_tells_late_is_found_within_the_overlap(
    world: World, overlap_minutes: float
) -> None:
    service = DriftApi(conversations=60)
    late = service.newest_first()[1]["id"]
    service.close(service.newest_first()[0]["id"])
    hidden = service.state.conversations.pop(late)
    hidden["updatedAt"] = service.newest_first()[0]["updatedAt"] - 60_000
    world.serve(service)
    world.load()
    service.state.conversations[late] = hidden
    world.load(overlap_minutes=overlap_minutes)
    # Without an overlap it is never loaded: so this test can fail.
    assert (late in world.rows(CONVERSATIONS)) == (overlap_minutes > 0)


@pytest.mark.parametrize("paging", ["links", "pagination"])
def test_a_workspace_that_changes_while_it_is_read_is_loaded_whole(
    world: World, paging: Any
) -> None:
    service = DriftApi(conversations=80, paging=paging)
    world.serve(service)
    oldest = iter([row["id"] for row in reversed(service.newest_first())][:30])
    changes = iter(
        [lambda: service.write(next(oldest)), lambda: service.close(next(oldest)), service.chat] * 5
    )
    # After each page of the list something moves to its front, and while chats are read as well.
    service.on_response = lambda path: (
        next(changes, lambda: None)() if path == LIST or path.endswith("3/messages") else None
    )
    world.load()
    service.on_response = lambda path: None
    world.load()
    _is_the_workspace(world, service)


def test_a_service_in_trouble_gives_what_one_without_gives(world: World) -> None:
    world.serve(DriftApi(conversations=25))
    world.load()
    undisturbed = world.contents()
    world.lake = type(world.lake)(world.lake.url + "-2")
    faults = Faults(
        limited_every=5, retry_after=0, failing_every=7, slow_every=60, slow_seconds=1.2
    )
    service = DriftApi(conversations=25, faults=faults)
    world.serve(service)
    world.load(api_timeout_seconds=0.6)
    assert world.contents() == undisturbed


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("commits", [1, 2, 4, 8])
def test_killed_between_commits_and_started_again_nothing_is_lost(
    world: World, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    service = DriftApi(conversations=50)
    world.serve(service)
    monkeypatch.setattr(load, "SLICE", 20)
    done, merge = [0], writing.merge

    def killed(*args: Any, **more: Any) -> Any:
        if done[0] == commits:
            raise Killed
        done[0] += 1
        return merge(*args, **more)

    monkeypatch.setattr(writing, "merge", killed)
    with pytest.raises(Killed):
        world.load()
    monkeypatch.setattr(writing, "merge", merge)
    # Whoever is in the lake has all that belongs to it.
    messages = {row["conversation_id"] for row in world.rows(MESSAGES).values()}
    assert set(world.rows(CONVERSATIONS)) <= messages
    assert len(world.rows(CONVERSATIONS)) == 20 * (commits // 3)
    loaded, _ = world.load()
    assert loaded.read == 50 - 20 * (commits // 3)
    _is_the_workspace(world, service)


def test_the_watermark_is_that_of_the_front_and_stands_in_the_tables_own_log(world: World) -> None:
    service = DriftApi(conversations=30)
    world.serve(service)
    loaded, _ = world.load()
    front = service.newest_first()[0]["updatedAt"]
    stored = watermark(world.lake, CONVERSATIONS, load.WATERMARK, world.policy)
    assert (loaded.watermark, stored.value, stored.is_whole) == (front, front, True)
    newest = max(row["updated_at"] for row in world.rows(CONVERSATIONS).values())
    assert milliseconds(newest) == front


def test_a_contact_that_is_gone_is_marked_and_keeps_its_last_state(world: World) -> None:
    service = DriftApi(conversations=30)
    world.serve(service)
    world.load()
    chat = service.newest_first()[3]
    before = world.rows(CONTACTS)[chat["contactId"]]
    kept = service.state.contacts[chat["contactId"]]
    service.delete_contact(chat["contactId"])
    service.write(chat["id"])
    _, writer = world.load()
    row = world.rows(CONTACTS)[chat["contactId"]]
    assert row["is_deleted"]
    assert row["email"] == before["email"]
    assert writer.tally(CONTACTS).gone == 1
    service.state.contacts[chat["contactId"]] = kept
    service.write(chat["id"])
    world.load()
    assert not world.rows(CONTACTS)[chat["contactId"]]["is_deleted"]


def test_a_contact_that_was_gone_before_it_was_read_is_known_as_gone(world: World) -> None:
    service = DriftApi(conversations=30)
    gone = service.newest_first()[3]["contactId"]
    service.delete_contact(gone)
    world.serve(service)
    world.load()
    row = world.rows(CONTACTS)[gone]
    assert (row["is_deleted"], row["email"], row["created_at"]) == (True, None, None)


def test_a_conversation_that_is_gone_stays_in_the_lake(world: World) -> None:
    service = DriftApi(conversations=60)
    world.serve(service)
    world.load()
    gone = service.newest_first()[2]["id"]
    service.write(gone)
    # It is listed, and gone by the time that it is requested.
    service.on_response = lambda path: (
        service.delete_conversation(gone)
        if path == LIST
        and gone in service.state.conversations
        and service.request_counts[LIST] % 2 == 0
        else None
    )
    service.request_counts.clear()
    _, writer = world.load()
    assert writer.tally(CONVERSATIONS).gone == 1
    assert gone in world.rows(CONVERSATIONS)


def test_an_account_that_vanished_is_marked(world: World) -> None:
    service = DriftApi(conversations=5)
    world.serve(service)
    world.load()
    gone = service.state.accounts.pop(4)["accountId"]
    world.load()
    marked = [key for key, row in world.rows(ACCOUNTS).items() if row["is_deleted"]]
    assert marked == [gone]


def test_accounts_that_never_hold_still_are_read_again_later(world: World) -> None:
    service = DriftApi(conversations=5)
    world.serve(service)
    service.on_response = lambda path: (
        service.state.accounts.pop(0) and None if "acc" in path else None
    )
    with pytest.raises(TransientFailure, match="found that it changed in each of 3"):
        world.load(api_most_reads=3)
    assert world.versions()[ACCOUNTS.name] is None


def test_a_service_that_has_no_accounts_is_accepted_only_when_configured(world: World) -> None:
    service = DriftApi(conversations=5)
    world.serve(service)
    world.load()
    service.state.accounts.clear()
    with pytest.raises(PermanentFailure, match=r"expected rows, since the lake has 60, found"):
        world.load()
    world.load(api_accept_empty=True)
    assert all(row["is_deleted"] for row in world.rows(ACCOUNTS).values())
