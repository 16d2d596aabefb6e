"""What is wanted: the listing against the ledger, as pure functions."""

import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.files import LandedFile
from novade_pipeline.landing.ledger import LoadPlan, Rules, assign_hours, plan_load, windows
from novade_pipeline.landing.tables import LedgerRow

FIRST = datetime(2026, 3, 1, 22, tzinfo=UTC)
NOW = datetime(2026, 3, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
Rule = Callable[..., Rules]


def _file(name: str, hour: int | None = 0, etag: str = "1") -> LandedFile:
    return LandedFile(name, etag, 9, NOW, None if hour is None else FIRST + hour * HOUR)


def _row(name: str, hour: int | None = 0, etag: str = "1", **changes: Any) -> LedgerRow:
    moment = None if hour is None else FIRST + hour * HOUR
    known = {
        **{"source": "plays", "file": name, "etag": etag, "size": 9, "upload_hour": moment},
        **{"lines": 1, "rows": 1, "repeated": 0, "quarantined": 0, "blank": 0, "refused": False},
        **{"parser_version": 1, "personal_data": "keep", "loaded_at": NOW - DAY},
    }
    return LedgerRow(**{**known, **changes})


def _hours(plan: LoadPlan) -> dict[int, list[str]]:
    """Hour, counted from the first -> the names of its files."""
    return {
        int((hour - FIRST) / HOUR): [file.file for file in files]
        for hour, files in plan.hours.items()
    }


def test_what_the_ledger_knows_is_not_wanted(rules: Rule) -> None:
    plan = plan_load([_file("a")], [_row("a")], rules(), now=NOW)
    assert plan.is_empty
    assert plan.known == [FIRST]


def test_a_new_file_makes_its_whole_hour_wanted(rules: Rule) -> None:
    listing = [_file("b"), _file("a"), _file("other", 1)]
    plan = plan_load(listing, [_row("a"), _row("other", 1)], rules(), now=NOW)
    assert _hours(plan) == {0: ["a", "b"]}


AGAIN: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "nothing changed": ({}, {}, False),
    "another export": ({"etag": "0"}, {}, True),
    "another policy": ({"personal_data": "hash:1"}, {}, True),
    "it was gone for a while": ({"missing_since": NOW - DAY}, {}, True),
    "everything again": ({}, {"reload": True}, True),
    "refused by an older parser": ({"refused": True}, {"parser_version": 2}, False),
    "refused by an older parser, retry": (
        {"refused": True},
        {"parser_version": 2, "retry_quarantined": True},
        True,
    ),
    "a line refused by an older parser, retry": (
        {"quarantined": 1},
        {"parser_version": 2, "retry_quarantined": True},
        True,
    ),
    "refused by this parser, retry": ({"refused": True}, {"retry_quarantined": True}, False),
    "good by an older parser, retry": (
        {},
        {"parser_version": 2, "retry_quarantined": True},
        False,
    ),
}


@pytest.mark.parametrize(("row", "rule", "is_wanted"), AGAIN.values(), ids=AGAIN)
def test_a_file_that_the_ledger_knows_is_wanted_again(
    row: dict[str, Any], rule: dict[str, Any], is_wanted: bool, rules: Rule
) -> None:
    plan = plan_load([_file("a")], [_row("a", **row)], rules(**rule), now=NOW)
    assert _hours(plan) == ({0: ["a"]} if is_wanted else {})


GONE: dict[str, tuple[datetime | None, timedelta, str]] = {
    "newly gone": (None, DAY, "noted"),
    "gone within the grace period": (NOW - HOUR, DAY, "nothing"),
    "gone for exactly the grace period": (NOW - DAY, DAY, "loaded"),
    "gone for longer": (NOW - 2 * DAY, DAY, "loaded"),
    "no grace period": (None, timedelta(0), "loaded"),
}


@pytest.mark.parametrize(("since", "grace", "what"), GONE.values(), ids=GONE)
def test_a_file_that_is_gone(
    since: datetime | None, grace: timedelta, what: str, rules: Rule
) -> None:
    ledger = [_row("a", missing_since=since), _row("b")]
    plan = plan_load([_file("b")], ledger, rules(grace=grace), now=NOW)
    assert [row.missing_since for row in plan.missing] == ([NOW] if what == "noted" else [])
    assert _hours(plan) == ({0: ["b"]} if what == "loaded" else {})


def test_the_last_file_of_an_hour_that_is_gone_leaves_an_hour_to_clear(rules: Rule) -> None:
    plan = plan_load([], [_row("a")], rules(), now=NOW)
    assert _hours(plan) == {0: []}
    assert plan.days == [FIRST.date()]


