"""Past versions of the music service's tables: for a moment, the newest version before it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from novade_pipeline.defs.music.tables import READ
from novade_pipeline.errors import UserError
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store


@dataclass(frozen=True)
class PastVersion:
    """A table at a moment; `version` is None if nothing had been read yet."""

    table: Table
    version: int | None
    written_at: datetime | None


def moment_of(text: str, now: datetime) -> datetime:
    """The moment of `2024-05-01`, the end of that day, or `2024-05-01T13:30`; UTC without a zone.

    Raises:
        UserError: it is neither, or is in the future.
    """
    try:
        if len(text) == len("2024-05-01"):
            day = datetime.fromisoformat(text).replace(tzinfo=UTC)
            if day.date() == now.date():
                return now
            moment = day + timedelta(days=1, microseconds=-1)
        else:
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    except (ValueError, OverflowError):
        raise UserError(
            f"expected a day as 2024-05-01 or a time as 2024-05-01T13:30, UTC, found {text!r}."
        ) from None
    if moment > now:
        raise UserError(f"expected a moment in the past, found {text}.")
    return moment.astimezone(UTC)


def versions_as_of(lake: Store, moment: datetime) -> list[PastVersion]:
    """The version of each of the service's tables that was current at a moment."""
    return [_version_at(lake, table, moment) for table in READ]


def rows_as_of(lake: Store, past: PastVersion) -> pa.Table:
    """The rows of a past version, including those marked as deleted."""
    return read(lake, past.table, version=past.version)


def first_day(lake: Store) -> date | None:
    """The day of the oldest version of any of the tables."""
    days = [at.date() for table in READ for _, at in _versions(lake, table)[:1]]
    return min(days, default=None)


def _version_at(lake: Store, table: Table, moment: datetime) -> PastVersion:
    before = [(version, at) for version, at in _versions(lake, table) if at <= moment]
    if not before:
        return PastVersion(table, None, None)
    return PastVersion(table, *max(before))


def _versions(lake: Store, table: Table) -> list[tuple[int, datetime]]:
    """Versions and their commit times, the oldest first, from the table's log."""
    delta_table = open_table(lake, table)
    history = [] if delta_table is None else delta_table.history()
    return sorted(
        (entry["version"], datetime.fromtimestamp(entry["timestamp"] / 1000, UTC))
        for entry in history
    )
