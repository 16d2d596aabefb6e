"""Records of the topic `iot_readings` as its table has them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from novade_pipeline.defs.iot.readings import Update, update_readings
from novade_pipeline.defs.iot.tables import DEVICES, GAPS, READING_EVENTS, READINGS
from novade_pipeline.lake.delta import append_once, current_version
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
Row = dict[str, Any]


def reading(offset: int, device: str, sequence: int, **fields: Any) -> Row:
    """A record of a reading; it was measured `minutes` after the start, by default its sequence."""
    minutes = fields.pop("minutes", sequence)
    return {
        "topic": "iot_readings",
        "generation": 1,
        "partition": 0,
        "offset": offset,
        "broker_time": START + timedelta(hours=20, minutes=offset),
        "key": device,
        "is_deleted": False,
        "device_id": device,
        "sequence": sequence,
        "metric": "temperature",
        "value": float(sequence),
        "unit": "°C",
        "measured_at": START + timedelta(minutes=minutes),
        "value_sent": float(sequence),
        "unit_sent": "C",
        "unit_kind": "standard",
        "is_text": False,
        "is_out_of_range": False,
        **fields,
    }


def append(lake: Store, *records: Row) -> None:
    """Append records, as a load does."""
    rows = pa.Table.from_pylist(list(records), schema=READING_EVENTS.schema)
    version = (current_version(lake, READING_EVENTS) or 0) + 1
    append_once(lake, READING_EVENTS, rows, app_id="load", version=version)


def load(lake: Store, *records: Row) -> Update:
    """Append records and update what is derived."""
    append(lake, *records)
    return update_readings(lake, lambda _: None)


def stored(lake: Store) -> dict[str, list[Row]]:
    """The rows of the derived tables, in the order of their keys."""
    return {table.name: _rows(lake, table) for table in (READINGS, GAPS, DEVICES)}


def _rows(lake: Store, table: Table) -> list[Row]:
    order = [(name, "ascending") for name in table.key]
    rows: list[Row] = read(lake, table).sort_by(order).to_pylist()
    return rows
