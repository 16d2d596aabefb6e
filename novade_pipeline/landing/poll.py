"""One poll of a source: its newest days, or the next page of its sweep."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from novade_pipeline.landing.discovery import (
    LAST_NAME,
    PollCursor,
    Sweep,
    first_days_window,
    stems_of,
)
from novade_pipeline.landing.files import LandedFile, landed_files
from novade_pipeline.landing.ledger import LoadPlan, Rules, plan_load, read_ledger
from novade_pipeline.landing.source import Source, find_pending
from novade_pipeline.storage import store as storage
from novade_pipeline.storage.store import Page, Store


@dataclass(frozen=True)
class Poll:
    """The result of a poll.

    Attributes:
        plan: what is to be loaded.
        stems: path prefixes for a load that lists only its own days; empty where it has to list
            everything.
        cursor: for the next poll; it advances only where nothing is to be loaded.
    """

    plan: LoadPlan
    stems: tuple[str, ...]
    cursor: PollCursor | None

    @staticmethod
    def empty(stems: tuple[str, ...] = (), cursor: PollCursor | None = None) -> "Poll":
        """Nothing is to be loaded."""
        return Poll(LoadPlan({}, (), None, ()), stems, cursor)


def poll_source(
    source: Source,
    landing: Store,
    lake: Store,
    rules: Rules,
    cursor: PollCursor | None,
    period: timedelta,
    now: datetime | None = None,
    *,
    newest_days: bool = True,
) -> Poll:
    """Find new files, at a cost that does not grow with the old ones.

    Args:
        cursor: of the previous poll; None lists everything.
        period: how often everything is listed, page by page.
        newest_days: list these too; unnecessary with a queue that reports new files.
    """
    now = now or datetime.now(UTC)
    if cursor is None or (cursor.is_small and newest_days) or source.is_undated is not None:
        # Names without a day cannot be listed by day.
        return _poll_all(source, landing, lake, rules, now)
    if newest_days:
        for window in cursor.recent(now):
            plan = find_pending(source, landing, lake, rules, window, cursor.stems)
            if not plan.is_empty:
                return Poll(plan, cursor.stems, cursor)
            newest = max((hour.date() for hour in plan.known), default=cursor.newest)
            cursor = replace(cursor, newest=max(newest, cursor.newest))
    sweep = cursor.sweep.next_page(now, period)
    if sweep is None:
        return Poll.empty(cursor.stems, cursor)
    return _poll_page(source, landing, lake, rules, replace(cursor, sweep=sweep), now)


def _poll_all(source: Source, landing: Store, lake: Store, rules: Rules, now: datetime) -> Poll:
    files = source.files(landing, rules)
    plan = plan_load(
        files,
        read_ledger(lake, source.ledger, source.name),
        rules,
        is_undated=source.lacks_a_date,
    )
    dated = [file.hour.date() for file in files if file.hour is not None]
    if not dated:
        return Poll(plan, (), None)
    is_small = len(files) < storage.PAGE_ENTRIES
    cursor = PollCursor(max(dated), _stems(files), Sweep(now, is_done=True), is_small)
    return Poll(plan, (), cursor if plan.is_empty else None)


def _poll_page(
    source: Source, landing: Store, lake: Store, rules: Rules, cursor: PollCursor, now: datetime
) -> Poll:
    """List one page; it is listed again until nothing on it is to be loaded."""
    sweep = cursor.sweep
    page = next(landing.pages(f"{source.folder}/", sweep.following), Page((), None))
    files = source.select(landed_files(page.entries, source.hour_of), rules)
    last = LAST_NAME
    if page.following:
        # A page may have folders only.
        last = page.entries[-1].file if page.entries else sweep.after
    rows = read_ledger(lake, source.ledger, source.name, names=(sweep.after, last))
    page_plan = plan_load(files, rows, rules)
    stems = tuple(sorted({*cursor.stems, *_stems(files)}))
    if page_plan.unplaced is not None:
        # Files of no hour are accounted for together.
        return Poll(find_pending(source, landing, lake, rules), (), cursor)
    if span := first_days_window(page_plan.days):
        plan = find_pending(source, landing, lake, rules, span, stems)
        if not plan.is_empty:
            return Poll(plan, stems, cursor)
    following = replace(sweep, following=page.following, after=last, is_done=not page.following)
    is_small = not sweep.after and not page.following
    return Poll.empty(stems, replace(cursor, stems=stems, sweep=following, is_small=is_small))


def _stems(files: Sequence[LandedFile]) -> tuple[str, ...]:
    return tuple(sorted(stems_of((file.file, file.hour) for file in files)))
