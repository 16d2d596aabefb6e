"""Records as JSON for the REST API and as CSV for the Bulk API 2.0; numbers: `java_numbers`."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from novade_pipeline.sandbox.salesforce.fields import Field, SObject
from novade_pipeline.sandbox.salesforce.java_numbers import has_exponent, java_number
from novade_pipeline.sandbox.salesforce.rows import Record

DELIMITERS = {
    "COMMA": ",",
    "SEMICOLON": ";",
    "TAB": "\t",
    "PIPE": "|",
    "CARET": "^",
    "BACKQUOTE": "`",
}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}

# UTF-8 text contains no half of a surrogate pair, so the mark is never data.
_MARK = "\udcff"
_MARKED = re.compile(f'"{_MARK}([^"]*){_MARK}"')


@dataclass(frozen=True)
class Csv:
    """The dialect of a job's CSV."""

    delimiter: str = ","
    line_ending: str = "\n"


def csv_header(fields: Sequence[Field], dialect: Csv) -> str:
    """The first line of each page of results."""
    return dialect.delimiter.join(f'"{field.name}"' for field in fields) + dialect.line_ending


def csv_line(row: Record, fields: Sequence[Field], dialect: Csv) -> str:
    """A record: every value in quotes, nothing between them for null."""
    cells = (f'"{csv_text(row[field.name])}"' for field in fields)
    return dialect.delimiter.join(cells) + dialect.line_ending


def csv_text(value: Any) -> str:
    """A value as text between the quotes."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.replace('"', '""')
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.000Z"
    if isinstance(value, float | Decimal):
        return java_number(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def json_text(content: Any) -> bytes:
    """A body of JSON, with the numbers that `json_value` has marked as Java writes them."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _MARKED.sub(r"\1", text).encode()


def load_keeping_numbers(body: bytes) -> Any:
    """Parse a body of JSON whose numbers `json_text` writes again unchanged."""
    return json.loads(body, parse_float=lambda text: f"{_MARK}{text}{_MARK}")


def json_record(
    row: Record, sobject: SObject, fields: Sequence[Field], version: str
) -> dict[str, Any]:
    """A record in the response to a query."""
    place = f"/services/data/v{version}/sobjects/{sobject.name}/{row['Id']}"
    record: dict[str, Any] = {"attributes": {"type": sobject.name, "url": place}}
    for field in fields:
        if field.type == "base64":
            has_content = row[field.name] is not None
            record[field.name] = f"{place}/{field.name}" if has_content else None
        elif field.is_stored:
            record[field.name] = json_value(row[field.name])
        else:
            record[field.name] = _compound(row, sobject, field)
    return record


def json_value(value: Any) -> Any:
    """A value of a field that is not compound, for `json_text`."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.000+0000"
    if isinstance(value, Decimal) or (isinstance(value, float) and has_exponent(value)):
        return f"{_MARK}{java_number(value)}{_MARK}"
    return value.isoformat() if isinstance(value, date) else value


def _compound(row: Record, sobject: SObject, field: Field) -> dict[str, Any] | None:
    """The parts of an address or a location; null where all are null."""
    prefix = field.name.removesuffix("Address")
    record: dict[str, Any] = {}
    for part in sobject.parts_of(field.name):
        name = part.name.removesuffix("__s").rpartition("__")[2].removeprefix(prefix)
        record[name[:1].lower() + name[1:]] = json_value(row[part.name])
    if all(value is None for value in record.values()):
        return None
    return {**record, "geocodeAccuracy": None} if field.type == "address" else record
