"""The list of conversations: each once, none lost, whichever way it pages and however it moves."""

from collections.abc import Callable
from typing import Any, Literal

import pytest

from novade_pipeline.defs.drift.listing import Listing, listing
from novade_pipeline.sandbox.drift_api import DriftApi, Faults

World = Any
LIST = "/conversations/list"


def _listing(
    world: World, down_to: int | None = None, most_reads: int = 5, now: int = 2**53
) -> Listing:
    with world.client(world.settings()) as client:
        return listing(client, down_to=down_to, most_reads=most_reads, now=now)


def _as_served(service: DriftApi) -> list[tuple[int, int]]:
    return [(row["updatedAt"], row["id"]) for row in reversed(service.newest_first())]


def _as_listed(listed: Listing) -> list[tuple[int, int]]:
    return [(row["updated_at"], row["id"]) for row in listed.changed.to_pylist()]


@pytest.mark.parametrize("links_to", ["", "https://api.drift.example"])
@pytest.mark.parametrize("paging", ["links", "pagination"])
def test_either_way_of_paging_tells_each_conversation_once(
    world: World, paging: Literal["links", "pagination"], links_to: str
) -> None:
    service = DriftApi(conversations=120, paging=paging, links_to=links_to)
    world.serve(service)
    listed = _listing(world)
    assert _as_listed(listed) == _as_served(service)
    assert listed.front == service.newest_first()[0]["updatedAt"]
    assert (listed.is_whole, listed.is_stable, listed.reads) == (True, True, 2)
    assert service.request_counts[LIST] == 2 * 3


@pytest.mark.parametrize(("known", "pages"), [(60, 3), (49, 2), (50, 3), (3, 2), (219, 5)])
def test_it_is_read_to_the_end_of_the_first_page_on_which_all_is_known(
    world: World, known: int, pages: int
) -> None:
    service = DriftApi(conversations=220)
    world.serve(service)
    oldest = service.newest_first()[known]["updatedAt"]
    listed = _listing(world, down_to=oldest)
    assert _as_listed(listed) == [entry for entry in _as_served(service) if entry[0] >= oldest]
    assert listed.is_whole == (pages == 5)
    assert service.request_counts[LIST] == 2 * pages


@pytest.mark.parametrize("at", [50, 74, 99])
def test_a_change_behind_older_conversations_is_found_where_its_page_has_a_newer_one_before(
    world: World, at: int
) -> None:
    """49 changed in the last hour, the 50th ten days ago, one on page 2 a minute ago."""
    service = DriftApi(conversations=220, faults=Faults(misplaced_every=1))
    world.serve(service)
    before = service.newest_first()[48]["updatedAt"]
    changed = service.newest_first()[at]["id"]
    service.write(changed)
    assert service.newest_first()[at]["id"] == changed
    listed = {number for _, number in _as_listed(_listing(world, down_to=before))}
    assert listed == {changed, *(row["id"] for row in service.newest_first()[:49])}


class Unreadable(DriftApi):
    """A service whose second page has times that are texts."""

    def newest_first(self) -> list[dict[str, Any]]:
        rows = super().newest_first()
        unreadable = [{**row, "updatedAt": str(row["updatedAt"])} for row in rows[50:100]]
        return [*rows[:50], *unreadable, *rows[100:]]


def test_a_page_of_which_no_time_can_be_read_does_not_end_a_read(world: World) -> None:
    service = Unreadable(conversations=220)
    world.serve(service)
    oldest = service.newest_first()[120]["updatedAt"]
    listed = _listing(world, down_to=oldest)
    readable = service.newest_first()[:50] + service.newest_first()[100:121]
    assert {number for _, number in _as_listed(listed)} == {row["id"] for row in readable}
    assert listed.unclear == {row["id"] for row in service.newest_first()[50:100]}


@pytest.mark.parametrize("ahead", [1, 3_155_760_000_000])
def test_a_time_that_is_to_come_does_not_move_the_front(world: World, ahead: int) -> None:
    service = DriftApi(conversations=3)
    world.serve(service)
    now = service.newest_first()[0]["updatedAt"]
    service.newest_first()[1]["updatedAt"] = now + ahead
    assert _listing(world, now=now).front == now


def _once(service: DriftApi, page: int, change: Callable[[], None]) -> None:
    """Make something happen right after so manieth page of the list was served."""

    def after(path: str) -> None:
        if path == LIST and service.request_counts[LIST] == page:
            change()

    service.on_response = after


@pytest.mark.parametrize("most_reads", [1, 5])
def test_a_deletion_that_moves_the_rest_loses_no_conversation(
    world: World, most_reads: int
) -> None:
    service = DriftApi(conversations=120)
    world.serve(service)
    first, lost = (service.newest_first()[at]["id"] for at in (0, 50))
    _once(service, 1, lambda: service.delete_conversation(first))
    listed = {number for _, number in _as_listed(_listing(world, most_reads=most_reads))}
    # One read alone loses it: so this test can fail.
    assert (lost in listed) == (most_reads > 1)


def test_a_conversation_that_moves_to_the_front_is_found_by_the_next_read(world: World) -> None:
    service = DriftApi(conversations=120)
    world.serve(service)
    moved = service.newest_first()[110]["id"]
    _once(service, 2, lambda: service.write(moved) and None)
    listed = _listing(world)
    assert _as_listed(listed) == _as_served(service)
    assert (listed.is_stable, listed.reads) == (True, 3)


def test_what_may_have_been_missed_is_newer_than_the_front(world: World) -> None:
    service = DriftApi(conversations=120)
    world.serve(service)
    order = [row["id"] for row in reversed(service.newest_first())]
    service.on_response = lambda path: (
        service.write(order.pop(0)) and None if path == LIST else None
    )
    front = service.newest_first()[0]["updatedAt"]
    listed = _listing(world, most_reads=2)
    assert not listed.is_stable
    assert listed.front == front
    read_entries = set(_as_listed(listed))
    missed = [entry for entry in _as_served(service) if entry not in read_entries]
    assert missed
    assert all(at > front for at, _ in missed)


def test_an_empty_workspace_is_an_empty_list(world: World) -> None:
    world.serve(DriftApi(conversations=0))
    listed = _listing(world)
    assert (_as_listed(listed), listed.front, listed.is_stable) == ([], None, True)
