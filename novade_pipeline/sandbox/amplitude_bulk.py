"""Many events quickly, for benchmarks: lines of real shape and size, each with its own `uuid`.

A pool of events is simulated once; every line is one of them at another time. Each line is
plausible, but not their sequence: use `land` where that matters.
"""

import os
from collections.abc import Iterator
from datetime import datetime
from functools import cache, lru_cache
from itertools import count, islice
from random import Random
from typing import NamedTuple

from isal import isal_zlib

from novade_pipeline.sandbox.amplitude_files import (
    APP,
    Landed,
    LandingFiles,
    hour_name,
    hour_number,
    require_positive,
)
from novade_pipeline.sandbox.amplitude_lines import encode, template, timestamp, uuid_text
from novade_pipeline.sandbox.music_service import Verdict, day_of
from novade_pipeline.sandbox.music_users import HOUR, MINUTE, World
from novade_pipeline.storage.store import Store

_POOL_EVENTS_PER_HOUR = 600
_LINES_AT_ONCE = 2_000
_GZIP_WINDOW = 31
_LATEST_SECOND = 3_590
_OLDEST_SESSION = 30 * MINUTE // 1000


class _Shape(NamedTuple):
    """An event of the pool without time and ids; `session_age` is in ms, or None.

    `person` has the parts of the template that identify the person: the Amplitude user, the device
    and, if known, the user.
    """

    template: str
    person: tuple[str, ...]
    event_id: int
    properties: str
    event_type: str
    session_age: int | None
    verdict: Verdict


def land_bulk(
    landing: Store | str | os.PathLike[str],
    *,
    events: int,
    files: int,
    first_hour: datetime,
    spread_days: int = 1,
    seed: int = 1,
    app: int = APP,
    people: int = 1,
    one_event_sessions: bool = False,
) -> Landed:
    """Land a number of events, about 1,680 bytes a line, without faults and repeats.

    Args:
        landing: the landing zone, or its folder; created if missing.
        events: number of lines, evenly distributed over the files.
        files: number of files; with more files than hours, an hour has several parts.
        first_hour: the first upload hour, a full hour in UTC.
        spread_days: number of upload days over which the files are spread.
        seed: another seed gives other lines.
        app: Amplitude's project.
        people: factor on the number of people in the pool, some 900.
        one_event_sessions: each event is its own session.

    Returns:
        What was landed; counted by construction.

    Raises:
        ValueError: `first_hour` is not a full hour in UTC, or a number is below 1.
    """
    first = hour_number(first_hour)
    require_positive(events=events, files=files, spread_days=spread_days, people=people)
    pool = _pool(seed, first // 24, app)
    shapes = (_as_another_person(shape, number % people) for number in count() for shape in pool)
    target = LandingFiles(landing)
    for number in range(files):
        hour, part = _place(number, files, spread_days * 24)
        line_count = events * (number + 1) // files - events * number // files
        file_shapes = list(islice(shapes, line_count))
        rng = Random(f"{seed}:bulk:{number}")
        name = f"{app}_{hour_name(first + hour)}#{part}.json.gz"
        raw_size, content = _compressed(_lines(file_shapes, rng, first + hour, one_event_sessions))
        target.write(f"amplitude/events/{name}", content)
        target.tally.update(
            events_files=1,
            lines=line_count,
            rows=line_count,
            unique_events=line_count,
            violating_rows=sum(shape.verdict == "violating" for shape in file_shapes),
            unplanned_rows=sum(shape.verdict == "unplanned" for shape in file_shapes),
            bytes_raw=raw_size,
        )
    return target.landed()


@lru_cache(maxsize=1)
def _pool(seed: int, day: int, app: int) -> tuple[_Shape, ...]:
    """A day of a busy world in order of time, so that it compresses like real exports."""
    events = day_of(World(seed, _POOL_EVENTS_PER_HOUR), day).events
    return tuple(
        _Shape(
            template=template(app, event) + "\n",
            person=(
                f'"amplitude_id":{event.amplitude_id}',
                f'"device_id":"{event.device.device_id}',
                *([f'"user_id":"{event.user_id}'] if event.user_id else []),
            ),
            event_id=event.event_id,
            properties=encode(event.properties),
            event_type=event.event_type,
            session_age=None if event.session_id < 0 else event.session_id % _OLDEST_SESSION,
            verdict=event.verdict,
        )
        for event in sorted(events, key=lambda event: event.happened)
    )


def _as_another_person(shape: _Shape, number: int) -> _Shape:
    """The same event of another person: a number is appended to the ids."""
    if not number:
        return shape
    text = shape.template
    for part in shape.person:
        text = text.replace(part, f"{part}{number:05}", 1)
    return shape._replace(template=text)


def _place(number: int, files: int, hours: int) -> tuple[int, int]:
    """The hour of a file, counted from the first one, and its part within that hour."""
    hour = number * hours // files
    first_of_hour = -(-hour * files // hours)
    return hour, number - first_of_hour


def _lines(shapes: list[_Shape], rng: Random, hour: int, one_event_sessions: bool) -> Iterator[str]:
    """The lines of one file, with their line ends, evenly over the hour."""
    begin = hour * HOUR

    @cache
    def clock(second: int) -> str:
        """The time up to the microseconds."""
        return timestamp(begin + second * 1_000_000)[:-6]

    for number, shape in enumerate(shapes):
        bits = rng.getrandbits(128)
        second, fraction = number * _LATEST_SECOND // len(shapes), f"{bits % 1_000_000:06}"
        happened, received = clock(second) + fraction, clock(second + 2) + fraction
        age = -number if one_event_sessions else shape.session_age
        yield shape.template % (
            uuid_text(~bits),
            happened,
            received,
            shape.event_id,
            shape.properties,
            happened,
            shape.event_type,
            clock(second + 4) + fraction,
            received,
            clock(second + 3) + fraction,
            -1 if age is None else begin // 1000 - age,
            uuid_text(bits),
        )


def _compressed(lines: Iterator[str]) -> tuple[int, bytes]:
    """The size of the text and its gzip, without the whole text in memory."""
    compressor = isal_zlib.compressobj(isal_zlib.ISAL_BEST_COMPRESSION, wbits=_GZIP_WINDOW)
    size = 0
    chunks: list[bytes] = []
    while text := "".join(islice(lines, _LINES_AT_ONCE)).encode():
        size += len(text)
        chunks.append(compressor.compress(text))
    return size, b"".join((*chunks, compressor.flush()))
