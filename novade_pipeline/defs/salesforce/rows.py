"""What Salesforce tells as rows of a table: JSON records, and the CSV of the Bulk API 2.0.

A page of CSV is read by Arrow, typed. Where that fails, and for JSON, each value is looked at, and
a record that breaks its types is `Bad`, with the reason; the others are kept.
"""

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.csv as pcsv

from novade_pipeline.defs.salesforce.fields import NUMBER, Fields, Kind, Read
from novade_pipeline.errors import TransientFailure
from novade_pipeline.lake.conform import conform
from novade_pipeline.lake.decimals import rounded
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect

RAW_BYTES = 64 * 1024
# A record may be as long as its texts: of one that lies across two blocks Arrow makes nothing.
_BLOCK_BYTES = 16 * 2**20
_BOOLEANS = {"true": True, "false": False}
_KINDS: dict[type, str] = {
    **{bool: "a boolean", int: "a number", float: "a number", Decimal: "a number"},
    **{str: "a text", list: "an array"},
}
# A double has no more before the point.
_MOST_DIGITS = 308


@dataclass(frozen=True)
class Bad:
    """A record that is no row; `key` is its Id where it says one."""

    key: str | None
    reason: str
    raw: bytes = field(repr=False)
    raw_bytes: int


Rows = tuple[pa.RecordBatch, list[Bad]]
"""Rows of a page, and the records of it that are none."""


def rows_of_json(fields: Fields, records: Iterable[Mapping[str, Any]]) -> Rows:
    """Records as a query tells them."""
    columns: dict[str, list[Any]] = {one.column: [] for one in fields.read}
    required = {c.name for c in fields.table.columns if c.required} & set(columns)
    bad = []
    for record in records:
        row = _row(fields.read, record, required)
        if isinstance(row, str):
            bad.append(_bad(record, row))
            continue
        for one, value in zip(fields.read, row, strict=True):
            columns[one.column].append(value)
    arrays = {one.column: pa.array(columns[one.column], one.type) for one in fields.read}
    return _batch(fields, arrays), bad


def rows_of_csv(fields: Fields, text: bytes, header: bytes) -> Rows:
    """A page of a bulk query's results.

    Args:
        fields: what the query asked for.
        text: the page.
        header: the first line of the first page; a page may come with it or without it.

    Raises:
        TransientFailure: it is not CSV of these fields.
    """
    names = None if text.startswith(header) else fields_in(header)
    wanted = [one.field for one in fields.read]
    try:
        found = _csv(text, names, {one.field: one.type for one in fields.read}, wanted)
        for one in (one for one in fields.read if one.is_exact):
            # Arrow reads more digits than the type has.
            found[one.field].validate(full=True)
    except (pa.ArrowInvalid, KeyError):
        found = None
    if found is not None and not _lacks_required(fields, found):
        arrays = {one.column: _as_read(one, found[one.field]) for one in fields.read}
        return _batch(fields, arrays), []
    try:
        as_text = _csv(text, names, dict.fromkeys(wanted, pa.string()), wanted)
    except (pa.ArrowInvalid, KeyError):
        raise TransientFailure(
            f"{fields.table.name}: expected CSV with the {len(wanted)} fields of the query from "
            "the bulk job, found something else; it is read again."
        ) from None
    return rows_of_json(fields, as_text.to_pylist())


def guarded_rows(table: Table, batch: pa.RecordBatch, policy: PersonalDataPolicy) -> pa.RecordBatch:
    """Rows as the lake may hold them: with all columns of the table, under the policy."""
    rows = protect(pa.Table.from_batches([batch]), table.personal, policy).combine_chunks()
    whole = rows.to_batches() or [batch]
    return conform(table, whole[0])


def header_of(text: bytes) -> bytes:
    """The first line of a page, its end included."""
    return text[: text.find(b"\n") + 1]


def fields_in(header: bytes) -> list[str]:
    """The fields that the first line of a page names."""
    return [name.strip('"') for name in header.decode().strip().split(",")]


def value_of(kind: Kind, told: Any) -> Any:
    """One value in the type of its column; nothing is bent to fit.

    Raises:
        ValueError: it has another type; says what was expected, without the value.
    """
    if told is None or told == "":
        return None
    match kind:
        case "text":
            return _text(told)
        case "boolean":
            value = told if isinstance(told, bool) else _BOOLEANS.get(str(told))
            return _expected(value is not None, value, "true or false")
        case "integer" | "number":
            return _number(kind, told)
        case "date":
            return _parsed(lambda: date.fromisoformat(told), "a day as 2024-05-01")
        case "time":
            return _parsed(lambda: _time(told), "a time as 2024-05-01T12:30:00.000Z")


