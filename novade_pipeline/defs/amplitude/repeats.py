"""Finds the landed events that repeat earlier ones, incrementally.

Two events are copies where they share the uuid, or app, device and insert id within a week, which
is Amplitude's own rule (https://amplitude.com/docs/apis/analytics/http-v2). Copies are few and may
be years apart, so they are searched in `amplitude/event_keys`, a 64-bit hash of each uuid and
insert id; events are read only of the hours with a key that occurs twice.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.defs.amplitude.tables import EVENT_KEYS, EVENTS, REPEATS
from novade_pipeline.lake.changed_windows import HOUR, changed_windows, joined
from novade_pipeline.lake.changes import Everything
from novade_pipeline.lake.delta import WriteReceipt, open_table, replace, replace_window
from novade_pipeline.lake.derived import is_current, recorded_versions, source_of
from novade_pipeline.lake.query import scan, sql_type, workspace
from novade_pipeline.lake.read import stream
from novade_pipeline.lake.windows import Window, predicate
from novade_pipeline.landing.repeats import Hashes, hashes_of
from novade_pipeline.plurals import counted
from novade_pipeline.storage.store import Store

INSERT_ID_DAYS = 7
"""How long Amplitude deduplicates by an insert id."""
_KEYED = ("upload_hour", "uuid", "app", "device_id", "insert_id")
_COPY = (*_KEYED, "file", "line")
# Spreads the numbers of apps over all bits.
_ODD = np.uint64(0x9E3779B97F4A7C15)
_KEYS = ("uuid_key", "insert_key")
_REPEAT = ", ".join(REPEATS.schema.names)
_EMPTY_COPY = ", ".join(
    f"null::{sql_type(EVENTS.schema.field(name).type)} as {name}" for name in _COPY
)
_EMPTY_COPY = f"select {_EMPTY_COPY}, null::bigint as uuid_key, null::bigint as insert_key limit 0"

_REPEATS_AMONG_COPIES = f"""
with copies as (
    select *, struct_pack(hour := upload_hour, file := file, line := line) as place from copy
),
preceded as (
    select
        *,
        lag(place) over (partition by uuid order by place) as by_uuid,
        lag(place) over (partition by app, device_id, insert_id order by place) as by_insert_id
    from copies
),
judged as (
    select
        * replace (
            case when insert_key is not null
                and upload_hour - by_insert_id.hour <= interval {INSERT_ID_DAYS} day
                then by_insert_id
            end as by_insert_id
        )
    from preceded
)
select
    cast(upload_hour as date) as upload_date,
    upload_hour,
    file,
    line,
    uuid,
    uuid_key,
    insert_key,
    if(by_uuid is not null, 'uuid', 'insert_id') as same,
    coalesce(by_uuid, by_insert_id).hour as earlier_hour,
    coalesce(by_uuid, by_insert_id).file as earlier_file,
    coalesce(by_uuid, by_insert_id).line as earlier_line
