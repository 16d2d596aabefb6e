"""What a load has to do: the listing minus the ledger.

The ledger has the version of each file that the lake has. The plan depends on it and the listing
alone, so a sensor, the command line and a fresh `DAGSTER_HOME` always agree.
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
PLANNING_COLUMNS = (
    *("file", "etag", "upload_hour", "missing_since", "personal_data"),
    *("parser_version", "refused", "quarantined"),
)
"""The columns of the ledger that a plan depends on."""


@dataclass(frozen=True)
class Rules:
    """When a file in the ledger has to be loaded changed.

    Attributes:
        parser_version: of the current code.
        personal_data: the fingerprint of the current policy.
        first_day: files of earlier days, and of future hours, belong to no hour.
        grace: how long a file may be missing before its rows are removed.
        retry_quarantined: load changed what an older parser refused.
        reload: load every file changed.
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
        hours: hour -> its files, for each hour to be loaded, in order.
        known: every hour in landing or the ledger, in order.
        unplaced: all files that belong to no hour; None where the ledger has just these.
        missing: ledger rows of newly missing files, with `missing_since`.
        dayless: hours of `hours` and `missing` that belong to every run, whatever its days.
        dated: the first and the last day of all files whose names have one, in landing or the
            ledger; None if there are none, or not all files are listed.
    """

    hours: Mapping[datetime, Sequence[LandedFile]]
    known: Sequence[datetime]
    unplaced: Sequence[LandedFile] | None
    missing: Sequence[LedgerRow]
    dayless: frozenset[datetime] = frozenset()
    dated: tuple[date, date] | None = None

    @property
    def is_empty(self) -> bool:
        """Nothing has to be loaded."""
        return not self.hours and self.unplaced is None and not self.missing

    @property
    def days(self) -> list[date]:
        """The upload days to be loaded, in order."""
        missing = {row.upload_hour for row in self.missing if row.upload_hour is not None}
        return sorted({hour.date() for hour in (missing | set(self.hours)) - self.dayless})


def read_ledger(
    lake: Store,
    ledger: Table,
    source: str,
    *,
    within: Window | None = None,
    names: tuple[str, str] | None = None,
    whole: bool = False,
) -> list[LedgerRow]:
    """Read the ledger's rows of one source, with `PLANNING_COLUMNS`.

    Args:
        within: only rows of these hours.
        names: only rows of files after the first path, up to and with the second.
        whole: with all columns, for rows that are written changed.
    """
    batches = stream(
        lake,
        ledger,
        columns=None if whole else PLANNING_COLUMNS,
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
    """Plan a load after which the lake has what landing has.

    Args:
        listing: the files of one source; see `Source.select`.
        ledger: the ledger's rows of the same source.
        within: only hours of this window; None for all. Files of no hour belong to every window.
        is_undated: whether a file's name has no hour although the file belongs to one; such files
            belong to every window too.
        now: when files are missing since.
    """
    now = now or datetime.now(UTC)
    listed = {file.file: file for file in listing}
    loaded = {row.file: row for row in ledger}
    changed = {name for name, file in listed.items() if _is_pending(file, loaded.get(name), rules)}
    missing = {name: row for name, row in loaded.items() if name not in listed}
    expired = {
        name
        for name, row in missing.items()
        if rules.grace <= timedelta(0)
        or (row.missing_since is not None and now - row.missing_since >= rules.grace)
    }
    newly_missing = [
        row.model_copy(update={"missing_since": now})
        for name, row in missing.items()
        if name not in expired
        and row.missing_since is None
        and (is_undated(name) or _is_within(row.upload_hour, within))
    ]
    moved = {
        name for name in changed & loaded.keys() if loaded[name].upload_hour != listed[name].hour
    }
    dated: set[datetime] = set()
    undated: set[datetime] = set()
    for name in changed | expired:
        hour = listed[name].hour if name in changed else missing[name].upload_hour
        if hour is not None:
            (undated if is_undated(name) else dated).add(hour)
    dated = {hour for hour in dated if _is_within(hour, within)}
    # The previous hour of a moved file may be outside the window.
    for name in moved:
        if (hour := loaded[name].upload_hour) is not None:
            (undated if is_undated(name) else dated).add(hour)
    hours: dict[datetime, list[LandedFile]] = {hour: [] for hour in sorted(dated | undated)}
    for file in listed.values():
        if file.hour in hours:
            hours[file.hour].append(file)
    unplaced = [file for file in listed.values() if file.hour is None]
    unplaced_changed = any(file.file in changed for file in unplaced) or any(
        loaded[name].upload_hour is None for name in expired | moved
    )
    hours_of_files = [
        *((file.file, file.hour) for file in listed.values()),
        *((row.file, row.upload_hour) for row in loaded.values()),
    ]
    known = {hour for _, hour in hours_of_files if hour is not None}
    named = {hour for name, hour in hours_of_files if hour is not None and not is_undated(name)}
    for row in newly_missing:
        if row.upload_hour is not None:
            (undated if is_undated(row.file) else dated).add(row.upload_hour)
    return LoadPlan(
        hours={hour: sorted(files, key=lambda f: f.file) for hour, files in hours.items()},
        known=sorted(known),
        unplaced=unplaced if unplaced_changed else None,
        missing=newly_missing,
        dayless=frozenset(undated - dated),
        dated=(min(named).date(), max(named).date()) if named else None,
    )


def assign_hours(
    listing: Iterable[LandedFile],
    rules: Rules,
    is_undated: Callable[[str], bool] = lambda _: False,
    now: datetime | None = None,
) -> list[LandedFile]:
    """The listing, without the hours that are before the first day or in the future.

    Args:
        is_undated: as for `plan_load`; such a file belongs to the hour of its last change, or
            to the first day where that is out of range.
    """
    now = now or datetime.now(UTC)

    def is_valid(hour: datetime) -> bool:
        return hour.date() >= rules.first_day and hour <= now + HOUR

    files = []
    for file in listing:
        hour = file.hour
        if is_undated(file.file):
            hour = file.modified.replace(minute=0, second=0, microsecond=0)
            if not is_valid(hour):
                hour = datetime.combine(rules.first_day, time(), UTC)
        elif hour is not None and not is_valid(hour):
            hour = None
        files.append(file if hour == file.hour else replace(file, hour=hour))
    return files


def windows(hours: Sequence[datetime], known: Sequence[datetime]) -> list[Window]:
    """The hours as windows; two are joined where no known hour is between them."""
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


def _is_pending(file: LandedFile, row: LedgerRow | None, rules: Rules) -> bool:
    if row is None or rules.reload or row.etag != file.etag or row.missing_since is not None:
        return True
    if row.upload_hour != file.hour or row.personal_data != rules.personal_data:
        return True
    refused = row.refused or row.quarantined > 0
    return rules.retry_quarantined and refused and row.parser_version < rules.parser_version


def _is_within(hour: datetime | None, within: Window | None) -> bool:
    return within is None or (hour is not None and within.start <= hour < within.end)
