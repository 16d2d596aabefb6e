"""The list of conversations: each once, none lost, whichever way it pages and however it moves."""

from collections.abc import Callable
from typing import Any, Literal

import pytest

from novade_pipeline.defs.drift.listing import Listing, listing
from novade_pipeline.sandbox.drift_api import DriftApi

World = Any
LIST = "/conversations/list"


def _listing(world: World, down_to: int | None = None, most_reads: int = 5) -> Listing:
    with world.client(world.settings()) as client:
        return listing(client, down_to=down_to, most_reads=most_reads)


def _as_told(service: DriftApi) -> list[tuple[int, int]]:
    return [(row["updatedAt"], row["id"]) for row in reversed(service.newest_first())]


def _as_found(found: Listing) -> list[tuple[int, int]]:
    return [(row["updated_at"], row["id"]) for row in found.changed.to_pylist()]


@pytest.mark.parametrize("links_to", ["", "https://api.drift.example"])
@pytest.mark.parametrize("paging", ["links", "pagination"])
def test_either_way_of_paging_tells_each_conversation_once(
    world: World, paging: Literal["links", "pagination"], links_to: str
) -> None:
    service = DriftApi(conversations=120, paging=paging, links_to=links_to)
    world.serve(service)
    found = _listing(world)
    assert _as_found(found) == _as_told(service)
    assert found.front == service.newest_first()[0]["updatedAt"]
    assert (found.is_whole, found.is_settled, found.reads) == (True, True, 2)
    assert service.asked[LIST] == 2 * 3


def test_it_is_read_down_to_what_is_known_and_no_further(world: World) -> None:
    service = DriftApi(conversations=220)
    world.serve(service)
    oldest = service.newest_first()[60]["updatedAt"]
    found = _listing(world, down_to=oldest)
    assert _as_found(found) == [one for one in _as_told(service) if one[0] >= oldest]
    assert not found.is_whole
    assert service.asked[LIST] == 2 * 2


def _once(service: DriftApi, page: int, change: Callable[[], None]) -> None:
    """Make something happen right after so manieth page of the list was told."""

    def after(path: str) -> None:
        if path == LIST and service.asked[LIST] == page:
            change()

    service.after = after


@pytest.mark.parametrize("most_reads", [1, 5])
def test_a_deletion_that_moves_the_rest_loses_no_conversation(
    world: World, most_reads: int
) -> None:
    service = DriftApi(conversations=120)
    world.serve(service)
    first, lost = (service.newest_first()[at]["id"] for at in (0, 50))
    _once(service, 1, lambda: service.delete_conversation(first))
    found = {number for _, number in _as_found(_listing(world, most_reads=most_reads))}
    # One read alone loses it: so this test can fail.
    assert (lost in found) == (most_reads > 1)


def test_a_conversation_that_moves_to_the_front_is_found_by_the_next_read(world: World) -> None:
    service = DriftApi(conversations=120)
    world.serve(service)
    moved = service.newest_first()[110]["id"]
    _once(service, 2, lambda: service.write(moved) and None)
    found = _listing(world)
    assert _as_found(found) == _as_told(service)
    assert (found.is_settled, found.reads) == (True, 3)


def test_what_may_have_been_missed_is_newer_than_the_front(world: World) -> None:
    service = DriftApi(conversations=120)
    world.serve(service)
    order = [row["id"] for row in reversed(service.newest_first())]
    service.after = lambda path: service.write(order.pop(0)) and None if path == LIST else None
    front = service.newest_first()[0]["updatedAt"]
    found = _listing(world, most_reads=2)
    assert not found.is_settled
    assert found.front == front
    told = set(_as_found(found))
    missed = [one for one in _as_told(service) if one not in told]
    assert missed
    assert all(at > front for at, _ in missed)


def test_an_empty_workspace_is_an_empty_list(world: World) -> None:
    world.serve(DriftApi(conversations=0))
    found = _listing(world)
    assert (_as_found(found), found.front, found.is_settled) == ([], None, True)
