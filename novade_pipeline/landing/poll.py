"""One look at a source: what is wanted of its newest days, or of the next page of its sweep."""

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
    """What a look found.

    Attributes:
        plan: what is to be loaded.
        stems: how paths begin, for a load that lists only its own days; empty where it has to list
            everything.
        cursor: for the next poll; it moves on only where nothing is wanted.
    """

    plan: LoadPlan
    stems: tuple[str, ...]
    cursor: PollCursor | None

    @staticmethod
    def empty(stems: tuple[str, ...] = (), cursor: PollCursor | None = None) -> "Poll":
        """Nothing is wanted."""
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
    """Find what is new, at a cost that does not grow with what is old.

    Args:
        seen: what the look before has seen; None looks at everything.
        period: how often everything is looked at, page by page.
        newest_days: list these too; a queue that tells of new files spares it.
    """
    now = now or datetime.now(UTC)
    if cursor is None or (cursor.is_small and newest_days) or source.is_undated is not None:
        # Names that say no day cannot be asked for by day.
        return _whole(source, landing, lake, rules, now)
    if newest_days:
        for window in cursor.recent(now):
            todo = find_pending(source, landing, lake, rules, window, cursor.stems)
            if not todo.is_empty:
                return Poll(todo, cursor.stems, cursor)
            newest = max((hour.date() for hour in todo.known), default=cursor.newest)
            cursor = replace(cursor, newest=max(newest, cursor.newest))
    sweep = cursor.sweep.next_page(now, period)
    if sweep is None:
        return Poll.empty(cursor.stems, cursor)
    return _swept(source, landing, lake, rules, replace(cursor, sweep=sweep), now)


def _whole(source: Source, landing: Store, lake: Store, rules: Rules, now: datetime) -> Poll:
    files = source.files(landing, rules)
    todo = plan_load(
        files,
        read_ledger(lake, source.ledger, source.name),
        rules,
        is_undated=source.lacks_a_date,
    )
    dated = [file.hour.date() for file in files if file.hour is not None]
    if not dated:
        return Poll(todo, (), None)
    is_small = len(files) < storage.PAGE_ENTRIES
    cursor = PollCursor(max(dated), _stems(files), Sweep(now, is_done=True), is_small)
    return Poll(todo, (), cursor if todo.is_empty else None)


def _swept(
    source: Source, landing: Store, lake: Store, rules: Rules, cursor: PollCursor, now: datetime
) -> Poll:
    """Look at one page; it is looked at again until nothing of it is wanted."""
    sweep = cursor.sweep
    page = next(landing.pages(f"{source.folder}/", sweep.following), Page((), None))
    files = source.select(landed_files(page.entries, source.hour_of), rules)
    last = LAST_NAME
    if page.following:
        # A page may have nothing but folders.
        last = page.entries[-1].file if page.entries else sweep.after
    rows = read_ledger(lake, source.ledger, source.name, names=(sweep.after, last))
    differing = plan_load(files, rows, rules)
    stems = tuple(sorted({*cursor.stems, *_stems(files)}))
    if differing.unplaced is not None:
        # Files without a place are accounted for all together.
        return Poll(find_pending(source, landing, lake, rules), (), cursor)
    if span := first_days_window(differing.days):
        todo = find_pending(source, landing, lake, rules, span, stems)
        if not todo.is_empty:
            return Poll(todo, stems, cursor)
    following = replace(sweep, following=page.following, after=last, is_done=not page.following)
    is_small = not sweep.after and not page.following
    return Poll.empty(stems, replace(cursor, stems=stems, sweep=following, is_small=is_small))


def _stems(files: Sequence[LandedFile]) -> tuple[str, ...]:
    return tuple(sorted(stems_of((file.file, file.hour) for file in files)))