def test_only_hours_within_the_window_are_wanted(rules: Rule) -> None:
    listing = [_file(str(hour), hour) for hour in range(4)]
    ledger = [_row(f"gone {hour}", hour) for hour in range(4)]
    within = Window(FIRST + HOUR, FIRST + 3 * HOUR)
    plan = plan_load(listing, ledger, rules(), within=within, now=NOW)
    assert list(_hours(plan)) == [1, 2]
    late = plan_load([], ledger, rules(grace=DAY), within=within, now=NOW)
    assert [row.file for row in late.missing] == ["gone 1", "gone 2"]


def test_files_without_a_place_are_wanted_in_every_window(rules: Rule) -> None:
    within = Window(FIRST, FIRST + HOUR)
    listing = [_file("stray", None), _file("old stray", None)]
    plan = plan_load(listing, [_row("old stray", None)], rules(), within=within, now=NOW)
    assert [file.file for file in plan.unplaced or ()] == ["stray", "old stray"]
    assert not plan.hours


def test_files_without_a_place_that_the_ledger_knows_are_not_wanted(rules: Rule) -> None:
    plan = plan_load([_file("stray", None)], [_row("stray", None)], rules(), now=NOW)
    assert plan.unplaced is None


def test_a_file_without_a_place_that_is_gone_is_taken_off_the_list(rules: Rule) -> None:
    plan = plan_load([], [_row("stray", None)], rules(), now=NOW)
    assert plan.unplaced == []


def test_a_file_that_gets_a_place_is_loaded_and_taken_off_the_list(rules: Rule) -> None:
    plan = plan_load([_file("a", 0)], [_row("a", None)], rules(), now=NOW)
    assert _hours(plan) == {0: ["a"]}
    assert plan.unplaced == []


@pytest.mark.parametrize("within", [None, Window(FIRST + HOUR, FIRST + 2 * HOUR)])
def test_a_file_that_loses_its_place_has_its_hour_cleared_whatever_the_window(
    within: Window | None, rules: Rule
) -> None:
    plan = plan_load([_file("a", None)], [_row("a", 0)], rules(), within=within, now=NOW)
    assert _hours(plan) == {0: []}
    assert [file.file for file in plan.unplaced or ()] == ["a"]


def test_hours_before_the_first_day_and_to_come_have_no_place(rules: Rule) -> None:
    listing = [_file(str(hour), hour) for hour in (-23, -22, 0, 1, 2, 3)]
    plan = assign_hours(listing, rules(first_day=date(2026, 3, 1)), now=FIRST + HOUR)
    assert [file.file for file in plan if file.hour is not None] == ["-22", "0", "1", "2"]
    assert len(plan) == len(listing)


def test_the_days_wanted_are_those_of_the_hours_and_of_what_is_newly_gone(rules: Rule) -> None:
    gone = _row("gone", 30, upload_date=date(2026, 3, 3))
    plan = plan_load([_file("a", 0), _file("b", 1)], [gone], rules(grace=DAY), now=NOW)
    assert plan.days == [date(2026, 3, 1), date(2026, 3, 3)]


WINDOWS: dict[str, tuple[list[int], list[int], list[tuple[int, int]]]] = {
    "none": ([], [1, 2], []),
    "one": ([1], [0, 1, 2], [(1, 2)]),
    "neighbours": ([1, 2], [0, 1, 2, 3], [(1, 3)]),
    "a known hour between": ([1, 3], [1, 2, 3], [(1, 2), (3, 4)]),
    "nothing known between": ([1, 9], [0, 1, 9], [(1, 10)]),
    "two groups": ([1, 2, 5, 7], [1, 2, 3, 5, 7], [(1, 3), (5, 8)]),
}


@pytest.mark.parametrize(("hours", "known", "joined"), WINDOWS.values(), ids=WINDOWS)
def test_hours_are_joined_where_nothing_lies_between(
    hours: list[int], known: list[int], joined: list[tuple[int, int]]
) -> None:
    plan = windows([FIRST + h * HOUR for h in hours], [FIRST + h * HOUR for h in known])
    assert plan == [Window(FIRST + a * HOUR, FIRST + b * HOUR) for a, b in joined]


@given(
    hours=st.sets(st.integers(0, 20), min_size=1), others=st.sets(st.integers(0, 20), max_size=20)
)
def test_windows_hold_the_wanted_hours_and_no_other_known_one(
    hours: set[int], others: set[int]
) -> None:
    chosen = sorted(FIRST + h * HOUR for h in hours)
    known = sorted(FIRST + h * HOUR for h in hours | others)
    plan = windows(chosen, known)
    held = [h for h in known if any(w.start <= h < w.end for w in plan)]
    assert held == chosen
    assert all(a.end < b.start or a.end == b.start for a, b in itertools.pairwise(plan))
