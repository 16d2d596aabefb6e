"""Upload days: the partitions of landed tables, and which days a run covers.

Partitions begin with the first day that has landed. A process that lists everything (the command, a
sensor) records it in Dagster's home, where the graph reads it when it loads. A home that is lost is
no loss: the next complete listing records the days again.
"""

import fcntl
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
from pydantic import TypeAdapter

from novade_pipeline.graph.landing_checks import DAY_COLUMN
from novade_pipeline.graph.table_assets import key_of
from novade_pipeline.lake.read import count_by
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window, day_of
from novade_pipeline.landing.ledger import LoadPlan
from novade_pipeline.landing.source import Source
from novade_pipeline.settings import Settings

FILE = "landed_days.json"
NEW_DAY_TAG = "novade/new_day"
"""On reports that a day has begun, which do not make an asset fresh."""
DAY = timedelta(days=1)
QUIET = 7 * DAY
"""Where nothing has landed for so long, partitions end with the last day that has."""


@dataclass(frozen=True)
class LandedDays:
    """The first and the last upload day of landed files."""

    first: date
    last: date


_RECORD = TypeAdapter(dict[str, dict[str, LandedDays]])
"""URL of the landing zone -> name of a table -> its days."""


class UploadDays(dg.DailyPartitionsDefinition):
    """Daily partitions that accept days outside of them.

    Older files may land while a process has the graph in memory; its runs load them all the same.
    """

    def get_partition_keys_in_range(self, partition_key_range: dg.PartitionKeyRange) -> list[str]:
        """Every day from the first to the last."""
        first = date.fromisoformat(partition_key_range.start)
        last = date.fromisoformat(partition_key_range.end)
        return [str(day) for day in _days(first, last)]


def upload_days(settings: Settings, first: date | None = None) -> UploadDays:
    """The partitions: from the first day that has landed, or NOVADE_HISTORY_START where it is set.

    They end with today; where nothing has landed for a week, with the last day that has. Today is
    the only one until it is known what has landed.

    Args:
        first: begin with this day instead, and end with today.
    """
    landed = landed_days(settings)
    if first is not None:
        return UploadDays(start_date=str(first), end_offset=1)
    if "history_start" in settings.model_fields_set:
        return UploadDays(start_date=str(settings.history_start), end_offset=1)
    if landed is None:
        return UploadDays(start_date=str(_today()), end_offset=1)
    if end := _end(landed):
        return UploadDays(start_date=str(landed.first), end_date=str(end + DAY))
    return UploadDays(start_date=str(landed.first), end_offset=1)


def landed_days(settings: Settings) -> LandedDays | None:
    """The recorded days of all sources together; None before any is recorded."""
    recorded = recorded_days(settings).values()
    if not recorded:
        return None
    return LandedDays(min(d.first for d in recorded), max(d.last for d in recorded))


def recorded_days(settings: Settings) -> Mapping[str, LandedDays]:
    """Name of a table -> the recorded days of its files in the settings' landing zone."""
    return _read(settings.dagster_home / FILE).get(settings.landing_url, {})


def record_landed_days(
    settings: Settings, sources: Iterable[Source], plans: Mapping[str, LoadPlan]
) -> None:
    """Widens the recorded days by those of the plans.

    Days are first recorded from a plan of a complete listing.

    Args:
        plans: source name -> plan.
    """
    recorded = recorded_days(settings)
    if _widen(recorded, sources, plans) == recorded:
        return
    path = settings.dagster_home / FILE
    # A home that cannot be written costs the display of days, and no data.
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            record = _read(path)
            zone = settings.landing_url
            record[zone] = _widen(record.get(zone, {}), sources, plans)
            new = path.with_suffix(".new")
            new.write_bytes(_RECORD.dump_json(record))
            new.replace(path)


def missing_days(
    instance: dg.DagsterInstance, settings: Settings, tables: Iterable[Table]
) -> set[date]:
    """The days between the first that has landed and today that some of the tables lack.

    A table lacks a day until a run has covered it, with files or without. Where nothing has landed
    for a week, the days end with the last that has.
    """
    landed = landed_days(settings)
    if landed is None:
        return set()
    first = max(landed.first, settings.history_start)
    days = {str(day) for day in _days(first, _end(landed) or _today())}
    covered = days.intersection(
        *(instance.get_materialized_partitions(key_of(table)) for table in tables)
    )
    return {date.fromisoformat(day) for day in days - covered}


def begin_day(
    instance: dg.DagsterInstance, settings: Settings, tables: Sequence[Table]
) -> list[dg.AssetMaterialization]:
    """Reports today as loaded for the tables that lack it, when no landed file is pending.

    Where nothing has landed since the day before yesterday, today stays missing: the exports have
    stopped.
    """
    landed, today = landed_days(settings), str(_today())
    if landed is None or _today() - landed.last > DAY:
        return []

    def lacks_today(table: Table) -> bool:
        where = dg.AssetRecordsFilter(asset_key=key_of(table), asset_partitions=[today])
        return not instance.fetch_materializations(where, limit=1).records

    return [
        dg.AssetMaterialization(
            key_of(table),
            description="The day has begun; the lake has all of its landed files.",
            partition=today,
            metadata={
                "dagster/partition_row_count": count_by(settings.lake, table, DAY_COLUMN)[today]
            },
            tags={NEW_DAY_TAG: ""},
        )
        for table in tables
        if lacks_today(table)
    ]


def landed_tables(sources: Sequence[Source]) -> list[Table]:
    """The tables that one landing step loads."""
    return [*(source.table for source in sources), sources[0].ledger, sources[0].quarantine]


def days_of(window: Window) -> list[date]:
    """The days of a window of whole days."""
    return _days(day_of(window.start), day_of(window.end - DAY))


def _widen(
    recorded: Mapping[str, LandedDays], sources: Iterable[Source], plans: Mapping[str, LoadPlan]
) -> dict[str, LandedDays]:
    widened = dict(recorded)
    for source in sources:
        plan, known = plans.get(source.name), recorded.get(source.table.name)
        if plan is not None and (known is not None or plan.dated is not None):
            days = [*((known.first, known.last) if known else ()), *(plan.dated or ()), *plan.days]
            widened[source.table.name] = LandedDays(min(days), max(days))
    return widened


def _end(landed: LandedDays) -> date | None:
    """The last landed day where it is long ago."""
    return landed.last if _today() - landed.last > QUIET else None


def _today() -> date:
    return datetime.now(UTC).date()


def _days(first: date, last: date) -> list[date]:
    return [first + n * DAY for n in range((last - first).days + 1)]


def _read(path: Path) -> dict[str, dict[str, LandedDays]]:
    try:
        return _RECORD.validate_json(path.read_bytes())
    except (OSError, ValueError):
        return {}
