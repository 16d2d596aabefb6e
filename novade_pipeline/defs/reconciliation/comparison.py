"""What Segment and Amplitude have of some days, and whether Segment can be switched off."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from novade_pipeline.plurals import counted

Row = Mapping[str, Any]
"""A day and an event type of the mart."""

MART = "reconciliation"
SIDES = {
    "segment_events": "in Segment",
    "amplitude_events": "in Amplitude",
    "matched": "in both",
}
KINDS = {
    "only_segment": "only in Segment",
    "only_amplitude": "only in Amplitude",
    "other_time": "at another time",
    "other_properties": "with other properties",
    "segment_twice": "twice in Segment",
    "amplitude_twice": "twice in Amplitude",
}
"""Kind of difference, a column of the mart -> what an event of it is."""
COUNTS = (*SIDES, *KINDS)
NOTHING_LANDED = (
    "There is no day that both Segment and Amplitude recorded, so nothing is compared; see "
    "docs/sources.md for how Segment's tables are landed."
)


@dataclass(frozen=True)
class Comparison:
    """Some days of both sides.

    Attributes:
        days: the first and the last day; None if nothing is compared.
        rows: of the mart on these days, in order.
        required_share: of Segment's events that Amplitude has to have.
    """

    days: tuple[date, date] | None
    rows: Sequence[Row]
    required_share: float

    @cached_property
    def totals(self) -> dict[str, int]:
        """Count -> its sum."""
        return _sums(self.rows)

    @cached_property
    def by_day(self) -> dict[date, dict[str, int]]:
        """Day -> its sums; every day of the window is there."""
        grouped = _grouped(self.rows, "event_date")
        return {day: _sums(grouped.get(day, ())) for day in self._all_days()}

    @cached_property
    def by_type(self) -> dict[str, dict[str, int]]:
        """Event type -> its sums, the one that would lose most first."""
        sums = {name: _sums(rows) for name, rows in _grouped(self.rows, "event_type").items()}
        order = sorted(
            sums, key=lambda n: (-sums[n]["only_segment"], -sums[n]["segment_events"], n)
        )
        return {name: sums[name] for name in order}

    @property
    def share(self) -> float:
        """Of Segment's events, those that Amplitude has; 1 where Segment has none."""
        segment = self.totals["segment_events"]
        return self.totals["matched"] / segment if segment else 1.0

    @property
    def share_problem(self) -> str | None:
        """That too few events are matched, and what to do; None if enough are."""
        if self.days is None or self.share >= self.required_share:
            return None
        name, worst = next(iter(self.by_type.items()))
        return (
            f"Amplitude has {percent(self.share)} of Segment's "
            f"{counted(self.totals['segment_events'], 'event')}, and "
            f"NOVADE_RECONCILIATION_MATCHED_SHARE asks for {percent(self.required_share)}: "
            f"{counted(self.totals['only_segment'], 'event')} would be lost, most of the type "
            f"{name} ({worst['only_segment']:,}). See their ids in only_segment_examples of "
            "marts/reconciliation, and let what sends them to Segment send them to Amplitude too."
        )

    @cached_property
    def missing_days(self) -> dict[date, str]:
        """Day without events of a side -> that side; or `Segment or Amplitude`.

        A day outside of those that the mart compares is one that a side does not have.
        """
        missing = {}
        for day, sums in self.by_day.items():
            absent = [n for n in ("segment", "amplitude") if not sums[f"{n}_events"]]
            if absent:
                missing[day] = " or ".join(name.capitalize() for name in absent)
        return missing

    @property
    def days_problem(self) -> str | None:
        """That days are missing, and what to do; None if none is."""
        if not self.missing_days:
            return None
        shown = [f"{day} of {side}" for day, side in list(self.missing_days.items())[:3]]
        more = len(self.missing_days) - len(shown)
        listed = ", ".join([*shown, *([f"and {more} more"] if more else [])])
        return (
            f"{counted(len(self.missing_days), 'day lacks', 'days lack')} events: {listed}. Land "
            "the files of these days and run again, or set NOVADE_RECONCILIATION_WINDOW to the "
            "days that both recorded."
        )

    @property
    def problems(self) -> list[str]:
        """What is wrong, a sentence for each check that fails."""
        return [p for p in (self.share_problem, self.days_problem) if p is not None]

    @property
    def summary(self) -> str:
        """In one or two sentences, what would be lost if Segment were switched off."""
        if self.days is None:
            return NOTHING_LANDED
        first, last = self.days
        total, lost = self.totals["segment_events"], self.totals["only_segment"]
        span = f"From {first} to {last}, {counted(len(self.by_day), 'day')},"
        if not total:
            return f"{span} Segment recorded nothing: there is nothing to lose."
        differing = (
            f"In both, but at another time: {self.totals['other_time']:,}; with other properties: "
            f"{self.totals['other_properties']:,}."
        )
        if not lost:
            return (
                f"Nothing would be lost if Segment were switched off today. {span} Amplitude has "
                f"all of Segment's {counted(total, 'event')}. {differing}"
            )
        types = {name: sums["only_segment"] for name, sums in self.by_type.items()}
        most = [f"{name} ({count:,})" for name, count in list(types.items())[:3] if count]
        return (
            f"If Segment were switched off today, {percent(lost / total)} of its events would be "
            f"lost: {counted(lost, 'event')} of {total:,}, most of the type {', '.join(most)}. "
            f"{span} Amplitude has {percent(self.share)}. {differing}"
        )

    def _all_days(self) -> list[date]:
        if self.days is None:
            return []
        first, last = self.days
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def compare(
    rows: Iterable[Row], required_share: float, days: tuple[date, date] | None = None
) -> Comparison:
    """The comparison of some days; by default those of the mart.

    Args:
        rows: all of the mart.
    """
    ordered = sorted(rows, key=lambda row: (row["event_date"], row["event_type"]))
    if ordered and days is None:
        days = ordered[0]["event_date"], ordered[-1]["event_date"]
    if not ordered or days is None:
        return Comparison(None, (), required_share)
    first, last = days
    within = [row for row in ordered if first <= row["event_date"] <= last]
    return Comparison(days, within, required_share)


def percent(share: float) -> str:
    """A share as `99.98%`, rounded so that only all is 100% and only none is 0%."""
    if share in (0, 1):
        return f"{share:.0%}"
    return f"{min(max(share * 100, 0.01), 99.99):.2f}%"


def _grouped(rows: Iterable[Row], column: str) -> dict[Any, list[Row]]:
    grouped: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row[column]].append(row)
    return dict(grouped)


def _sums(rows: Iterable[Row]) -> dict[str, int]:
    rows = list(rows)
    return {name: sum(row[name] for row in rows) for name in COUNTS}
