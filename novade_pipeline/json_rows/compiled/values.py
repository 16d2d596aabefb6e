"""Values of JSON where they need no care: each function says where one ends, or -1.

What is taken means the same to every reader. What comes behind a line's end is never taken: a
newline is part of no value.
"""

import numpy as np

from novade_pipeline.json_rows.compiled.padding import PADDING
from novade_pipeline.json_rows.compiled.steps import (
    BACKSLASH,
    QUOTE,
    SPACE,
    Bytes,
    byte_at,
    part,
    plain_ahead,
)

NO_TIME = -(2**63)

MAX_NUMBER_CHARACTERS = 1000
"""Python parses no integer of more than 4,300 digits, and other parsers stop sooner."""
MINUS = ord("-")

_COMMA, _COLON, _PLUS, _POINT = (ord(c) for c in ",:+.")
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = (ord(c) for c in "{}[]")
_ZERO, _NINE, _SMALL_E, _LARGE_E, _T, _Z = (ord(c) for c in "09eETZ")
_UTC = np.array([*b"+00:00"], np.uint8)
_B, _F, _N, _R, _SMALL_T = (ord(c) for c in "bfnrt")
_NULL, _TRUE, _FALSE = (np.frombuffer(word, np.uint8) for word in (b"null", b"true", b"false"))
_NOT_ASCII = 0x80
# More digits need not fit, and the nearest number to them takes more than one division to find.
_MOST_DIGITS, _MOST_DECIMAL_DIGITS = 18, 15
_MOST_DEPTH = 60
# Far from the bounds of `json_lines`.
_FIRST_YEAR, _LAST_YEAR = 1901, 2199
_SHORTEST_TIME, _LONGEST_TIME = len("2019-11-12 14:43:52"), len("2019-11-12 14:43:52.000000")


@part
def character(text: Bytes, at: int) -> int:
    """How many bytes the UTF-8 character beyond ASCII has; 0 where it is none."""
    first, second, third = byte_at(text, at), byte_at(text, at + 1), byte_at(text, at + 2)
    if first < 0xC2 or first > 0xF4 or second & 0xC0 != 0x80:
        return 0
    if first < 0xE0:
        return 2
    if third & 0xC0 != 0x80:
        return 0
    if first < 0xF0:
        too_long = first == 0xE0 and second < 0xA0
        surrogate = first == 0xED and second >= 0xA0
        return 0 if too_long or surrogate else 3
    too_long = first == 0xF0 and second < 0x90
    too_high = first == 0xF4 and second >= 0x90
    return 0 if too_long or too_high or byte_at(text, at + 3) & 0xC0 != 0x80 else 4


@part
def read_text(text: Bytes, at: int) -> tuple[int, int]:
    """(where the closing quote of the text is that begins here, how many escapes it has)."""
    escaped = 0
    while True:
        plain = plain_ahead(text, at)
        at += plain
        if plain == PADDING:
            continue
        byte = byte_at(text, at)
        if byte == QUOTE:
            return at, escaped
        if byte == BACKSLASH:
            what = byte_at(text, at + 1)
            if what not in (QUOTE, BACKSLASH, _N, _SMALL_T, _R, _B, _F):
                return -1, 0
            escaped += 1
            at += 2
        else:
            size = character(text, at) if byte >= _NOT_ASCII else 0
            if size == 0:
                return -1, 0
            at += size


@part
def read_number(text: Bytes, at: int) -> tuple[int, int, int]:
    """(where the number ends that begins here, its digits, how many of them are decimals)."""
    negative = byte_at(text, at) == MINUS
    at += negative
    first = at
    digits = 0
    while _ZERO <= byte_at(text, at) <= _NINE and at - first <= _MOST_DIGITS:
        digits = digits * 10 + int(byte_at(text, at) - _ZERO)
        at += 1
    whole = at - first
    if whole == 0 or whole > _MOST_DIGITS or (whole > 1 and byte_at(text, first) == _ZERO):
        return -1, 0, 0
    decimals = 0
    if byte_at(text, at) == _POINT:
        at += 1
        while _ZERO <= byte_at(text, at) <= _NINE and whole + decimals <= _MOST_DECIMAL_DIGITS:
            digits = digits * 10 + int(byte_at(text, at) - _ZERO)
            at += 1
            decimals += 1
        if decimals == 0 or whole + decimals > _MOST_DECIMAL_DIGITS:
            return -1, 0, 0
    if byte_at(text, at) == _SMALL_E or byte_at(text, at) == _LARGE_E or (negative and digits == 0):
        return -1, 0, 0
    return at, -digits if negative else digits, decimals


@part
def skip_number(text: Bytes, at: int) -> int:
    """Where a number of JSON ends, however it is written."""
    begin = at
    at += byte_at(text, at) == MINUS
    first = at
    at = _digits(text, at)
    if at < 0 or (byte_at(text, first) == _ZERO and at > first + 1):
        return -1
    if byte_at(text, at) == _POINT:
        at = _digits(text, at + 1)
    if at >= 0 and (byte_at(text, at) == _SMALL_E or byte_at(text, at) == _LARGE_E):
        at += 1
        at += byte_at(text, at) == MINUS or byte_at(text, at) == _PLUS
        at = _digits(text, at)
    return at if at - begin <= MAX_NUMBER_CHARACTERS else -1


