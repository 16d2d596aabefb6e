"""From records to rows: values parsed, the record's own columns added, bad ones put aside."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from novade_pipeline.json_rows.parser import LineParser
from novade_pipeline.json_rows.plain_lines import text_of
from novade_pipeline.json_rows.text import RAW_BYTES
from novade_pipeline.privacy.json_text import write_json
from novade_pipeline.streams.lines import Reader
from novade_pipeline.streams.offsets import OffsetRange
from novade_pipeline.streams.records import Records
from novade_pipeline.streams.tables import StreamQuarantineRow
from novade_pipeline.streams.topic import STREAM_COLUMNS, Normalised, Topic

Positions = np.ndarray[Any, np.dtype[np.int64]]

MAX_VALUE_BYTES = 16 * 2**20
"""Larger values are in quarantine, with their beginning."""
_EARLIEST, _LATEST = (
    int(np.datetime64(day, "ms").astype(np.int64)) for day in ("1900-01-02", "2200-01-01")
)


@dataclass(frozen=True)
class Parsed:
    """What records became: each is a row or bad.

    Attributes:
        rows: the table's columns, in the order of the records.
        bad: rows of the quarantine.
    """

    rows: pa.Table
    bad: list[dict[str, Any]]


class RowParser:
    """Makes rows of records; each thread needs its own."""

    def __init__(self, topic: Topic, generation: int, reader: Reader) -> None:
        self._topic = topic
        self._generation = generation
        self._reader = reader
        self._lines = LineParser(topic.fields, topic.other_fields, topic.table.data_time)

    def close(self) -> None:
        """Close the parser."""
        self._lines.close()

    def parse(self, records: Records) -> Parsed:
        """Parse the values of records."""
        wrong: dict[int, str] = _impossible_times(records)
        values, at = [], []
        deleted = []
        for number, value in enumerate(records.values):
            if number in wrong:
                continue
            if value is None:
                deleted.append(number)
            elif len(value) > MAX_VALUE_BYTES:
                wrong[number] = (
                    f"expected a value of {MAX_VALUE_BYTES:,} bytes at most, found {len(value):,}"
                )
            else:
                values.append(value)
                at.append(number)
        if self._topic.tombstones == "quarantine":
            wrong |= dict.fromkeys(deleted, "expected a value, found a tombstone (no value)")
            deleted = []
        fields, places = self._parsed(values, np.array(at, np.int64), wrong)
        own = [name for name in self._topic.table.schema.names if name not in STREAM_COLUMNS]
        rows = fields.select(own)
        if deleted:
            rows = pa.concat_tables([rows, _nulls(rows.schema, len(deleted))])
            places = np.concatenate([places, np.array(deleted, np.int64)])
            order = np.argsort(places, kind="stable")
            rows, places = rows.take(pa.array(order)), places[order]
        rows = self._with_record(rows, records, places)
        return Parsed(rows, [self._bad(records, n, wrong[n]) for n in sorted(wrong)])

    def _parsed(
        self, values: Sequence[bytes], at: Positions, wrong: dict[int, str]
    ) -> tuple[pa.Table, Positions]:
        """The table's own columns of the values that are good, and their positions.

        Args:
            at: the positions of the values.
            wrong: position -> why a record is bad; more are added.
        """
        read = self._reader(values)
        lines = self._lines.parse(*text_of(read.lines))
        problems = {int(n): "expected JSON, found nothing" for n in lines.blank}
        problems |= {number: reason for number, (reason, _) in lines.bad.items()} | read.wrong
        wrong |= {int(at[number]): reason for number, reason in problems.items()}
        rows, places = lines.rows, at[lines.numbers]
        if self._topic.normalise is not None:
            normalised: Normalised = self._topic.normalise(rows)
            assert len(normalised.rows) == len(rows), "one row for each value"
            rows = normalised.rows
            if normalised.wrong:
                wrong |= {int(places[n]): reason for n, reason in normalised.wrong.items()}
                is_good = np.ones(len(rows), bool)
                is_good[list(normalised.wrong)] = False
                rows, places = rows.filter(pa.array(is_good)), places[is_good]
        return rows, places

    def _with_record(self, rows: pa.Table, records: Records, places: Positions) -> pa.Table:
        """Add the columns that are not parsed from the value."""
        count, chosen = len(places), places.tolist()
        times = np.array(records.times, np.int64)[places] * 1000
        columns = {
            "topic": pa.repeat(self._topic.name, count),
            "generation": pa.repeat(self._generation, count),
            "partition": pa.array(np.array(records.partitions, np.int64)[places]),
            "offset": pa.array(np.array(records.offsets, np.int64)[places]),
            "broker_time": pa.array(times, pa.timestamp("us", "UTC"), mask=times < 0),
            "key": _texts([records.keys[n] for n in chosen]),
            "headers": pa.array([_headers(records.headers[n]) for n in chosen], pa.string()),
            "is_deleted": pa.array([records.values[n] is None for n in chosen], pa.bool_()),
        }
        schema = self._topic.table.schema
        arrays = [
            (columns[f.name] if f.name in columns else rows[f.name]).cast(f.type) for f in schema
        ]
        return pa.table(arrays, schema=schema)

    def _bad(self, records: Records, number: int, reason: str) -> dict[str, Any]:
        """A record as a row of the quarantine."""
        value, moment = records.values[number], records.times[number]
        is_time = 0 <= moment < _LATEST
        row = StreamQuarantineRow.model_construct(
            source=self._topic.source,
            topic=self._topic.name,
            generation=self._generation,
            partition=records.partitions[number],
            offset=records.offsets[number],
            lost=0,
            broker_time=np.datetime64(moment, "ms").item() if is_time else None,
            key=_text(records.keys[number]),
            reason=reason,
            raw=None if value is None else value[:RAW_BYTES],
            raw_bytes=len(value or b""),
        )
        return dict(row)


def _impossible_times(records: Records) -> dict[int, str]:
    """Position -> reason, for timestamps of the broker that no clock near ours gave."""
    times = np.array(records.times, np.int64)
    outside = ((times < _EARLIEST) | (times >= _LATEST)) & (times != -1)
    reason = "broker_time: expected a time, found none near ours"
    return dict.fromkeys(np.flatnonzero(outside).tolist(), reason)


def _texts(keys: Sequence[bytes | None]) -> pa.Array:
    try:
        return pa.array(keys, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([_text(key) for key in keys], pa.string())


def _text(content: bytes | None) -> str | None:
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return f"base64:{base64.b64encode(content).decode()}"


def _headers(headers: Sequence[tuple[str, bytes | None]] | None) -> str | None:
    if not headers:
        return None
    return write_json([[name, _text(value)] for name, value in headers])


def _nulls(schema: pa.Schema, count: int) -> pa.Table:
    return pa.table([pa.nulls(count, f.type) for f in schema], names=schema.names).cast(schema)


def lost_row(topic: Topic, generation: int, lost: OffsetRange) -> Mapping[str, Any]:
    """A lost range of offsets as a row of the quarantine."""
    return {
        "source": topic.source,
        "topic": topic.name,
        "generation": generation,
        "partition": lost.partition,
        "offset": lost.start,
        "lost": lost.size,
        "reason": f"expected offsets {lost.start:,} to {lost.end - 1:,}, found that the broker no "
        "longer has them",
        "raw_bytes": 0,
    }
