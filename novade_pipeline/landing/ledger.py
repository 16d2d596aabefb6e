"""What is wanted: the listing against the ledger.

The ledger says which version of each file the lake holds. What is wanted follows from it and the
listing alone, so a sensor, the command line and a fresh `DAGSTER_HOME` always agree.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa

from novade_pipeline.lake.read import stream
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.files import LandedFile
from novade_pipeline.landing.tables import LedgerRow
from novade_pipeline.storage.store import Store

HOUR = timedelta(hours=1)
DECIDING = (
    *("file", "etag", "upload_hour", "missing_since", "personal_data"),
    *("parser_version", "refused", "quarantined"),
)
"""The ledger's columns that say whether a file is wanted."""


@dataclass(frozen=True)
class Rules:
    """What makes a file that the ledger knows wanted again.

    Attributes:
        parser_version: of the code that would read it now.
        personal_data: the fingerprint of the policy that it would be written under now.
        first_day: files of earlier days, and of hours to come, have no place.
        grace: how long a file may be gone before its rows go too.
        retry_quarantined: try what an older parser refused.
        reload: want every file again.
    """

    parser_version: int
    personal_data: str
    first_day: date
    grace: timedelta
    retry_quarantined: bool = False
    reload: bool = False


@dataclass(frozen=True)
class LoadPlan:
    """What a load has to do.

    Attributes:
        hours: hour -> its files, for each hour that has to be loaded, in order.
        windows: the same hours as windows, joined where nothing lies between them.
        known: every hour that landing or the ledger has anything of, in order.
        dayless: hours of `hours` and `missing` that belong to every run, whatever its days.
        unplaced: the files that have no place, where they differ from the ledger's.
        missing: ledger rows of files that are newly gone, for `missing_since` to be noted.
    """

    hours: Mapping[datetime, Sequence[LandedFile]]
    known: Sequence[datetime]
    unplaced: Sequence[LandedFile] | None
    missing: Sequence[LedgerRow]
    dayless: frozenset[datetime] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Nothing has to be done."""
        return not self.hours and self.unplaced is None and not self.missing

    @property
    def days(self) -> list[date]:
        """The upload days that have to be loaded, in order."""
        gone = {row.upload_hour for row in self.missing if row.upload_hour is not None}
        return sorted({hour.date() for hour in (gone | set(self.hours)) - self.dayless})


def read_ledger(
    lake: Store,
    ledger: Table,
    source: str,
    *,
    within: Window | None = None,
    names: tuple[str, str] | None = None,
    whole: bool = False,
) -> list[LedgerRow]:
    """The ledger's rows of one source, with the columns that decide what is wanted.

    Args:
        whole: with all columns, for rows that are written again.
        within: only those of these hours.
        names: only those of files after the first path, up to the second, in order of names.
    """
    batches = stream(
        lake,
        ledger,
        columns=None if whole else DECIDING,
        where={"source": source},
        windows=None if within is None else [within],
        between=None if names is None else {"file": names},
    )
    # Batch by batch: as dictionaries a million rows would take more than a gigabyte at once.
    return [LedgerRow.model_construct(**row) for batch in batches for row in batch.to_pylist()]


def plan_load(
    listing: Iterable[LandedFile],
    ledger: Iterable[LedgerRow],
    rules: Rules,
    *,
    within: Window | None = None,
    is_undated: Callable[[str], bool] = lambda _: False,
    now: datetime | None = None,
) -> LoadPlan:
    """What a load has to do so that the lake holds what landing holds.

    Args:
        listing: the files of one source; see `Source.select`.
        ledger: the ledger's rows of the same source.
        within: only hours of this window; None for all. Files without a place belong to every
            window.
        is_undated: from a file to whether its name says no hour although it has one; such files
            belong to every window too.
        now: when it is; for files that are gone.
    """
    now = now or datetime.now(UTC)
    there = {file.file: file for file in listing}
    loaded = {row.file: row for row in ledger}
    again = {name for name, file in there.items() if _is_wanted(file, loaded.get(name), rules)}
    gone = {name: row for name, row in loaded.items() if name not in there}
    expired = {
        name
        for name, row in gone.items()
        if rules.grace <= timedelta(0)
        or (row.missing_since is not None and now - row.missing_since >= rules.grace)
    }
    newly_gone = [
        row.model_copy(update={"missing_since": now})
        for name, row in gone.items()
        if name not in expired
        and row.missing_since is None
        and (is_undated(name) or _is_within(row.upload_hour, within))
    ]
    moved = {name for name in again & loaded.keys() if loaded[name].upload_hour != there[name].hour}
    dated: set[datetime] = set()
    undated: set[datetime] = set()
    for name in again | expired:
        hour = there[name].hour if name in again else gone[name].upload_hour
        if hour is not None:
            (undated if is_undated(name) else dated).add(hour)
    dated = {hour for hour in dated if _is_within(hour, within)}
    # An hour that lost its place is in no window any more.
    for name in moved:
        if (hour := loaded[name].upload_hour) is not None:
            (undated if is_undated(name) else dated).add(hour)
    hours_wanted = dated | undated
    hours: dict[datetime, list[LandedFile]] = {hour: [] for hour in sorted(hours_wanted)}
    for file in there.values():
        if file.hour in hours:
            hours[file.hour].append(file)
    unplaced_now = [file for file in there.values() if file.hour is None]
    unplaced_changed = any(file.file in again for file in unplaced_now) or any(
        loaded[name].upload_hour is None for name in expired | moved
    )
    known = {file.hour for file in there.values()} | {row.upload_hour for row in loaded.values()}
    for row in newly_gone:
        if row.upload_hour is not None:
            (undated if is_undated(row.file) else dated).add(row.upload_hour)
    return LoadPlan(
        hours={hour: sorted(files, key=lambda f: f.file) for hour, files in hours.items()},
        known=sorted(hour for hour in known if hour is not None),
        unplaced=unplaced_now if unplaced_changed else None,
        missing=newly_gone,
        dayless=frozenset(undated - dated),
    )


def assign_hours(
    listing: Iterable[LandedFile],
    rules: Rules,
    is_undated: Callable[[str], bool] = lambda _: False,
    now: datetime | None = None,
) -> list[LandedFile]:
    """The listing, without an hour where the name's hour is before the first day or to come.

    Args:
        is_undated: as for `plan_load`; such a file is of the hour that it was last changed in, or
            where that is no time of ours, of the first day.
    """
    now = now or datetime.now(UTC)

    def is_ours(hour: datetime) -> bool:
        return hour.date() >= rules.first_day and hour <= now + HOUR

    found = []
    for file in listing:
        hour = file.hour
        if is_undated(file.file):
            hour = file.modified.replace(minute=0, second=0, microsecond=0)
            if not is_ours(hour):
                hour = datetime.combine(rules.first_day, time(), UTC)
        elif hour is not None and not is_ours(hour):
            hour = None
        found.append(file if hour == file.hour else replace(file, hour=hour))
    return found


def windows(hours: Sequence[datetime], known: Sequence[datetime]) -> list[Window]:
    """The hours as few windows; two are joined where no known hour lies between them."""
    position = {hour: i for i, hour in enumerate(known)}
    joined: list[Window] = []
    last = None
    for hour in hours:
        if joined and last is not None and position[hour] == position[last] + 1:
            joined[-1] = Window(joined[-1].start, hour + HOUR)
        else:
            joined.append(Window(hour, hour + HOUR))
        last = hour
    return joined


def ledger_rows(rows: Iterable[LedgerRow], ledger: Table) -> pa.Table:
    """Ledger rows as the ledger's Arrow table."""
    return pa.Table.from_pylist([row.model_dump() for row in rows], schema=ledger.schema)


def _is_wanted(file: LandedFile, row: LedgerRow | None, rules: Rules) -> bool:
    if row is None or rules.reload or row.etag != file.etag or row.missing_since is not None:
        return True
    if row.upload_hour != file.hour or row.personal_data != rules.personal_data:
        return True
    refused = row.refused or row.quarantined > 0
    return rules.retry_quarantined and refused and row.parser_version < rules.parser_version


def _is_within(hour: datetime | None, within: Window | None) -> bool:
    return within is None or (hour is not None and within.start <= hour < within.end)
