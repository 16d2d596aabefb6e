"""Running an iterator ahead of its reader."""

import threading
from collections.abc import Iterator

import pytest

from novade_pipeline.lake.prefetch import prefetch


def _threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "prefetch"]


@pytest.mark.parametrize("ahead", [1, 2, 100])
def test_items_come_in_their_order(ahead: int) -> None:
    assert list(prefetch(iter(range(50)), ahead)) == list(range(50))


def test_nothing_comes_of_nothing() -> None:
    assert list(prefetch([])) == []


def test_none_is_an_item_like_any_other() -> None:
    assert list(prefetch([None, 1, None])) == [None, 1, None]


def test_what_the_iterator_raises_is_raised_after_its_items() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise KeyError("here")

    items = prefetch(broken())
    assert next(items) == 1
    with pytest.raises(KeyError, match="here"):
        next(items)
    assert _threads() == []


def test_the_iterator_runs_ahead_by_a_bounded_number() -> None:
    made: list[int] = []
    asked = threading.Semaphore(0)

    def source() -> Iterator[int]:
        for n in range(100):
            made.append(n)
            asked.release()
            yield n

    items = prefetch(source(), ahead=2)
    assert next(items) == 0
    # One given, two waiting, one in hand: four are made before anybody asks again.
    for _ in range(4):
        assert asked.acquire(timeout=10)
    assert not asked.acquire(timeout=0.3)
    assert made == [0, 1, 2, 3]
    items.close()


def test_closing_stops_the_thread_before_it_returns() -> None:
    def endless() -> Iterator[int]:
        n = 0
        while True:
            n += 1
            yield n

    items = prefetch(endless())
    assert [next(items), next(items)] == [1, 2]
    items.close()
    assert _threads() == []


def test_the_source_runs_in_a_thread_of_its_own() -> None:
    idents = prefetch(threading.get_ident() for _ in range(1))
    assert list(idents) != [threading.get_ident()]
