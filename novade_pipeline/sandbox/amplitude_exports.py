"""Amplitude's hourly exports of the music service, landed as files.

    amplitude/events/<app>_<YYYY-MM-DD>_<H>#<part>.json.gz     events, by upload hour (UTC)
    amplitude/merged_ids/-<org>_<YYYY-MM-DD>_<H>.json.gz       merges of identities
    tracking_plan/lantern.json                                 the plan, in Segment's format

The same arguments give the same bytes, and an hour is the same in whatever range it is landed: it
depends on the seed and the events per hour. With one exception: only ranges of at least 24 hours
have damaged *files*, so that a demo that lands hour by hour stays clean; faulty *lines* are in
every range.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from random import Random

from novade_pipeline.sandbox.amplitude_bulk import land_bulk
from novade_pipeline.sandbox.amplitude_faults import (
    NO_FAULTS,
    Faults,
    damaged,
    faults_of,
    faulty_lines,
    has_new_field,
    with_new_field,
)
from novade_pipeline.sandbox.amplitude_files import (
    APP,
    ORG,
    Landed,
    LandingFiles,
    hour_name,
    hour_number,
    require_positive,
)
from novade_pipeline.sandbox.amplitude_lines import event_line
from novade_pipeline.sandbox.music_service import LOOKBACK_HOURS, Event, Merge, day_of, quiet_hour
from novade_pipeline.sandbox.music_users import World
from novade_pipeline.sandbox.tracking_plan import PLAN_NAME, plan
from novade_pipeline.storage.store import Store

__all__ = ["APP", "ORG", "Landed", "land", "land_bulk", "plan"]

_HOURS_FOR_DAMAGED_FILES = 24
_TWO_PARTS_EVERY = 8


def land(
    landing: Store | str | os.PathLike[str],
    *,
    first_hour: datetime,
    hours: int,
    events_per_hour: int,
    seed: int = 1,
    faults: bool = True,
    app: int = APP,
    org: int = ORG,
) -> Landed:
    """Land the exports of a range of upload hours, and the tracking plan.

    Args:
        landing: the landing zone, or its folder; created if missing.
        first_hour: the first upload hour, a full hour in UTC.
        hours: number of upload hours.
        events_per_hour: average over a week.
        seed: another seed is another world.
        faults: whether to include the faults of real exports.
        app: Amplitude's project.
        org: Amplitude's organisation.

    Returns:
        What a correct load of exactly these files reads.

    Raises:
        ValueError: `first_hour` is not a full hour in UTC, or a number is below 1.
    """
    first = hour_number(first_hour)
    require_positive(hours=hours, events_per_hour=events_per_hour)
    world = World(seed, events_per_hour)
    files = LandingFiles(landing)
    for hour, events, merges in _hours(world, first, first + hours):
        page = faults_of(seed, hour // 24) if faults else NO_FAULTS
        _land_hour(files, app, seed, hour, events, page, hours >= _HOURS_FOR_DAMAGED_FILES)
        # A paused export leaves an empty file, or none.
        if not events and faults and hour % 2 == 0 and hour == quiet_hour(world, hour // 24):
            files.write_events(f"{app}_{hour_name(hour)}#0.json.gz", b"")
        if merges:
            files.write_merges(f"-{org}_{hour_name(hour)}.json.gz", org, merges)
    files.write(f"tracking_plan/{PLAN_NAME.lower()}.json", json.dumps(plan(), indent=1).encode())
    return files.landed()


def _hours(world: World, first: int, end: int) -> Iterator[tuple[int, list[Event], list[Merge]]]:
    """The events and merges of each upload hour, in order; a few days are in memory at a time."""
    events: defaultdict[int, list[Event]] = defaultdict(list)
    merges: defaultdict[int, list[Merge]] = defaultdict(list)
    for day in range((first - LOOKBACK_HOURS) // 24, (end - 1) // 24 + 1):
        simulated = day_of(world, day)
        for event in simulated.events:
            for hour in event.upload_hours:
                if first <= hour < end:
                    events[hour].append(event)
        for merge in simulated.merges:
            merges[merge.upload_hour].append(merge)
        # Uploads follow events: later days do not add to the hours of this one.
        for hour in range(max(first, day * 24), min(end, day * 24 + 24)):
            yield hour, events.pop(hour, []), sorted(merges.pop(hour, []))


def _land_hour(
    files: LandingFiles,
    app: int,
    seed: int,
    hour: int,
    events: list[Event],
    page: Faults,
    damaged_files: bool,
) -> None:
    if not events:
        return
    faults = page is not NO_FAULTS
    lines = [_line(app, event, faults).encode() for event in _in_order(events)]
    files.count(events, faults)
    name = f"{app}_{hour_name(hour)}"
    if damaged_files and page.file is not None and page.file[0] == hour:
        bad_name, content = damaged(page.file[1], _text(lines), name)
        files.tally["faulty_files"] += 1
        files.write(f"amplitude/events/{bad_name}", content)
    rng = Random(f"{seed}:parts:{hour}")
    half = len(lines) // 2 if len(lines) > 1 and rng.randrange(_TWO_PARTS_EVERY) == 0 else 0
    fault = page.lines.get(hour)
    if fault is not None:
        extra = faulty_lines(fault, rng.choice(lines))
        files.tally["lines"] += len(extra)
        files.tally["blank_lines" if fault == "blank" else "quarantined_lines"] += len(extra)
        place = rng.randint(0, len(lines))
        lines[place:place] = extra
    for number, part in enumerate((lines[:half], lines[half:]) if half else (lines,)):
        files.write_events(f"{name}#{number}.json.gz", _text(part, marked=page.marked == hour))


def _in_order(events: list[Event]) -> list[Event]:
    """Events by reception; those exported twice in this hour again at the end."""
    ordered = sorted(events, key=lambda event: (event.received, event.bits))
    unique = {event.bits: event for event in ordered}
    copies = Counter(event.bits for event in ordered)
    return [*unique.values(), *(unique[bits] for bits, count in copies.items() if count > 1)]


def _line(app: int, event: Event, faults: bool) -> str:
    line = event_line(app, event)
    return with_new_field(line) if faults and has_new_field(event.bits) else line


def _text(lines: list[bytes], marked: bool = False) -> bytes:
    end = b"\r\n" if marked else b"\n"
    text = end.join((*lines, b""))
    return b"\xef\xbb\xbf" + text if marked else text
