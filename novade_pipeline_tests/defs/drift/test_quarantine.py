"""Items that are no rows: none is dropped, each says why, and leaves once it is mended."""

from typing import Any

import pytest

from novade_pipeline.defs.drift.tables import (
    ACCOUNTS,
    CONTACTS,
    CONVERSATIONS,
    MESSAGES,
    QUARANTINE,
    READ,
    USERS,
)
from novade_pipeline.lake.read import read
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.sandbox.drift_api import DriftApi, Faults

World = Any
TIME = "expected a time as epoch milliseconds"


def _rejected(world: World) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read(world.lake, QUARANTINE).to_pylist()
    return rows


def test_every_item_is_a_row_or_in_quarantine_with_the_reason(world: World) -> None:
    service = DriftApi(conversations=60, faults=Faults(broken_every=9))
    world.serve(service)
    _, writer = world.load()
    by_source: dict[str, int] = {}
    for row in _rejected(world):
        by_source[row["source"]] = by_source.get(row["source"], 0) + 1
    for table in READ:
        tally = writer.tally(table)
        assert tally.quarantined == by_source[table.path[-1]] > 0, table.name
        assert tally.items == len(world.rows(table)) + tally.quarantined, table.name
    assert {row["reason"] for row in _rejected(world)} == {
        "participants: Input should be a valid list, found text",
        f"createdAt: {TIME}, found text",
        "attributes: expected an object, found array",
        f"updateDateTime: {TIME}, found null",
        "id: Input should be a valid integer, found text",
    }
    assert all(row["raw"] for row in _rejected(world))
    before = world.versions()
    world.load()
    assert world.versions() == before


@pytest.mark.parametrize("table", [CONVERSATIONS, MESSAGES, CONTACTS], ids=lambda t: t.path[-1])
def test_an_item_that_breaks_keeps_its_last_good_state_until_it_is_mended(
    world: World, table: Any
) -> None:
    service = DriftApi(conversations=30)
    world.serve(service)
    world.load()
    before = world.rows(table)
    chat = service.newest_first()[5]
    broken, name, value = {
        CONVERSATIONS: (chat, "participants", "many"),
        MESSAGES: (service.state.messages[chat["id"]][0], "author", [1]),
        CONTACTS: (service.state.contacts[chat["contactId"]], "createdAt", 1.5),
    }[table]
    good, broken[name] = broken[name], value
    service.close(chat["id"])
    world.load()
    assert [row["source"] for row in _rejected(world)] == [table.path[-1]]
    key = broken["id"]
    assert world.rows(table)[key] == before[key]
    # Nothing of the conversation changes, and yet it is requested again.
    broken[name] = good
    world.load()
    assert _rejected(world) == []
    if table is CONVERSATIONS:
        assert world.rows(table)[key]["status"] == "closed"


def test_a_listed_item_that_names_no_conversation_stays_until_the_list_is_read_whole(
    world: World,
) -> None:
    service = DriftApi(conversations=70)
    number = service.newest_first()[60]["id"]
    told_so = _listed_otherwise(service, number, id=None)
    world.serve(service)
    world.load()
    (row,) = _rejected(world)
    assert row["place"].startswith("conversations/list#")
    assert row["reason"] == "id: Input should be a valid integer, found null"
    # The next load does not come so far.
    world.load()
    assert len(_rejected(world)) == 1
    told_so.clear()
    world.load(whole=True)
    assert _rejected(world) == []
    assert number in world.rows(CONVERSATIONS)


def test_a_listed_item_without_its_time_is_read_each_time(world: World) -> None:
    service = DriftApi(conversations=20)
    number = service.newest_first()[4]["id"]
    _listed_otherwise(service, number, updatedAt="?")
    world.serve(service)
    loaded, _ = world.load()
    assert loaded.listing.unclear == {number}
    assert number in world.rows(CONVERSATIONS)
    assert world.load()[0].read == 1


def _listed_otherwise(service: DriftApi, number: int, **fields: Any) -> dict[str, Any]:
    """Makes the list serve one conversation otherwise, until what is returned is empty."""
    listed = service.newest_first

    def newest_first() -> list[dict[str, Any]]:
        return [{**row, **fields} if row["id"] == number else row for row in listed()]

    service.newest_first = newest_first  # type: ignore[method-assign]
    return fields


@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_a_quarantine_holds_no_personal_data_unless_it_is_kept(world: World, mode: Any) -> None:
    world.policy = PersonalDataPolicy(mode, b"key")
    world.serve(DriftApi(conversations=12, faults=Faults(broken_every=3)))
    world.load()
    assert {row["source"] for row in _rejected(world)} == {table.path[-1] for table in READ}
    assert all(row["raw"] is None for row in _rejected(world))
    assert world.files_with(b"@freemail.example") == [] or mode == "hash"


def test_users_and_accounts_that_break_are_there_once_they_are_mended(world: World) -> None:
    service = DriftApi(conversations=3, faults=Faults(broken_every=4))
    world.serve(service)
    world.load()
    for row in service.state.users:
        row["id"] = int(str(row["id"]).strip("#"))
    for row in service.state.accounts:
        row["updateDateTime"] = row["createDateTime"]
    world.load()
    assert {row["source"] for row in _rejected(world)} <= {"messages", "contacts", "conversations"}
    assert len(world.rows(USERS)) == len(service.state.users)
    assert len(world.rows(ACCOUNTS)) == len(service.state.accounts)
