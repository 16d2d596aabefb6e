"""Devices and gaps, from the readings that have been appended.

Which sequences of a device have arrived is kept as ranges in `iot/devices`, few where few are
missing; what lies between two ranges is a gap. Only devices with new readings are read, and hours
whose gaps differ. Gaps are committed first: the devices record which readings were taken in.
"""

from collections.abc import Sequence
from contextlib import closing

import duckdb
import pyarrow as pa

from novade_pipeline.defs.iot.tables import DEVICES, GAPS, READINGS
from novade_pipeline.lake.changed_windows import HOUR, joined
from novade_pipeline.lake.delta import WriteReceipt, open_table, replace, replace_window
from novade_pipeline.lake.derived import is_current, recorded_versions, source_of
from novade_pipeline.lake.file_differences import (
    FileDifferences,
    file_differences,
    only_appended,
)
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.query import scan, workspace
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window, predicate
from novade_pipeline.storage.store import Store

_OF_DEVICES = (
    *("device_id", "sequence", "metric", "measured_at", "measured_hour", "broker_time"),
    "is_clock_wrong",
)
_DEVICE = ", ".join(f'"{name}"' for name in DEVICES.schema.names)
_GAP = ", ".join(GAPS.schema.names)

_NEW_DEVICES = """
create table span as
with compressed as (
    -- Of each device the runs of consecutive sequences, which are few.
    select
        device_id,
        min(sequence) as first,
        max(sequence) as last,
        arg_min(measured_hour, sequence) as began_hour
    from (
        select
            *,
            sequence - dense_rank() over (partition by device_id order by sequence) as island
        from new_reading
    )
    group by device_id, island
    union all
    select device_id, first, last, began_hour from stored_range
),

begun as (
    select
        *,
        max(last) over (
            partition by device_id order by first, last
            rows between unbounded preceding and 1 preceding
        ) as reached
    from compressed
),

numbered as (
    select
        *,
        count(*) filter (reached is null or first > reached + 1) over (
            partition by device_id order by first, last
            rows between unbounded preceding and current row
        ) as island
    from begun
)

select
    device_id,
    min(first) as first,
    max(last) as last,
    arg_min(began_hour, first) as began_hour
from numbered
group by device_id, island;

create view former_gap as
select * from ({gaps_of_stored});

create table present_gap as
select * from ({gaps_of_span});

create table gap_hour as
select distinct measured_hour from (
    (from former_gap except from present_gap) union all (from present_gap except from former_gap)
);

create table changed_device as
with measured as (
    select
        device_id,
        min(if(is_clock_wrong, broker_time, measured_at)) as first_measured_at,
        max(if(is_clock_wrong, broker_time, measured_at)) as last_measured_at,
        list_sort(list(distinct metric) filter (metric is not null)) as metrics
    from new_reading
    group by device_id
),

spanned as (
    select
        device_id,
        cast(sum(last - first + 1) as bigint) as readings,
        cast(max(last) - min(first) + 1 - sum(last - first + 1) as bigint) as missing,
        count(*) - 1 as gaps,
        list(
            {{'first': first, 'last': last, 'began_hour': began_hour}} order by first
        ) as ranges
    from span
    group by device_id
)

select
    spanned.*,
    least(stored.first_measured_at, measured.first_measured_at) as first_measured_at,
    greatest(stored.last_measured_at, measured.last_measured_at) as last_measured_at,
    list_sort(list_distinct(list_concat(coalesce(stored.metrics, []), measured.metrics)))
        as metrics
from measured
inner join spanned using (device_id)
left join stored_device as stored using (device_id);
"""
_GAPS_OF = """
    select
        cast(began_hour as date) as measured_date,
        began_hour as measured_hour,
        device_id,
        reached as after_sequence,
        first as before_sequence,
        first - reached - 1 as missing
    from (
        select *, lag(last) over (partition by device_id order by first) as reached
        from {ranges}
    )
    where reached is not null
"""


