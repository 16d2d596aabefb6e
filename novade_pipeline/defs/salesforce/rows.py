"""Parses records into rows of a table: JSON of queries, and the CSV of the Bulk API 2.0.

Arrow parses a page of CSV as a whole. Where that fails, and for JSON, each value is parsed by
itself; a record that breaks its types becomes a `BadRecord`.
"""

import dataclasses
import io
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.csv as pcsv

from novade_pipeline.defs.salesforce.fields import NUMBER, Fields, Kind, ReadField
from novade_pipeline.errors import TransientFailure
from novade_pipeline.lake.conform import conform
from novade_pipeline.lake.decimals import rounded
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect

RAW_BYTES = 64 * 1024
# Arrow fails on a record that spans more than two blocks, and texts may be long.
_BLOCK_BYTES = 16 * 2**20
_BOOLEANS = {"true": True, "false": False}
_KINDS: dict[type, str] = {
    **{bool: "a boolean", int: "a number", float: "a number", Decimal: "a number"},
    **{str: "a text", list: "an array"},
}
# Digits of a double before the point.
_MOST_DIGITS = 308


@dataclasses.dataclass(frozen=True)
class BadRecord:
    """A record that cannot be a row; `key` is its Id, if it has one."""

    key: str | None
    reason: str
    raw: bytes = dataclasses.field(repr=False)
    raw_bytes: int


ParsedPage = tuple[pa.RecordBatch, list[BadRecord]]
"""The rows of a page, and its bad records."""


def rows_of_json(fields: Fields, records: Iterable[Mapping[str, Any]]) -> ParsedPage:
    """Parses the records of a query."""
    columns: dict[str, list[Any]] = {field.column: [] for field in fields.read}
    required = {c.name for c in fields.table.columns if c.required} & set(columns)
    bad = []
    for record in records:
        row = _row(fields.read, record, required)
        if isinstance(row, str):
            bad.append(_bad(record, row))
            continue
        for field, value in zip(fields.read, row, strict=True):
            columns[field.column].append(value)
    arrays = {field.column: pa.array(columns[field.column], field.type) for field in fields.read}
    return _batch(fields, arrays), bad


def rows_of_csv(fields: Fields, text: bytes, header: bytes) -> ParsedPage:
    """Parses a page of a bulk query's results.

    Args:
        fields: those of the query.
        text: the page.
        header: the first line of the first page; a page may come with it or without it.

    Raises:
        TransientFailure: it is not CSV of these fields.
    """
    names = None if text.startswith(header) else fields_in(header)
    sources = [field.source for field in fields.read]
    try:
        table = _csv(text, names, {field.source: field.type for field in fields.read}, sources)
        for field in (field for field in fields.read if field.is_exact):
            # Arrow accepts more digits than the type has.
            table[field.source].validate(full=True)
    except (pa.ArrowInvalid, KeyError):
        table = None
    if table is not None and not _lacks_required(fields, table):
        arrays = {field.column: _as_read(field, table[field.source]) for field in fields.read}
        return _batch(fields, arrays), []
    try:
        as_text = _csv(text, names, dict.fromkeys(sources, pa.string()), sources)
    except (pa.ArrowInvalid, KeyError):
        raise TransientFailure(
            f"{fields.table.name}: expected CSV with the {len(sources)} fields of the query from "
            "the bulk job, found something else; it is read again."
        ) from None
    return rows_of_json(fields, as_text.to_pylist())


def guarded_rows(table: Table, batch: pa.RecordBatch, policy: PersonalDataPolicy) -> pa.RecordBatch:
    """Applies the policy, and adds the table's further columns."""
    rows = protect(pa.Table.from_batches([batch]), table.personal, policy).combine_chunks()
    whole = rows.to_batches() or [batch]
    return conform(table, whole[0])


def header_of(text: bytes) -> bytes:
    """Returns the first line of a page, with its line end."""
    return text[: text.find(b"\n") + 1]


def fields_in(header: bytes) -> list[str]:
    """Returns the fields of a header line."""
    return [name.strip('"') for name in header.decode().strip().split(",")]


def value_of(kind: Kind, raw: Any) -> Any:
    """Parses a value into the type of its column, without loss.

    Raises:
        ValueError: it has another type; the message does not contain the value.
    """
    if raw is None or raw == "":
        return None
    match kind:
        case "text":
            return _text(raw)
        case "boolean":
            value = raw if isinstance(raw, bool) else _BOOLEANS.get(str(raw))
            return _expected(value is not None, value, "true or false")
        case "integer" | "number":
            return _number(kind, raw)
        case "date":
            return _parsed(lambda: date.fromisoformat(raw), "a day as 2024-05-01")
        case "time":
            return _parsed(lambda: _time(raw), "a time as 2024-05-01T12:30:00.000Z")


