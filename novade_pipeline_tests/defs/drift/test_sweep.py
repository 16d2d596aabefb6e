"""What the newer part of the list does not show is loaded by a sweep, and what is restored wins."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from novade_pipeline.defs.drift import load
from novade_pipeline.defs.drift.tables import CONVERSATIONS, EPOCH, MESSAGES, USERS
from novade_pipeline.lake.delta import transaction_version
from novade_pipeline.sandbox.drift_api import DriftApi, Faults
from novade_pipeline_tests.places import NewStore

World = Any
LIST = "/conversations/list"
HOUR = timedelta(hours=1)


# A sweep reads and compares; where storage matters, in what a killed one leaves, it is Azurite too.
on_disk = pytest.mark.parametrize("new_store", ["disk"], indirect=True)


@pytest.fixture
def service(world: World, new_store: NewStore) -> DriftApi:
    """A workspace that was loaded an hour ago, whose list keeps changes at their old places."""
    world.lake = new_store("lake")
    service = DriftApi(conversations=220, faults=Faults(misplaced_every=1))
    world.serve(service)
    world.now = _now(service)
    world.load()
    service.request_counts.clear()
    return service


def _now(service: DriftApi) -> datetime:
    """What time it is by the service's clock."""
    return EPOCH + timedelta(milliseconds=service.state.now)


def _statuses(world: World) -> dict[int, str]:
    return {number: row["status"] for number, row in world.rows(CONVERSATIONS).items()}


def _in_service(service: DriftApi) -> dict[int, str]:
    return {number: row["status"] for number, row in service.state.conversations.items()}


def _is_known(world: World, message: dict[str, Any]) -> bool:
    return message["id"] in world.rows(MESSAGES)


@on_disk
def test_a_change_that_is_listed_far_behind_is_found_by_the_next_sweep_and_by_no_load_before(
    world: World, service: DriftApi
) -> None:
    message = service.write(service.newest_first()[180]["id"])
    world.now += HOUR
    world.load()
    # So this test can fail: the pages before are old.
    assert not _is_known(world, message)
    world.now += 24 * HOUR
    loaded, _ = world.load()
    assert (loaded.read, loaded.listing.is_whole) == (1, True)
    assert _is_known(world, message)


@on_disk
def test_a_change_on_the_second_page_is_found_without_a_sweep(
    world: World, service: DriftApi
) -> None:
    for row in service.newest_first()[:49]:
        service.state.conversations[row["id"]]["updatedAt"] = service.tick()
    message = service.write(service.newest_first()[50]["id"])
    world.now += HOUR
    loaded, _ = world.load()
    assert not loaded.listing.is_whole
    assert _is_known(world, message)


@on_disk
@pytest.mark.parametrize(
    ("hours", "sweep_hours", "swept"),
    [(0, 24, False), (23.9, 24, False), (24, 24, True), (0, 0, True), (1, 0.5, True)],
)
def test_the_list_is_read_whole_as_often_as_the_setting_says(
    world: World, service: DriftApi, hours: float, sweep_hours: float, swept: bool
) -> None:
    world.now += timedelta(hours=hours)
    loaded, _ = world.load(sweep_hours=sweep_hours)
    assert loaded.listing.is_whole == swept
    # Page 1 ends in the overlap; a sweep reads all five once.
    assert service.request_counts[LIST] == 2 * 2 + (5 if swept else 0)


@on_disk
def test_a_sweep_that_finds_nothing_writes_no_row_and_is_not_made_again(
    world: World, service: DriftApi
) -> None:
    before = world.contents()
    world.now += 25 * HOUR
    loaded, writer = world.load()
    assert (loaded.read, loaded.listing.is_whole) == (0, True)
    assert world.contents() == before
    assert sum(receipt.rows for receipt in writer.tally(CONVERSATIONS).receipts) == 0
    world.now += HOUR
    assert not world.load()[0].listing.is_whole


@on_disk
def test_a_sweep_that_was_noted_in_the_future_does_not_keep_others_away(
    world: World, service: DriftApi
) -> None:
    world.now += 9_000 * HOUR
    world.load()
    world.now -= 8_000 * HOUR
    assert world.load()[0].listing.is_whole


class Killed(BaseException):
    """The process is gone."""


