"""Looking for what is new: the newest days by their names, the rest page by page."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.discovery import (
    MOST_PREFIXES,
    PollCursor,
    Sweep,
    day_prefixes,
    dump_cursors,
    parse_cursors,
    stems_of,
)
from novade_pipeline.landing.load import load
from novade_pipeline.landing.poll import Poll, poll_source
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage import store as storage
from novade_pipeline.storage.store import Page, Store
from novade_pipeline_tests.landing.conftest import FIRST, Shop, a_rule

PERIOD = timedelta(hours=6)
DAY = timedelta(days=1)
LINE = b'{"uuid":"a"}'


class Watcher:
    """Looks at a shop again and again, and loads what each look wants."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.now = FIRST + timedelta(days=36)
        self.cursor: PollCursor | None = None

    def poll(self) -> Poll:
        """One look; what it has seen is remembered as a sensor remembers it."""
        result = poll_source(
            self.shop.source,
            self.shop.landing,
            self.shop.lake,
            a_rule(),
            self.cursor,
            PERIOD,
            self.now,
        )
        text = dump_cursors({"plays": result.cursor} if result.cursor else {})
        self.cursor = parse_cursors(text).get("plays")
        return result

    def load(self) -> bool:
        """Look, and load what is wanted as a run would; whether anything was."""
        result = self.poll()
        if result.plan.is_empty:
            return False
        load(
            self.shop.source,
            self.shop.landing,
            self.shop.lake,
            PersonalDataPolicy(),
            result.plan,
        )
        return True

    def settle(self, looks: int = 30) -> int:
        """Look until a whole sweep has found nothing; how many loads that took."""
        self.now += PERIOD
        loads = 0
        for _ in range(looks):
            loads += self.load()
            if self.cursor is None or (
                self.cursor.sweep.is_done and self.cursor.sweep.begun == self.now
            ):
                return loads
        raise AssertionError("a sweep that does not end")


