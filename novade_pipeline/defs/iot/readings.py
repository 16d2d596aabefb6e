"""Readings once each, from the records that the topic's table has gained.

A record within a range of sequences that its device has is a repeat, whenever the first one came.

The order of commits is readings, gaps, devices: an interrupted run is continued from the readings
that the devices have not taken in.
"""

from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from novade_pipeline.defs.iot.devices import follow_readings, read_devices, read_rows
from novade_pipeline.defs.iot.tables import DEVICES, GAPS, READING_EVENTS, READINGS
from novade_pipeline.lake.delta import WriteReceipt, append_once, replace
from novade_pipeline.lake.derived import is_current, recorded_versions, source_of
from novade_pipeline.lake.file_differences import file_differences, only_appended
from novade_pipeline.lake.query import workspace
from novade_pipeline.plurals import counted
from novade_pipeline.storage.store import Store

CLOCK_AHEAD_HOURS = 24
CLOCK_BEHIND_DAYS = 731
_DERIVED = ("measured_date", "measured_hour", "is_clock_wrong")
_READ = tuple(name for name in READINGS.schema.names if name not in _DERIVED)
_READING = ", ".join(f'"{name}"' for name in READINGS.schema.names)
_NEW_READINGS = f"""
create table placed as
select
    *,
    broker_time is not null and (
        measured_at > broker_time + interval {CLOCK_AHEAD_HOURS} hour
        or measured_at < broker_time - interval {CLOCK_BEHIND_DAYS} day
    ) as is_clock_wrong
from batches;

create view unlike as
select placed.*
from placed
asof left join stored_range as stored
    on placed.device_id = stored.device_id and placed.sequence >= stored.first
where stored.last is null or stored.last < placed.sequence;

create view reading as
select
    * exclude (hour),
    cast(hour as date) as measured_date,
    hour as measured_hour
from (
    select
        *,
        date_trunc('hour', if(is_clock_wrong, broker_time, measured_at)) as hour
    from unlike
    qualify 1 = row_number() over (
        partition by device_id, sequence
        order by generation, broker_time nulls first, "partition", "offset"
    )
);
"""


@dataclass(frozen=True)
class Update:
    """What an update wrote.

    Attributes:
        receipts: table -> receipts of its writes.
        repeats: records that were left out, since their reading had arrived before.
        restarted: of these, those measured after all that the device had sent until then: the
            device may count from the beginning again.
    """

    receipts: dict[str, list[WriteReceipt]]
    repeats: int = 0
    restarted: int = 0


def update_readings(lake: Store, on_progress: Callable[[str], None]) -> Update:
    """Bring readings, gaps and devices up to what `iot/reading_events` has.

    Args:
        on_progress: called with one sentence a table that has changed.

    Raises:
        TransientFailure: another writer was faster; the next call continues.
    """
    receipts: dict[str, list[WriteReceipt]] = {
        table.name: [] for table in (READINGS, GAPS, DEVICES)
    }
    follow_readings(lake, receipts)
    repeats = restarted = 0
    events, version = source_of(lake, READING_EVENTS)
    if version >= 0 and not is_current(lake, READINGS, {events: version}, [READING_EVENTS]):
        repeats, restarted = _append_readings(lake, events, version, receipts)
        follow_readings(lake, receipts)
    for name, of_table in receipts.items():
        if of_table:
            on_progress(f"{name}: {counted(sum(receipt.rows for receipt in of_table), 'row')}")
    return Update(receipts, repeats, restarted)


def _append_readings(
    lake: Store, events: str, version: int, receipts: dict[str, list[WriteReceipt]]
) -> tuple[int, int]:
    """Append the readings that have not arrived before; (repeats, those that may be a restart)."""
    since = recorded_versions(lake, READINGS, {events: version})[events]
    if since is not None and not only_appended(lake, READING_EVENTS, since, version):
        since = None
    differences = file_differences(lake, READING_EVENTS, since)
    assert differences is not None
    with workspace(lake) as connection:
        read_rows(connection, READING_EVENTS, differences, _READ, "batches")
        read_devices(connection, lake, "batches", is_whole=differences.is_whole)
        connection.execute(_NEW_READINGS)
        repeats, restarted = _repeats(connection)
        rows = connection.execute(
            f"select {_READING} from reading order by measured_date"
        ).to_arrow_reader()
        sources = {events: differences.version}
        if differences.is_whole:
            receipt: WriteReceipt | None = replace(lake, READINGS, rows, transactions=sources)
        else:
            receipt = append_once(lake, READINGS, rows, app_id=events, version=differences.version)
    receipts[READINGS.name] += [receipt] if receipt else []
    return repeats, restarted


def _repeats(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """(records that are left out, those of them that are newer than their device's newest)."""
    rows = connection.execute(
        """
        select
            (select count(*) from placed) - (select count(*) from reading),
            count(*) filter (
                placed.measured_at > stored.last_measured_at and not placed.is_clock_wrong
            )
        from placed
        inner join stored_device as stored using (device_id)
        asof left join stored_range as range
            on placed.device_id = range.device_id and placed.sequence >= range.first
        where range.last >= placed.sequence
        """
    ).fetchall()
    return rows[0][0], rows[0][1]