def text_of(field_kind: Kind, value: Any) -> str | None:
    """A value of a field for a column of text, the same whichever API it was read from.

    REST and the Bulk API 2.0 write times differently (`+0000`, `Z`), and JSON's numbers lose the
    form in which they were written; from ten million on that has an exponent.

    Args:
        field_kind: what the describe says that the field holds.
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


def _as_read(one: Read, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of CSV; what is no text in the organisation is text as REST's is."""
    if one.kind != "text" or one.told not in ("number", "time"):
        return column
    return pa.chunked_array(
        [[text_of(one.told, value) for value in column.to_pylist()]], pa.string()
    )


def _row(read: tuple[Read, ...], record: Mapping[str, Any], required: set[str]) -> list[Any] | str:
    row = []
    for one in read:
        told = record.get(one.field)
        try:
            value = _stored(one, told)
        except ValueError as error:
            return f"{one.field}: {error}, found {_kind(told)}"
        if value is None and one.column in required:
            return f"{one.field}: expected a value, found none"
        row.append(value)
    return row


def _stored(one: Read, told: Any) -> Any:
    """A value as its column holds it."""
    if one.kind == "text":
        return text_of(one.told, told)
    value = value_of(one.kind, told)
    if one.kind != "number" or value is None:
        return value
    return rounded(value, NUMBER) if one.is_exact else float(value)


def _batch(fields: Fields, arrays: Mapping[str, Any]) -> pa.RecordBatch:
    """The columns that are read; an object without recycle bin has nothing that is deleted."""
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
    text: bytes, names: list[str] | None, types: Mapping[str, pa.DataType], wanted: list[str]
) -> pa.Table:
    return pcsv.read_csv(
        io.BytesIO(text),
        read_options=pcsv.ReadOptions(column_names=names, block_size=_BLOCK_BYTES),
        parse_options=pcsv.ParseOptions(newlines_in_values=True),
        convert_options=pcsv.ConvertOptions(
            column_types=dict(types),
            include_columns=wanted,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )


def _lacks_required(fields: Fields, found: pa.Table) -> bool:
    required = {column.name for column in fields.table.columns if column.required}
    return any(found[one.field].null_count for one in fields.read if one.column in required)


def _bad(record: Mapping[str, Any], reason: str) -> Bad:
    plain = {name: value for name, value in record.items() if name != "attributes"}
    raw = json.dumps(plain, ensure_ascii=False, default=float).encode("utf-8", "surrogatepass")
    key = record.get("Id")
    return Bad(key if isinstance(key, str) and key else None, reason, raw[:RAW_BYTES], len(raw))


def _text(told: Any) -> str:
    if isinstance(told, bool):
        return "true" if told else "false"
    if isinstance(told, dict | list):
        raise ValueError("expected a text")
    text = str(told)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("expected a text of whole characters") from None
    # Neither the Bulk API's reader nor Parquet's readers take it.
    return text.replace("\x00", "")


def _number(kind: Kind, told: Any) -> Any:
    expected = "a whole number" if kind == "integer" else "a number"
    if isinstance(told, bool) or not isinstance(told, int | float | str | Decimal):
        raise ValueError(f"expected {expected}")
    text = str(told)
    # Decimal takes digits of other scripts, and underlines, which no API writes.
    number = _parsed(lambda: Decimal(text if text.isascii() and "_" not in text else ""), expected)
    _expected(number.is_finite() and number.adjusted() <= _MOST_DIGITS, number, expected)
    if kind == "number":
        return number
    _expected(number == number.to_integral_value(), number, expected)
    return _expected(-(2**63) <= number < 2**63, int(number), expected)


def _time(told: str) -> datetime:
    if "T" not in told:
        raise ValueError
    moment = datetime.fromisoformat(told)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _parsed(parse: Any, expected: str) -> Any:
    try:
        return parse()
    except (ValueError, TypeError, OverflowError, InvalidOperation):
        raise ValueError(f"expected {expected}") from None


def _expected(holds: bool, value: Any, expected: str) -> Any:
    if not holds:
        raise ValueError(f"expected {expected}")
    return value


def _kind(told: Any) -> str:
    return "none" if told is None else _KINDS.get(type(told), "an object")
