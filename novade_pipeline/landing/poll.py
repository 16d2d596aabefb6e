"""One look at a source: what is wanted of its newest days, or of the next page of its sweep."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from novade_pipeline.landing.discovery import (
    LAST_NAME,
    Seen,
    Sweep,
    some_days,
    stems_of,
)
from novade_pipeline.landing.files import LandedFile, landed_files
from novade_pipeline.landing.ledger import Rules, Wanted, read_ledger, wanted
from novade_pipeline.landing.source import Source, find_wanted
from novade_pipeline.storage import store as storage
from novade_pipeline.storage.store import Page, Store


@dataclass(frozen=True)
class Look:
    """What a look found.

    Attributes:
        wanted: what is to be loaded.
        stems: how paths begin, for a load that lists only its own days; empty where it has to list
            everything.
        seen: for the next look; it moves on only where nothing is wanted.
    """

    wanted: Wanted
    stems: tuple[str, ...]
    seen: Seen | None

    @staticmethod
    def nothing(stems: tuple[str, ...] = (), seen: Seen | None = None) -> "Look":
        """Nothing is wanted."""
        return Look(Wanted({}, (), None, ()), stems, seen)


def look(
    source: Source,
    landing: Store,
    lake: Store,
    rules: Rules,
    seen: Seen | None,
    period: timedelta,
    now: datetime | None = None,
    *,
    newest_days: bool = True,
) -> Look:
    """Find what is new, at a cost that does not grow with what is old.

    Args:
        seen: what the look before has seen; None looks at everything.
        period: how often everything is looked at, page by page.
        newest_days: list these too; a queue that tells of new files spares it.
    """
    now = now or datetime.now(UTC)
    if seen is None or (seen.is_small and newest_days) or source.is_undated is not None:
        # Names that say no day cannot be asked for by day.
        return _whole(source, landing, lake, rules, now)
    if newest_days:
        for window in seen.recent(now):
            todo = find_wanted(source, landing, lake, rules, window, seen.stems)
            if not todo.is_empty:
                return Look(todo, seen.stems, seen)
            newest = max((hour.date() for hour in todo.known), default=seen.newest)
            seen = replace(seen, newest=max(newest, seen.newest))
    sweep = seen.sweep.next_page(now, period)
    if sweep is None:
        return Look.nothing(seen.stems, seen)
    return _swept(source, landing, lake, rules, replace(seen, sweep=sweep), now)


def _whole(source: Source, landing: Store, lake: Store, rules: Rules, now: datetime) -> Look:
    files = source.files(landing, rules)
    todo = wanted(
        files,
        read_ledger(lake, source.ledger, source.name),
        rules,
        is_undated=source.lacks_a_date,
    )
    dated = [file.hour.date() for file in files if file.hour is not None]
    if not dated:
        return Look(todo, (), None)
    is_small = len(files) < storage.PAGE_ENTRIES
    seen = Seen(max(dated), _stems(files), Sweep(now, is_done=True), is_small)
    return Look(todo, (), seen if todo.is_empty else None)


def _swept(
    source: Source, landing: Store, lake: Store, rules: Rules, seen: Seen, now: datetime
) -> Look:
    """Look at one page; it is looked at again until nothing of it is wanted."""
    sweep = seen.sweep
    page = next(landing.pages(f"{source.folder}/", sweep.following), Page((), None))
    files = source.placed(landed_files(page.entries, source.hour_of), rules)
    last = LAST_NAME
    if page.following:
        # A page may have nothing but folders.
        last = page.entries[-1].file if page.entries else sweep.after
    rows = read_ledger(lake, source.ledger, source.name, names=(sweep.after, last))
    differing = wanted(files, rows, rules)
    stems = tuple(sorted({*seen.stems, *_stems(files)}))
    if differing.unplaced is not None:
        # Files without a place are accounted for all together.
        return Look(find_wanted(source, landing, lake, rules), (), seen)
    if span := some_days(differing.days):
        todo = find_wanted(source, landing, lake, rules, span, stems)
        if not todo.is_empty:
            return Look(todo, stems, seen)
    following = replace(sweep, following=page.following, after=last, is_done=not page.following)
    is_small = not sweep.after and not page.following
    return Look.nothing(stems, replace(seen, stems=stems, sweep=following, is_small=is_small))


def _stems(files: Sequence[LandedFile]) -> tuple[str, ...]:
    return tuple(sorted(stems_of((file.file, file.hour) for file in files)))
