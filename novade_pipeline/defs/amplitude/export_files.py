"""The names of Amplitude's export files, and the source of each of the two exports.

Source: https://amplitude.com/docs/data/destination-catalog/azure-blob-storage
"""

import re
from datetime import UTC, datetime

from novade_pipeline.defs.amplitude import tables
from novade_pipeline.landing.source import Source

_HOUR = r"(?P<day>\d{4}-\d{2}-\d{2})_(?P<hour>\d{1,2})"
_EVENTS = re.compile(rf"\d+_{_HOUR}#\d+\.json\.gz", re.ASCII)
_MERGED_IDS = re.compile(rf"-\d+_{_HOUR}\.json\.gz", re.ASCII)


def events_hour(name: str) -> datetime | None:
    """The upload hour of `<project>_<YYYY-MM-DD>_<H>#<part>.json.gz`, UTC."""
    return _hour(_EVENTS, name)


def merged_ids_hour(name: str) -> datetime | None:
    """The upload hour of `-<organisation>_<YYYY-MM-DD>_<H>.json.gz`, UTC."""
    return _hour(_MERGED_IDS, name)


def _hour(pattern: re.Pattern[str], name: str) -> datetime | None:
    match = pattern.fullmatch(name)
    if match is None:
        return None
    try:
        return datetime.fromisoformat(match["day"]).replace(hour=int(match["hour"]), tzinfo=UTC)
    except ValueError:
        return None


EVENTS = Source(
    name="events",
    folder="amplitude/events",
    table=tables.EVENTS,
    ledger=tables.FILES,
    quarantine=tables.QUARANTINE,
    hour_of=events_hour,
    naming="187520_2018-11-05_9#0.json.gz",
    parser_version=2,
)
MERGED_IDS = Source(
    name="merged_ids",
    folder="amplitude/merged_ids",
    table=tables.MERGED_IDS,
    ledger=tables.FILES,
    quarantine=tables.QUARANTINE,
    hour_of=merged_ids_hour,
    naming="-9187_2018-11-05_9.json.gz",
    parser_version=2,
)
