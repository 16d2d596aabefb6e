"""From records to rows: values parsed, the record's own columns added, bad ones put aside."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
        times = _milliseconds(records)
        wrong = _impossible_times(times)
        values, at, deleted = _values(records, wrong)
        if self._topic.tombstones == "quarantine":
            wrong |= dict.fromkeys(deleted, "expected a value, found a tombstone (no value)")
            deleted = []
        fields, places = self._parsed(values, at, wrong)
        own = [name for name in self._topic.table.schema.names if name not in STREAM_COLUMNS]
        rows = fields.select(own)
        if deleted:
            rows = pa.concat_tables([rows, _nulls(rows.schema, len(deleted))])
            places = np.concatenate([places, np.array(deleted, np.int64)])
            order = np.argsort(places, kind="stable")
            rows, places = rows.take(pa.array(order)), places[order]
        rows = self._with_record(rows, records, times, places)
        return Parsed(rows, [self._bad(records, n, int(times[n]), wrong[n]) for n in sorted(wrong)])

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

    def _with_record(
        self, rows: pa.Table, records: Records, times: Positions, places: Positions
    ) -> pa.Table:
        """Add the columns that are not parsed from the value."""
        count = len(places)
        is_whole = count == len(records)

        def chosen(column: Sequence[Any]) -> Sequence[Any]:
            return column if is_whole else [column[n] for n in places.tolist()]

        micros = times[places] * 1000
        headers: Sequence[Any] = [None] * count
        if any(records.headers):
            headers = [_headers(each) for each in chosen(records.headers)]
        columns = {
            "topic": pa.repeat(self._topic.name, count),
            "generation": pa.repeat(self._generation, count),
            "partition": pa.array(np.array(records.partitions, np.int64)[places]),
            "offset": pa.array(np.array(records.offsets, np.int64)[places]),
            "broker_time": pa.array(micros, pa.timestamp("us", "UTC"), mask=micros < 0),
            "key": _texts(chosen(records.keys)),
            "headers": pa.array(headers, pa.string()),
            "is_deleted": pc.is_null(pa.array(chosen(records.values), pa.large_binary())),
        }
        schema = self._topic.table.schema
        arrays = [
            (columns[f.name] if f.name in columns else rows[f.name]).cast(f.type) for f in schema
        ]
        return pa.table(arrays, schema=schema)

    def _bad(self, records: Records, number: int, moment: int, reason: str) -> dict[str, Any]:
        """A record as a row of the quarantine."""
        value = records.values[number]
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


def _milliseconds(records: Records) -> Positions:
    """The timestamps of records; -1 for none."""
    kinds, moments = np.array(records.times, np.int64).reshape(-1, 2).T
    return np.where(kinds == 0, -1, moments)


def _impossible_times(times: Positions) -> dict[int, str]:
    """Position -> reason, for timestamps of the broker that no clock near ours gave."""
    outside = ((times < _EARLIEST) | (times >= _LATEST)) & (times != -1)
    reason = "broker_time: expected a time, found none near ours"
    return dict.fromkeys(np.flatnonzero(outside).tolist(), reason)


def _values(
    records: Records, wrong: dict[int, str]
) -> tuple[Sequence[bytes], Positions, list[int]]:
    """The values to be parsed, their positions, and the positions of records without one.

    Args:
        wrong: position -> why a record is bad; those whose value is too long are added.
    """
    values: list[bytes] = [value for value in records.values if value is not None]
    longest = max(map(len, values), default=0)
    if len(values) == len(records) and not wrong and longest <= MAX_VALUE_BYTES:
        return values, np.arange(len(values)), []
    at: list[int] = []
    deleted: list[int] = []
    for number, value in enumerate(records.values):
        if value is not None and len(value) > MAX_VALUE_BYTES:
            limit = f"expected a value of {MAX_VALUE_BYTES:,} bytes at most"
            wrong.setdefault(number, f"{limit}, found {len(value):,}")
        if number not in wrong:
            (deleted if value is None else at).append(number)
    values = [value for n in at if (value := records.values[n]) is not None]
    return values, np.array(at, np.int64), deleted


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