def test_a_sweep_that_is_killed_is_made_again(
    world: World, service: DriftApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    for row in service.newest_first()[60:]:
        service.close(row["id"])
    service.chat()
    world.now += 25 * HOUR
    monkeypatch.setattr(load, "SLICE", 50)
    chats, calls = load.reader.chats, [0]

    def killed(*args: Any) -> Any:
        calls[0] += 1
        if calls[0] == 3:
            raise Killed
        return chats(*args)

    monkeypatch.setattr(load.reader, "chats", killed)
    with pytest.raises(Killed):
        world.load()
    monkeypatch.undo()
    assert _statuses(world) != _in_service(service)
    loaded, _ = world.load()
    assert loaded.read == 161 - 2 * 50
    assert _statuses(world) == _in_service(service)


@on_disk
def test_a_lake_that_no_sweep_was_noted_in_is_swept_at_once(
    world: World, service: DriftApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the one is that an earlier version has loaded."""
    message = service.write(service.newest_first()[180]["id"])
    assert transaction_version(world.lake, CONVERSATIONS, load.SWEEP) is not None
    monkeypatch.setattr(load, "SWEEP", "drift:sweep of another name")
    world.load()
    assert _is_known(world, message)


@on_disk
@pytest.mark.parametrize("at", [0, 180])
def test_a_conversation_that_was_restored_to_an_older_state_is_what_the_service_says(
    world: World, service: DriftApi, at: int
) -> None:
    before = dict(service.newest_first()[at])
    service.faults = Faults()
    service.close(before["id"])
    service.write(before["id"])
    service.state.conversations[before["id"]]["status"] = "pending"
    world.now += HOUR
    world.load()
    assert _statuses(world)[before["id"]] == "pending"
    service.restore(before)
    world.now += 25 * HOUR
    _, writer = world.load()
    assert writer.tally(CONVERSATIONS).changed == 1
    assert _statuses(world) == _in_service(service)
    world.now += 25 * HOUR
    assert world.load()[0].read == 0


@on_disk
def test_users_and_accounts_that_were_restored_are_what_the_service_says(
    world: World, service: DriftApi
) -> None:
    user = service.state.users[3]
    user |= {"role": "restored", "updatedAt": user["updatedAt"] - 90 * 86_400_000}
    world.now += HOUR
    world.load()
    assert world.rows(USERS)[user["id"]]["role"] == "restored"


@on_disk
@pytest.mark.parametrize(("days", "read_again"), [(0, False), (400, True)])
def test_what_was_read_by_a_clock_that_was_a_year_ahead_rules_nothing(
    world: World, service: DriftApi, days: int, read_again: bool
) -> None:
    user = service.state.users[3]
    user["role"] = "read ahead"
    world.now = datetime.now(UTC) + timedelta(days=days, minutes=1)
    world.load()
    user["role"] = "read now"
    world.now = datetime.now(UTC)
    _, writer = world.load()
    assert (world.rows(USERS)[user["id"]]["role"] == "read now") == read_again
    # What a load that began later has written stays, and the check tells of it.
    assert writer.tally(USERS).passed_over == (not read_again)


def _year_2150(service: DriftApi) -> None:
    service.newest_first()[30]["updatedAt"] = (
        int(datetime(2150, 1, 1, tzinfo=UTC).timestamp()) * 1000
    )


def _all_at_once(service: DriftApi) -> None:
    """An import gives all chats the same time."""
    now = service.tick()
    for row in service.state.conversations.values():
        row["updatedAt"] = now


@on_disk
@pytest.mark.parametrize("happens", [_year_2150, _all_at_once])
def test_what_changes_after_odd_times_is_found_by_the_next_load(
    world: World, service: DriftApi, happens: Callable[[DriftApi], None]
) -> None:
    service.faults = Faults()
    happens(service)
    world.now = _now(service)
    world.load()
    message = service.write(service.newest_first()[170]["id"])
    world.now = _now(service)
    world.load(overlap_minutes=0)
    assert _is_known(world, message)
    assert _statuses(world) == _in_service(service)


@on_disk
def test_frozen_tables_are_not_swept_and_an_export_reads_all_that_is_misplaced(
    world: World, service: DriftApi
) -> None:
    message = service.write(service.newest_first()[180]["id"])
    before = dict(service.newest_first()[90])
    service.close(before["id"])
    world.now += HOUR
    world.load(sweep_hours=0)
    service.restore(before)
    manifest = world.export()
    assert manifest["tables"][CONVERSATIONS.name]["rows"] == 220
    assert _is_known(world, message)
    assert _statuses(world) == _in_service(service)
