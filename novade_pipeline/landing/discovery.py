"""Finding what is new without listing all that ever landed.

A look lists the names of the newest days, and one page of the whole listing: page by page a sweep
finds what was exported again late, new names, and what is gone. Where one page holds all there is,
each look lists it. What earlier looks have seen only saves listing; what is wanted is decided from
the listing and the ledger alone.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from pydantic import TypeAdapter

from novade_pipeline.lake.windows import Window, day_of

DAY = timedelta(days=1)
OVERLAP = DAY
"""How far before the newest day a look begins: an export of several hours comes in any order."""
RECENT_DAYS = 7
"""How many days a look asks for at once, each a request; a sweep finds the rest."""
MOST_DAYS = 31
"""How many days a look takes up at once of what a sweep has found."""
MOST_PREFIXES = 200
"""With more names than that to ask for, one listing of all is cheaper."""
LAST_NAME = chr(0x10FFFF)


@dataclass(frozen=True)
class Sweep:
    """How far the listing of everything has come.

    Attributes:
        begun: when.
        following: where the next page begins, as the store names it; None for the first page.
        after: the last path of the page before.
        is_done: all pages have been looked at.
    """

    begun: datetime
    following: str | None = None
    after: str = ""
    is_done: bool = False

    def next_page(self, now: datetime, period: timedelta) -> "Sweep | None":
        """What to look at now; None where all was looked at within the period."""
        if not self.is_done:
            return self
        return Sweep(now) if now - self.begun >= period else None


@dataclass(frozen=True)
class PollCursor:
    """What earlier looks at one source have seen.

    Attributes:
        newest: the newest day that anything is of.
        stems: how paths begin, before their day.
        sweep: of everything.
        is_small: all there is fits into one page of a listing, so each look looks at everything.
    """

    newest: date
    stems: tuple[str, ...]
    sweep: Sweep
    is_small: bool = False

    def recent(self, now: datetime) -> list[Window]:
        """The hours of the newest days, to the end of tomorrow.

        Where nothing has come for long, the days after the newest one, and those around today.
        """
        today = _midnight(now.date())
        start, end = _midnight(self.newest) - OVERLAP, today + 2 * DAY
        reach = RECENT_DAYS * DAY
        if end - start <= reach:
            return [Window(start, end)]
        return [Window(start, start + reach), Window(today - OVERLAP, end)]


_CURSORS = TypeAdapter(dict[str, PollCursor])


def parse_cursors(text: str | None) -> dict[str, PollCursor]:
    """Source name -> what was seen, from a sensor's cursor; nothing from one of another form."""
    try:
        return _CURSORS.validate_json(text or "{}")
    except ValueError:
        return {}


def dump_cursors(cursors: dict[str, PollCursor]) -> str:
    """The text that `parse_cursors` reads."""
    return _CURSORS.dump_json(cursors).decode()


def stems_of(files: Iterable[tuple[str, datetime | None]]) -> set[str]:
    """What paths begin with before the day that they say, of those that say one.

    Args:
        files: paths and hours.
    """
    stems = set()
    for file, hour in files:
        if hour is not None:
            stem, day, _ = file.rpartition(f"{hour:%Y-%m-%d}")
            if day:
                stems.add(stem)
    return stems


def day_prefixes(stems: Collection[str], within: Window) -> list[str]:
    """How paths of a window's days begin; none where one listing of all is cheaper."""
    first, last = day_of(within.start), day_of(within.end - timedelta(microseconds=1))
    days = (last - first).days + 1
    if not stems or days * len(stems) > MOST_PREFIXES:
        return []
    return [f"{stem}{first + n * DAY}" for stem in sorted(stems) for n in range(days)]


def first_days_window(days: Collection[date]) -> Window | None:
    """The first of the days, and those that follow within a look's reach."""
    if not days:
        return None
    first = min(days)
    return days_window([day for day in days if day - first < MOST_DAYS * DAY])


def days_window(days: Collection[date]) -> Window:
    """From the first of the days to the end of the last."""
    return Window(_midnight(min(days)), _midnight(max(days)) + DAY)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
