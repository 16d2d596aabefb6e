"""Finding new files without listing the whole folder.

A poll lists the newest days, and one page of the whole listing: page by page, a sweep finds late
re-exports, new names and missing files. A folder that fits one page is listed by every poll. The
cursor only saves listing; what is to be loaded depends on the listing and the ledger alone.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from pydantic import TypeAdapter

from novade_pipeline.lake.windows import Window, day_of

DAY = timedelta(days=1)
OVERLAP = DAY
"""How far before the newest day a poll begins: an export of several hours lands in any order."""
RECENT_DAYS = 7
"""How many days a poll lists, each by one request; a sweep finds the rest."""
MOST_DAYS = 31
"""How many days of a sweep's findings one poll plans."""
MOST_PREFIXES = 200
"""With more prefixes than that, one listing of everything is cheaper."""
LAST_NAME = chr(0x10FFFF)


@dataclass(frozen=True)
class Sweep:
    """The progress of a listing of everything.

    Attributes:
        begun: when it began.
        following: the store's token of the next page; None for the first page.
        after: the last path of the previous page.
        is_done: all pages are listed.
    """

    begun: datetime
    following: str | None = None
    after: str = ""
    is_done: bool = False

    def next_page(self, now: datetime, period: timedelta) -> "Sweep | None":
        """The sweep to continue; None where the last one is done and younger than the period."""
        if not self.is_done:
            return self
        return Sweep(now) if now - self.begun >= period else None


@dataclass(frozen=True)
class PollCursor:
    """What the polls of one source remember.

    Attributes:
        newest: the newest day that has files.
        stems: path prefixes up to the day.
        sweep: of everything.
        is_small: everything fits one page of a listing, so each poll lists everything.
    """

    newest: date
    stems: tuple[str, ...]
    sweep: Sweep
    is_small: bool = False

    def recent(self, now: datetime) -> list[Window]:
        """The hours of the newest days, to the end of tomorrow.

        Where nothing has landed for long: the days after the newest one, and those around today.
        """
        today = _midnight(now.date())
        start, end = _midnight(self.newest) - OVERLAP, today + 2 * DAY
        reach = RECENT_DAYS * DAY
        if end - start <= reach:
            return [Window(start, end)]
        return [Window(start, start + reach), Window(today - OVERLAP, end)]


_CURSORS = TypeAdapter(dict[str, PollCursor])


def parse_cursors(text: str | None) -> dict[str, PollCursor]:
    """Source name -> cursor, from a sensor's cursor; empty for one of another form."""
    try:
        return _CURSORS.validate_json(text or "{}")
    except ValueError:
        return {}


def dump_cursors(cursors: dict[str, PollCursor]) -> str:
    """The text that `parse_cursors` reads."""
    return _CURSORS.dump_json(cursors).decode()


def stems_of(files: Iterable[tuple[str, datetime | None]]) -> set[str]:
    """The prefixes up to the day of the paths that contain their day.

    Args:
        files: (path, hour) of each.
    """
    stems = set()
    for file, hour in files:
        if hour is not None:
            stem, day, _ = file.rpartition(f"{hour:%Y-%m-%d}")
            if day:
                stems.add(stem)
    return stems


def day_prefixes(stems: Collection[str], within: Window) -> list[str]:
    """The path prefixes of a window's days; empty where one listing of everything is cheaper."""
    first, last = day_of(within.start), day_of(within.end - timedelta(microseconds=1))
    days = (last - first).days + 1
    if not stems or days * len(stems) > MOST_PREFIXES:
        return []
    return [f"{stem}{first + n * DAY}" for stem in sorted(stems) for n in range(days)]


def first_days_window(days: Collection[date]) -> Window | None:
    """The first of the days, and those up to `MOST_DAYS` after it."""
    if not days:
        return None
    first = min(days)
    return days_window([day for day in days if day - first < MOST_DAYS * DAY])


def days_window(days: Collection[date]) -> Window:
    """From the first of the days to the end of the last."""
    return Window(_midnight(min(days)), _midnight(max(days)) + DAY)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
