"""What the lake held of the music service at some moment: the newest version before it."""

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
    """A table at a moment; `version` is None where nothing had been read yet."""

    table: Table
    version: int | None
    written_at: datetime | None


def moment_of(text: str, now: datetime) -> datetime:
    """`2024-05-01`, the end of that day, or `2024-05-01T13:30`; UTC where no zone is said.

    Raises:
        UserError: it is neither, or lies in the future.
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
    """Of each table that is read from the service, the version that stood at a moment."""
    return [_held(lake, table, moment) for table in READ]


def rows_as_of(lake: Store, held: PastVersion) -> pa.Table:
    """The rows that stood at that moment, those marked as deleted among them."""
    return read(lake, held.table, version=held.version)


def first_day(lake: Store) -> date | None:
    """The day of the oldest version of any of the tables."""
    days = [at.date() for table in READ for _, at in _versions(lake, table)[:1]]
    return min(days, default=None)


def _held(lake: Store, table: Table, moment: datetime) -> PastVersion:
    before = [(version, at) for version, at in _versions(lake, table) if at <= moment]
    if not before:
        return PastVersion(table, None, None)
    return PastVersion(table, *max(before))


def _versions(lake: Store, table: Table) -> list[tuple[int, datetime]]:
    """Versions and when they were committed, the oldest first, from the table's own log."""
    found = open_table(lake, table)
    history = [] if found is None else found.history()
    return sorted(
        (entry["version"], datetime.fromtimestamp(entry["timestamp"] / 1000, UTC))
        for entry in history
    )
