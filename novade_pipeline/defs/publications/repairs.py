"""Repairs of texts and dates; the assets' metadata counts each kind by its name."""

import re
from datetime import date, datetime

from novade_pipeline.landing.json_records import BROKEN_ESCAPE

DAY_FIRST_DATE = "day_first_date"
WORDED_DATE = "worded_date"
JOINED_HALVES = "joined_halves"

_ESCAPED_BYTES = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")
_DAY_FIRST = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})")
_WORDED = re.compile(r"(\d{1,2}) ([A-Za-z]{3,9})\.?,? (\d{4})")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)


def clean_text(value: object, mended: list[str]) -> str | None:
    r"""A value as text without broken escapes; None if nothing is left.

    Typed bytes such as `\xc3\xb1` become their UTF-8 character; invalid ones such as `\xc3\x28`
    are removed.

    Args:
        value: a text, or a number from JSON or Parquet.
        mended: receives the kinds of repair.
    """
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    if "\\x" in text:
        text, count = _ESCAPED_BYTES.subn(_unescaped, text)
        if count:
            mended.append(BROKEN_ESCAPE)
    return " ".join(text.split()) or None


def parse_date(value: object, mended: list[str]) -> date | None:
    """The day of `2020-01-31`, `31/01/2020` (day first) or `31 January 2020`; None for others.

    Args:
        value: a text, a date or a time.
        mended: receives the kind of repair.
    """
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = " ".join(str(value or "").split())
    try:
        if match := _DAY_FIRST.fullmatch(text):
            day, month, year = map(int, match.groups())
            mended.append(DAY_FIRST_DATE)
            return date(year, month, day)
        if match := _WORDED.fullmatch(text):
            month = _month(match[2])
            mended.append(WORDED_DATE)
            return date(int(match[3]), month, int(match[1]))
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None


def _unescaped(escaped: re.Match[str]) -> str:
    try:
        text = bytes.fromhex(escaped[0].replace("\\x", "")).decode()
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() else " "


def _month(name: str) -> int:
    word = name.lower()
    for number, month in enumerate(_MONTHS, 1):
        if month == word or month[:3] == word or (month == "september" and word == "sept"):
            return number
    raise ValueError(name)
