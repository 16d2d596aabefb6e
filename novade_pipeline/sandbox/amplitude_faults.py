"""Faults of the exports: which day has which, and what they look like.

Faults are a pure function of (seed, day). They only add lines and files, so that a correct load
still reads every event. The faults of lines:

| fault | content of the file | expected handling |
|---|---|---|
| cut | a copy of a line that ends early | quarantine |
| no_uuid | a copy of a line whose `uuid` is null | quarantine |
| wrong_type | a copy of a line whose `session_id` is a word | quarantine |
| not_utf8 | a line that is not UTF-8 | quarantine |
| blank | two blank lines | counted as blank |
| marked (every fourth day) | a good file with a byte order mark and Windows line ends | loaded |

The faults of files, each with lines that are in another file too:

| fault | content of the file | expected handling |
|---|---|---|
| truncated | part 7, a gzip that ends early | file to quarantine |
| not_gzip | part 7, plain text | file to quarantine |
| stray | a good file whose name has no hour | file to quarantine |
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Literal

from isal import igzip

LineFault = Literal["cut", "no_uuid", "wrong_type", "not_utf8", "blank"]
FileFault = Literal["truncated", "not_gzip", "stray"]

LINE_FAULTS: tuple[LineFault, ...] = ("cut", "no_uuid", "wrong_type", "not_utf8", "blank")
FILE_FAULTS: tuple[FileFault | None, ...] = ("truncated", "not_gzip", "stray", None, None)

NEW_FIELD = "experiments"
"""A new field on good lines; it is not a fault."""

DAMAGED_PART = 7
_LINES_A_DAY = 2
_MARKED_EVERY = 4
_NEW_FIELD_EVERY = 700


@dataclass(frozen=True)
class Faults:
    """The faults of one UTC day; hours are counted since 1970-01-01.

    Attributes:
        lines: hour -> fault among its lines.
        file: hour and kind of a damaged file.
        marked: the hour whose files have a byte order mark and Windows line ends.
    """

    lines: dict[int, LineFault] = field(default_factory=dict)
    file: tuple[int, FileFault] | None = None
    marked: int | None = None


NO_FAULTS = Faults()


@lru_cache(maxsize=1024)
def faults_of(seed: int, day: int) -> Faults:
    """The faults of a day since 1970-01-01."""
    rng = Random(f"{seed}:faults:{day}")
    hours = [day * 24 + hour for hour in rng.sample(range(6, 24), _LINES_A_DAY + 2)]
    kinds = [LINE_FAULTS[(day * _LINES_A_DAY + n) % len(LINE_FAULTS)] for n in range(_LINES_A_DAY)]
    kind = FILE_FAULTS[day % len(FILE_FAULTS)]
    return Faults(
        lines=dict(zip(hours, kinds, strict=False)),
        file=None if kind is None else (hours[-2], kind),
        marked=hours[-1] if day % _MARKED_EVERY == 0 else None,
    )


def faulty_lines(fault: LineFault, line: bytes) -> list[bytes]:
    """The lines that a fault adds, derived from a good line."""
    if fault == "cut":
        return [line[: len(line) * 3 // 5]]
    if fault == "no_uuid":
        return [re.sub(rb'"uuid":"[^"]*"', b'"uuid":null', line)]
    if fault == "wrong_type":
        return [re.sub(rb'"session_id":-?\d+', b'"session_id":"yesterday"', line)]
    if fault == "not_utf8":
        return [re.sub(rb'"language":"[^"]*"', b'"language":"Fran\xe7ais"', line)]
    return [b"", b""]


def damaged(fault: FileFault, text: bytes, name: str) -> tuple[str, bytes]:
    """The name and bytes of a file that cannot be read, or has no hour.

    Args:
        fault: its fault.
        text: its good lines.
        name: the name of a good file, up to `#`.
    """
    if fault == "stray":
        # The day makes the name unique.
        return f"resent by hand {name.split('_')[1]}.json.gz", igzip.compress(text, mtime=0)
    if fault == "not_gzip":
        return f"{name}#{DAMAGED_PART}.json.gz", text
    whole = igzip.compress(text, mtime=0)
    return f"{name}#{DAMAGED_PART}.json.gz", whole[: len(whole) * 2 // 3]


def has_new_field(bits: int) -> bool:
    """Whether the event with these random bits has the new field."""
    return bits % _NEW_FIELD_EVERY == 0


def with_new_field(line: str) -> str:
    """The line with the new field."""
    return f'{line[:-1]},"{NEW_FIELD}":{{"home":"b"}}}}'
