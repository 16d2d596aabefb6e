"""What is said of a comparison: in a sentence, on the page, and where it is not good enough."""

from datetime import date
from typing import Any

import pytest

from novade_pipeline.defs.reconciliation.comparison import (
    COUNTS,
    KINDS,
    NOTHING_LANDED,
    compare,
    percent,
)
from novade_pipeline.defs.reconciliation.report import report_page

DAYS = date(2026, 3, 1), date(2026, 3, 3)


def row(day: int, event_type: str = "Song", **counts: int) -> dict[str, Any]:
    """A row of the mart in which all events match."""
    sums = dict.fromkeys(COUNTS, 0) | {"segment_events": 10, "amplitude_events": 10}
    sums["matched"] = 10 - counts.get("only_segment", 0)
    examples = {f"{kind}_examples": [f"{kind} <id>"] if counts.get(kind) else [] for kind in KINDS}
    cell = {"event_date": date(2026, 3, day), "event_type": event_type}
    return {**cell, **sums, **counts, **examples}


def test_nothing_landed_fails_nothing_and_says_so() -> None:
    nothing = compare([], 0.99, DAYS)
    assert (nothing.problems, nothing.summary) == ([], NOTHING_LANDED)
    assert "There is nothing to compare yet." in report_page(nothing)


def test_two_stacks_that_agree_lose_nothing() -> None:
    same = compare([row(day) for day in (1, 2, 3)], 1)
    assert (same.problems, same.days) == ([], DAYS)
    assert same.summary.startswith("Nothing would be lost if Segment were switched off today.")
    assert "Nothing: Segment can be switched off." in report_page(same)


def test_too_few_matched_events_fail_with_the_type_that_loses_most() -> None:
    rows = [row(1, only_segment=1), row(2, "<b>", only_segment=3), row(3)]
    lost = compare(rows, 0.9)
    (problem,) = lost.problems
    assert "Amplitude has 86.67% of Segment's 30 events" in problem
    assert "4 events would be lost, most of the type <b> (3)" in problem
    page = report_page(lost)
    assert "Not yet: Segment has what Amplitude lacks." in page
    assert "<b>" not in page
    assert "only_segment &lt;id&gt;" in page
    assert compare(rows, 0.86).problems == []


def test_a_day_without_events_of_a_side_is_missing() -> None:
    rows = [row(1, amplitude_events=0), row(3)]
    comparison = compare(rows, 0, DAYS)
    assert {d.day: side for d, side in comparison.missing_days.items()} == {
        1: "Amplitude",
        2: "Segment or Amplitude",
    }
    (problem,) = comparison.problems
    assert problem.startswith("2 days lack events: 2026-03-01 of Amplitude, 2026-03-02 of Seg")
    page = report_page(comparison)
    assert "Unknown: there are days that one of the two lacks." in page
    assert 'class="missing"' in page
    # Days outside of the window do not count.
    assert compare(rows, 0, (date(2026, 3, 3), date(2026, 3, 3))).problems == []


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (1, "100%"), (0.999999, "99.99%"), (1e-9, "0.01%"), (0.5, "50.00%")],
    ids=["none", "all", "nearly all", "nearly none", "half"],
)
def test_only_all_is_a_hundred_percent(share: float, text: str) -> None:
    assert percent(share) == text
