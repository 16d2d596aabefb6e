"""Writes exports to the landing zone, and counts what a correct load reads.

File names are those of Amplitude's Azure Blob Storage export.
"""

import os
from collections import Counter
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

from isal import igzip

from novade_pipeline.sandbox.amplitude_faults import has_new_field
from novade_pipeline.sandbox.amplitude_lines import merge_line
from novade_pipeline.sandbox.music_service import Event, Merge
from novade_pipeline.sandbox.music_users import FIRST_DAY, HOUR, LONGEST_LIFE
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store

APP = 187520
ORG = 9187

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Landed:
    """What was landed, counted as a correct load counts it.

    `lines == rows + repeated_in_hour + quarantined_lines + blank_lines`, and
    `rows == unique_events + repeated_across_hours`.

    Attributes:
        events_files: readable files of events, empty ones included.
        merged_files: files of merged ids.
        faulty_files: files that belong in quarantine as a whole; their lines are not counted.
        lines: lines in the readable files of events.
        rows: first lines of a `uuid` within an upload hour.
        repeated_in_hour: further lines of a `uuid` within an upload hour.
        quarantined_lines: lines that are not events.
        blank_lines: blank lines.
        unique_events: distinct `uuid`s.
        repeated_across_hours: rows whose `uuid` is also in an earlier hour of this range.
        late_events: unique events received an hour or more after they happened.
        violating_rows: rows that violate the tracking plan.
        unplanned_rows: rows whose event type is not in the plan.
        new_field_rows: rows with the new field.
        merges: lines in the files of merged ids.
        bytes_raw: size of all readable files of events and merged ids, decompressed.
        bytes_landed: size of all files as stored.
        written: new and changed files.
        unchanged: files that existed already with the same bytes; they were not touched.
    """

    events_files: int
    merged_files: int
    faulty_files: int
    lines: int
    rows: int
    repeated_in_hour: int
    quarantined_lines: int
    blank_lines: int
    unique_events: int
    repeated_across_hours: int
    late_events: int
    violating_rows: int
    unplanned_rows: int
    new_field_rows: int
    merges: int
    bytes_raw: int
    bytes_landed: int
    written: int
    unchanged: int


class LandingFiles:
    """Writes new and changed files atomically, and counts."""

    def __init__(self, root: Store | str | os.PathLike[str]) -> None:
        """Write to `root`: a store, or a folder of the local disk."""
        self.root = root if isinstance(root, Store) else store(os.fspath(root))
        self.tally: Counter[str] = Counter()
        self.known_events: set[int] = set()

    def write(self, name: str, content: bytes) -> None:
        """Write a whole file, unless the same file exists."""
        self.tally["bytes_landed"] += len(content)
        try:
            is_same = self.root.read(name) == content
        except FileNotFoundError:
            is_same = False
        if is_same:
            self.tally["unchanged"] += 1
            return
        self.root.write(content, name)
        self.tally["written"] += 1

    def write_events(self, name: str, text: bytes) -> None:
        """Write a file of events."""
        self.tally["events_files"] += 1
        self.tally["bytes_raw"] += len(text)
        self.write(f"amplitude/events/{name}", igzip.compress(text, mtime=0))

    def write_merges(self, name: str, org: int, merges: list[Merge]) -> None:
        """Write a file of merged ids."""
        text = "".join(f"{merge_line(org, merge)}\n" for merge in merges).encode()
        self.tally["merged_files"] += 1
        self.tally["merges"] += len(merges)
        self.tally["bytes_raw"] += len(text)
        self.write(f"amplitude/merged_ids/{name}", igzip.compress(text, mtime=0))

    def count(self, events: list[Event], faults: bool) -> None:
        """Count the events of an upload hour."""
        in_hour = {event.bits: event for event in events}
        new = in_hour.keys() - self.known_events
        self.known_events |= new
        rows = in_hour.values()
        verdicts = Counter(event.verdict for event in rows)
        self.tally.update(
            lines=len(events),
            rows=len(rows),
            repeated_in_hour=len(events) - len(rows),
            unique_events=len(new),
            repeated_across_hours=len(rows) - len(new),
            late_events=sum(in_hour[b].received - in_hour[b].happened >= HOUR for b in new),
            violating_rows=verdicts["violating"],
            unplanned_rows=verdicts["unplanned"],
            new_field_rows=sum(faults and has_new_field(event.bits) for event in rows),
        )

    def landed(self) -> Landed:
        """The figures so far."""
        return Landed(**{figure.name: self.tally[figure.name] for figure in fields(Landed)})


def hour_number(moment: datetime) -> int:
    """The hour since 1970-01-01 UTC that begins at `moment`.

    Raises:
        ValueError: when it is not a full hour in UTC, or before the first day of the world.
    """
    if moment.utcoffset() != timedelta(0):
        raise ValueError(f"expected first_hour in UTC, found {moment!r}")
    number, rest = divmod(moment - _UNIX_EPOCH, timedelta(hours=1))
    if rest or number < (FIRST_DAY + LONGEST_LIFE) * 24:
        raise ValueError(f"expected first_hour to be a full hour, from April 2000, found {moment}")
    return number


def hour_name(number: int) -> str:
    """An hour since 1970-01-01 as in file names: no leading zero."""
    moment = _UNIX_EPOCH + timedelta(hours=number)
    return f"{moment:%Y-%m-%d}_{moment.hour}"


def require_positive(**numbers: int) -> None:
    """Raise ValueError for a number below 1."""
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"expected {name} to be at least 1, found {number}")