@pytest.fixture
def watcher(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Watcher:
    """Pages of three names, and 40 days of two files that are loaded."""
    monkeypatch.setattr(storage, "PAGE_ENTRIES", 3)
    for day in range(0, 40, 8):
        shop.land(_name(shop, day), LINE)
        shop.land(_name(shop, day, 1), LINE.replace(b"a", b"b"))
    result = Watcher(shop)
    assert result.load()
    assert not result.load()
    return result


def _name(shop: Shop, day: int, part: int = 0) -> str:
    return shop.name(day * 24, part)


def _listed(monkeypatch: pytest.MonkeyPatch, root: Store) -> list[str]:
    """What is listed from now on."""
    listed: list[str] = []
    pages = type(root).pages

    def counted(self: Store, prefix: str = "", following: str | None = None) -> Iterator[Page]:
        for page in pages(self, prefix, following):
            listed.extend(entry.file.rsplit("/", 1)[-1] for entry in page.entries)
            yield page

    monkeypatch.setattr(type(root), "pages", counted)
    return listed


def test_a_new_file_of_the_newest_days_is_found_without_listing_the_old(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = _name(watcher.shop, 33)
    watcher.shop.land(new, LINE)
    listed = _listed(monkeypatch, watcher.shop.landing)
    result = watcher.poll()
    assert [[file.name for file in files] for files in result.plan.hours.values()] == [[new]]
    assert set(listed) == {_name(watcher.shop, 32), _name(watcher.shop, 32, 1), new}


@pytest.mark.parametrize("follows", [True, False], ids=["next", "now"])
def test_after_a_long_silence_what_follows_and_what_is_of_today_is_found(
    watcher: Watcher, follows: bool
) -> None:
    assert watcher.cursor is not None
    watcher.now = datetime.now(UTC)
    new = FIRST + 33 * DAY if follows else watcher.now - DAY
    watcher.cursor = replace(watcher.cursor, sweep=Sweep(watcher.now, is_done=True))
    name = f"{new:%Y-%m-%d}_{new.hour}#0.json.gz"
    watcher.shop.land(name, LINE)
    result = watcher.poll()
    assert [[file.name for file in files] for files in result.plan.hours.values()] == [[name]]


def test_an_old_hour_that_is_exported_again_is_found_when_everything_is_looked_at_again(
    watcher: Watcher,
) -> None:
    watcher.shop.land(_name(watcher.shop, 0), LINE, LINE.replace(b"a", b"c"))
    assert not watcher.load()
    assert watcher.settle() == 1
    assert watcher.shop.plan().is_empty
    assert len(watcher.shop.rows()) == 11


def test_an_old_file_that_is_gone_is_found(watcher: Watcher) -> None:
    watcher.shop.remove(_name(watcher.shop, 0))
    watcher.shop.remove(_name(watcher.shop, 16, 1))
    assert watcher.settle() == 2
    assert watcher.shop.plan().is_empty
    assert len(watcher.shop.rows()) == 8


def test_files_of_a_name_that_was_never_seen_are_found(watcher: Watcher) -> None:
    name = _name(watcher.shop, 8)
    watcher.shop.upload(name, watcher.shop.landing.read(f"shop/plays/{name}"), "shop/plays/more")
    assert watcher.settle() == 1
    assert watcher.shop.plan().is_empty
    assert "shop/plays/more/" in "".join(watcher.cursor.stems if watcher.cursor else ())


def test_a_file_whose_name_says_nothing_is_found(watcher: Watcher) -> None:
    watcher.shop.land("stray.json.gz", LINE)
    assert not watcher.load()
    assert watcher.settle() == 1
    assert [row["file"] for row in watcher.shop.quarantine()] == ["shop/plays/stray.json.gz"]
    assert watcher.settle() == 0


def test_a_page_is_looked_at_again_until_what_it_wanted_is_loaded(watcher: Watcher) -> None:
    watcher.shop.land(_name(watcher.shop, 0), LINE.replace(b"a", b"c"))
    watcher.now += PERIOD
    hours = [list(watcher.poll().plan.hours) for _ in range(3)]
    assert hours == [[FIRST]] * 3


def test_a_page_without_a_file_loses_nothing(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = type(watcher.shop.landing).pages

    def gapped(self: Store, prefix: str = "", following: str | None = None) -> Iterator[Page]:
        if following is not None and following.startswith("gap "):
            yield Page((), following.removeprefix("gap "))
            return
        for page in pages(self, prefix, following):
            yield replace(page, following=f"gap {page.following}") if page.following else page

    monkeypatch.setattr(type(watcher.shop.landing), "pages", gapped)
    watcher.shop.remove(_name(watcher.shop, 16, 1))
    assert watcher.settle(60) == 1
    assert watcher.shop.plan().is_empty


def test_between_two_sweeps_only_the_newest_days_are_listed(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher.settle()
    listed = _listed(monkeypatch, watcher.shop.landing)
    watcher.now += PERIOD - timedelta(seconds=1)
    watcher.poll()
    assert {name[:10] for name in listed} == {_name(watcher.shop, 32)[:10]}
    watcher.now += timedelta(seconds=1)
    watcher.poll()
    assert _name(watcher.shop, 0) in listed


def test_what_fits_into_one_page_is_looked_at_whole_unless_a_queue_tells(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "PAGE_ENTRIES", 100)
    watcher.settle()
    assert watcher.cursor is not None
    assert watcher.cursor.is_small
    listed = _listed(monkeypatch, watcher.shop.landing)
    source, landing, lake = watcher.shop.source, watcher.shop.landing, watcher.shop.lake
    cursor, rules = watcher.cursor, a_rule()
    poll_source(source, landing, lake, rules, cursor, PERIOD, watcher.now, newest_days=False)
    assert listed == []
    watcher.poll()
    assert _name(watcher.shop, 0) in listed


def test_without_anything_remembered_everything_is_looked_at(watcher: Watcher) -> None:
    watcher.shop.land(_name(watcher.shop, 1), LINE)
    watcher.cursor = None
    assert watcher.load()
    assert watcher.shop.plan().is_empty


def test_an_empty_landing_zone_wants_nothing(shop: Shop) -> None:
    watcher = Watcher(shop)
    assert [watcher.load(), watcher.load()] == [False, False]
    shop.land(shop.name(0), LINE)
    assert watcher.load()


@pytest.mark.parametrize("new_store", ["disk"], indirect=True)
def test_whatever_happens_a_sweep_leaves_nothing_to_be_wanted(
    new_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a monkeypatched page size; the places are made anew for each example."""
    monkeypatch.setattr(storage, "PAGE_ENTRIES", 2)
    numbers = iter(range(1_000))

    @settings(max_examples=25)
    @given(
        st.lists(
            st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1), st.booleans()), max_size=4),
            max_size=4,
        )
    )
    def run(rounds: list[list[tuple[int, int, bool]]]) -> None:
        number = next(numbers)
        watcher = Watcher(Shop(lambda name: new_store(f"{number}-{name}")))
        for changes in rounds:
            for day, part, is_there in changes:
                name = _name(watcher.shop, day * 7, part)
                if is_there:
                    watcher.shop.land(name, LINE)
                elif name in watcher.shop.names():
                    watcher.shop.remove(name)
            watcher.settle()
            assert watcher.shop.plan().is_empty

    run()


def test_stems_are_what_stands_before_the_day() -> None:
    hour = datetime(2026, 3, 1, 9, tzinfo=UTC)
    files = [("a/1_2026-03-01_9#0", hour), ("b/2026-03-01", hour), ("c/march", hour), ("d", None)]
    assert stems_of(files) == {"a/1_", "b/"}


def test_days_are_asked_for_by_name_unless_there_are_too_many() -> None:
    first = datetime(2026, 3, 1, tzinfo=UTC)
    assert day_prefixes({"x_", "a_"}, Window(first, first + 2 * DAY)) == [
        *("a_2026-03-01", "a_2026-03-02", "x_2026-03-01", "x_2026-03-02"),
    ]
    assert day_prefixes({"x"}, Window(first, first + timedelta(hours=1))) == ["x2026-03-01"]
    assert len(day_prefixes({"x"}, Window(first, first + MOST_PREFIXES * DAY))) == MOST_PREFIXES
    assert day_prefixes({"x"}, Window(first, first + (MOST_PREFIXES + 1) * DAY)) == []
    assert day_prefixes(set(), Window(first, first + DAY)) == []


def test_a_cursor_of_another_form_remembers_nothing() -> None:
    assert (
        parse_cursors(None)
        == parse_cursors("")
        == parse_cursors("2026")
        == parse_cursors('{"a":1}')
        == {}
    )
    cursor = {"x": PollCursor(FIRST.date(), ("a", "b"), Sweep(FIRST, "p", "q"))}
    assert parse_cursors(dump_cursors(cursor)) == cursor
