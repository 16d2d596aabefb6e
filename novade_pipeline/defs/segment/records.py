"""From records of Avro and JSON to rows; `columnar` does the same for Parquet."""

import base64
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from novade_pipeline.defs.segment.shapes import (
    CONTEXT,
    DATASET,
    EARLIEST,
    EVENT,
    EVENT_TEXT,
    LATEST,
    SOURCE_TABLE,
    Shape,
    context_paths,
    is_document,
    is_whole,
    iso_time,
    plain_decimal,
)
from novade_pipeline.landing.record_rows import InvalidRecord, Row
from novade_pipeline.privacy.json_text import VerbatimNumber, read_json, write_json

# As BigQuery writes a TIMESTAMP to JSON: `2024-05-01 10:00:00.123456 UTC`.
_ZONE = re.compile(r"(?: ?UTC| ?Z)$", re.ASCII)


def row_of(
    shape: Shape, dataset: str, source_table: str, values: Mapping[str, Any], mended: list[str]
) -> Row:
    """A row of a record.

    Raises:
        InvalidRecord: a required value is missing, or one has another type.
    """
    row: Row = {DATASET: dataset, SOURCE_TABLE: source_table}
    row |= {name: _text(name, values.get(name)) for name in shape.texts}
    row |= {name: _time(name, values.get(name)) for name in shape.times}
    if EVENT in shape.texts:
        row[EVENT] = row[EVENT] or source_table
        row[EVENT_TEXT] = row[EVENT_TEXT] or row[EVENT]
    for name in shape.required:
        if row[name] is None:
            raise InvalidRecord(missing(shape, name))
    row[CONTEXT] = _context(values)
    row[shape.rest] = _object({n: v for n, v in values.items() if shape.is_rest(n)})
    return row


def missing(shape: Shape, name: str) -> str:
    """The reason for which a record without a value is no row."""
    kind = "time" if name in shape.times else "text"
    return f"{name}: expected a {kind}, found none"


def out_of_range(name: str) -> str:
    """The reason for which a record with such a time is no row."""
    return f"{name}: expected a time from {EARLIEST:%Y} to {LATEST:%Y}, found another"


def not_a(name: str, kind: str, actual: str) -> str:
    """The reason for which a record with a value of another type is no row."""
    return f"{name}: expected a {kind}, found {actual}"


def parse_time(text: str) -> datetime | None:
    """A time in ISO or BigQuery's form, UTC where it has no zone; None for another text."""
    try:
        moment = datetime.fromisoformat(_ZONE.sub("+00:00", text.strip()))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def json_value(value: Any) -> Any:
    """A value of the warehouse as the sender's JSON; None for what JSON does not have."""
    match value:
        case str():
            return read_json(value) if is_document(value) else value
        case float() if not isinstance(value, VerbatimNumber):
            return None if not math.isfinite(value) else int(value) if is_whole(value) else value
        case Decimal():
            text = plain_decimal(value)
            return VerbatimNumber(text) if "." in text else int(text)
        case datetime():
            return iso_time(value)
        case date() | time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {name: json_value(item) for name, item in value.items()}
        case list():
            return [json_value(item) for item in value]
    return value


def _text(name: str, value: Any) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidRecord(not_a(name, "text", type(value).__name__))
    return str(value)


def _time(name: str, value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    moment = value
    if isinstance(value, str):
        moment = parse_time(value)
        if moment is None:
            raise InvalidRecord(not_a(name, "time", "a text"))
    if not isinstance(moment, datetime):
        raise InvalidRecord(not_a(name, "time", type(value).__name__))
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    if not EARLIEST <= moment <= LATEST:
        raise InvalidRecord(out_of_range(name))
    return moment


def _context(values: Mapping[str, Any]) -> str | None:
    nested: dict[str, Any] = {}
    for name, path in context_paths(list(values)).items():
        value = json_value(values[name])
        if value is not None:
            target = nested.setdefault(path[0], {}) if len(path) > 1 else nested
            target[path[-1]] = value
    return write_json(nested) if nested else None


def _object(values: Mapping[str, Any]) -> str | None:
    fields = {n: v for n, item in values.items() if (v := json_value(item)) is not None}
    return write_json(fields) if fields else None
