"""How a record is written: as JSON by the REST API, as CSV by the Bulk API 2.0.

How numbers are written: `java_numbers`.
"""

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

# No text that can be sent as UTF-8 holds half a surrogate pair, so the mark is never data.
_MARK = "\udcff"
_MARKED = re.compile(f'"{_MARK}([^"]*){_MARK}"')


@dataclass(frozen=True)
class Csv:
    """A job's CSV."""

    delimiter: str = ","
    line_ending: str = "\n"


def csv_header(fields: Sequence[Field], form: Csv) -> str:
    """The first line of each page of results."""
    return form.delimiter.join(f'"{field.name}"' for field in fields) + form.line_ending


def csv_line(row: Record, fields: Sequence[Field], form: Csv) -> str:
    """One record: every value in quotes, nothing between them for null."""
    cells = (f'"{csv_text(row[field.name])}"' for field in fields)
    return form.delimiter.join(cells) + form.line_ending


def csv_text(value: Any) -> str:
    """A value as it stands between the quotes."""
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
    """A body of JSON; numbers that `json_value` has marked stand in it as Java writes them."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _MARKED.sub(r"\1", text).encode()


def kept_numbers(body: bytes) -> Any:
    """What a body of JSON holds, for `json_text`: its numbers will be written as they are in it."""
    return json.loads(body, parse_float=lambda text: f"{_MARK}{text}{_MARK}")


def json_record(row: Record, of: SObject, fields: Sequence[Field], version: str) -> dict[str, Any]:
    """A record in the answer to a query."""
    place = f"/services/data/v{version}/sobjects/{of.name}/{row['Id']}"
    told: dict[str, Any] = {"attributes": {"type": of.name, "url": place}}
    for field in fields:
        if field.type == "base64":
            held = row[field.name] is not None
            told[field.name] = f"{place}/{field.name}" if held else None
        elif field.is_stored:
            told[field.name] = json_value(row[field.name])
        else:
            told[field.name] = _compound(row, of, field)
    return told


def json_value(value: Any) -> Any:
    """A value of a field that is not compound, for `json_text`."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.000+0000"
    if isinstance(value, Decimal) or (isinstance(value, float) and has_exponent(value)):
        return f"{_MARK}{java_number(value)}{_MARK}"
    return value.isoformat() if isinstance(value, date) else value


def _compound(row: Record, of: SObject, field: Field) -> dict[str, Any] | None:
    """The parts of an address or a place together; null where all are."""
    prefix = field.name.removesuffix("Address")
    told: dict[str, Any] = {}
    for part in of.parts_of(field.name):
        name = part.name.removesuffix("__s").rpartition("__")[2].removeprefix(prefix)
        told[name[:1].lower() + name[1:]] = json_value(row[part.name])
    if all(value is None for value in told.values()):
        return None
    return {**told, "geocodeAccuracy": None} if field.type == "address" else told