from judged
where coalesce(by_uuid, by_insert_id) is not null
"""


def find_repeats(
    lake: Store, on_progress: Callable[[str], None] = lambda _: None
) -> list[WriteReceipt]:
    """Update `event_keys` and `repeats` after changes of events.

    Args:
        on_progress: called with one sentence a table.

    Returns:
        The receipts of `event_keys` and of `repeats`; empty where no event has changed.

    Raises:
        TransientFailure: another writer was faster; the next call continues.
    """
    events, version = source_of(lake, EVENTS)
    sources = {events: version}
    if version < 0 or is_current(lake, REPEATS, sources, [EVENTS]):
        return []
    windows = _changed_windows(lake, events, version)
    keys = _write_keys(lake, windows, version)
    on_progress(f"{EVENT_KEYS.name}: {counted(keys.rows, 'row')}")
    with workspace(lake) as connection:
        if windows is None:
            _find_all(connection, lake, version)
        else:
            windows = _find_changed(connection, lake, windows, version)
        rows = connection.execute(f"select {_REPEAT} from repeat").to_arrow_reader()
        if windows is None:
            repeats = replace(lake, REPEATS, rows, transactions=sources)
        else:
            repeats = replace_window(lake, REPEATS, rows, windows, transactions=sources)
    on_progress(f"{REPEATS.name}: {counted(repeats.rows, 'row')}")
    return [keys, repeats]


def keys_of(events: pa.RecordBatch) -> pa.RecordBatch:
    """The rows of `event_keys` for events.

    Args:
        events: with the columns upload_hour, uuid, app, device_id and insert_id.
    """
    insert_id = events["insert_id"]
    # A blank insert id identifies no event.
    has_id = pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(insert_id), ""), False)
    app = pc.fill_null(events["app"], 0).to_numpy().view("u8")
    key = _hashed(insert_id)[0] ^ _hashed(events["device_id"])[1] ^ (app * _ODD)
    columns = [
        events["upload_hour"],
        pa.array(_hashed(events["uuid"])[0].view("i8")),
        pc.if_else(has_id, pa.array(key.view("i8")), pa.scalar(None, pa.int64())),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=EVENT_KEYS.schema)


def _hashed(texts: pa.Array) -> Hashes:
    return hashes_of(pa.chunked_array([texts]))


def _changed_windows(lake: Store, events: str, version: int) -> list[Window] | None:
    """The hours whose events changed since the last update; None where all may have."""
    since = recorded_versions(lake, REPEATS, {events: version})[events]
    if since is None or open_table(lake, EVENT_KEYS) is None:
        return None
    windows = changed_windows(lake, EVENTS, since, version)
    return None if isinstance(windows, Everything) else windows


def _write_keys(lake: Store, windows: Sequence[Window] | None, version: int) -> WriteReceipt:
    events = stream(lake, EVENTS, columns=_KEYED, windows=windows, version=version)
    rows = pa.RecordBatchReader.from_batches(EVENT_KEYS.schema, map(keys_of, events))
    if windows is None:
        return replace(lake, EVENT_KEYS, rows)
    return replace_window(lake, EVENT_KEYS, rows, windows)


def _find_all(connection: duckdb.DuckDBPyConnection, lake: Store, version: int) -> None:
    """Create the table `repeat` from all events."""
    _prepare(connection, lake, [])
    for name in _KEYS:
        connection.execute(
            f"insert into shared_key select {name} from event_key"
            f" where {name} is not null group by {name} having count(*) > 1"
        )
    connection.execute(
        "insert into shared_hour select distinct upload_hour from event_key"
        " where uuid_key in (from shared_key) or insert_key in (from shared_key)"
    )
    _read_copies(connection, lake, version)
    connection.execute(f"create table repeat as {_REPEATS_AMONG_COPIES}")


def _find_changed(
    connection: duckdb.DuckDBPyConnection, lake: Store, windows: Sequence[Window], version: int
) -> list[Window]:
    """Create the table `repeat` for the hours whose repeats may differ; returns these hours.

    These are the changed hours, and the hours of other events that gained or lost a copy: they
    share a key with a changed event, or repeated one. Each is compared with all its copies.
    """
    _prepare(connection, lake, windows)
    connection.execute(
        f"create view stored as select {_REPEAT} from {scan(lake, REPEATS)};"
        "create view orphan as from stored where earlier_hour in (from changed_hour);"
        "create table changed_key as from event_key"
        f"  where {predicate(EVENT_KEYS, windows, {})}"
    )
    _add_shared_keys(connection, "orphan", copies=1)
    _add_shared_keys(connection, "changed_key")
    _read_copies(connection, lake, version)
    while _add_shared_keys(connection, "copy"):
        _read_copies(connection, lake, version)
    place = "(upload_hour, file, line)"
    connection.execute(
        f"create table computed as {_REPEATS_AMONG_COPIES};"
        f"create view replaced as from stored where {place} in (select {place} from copy);"
        "create table elsewhere as select distinct upload_hour from"
        "  ((from computed except from replaced) union all (from replaced except from computed))"
        "  where upload_hour not in (from changed_hour);"
        "create table repeat as"
        "  from computed where upload_hour in (from changed_hour union all from elsewhere)"
        "  union all from stored where upload_hour in (from elsewhere)"
        f"    and {place} not in (select {place} from copy)"
    )
    hours = connection.execute("from elsewhere").fetchall()
    return joined([*windows, *(Window(hour, hour + HOUR) for (hour,) in hours)])


def _prepare(connection: duckdb.DuckDBPyConnection, lake: Store, windows: Sequence[Window]) -> None:
    connection.execute(
        f"create view event_key as from {scan(lake, EVENT_KEYS)};"
        "create table changed_hour (hour timestamptz);"
        "create table shared_key (key bigint);"
        "create table shared_hour (hour timestamptz)"
    )
    for window in windows:
        connection.execute(
            "insert into changed_hour"
            " from range($1::timestamptz, $2::timestamptz, interval 1 hour)",
            [window.start, window.end],
        )


def _add_shared_keys(connection: duckdb.DuckDBPyConnection, rows: str, *, copies: int = 2) -> bool:
    """Add the keys of rows that so many events have, and the hours of these; whether any is new.

    Args:
        rows: a table or view with the columns uuid_key, insert_key and upload_hour.
    """
    added = False
    for name in _KEYS:
        # Of all of history one column is read: a uuid may be years old.
        near = _near(connection, rows) if name == "insert_key" else ""
        connection.execute(
            "create or replace table occurrence as"
            f" select {name} as key, upload_hour from event_key where {name} in"
            f"  (select {name} from {rows} where {name} not in (from shared_key)) {near};"
            "create or replace table new_key as"
            f" select key from occurrence group by key having count(*) >= {copies};"
            "insert into shared_key from new_key"
        )
        if not connection.fetchall()[0][0]:
            continue
        added = True
        # An id within a week of its copies may have more of them before and after.
        everywhere = (
            f"select {name} as key, upload_hour from event_key" if near else "from occurrence"
        )
        connection.execute(
            f"insert into shared_hour select distinct upload_hour from ({everywhere})"
            " where key in (from new_key)"
        )
    return added


def _near(connection: duckdb.DuckDBPyConnection, rows: str) -> str:
    """SQL for the hours within `INSERT_ID_DAYS` of rows, to read few."""
    first, last = connection.execute(
        f"select min(upload_hour), max(upload_hour) from {rows}"
    ).fetchall()[0]
    if first is None:
        return ""
    days = timedelta(days=INSERT_ID_DAYS)
    return (
        f" and upload_hour between timestamptz '{(first - days).isoformat()}'"
        f" and timestamptz '{(last + days).isoformat()}'"
    )


def _read_copies(connection: duckdb.DuckDBPyConnection, lake: Store, version: int) -> None:
    """Create the table `copy`: the events that have a shared key."""
    has_shared_key = "uuid_key in (from shared_key) or insert_key in (from shared_key)"
    hours = connection.execute("select distinct hour from shared_hour").fetchall()
    windows = joined(Window(hour, hour + HOUR) for (hour,) in hours)
    events = stream(lake, EVENTS, columns=_COPY, windows=windows, version=version)
    connection.execute(f"create or replace table copy as {_EMPTY_COPY}")
    for batch in events:
        keys = keys_of(batch).drop_columns("upload_hour")
        connection.register(
            "batch",
            pa.RecordBatch.from_arrays(
                [*batch.columns, *keys.columns], [*batch.schema.names, *keys.schema.names]
            ),
        )
        connection.execute(f"insert into copy from batch where {has_shared_key}")