def text_of(field_kind: Kind, value: Any) -> str | None:
    """Formats a value for a column of text, the same for either API.

    REST and the Bulk API 2.0 write times differently (`+0000`, `Z`), and JSON's numbers lose the
    form in which they were written; from ten million on that has an exponent.

    Args:
        field_kind: by the describe.
        value: as it was read.
    """
    try:
        parsed = value_of(field_kind, value)
    except ValueError:
        parsed = None
    if field_kind == "number" and parsed is not None:
        whole, _, rest = f"{parsed:f}".partition(".")
        return f"{whole}.{rest.rstrip('0') or '0'}"
    if field_kind == "time" and parsed is not None:
        return f"{parsed:%Y-%m-%dT%H:%M:%S}.{parsed.microsecond // 1000:03}Z"
    text: str | None = value_of("text", value)
    return text


def _as_read(field: ReadField, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Formats numbers and times of CSV for a column of text as those of REST."""
    if field.kind != "text" or field.source_kind not in ("number", "time"):
        return column
    return pa.chunked_array(
        [[text_of(field.source_kind, value) for value in column.to_pylist()]], pa.string()
    )


def _row(
    read: tuple[ReadField, ...], record: Mapping[str, Any], required: set[str]
) -> list[Any] | str:
    row = []
    for field in read:
        raw = record.get(field.source)
        try:
            value = _stored(field, raw)
        except ValueError as error:
            return f"{field.source}: {error}, found {_json_kind(raw)}"
        if value is None and field.column in required:
            return f"{field.source}: expected a value, found none"
        row.append(value)
    return row


def _stored(field: ReadField, raw: Any) -> Any:
    """Parses a value for its column."""
    if field.kind == "text":
        return text_of(field.source_kind, raw)
    value = value_of(field.kind, raw)
    if field.kind != "number" or value is None:
        return value
    return rounded(value, NUMBER) if field.is_exact else float(value)


def _batch(fields: Fields, arrays: Mapping[str, Any]) -> pa.RecordBatch:
    """Makes a batch; the records of an object without recycle bin are not deleted."""
    whole = pa.table(arrays).combine_chunks()
    if "is_deleted" not in arrays:
        whole = whole.append_column("is_deleted", pa.array([False] * len(whole), pa.bool_()))
    return pa.RecordBatch.from_arrays(
        [
            column.chunk(0) if column.num_chunks else pa.array([], column.type)
            for column in whole.columns
        ],
        names=whole.column_names,
    )


def _csv(
    text: bytes, names: list[str] | None, types: Mapping[str, pa.DataType], sources: list[str]
) -> pa.Table:
    return pcsv.read_csv(
        io.BytesIO(text),
        read_options=pcsv.ReadOptions(column_names=names, block_size=_BLOCK_BYTES),
        parse_options=pcsv.ParseOptions(newlines_in_values=True),
        convert_options=pcsv.ConvertOptions(
            column_types=dict(types),
            include_columns=sources,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )


def _lacks_required(fields: Fields, table: pa.Table) -> bool:
    required = {column.name for column in fields.table.columns if column.required}
    return any(table[field.source].null_count for field in fields.read if field.column in required)


def _bad(record: Mapping[str, Any], reason: str) -> BadRecord:
    plain = {name: value for name, value in record.items() if name != "attributes"}
    raw = json.dumps(plain, ensure_ascii=False, default=float).encode("utf-8", "surrogatepass")
    key = record.get("Id")
    return BadRecord(
        key if isinstance(key, str) and key else None, reason, raw[:RAW_BYTES], len(raw)
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        raise ValueError("expected a text")
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("expected a text of whole characters") from None
    # NUL breaks readers of the Bulk API and of Parquet.
    return text.replace("\x00", "")


def _number(kind: Kind, raw: Any) -> Any:
    expected = "a whole number" if kind == "integer" else "a number"
    if isinstance(raw, bool) or not isinstance(raw, int | float | str | Decimal):
        raise ValueError(f"expected {expected}")
    text = str(raw)
    # Decimal also accepts digits of other scripts, and underscores.
    number = _parsed(lambda: Decimal(text if text.isascii() and "_" not in text else ""), expected)
    _expected(number.is_finite() and number.adjusted() <= _MOST_DIGITS, number, expected)
    if kind == "number":
        return number
    _expected(number == number.to_integral_value(), number, expected)
    return _expected(-(2**63) <= number < 2**63, int(number), expected)


def _time(text: str) -> datetime:
    if "T" not in text:
        raise ValueError
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _parsed(parse: Any, expected: str) -> Any:
    try:
        return parse()
    except (ValueError, TypeError, OverflowError, InvalidOperation):
        raise ValueError(f"expected {expected}") from None


def _expected(is_valid: bool, value: Any, expected: str) -> Any:
    if not is_valid:
        raise ValueError(f"expected {expected}")
    return value


def _json_kind(value: Any) -> str:
    return "none" if value is None else _KINDS.get(type(value), "an object")