@part
def _digits(text: Bytes, at: int) -> int:
    """Where the digits end, one at least, that begin here."""
    first = at
    while _ZERO <= byte_at(text, at) <= _NINE:
        at += 1
    return at if at > first else -1


@part
def _word(text: Bytes, at: int, word: Bytes) -> int:
    """Where the word ends that begins here."""
    for k in range(len(word)):
        if byte_at(text, at + k) != word[k]:
            return -1
    return at + len(word)


@part
def read_null(text: Bytes, at: int) -> int:
    """Where null ends."""
    return _word(text, at, _NULL)


@part
def read_flag(text: Bytes, at: int) -> int:
    """Where true or false ends."""
    return max(_word(text, at, _TRUE), _word(text, at, _FALSE))


@part
def skip_word(text: Bytes, at: int) -> int:
    """Where null, true or false ends."""
    return max(read_null(text, at), read_flag(text, at))


@part
def _name(text: Bytes, at: int) -> int:
    """Where the value begins of the field whose name begins here."""
    if byte_at(text, at) != QUOTE:
        return -1
    end, _ = read_text(text, at + 1)
    return end + 2 if end >= 0 and byte_at(text, end + 1) == _COLON else -1


@part
def read_document(text: Bytes, at: int) -> int:
    """Where the value ends that begins here, whatever it is."""
    # One bit a level: whether it is an object.
    objects = 0
    depth = 0
    while True:
        byte = byte_at(text, at)
        if byte in (_OPEN, _OPEN_LIST):
            at += 1
            if byte_at(text, at) != byte + 2:
                if depth == _MOST_DEPTH:
                    return -1
                depth += 1
                objects = objects * 2 + (byte == _OPEN)
                if byte == _OPEN:
                    at = _name(text, at)
                    if at < 0:
                        return -1
                continue
            at += 1
        elif byte == QUOTE:
            at, _ = read_text(text, at + 1)
            at += at >= 0
        elif byte == MINUS or _ZERO <= byte <= _NINE:
            at = skip_number(text, at)
        else:
            at = skip_word(text, at)
        if at < 0:
            return -1
        while depth > 0 and byte_at(text, at) == (_CLOSE if objects & 1 else _CLOSE_LIST):
            at += 1
            objects //= 2
            depth -= 1
        if depth == 0:
            return at
        if byte_at(text, at) != _COMMA:
            return -1
        at += 1
        if objects & 1:
            at = _name(text, at)
            if at < 0:
                return -1


@part
def _two(text: Bytes, at: int) -> int:
    """Two digits; far below 0 where they are none."""
    tens: int = byte_at(text, at) - _ZERO
    ones: int = byte_at(text, at + 1) - _ZERO
    return tens * 10 + ones if 0 <= tens <= 9 and 0 <= ones <= 9 else -10_000


@part
def read_time(text: Bytes, at: int, end: int) -> int:
    """Microseconds since 1970 of a time with seconds, six decimals at most, in UTC or no zone."""
    if byte_at(text, end - 1) == _Z:
        end -= 1
    elif end - at > _SHORTEST_TIME and _word(text, end - len(_UTC), _UTC) == end:
        end -= len(_UTC)
    size = end - at
    if size < _SHORTEST_TIME or size > _LONGEST_TIME or size == _SHORTEST_TIME + 1:
        return NO_TIME
    if byte_at(text, at + 4) != MINUS or byte_at(text, at + 7) != MINUS:
        return NO_TIME
    if byte_at(text, at + 13) != _COLON or byte_at(text, at + 16) != _COLON:
        return NO_TIME
    if byte_at(text, at + 10) != SPACE and byte_at(text, at + 10) != _T:
        return NO_TIME
    year = _two(text, at) * 100 + _two(text, at + 2)
    month, day = _two(text, at + 5), _two(text, at + 8)
    hour, minute, second = _two(text, at + 11), _two(text, at + 14), _two(text, at + 17)
    if not (_FIRST_YEAR <= year <= _LAST_YEAR and 1 <= month <= 12 and day >= 1):
        return NO_TIME
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    last = 28 + leap if month == 2 else 30 + (month + month // 8) % 2
    if day > last or not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        return NO_TIME
    micros = 0
    if size > _SHORTEST_TIME:
        if byte_at(text, at + _SHORTEST_TIME) != _POINT:
            return NO_TIME
        for place in range(_SHORTEST_TIME + 1, _LONGEST_TIME):
            digit = byte_at(text, at + place) - _ZERO if place < size else 0
            if not 0 <= digit <= 9:
                return NO_TIME
            micros = micros * 10 + digit
    # Years begin in March, so that the leap day is the last.
    since_march = (month + 9) % 12
    years = year - (month < 3)
    days = 365 * years + years // 4 - years // 100 + years // 400
    days += (153 * since_march + 2) // 5 + day - 1 - 719_468
    return ((days * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000 + micros