def follow_readings(lake: Store, receipts: dict[str, list[WriteReceipt]]) -> None:
    """Bring gaps and devices up to the readings.

    Args:
        receipts: table -> receipts, to which those of this call are added.

    Raises:
        TransientFailure: another writer was faster; the next call continues.
    """
    readings, version = source_of(lake, READINGS)
    if version < 0 or is_current(lake, DEVICES, {readings: version}, [READINGS]):
        return
    since = recorded_versions(lake, DEVICES, {readings: version})[readings]
    if since is not None and not only_appended(lake, READINGS, since, version):
        since = None
    differences = file_differences(lake, READINGS, since)
    assert differences is not None
    sources = {readings: version}
    with workspace(lake) as connection:
        read_rows(connection, READINGS, differences, _OF_DEVICES, "new_reading")
        read_devices(connection, lake, "new_reading", is_whole=differences.is_whole)
        connection.execute(
            _NEW_DEVICES.format(
                gaps_of_stored=_GAPS_OF.format(ranges="stored_range"),
                gaps_of_span=_GAPS_OF.format(ranges="span"),
            )
        )
        receipts[GAPS.name] += _write_gaps(connection, lake, is_whole=differences.is_whole)
        devices = connection.execute(
            f"select {_DEVICE} from changed_device order by device_id"
        ).to_arrow_reader()
        if differences.is_whole:
            receipt = replace(lake, DEVICES, devices, transactions=sources)
        else:
            # A compaction gives readings again that the device has: it is equal then.
            receipt = merge(lake, DEVICES, devices, replace_equal=True, transactions=sources)
    receipts[DEVICES.name].append(receipt)


def read_devices(
    connection: duckdb.DuckDBPyConnection, lake: Store, rows: str, *, is_whole: bool
) -> None:
    """Create the tables `stored_device` and `stored_range`, of the devices that have new rows."""
    if is_whole or open_table(lake, DEVICES) is None:
        connection.register("no_device", DEVICES.schema.empty_table())
        connection.execute("create table stored_device as from no_device")
    else:
        connection.execute(
            f"create table stored_device as select {_DEVICE} from {scan(lake, DEVICES)}"
            f" where device_id in (select device_id from {rows})"
        )
    connection.execute(
        "create table stored_range as select device_id, range.first, range.last, range.began_hour"
        " from (select device_id, unnest(ranges) as range from stored_device)"
    )


def read_rows(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    differences: FileDifferences,
    columns: Sequence[str],
    name: str,
) -> None:
    """Create a table of the rows that are new."""
    schema = pa.schema([table.schema.field(column) for column in columns])
    batches = differences.rows(differences.added, columns)
    with closing(pa.RecordBatchReader.from_batches(schema, batches)) as reader:
        connection.register("reader", reader)
        connection.execute(f"create table {name} as from reader")
        connection.unregister("reader")


def _write_gaps(
    connection: duckdb.DuckDBPyConnection, lake: Store, *, is_whole: bool
) -> list[WriteReceipt]:
    """Write the gaps of the hours in which any differ."""
    if is_whole or open_table(lake, GAPS) is None:
        rows = connection.execute(f"select {_GAP} from present_gap order by measured_hour")
        return [replace(lake, GAPS, rows.to_arrow_reader())]
    hours = connection.execute("from gap_hour").fetchall()
    if not hours:
        return []
    windows = joined(Window(hour, hour + HOUR) for (hour,) in hours)
    rows = connection.execute(
        f"""
        select {_GAP} from present_gap where measured_hour in (from gap_hour)
        union all
        select {_GAP} from {scan(lake, GAPS)}
        where {predicate(GAPS, windows, {})}
            and device_id not in (select device_id from changed_device)
        order by measured_hour
        """
    )
    return [replace_window(lake, GAPS, rows.to_arrow_reader(), windows)]
