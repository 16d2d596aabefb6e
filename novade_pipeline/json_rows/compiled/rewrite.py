"""Rewriting lines of JSON in the one form that `scan` reads; the grammar is RFC 8259, exactly.

White space between tokens is removed, escapes are replaced by their characters, numbers keep their
digits. A lone surrogate, which can be escaped but not encoded in UTF-8, becomes U+FFFD.

Source: https://www.rfc-editor.org/rfc/rfc8259, sections 2 to 8; section 9 allows the limits.
"""

import numpy as np

from novade_pipeline.json_rows.compiled import values
from novade_pipeline.json_rows.compiled.padding import PADDING
from novade_pipeline.json_rows.compiled.steps import (
    BACKSLASH,
    QUOTE,
    SPACE,
    Bytes,
    Integers,
    byte_at,
    compiled,
    copy_ahead,
    part,
    plain_ahead,
)

PARTS = "81152a952988f146"
"""Of the sources that are compiled with this file."""

MAX_LEVELS = 800
"""Many parsers stop at 1,000 levels, those of Python 3.11 and of Spark among them."""

NEWLINE = ord("\n")
_COMMA, _COLON, _SLASH, _U = (ord(c) for c in ",:/u")
_OPEN, _OPEN_LIST = (ord(c) for c in "{[")
_TAB, _RETURN = (ord(c) for c in "\t\r")
_ZERO, _NINE, _A, _F = (ord(c) for c in "09af")
_BOM = (0xEF, 0xBB, 0xBF)
_HIGH, _LOW, _BEHIND, _REPLACEMENT = 0xD800, 0xDC00, 0xE000, 0xFFFD
# Escape -> its letter, where JSON has a short one.
_SHORT = np.zeros(32, np.uint8)
_SHORT[list(b"\b\f\n\r\t")] = list(b"bfnrt")
_SHORT_ONES = np.array([*b'"\\bfnrt'], np.uint8)


@compiled
def rewrite(text: Bytes, size: int, out: Bytes, lines: Integers) -> int:
    """Rewrite lines; a line that is not JSON becomes empty.

    Args:
        text: lines, each ended by a newline, and padding.
        size: of the lines, in bytes.
        out: gets as many lines; as large as `text`.
        lines: [n, 2]: gets for each line the position of the first byte that JSON does not allow,
            or -1, and the number of lone surrogates that were replaced.

    Returns:
        The number of bytes written.
    """
    levels = np.empty(MAX_LEVELS, np.uint8)
    at = to = line = 0
    while at < size:
        begin, first = at, to
        at, to, lone = _line(text, at, out, to, levels)
        is_json = lone >= 0 and byte_at(text, at) == NEWLINE
        lines[line, 0] = -1 if is_json else at - begin
        lines[line, 1] = lone if is_json else 0
        to = to if is_json else first
        while byte_at(text, at) != NEWLINE:
            at += 1
        out[to] = NEWLINE
        at += 1
        to += 1
        line += 1
    return to


@part
def _line(text: Bytes, at: int, out: Bytes, to: int, levels: Bytes) -> tuple[int, int, int]:
    """(where the value or what is allowed ends, where the output ends, lone surrogates or -1)."""
    while byte_at(text, at) == _BOM[0] and _is_bom(text, at):
        at += len(_BOM)
    at = _space(text, at)
    depth = lone = more = 0
    while True:
        byte = byte_at(text, at)
        if byte in (_OPEN, _OPEN_LIST):
            if depth == MAX_LEVELS:
                return at, to, -1
            out[to] = byte
            at, to = _space(text, at + 1), to + 1
            if byte_at(text, at) != byte + 2:
                levels[depth] = byte
                depth += 1
                if byte == _OPEN:
                    at, to, more = _name(text, at, out, to)
                    if more < 0:
                        return at, to, -1
                    lone += more
                continue
            out[to] = byte + 2
            at, to = at + 1, to + 1
        elif byte == QUOTE:
            at, to, more = _text(text, at, out, to)
            if more < 0:
                return at, to, -1
            lone += more
        else:
            is_number = byte == values.MINUS or _ZERO <= byte <= _NINE
            end = values.skip_number(text, at) if is_number else values.skip_word(text, at)
            if end < 0:
                return at, to, -1
            while at < end:
                out[to] = text[at]
                at, to = at + 1, to + 1
        at = _space(text, at)
        while depth > 0 and byte_at(text, at) == levels[depth - 1] + 2:
            out[to] = byte_at(text, at)
            at, to = _space(text, at + 1), to + 1
            depth -= 1
        if depth == 0:
            return at, to, lone
        if byte_at(text, at) != _COMMA:
            return at, to, -1
        out[to] = _COMMA
        at, to = _space(text, at + 1), to + 1
        if levels[depth - 1] == _OPEN:
            at, to, more = _name(text, at, out, to)
            if more < 0:
                return at, to, -1
            lone += more


@part
def _is_bom(text: Bytes, at: int) -> bool:
    return byte_at(text, at + 1) == _BOM[1] and byte_at(text, at + 2) == _BOM[2]


@part
def _space(text: Bytes, at: int) -> int:
    """Where the white space ends that begins here; a newline ends the line."""
    while byte_at(text, at) in (SPACE, _TAB, _RETURN):
        at += 1
    return at


@part
def _name(text: Bytes, at: int, out: Bytes, to: int) -> tuple[int, int, int]:
    """As `_text`, for a name and its colon; it ends where the value begins."""
    if byte_at(text, at) != QUOTE:
        return at, to, -1
    at, to, lone = _text(text, at, out, to)
    at = _space(text, at) if lone >= 0 else at
    if lone < 0 or byte_at(text, at) != _COLON:
        return at, to, -1
    out[to] = _COLON
    return _space(text, at + 1), to + 1, lone


@part
def _text(text: Bytes, at: int, out: Bytes, to: int) -> tuple[int, int, int]:
    """(where the string ends that begins here, where the output ends, lone surrogates or -1)."""
    out[to] = QUOTE
    at, to, lone = at + 1, to + 1, 0
    while True:
        plain = plain_ahead(text, at)
        copy_ahead(out, to, text, at)
        at, to = at + plain, to + plain
        if plain == PADDING:
            continue
        byte = byte_at(text, at)
        if byte == QUOTE:
            out[to] = QUOTE
            return at + 1, to + 1, lone
        if byte != BACKSLASH:
            size = values.character(text, at)
            if size == 0:
                return at, to, -1
            for place in range(size):
                out[to + place] = text[at + place]
            at, to = at + size, to + size
            continue
        what = byte_at(text, at + 1)
        if what == _U:
            code, size = _code(text, at)
            if code < 0:
                return at, to, -1
            if _HIGH <= code < _BEHIND:
                code = _REPLACEMENT
                lone += 1
            to = _put(out, to, code)
            at += size
        elif what == _SLASH:
            out[to] = _SLASH
            at, to = at + 2, to + 1
        elif what in _SHORT_ONES:
            out[to], out[to + 1] = BACKSLASH, what
            at, to = at + 2, to + 2
        else:
            return at, to, -1


@part
def _code(text: Bytes, at: int) -> tuple[int, int]:
    r"""(the character of a `\u` escape or of a surrogate pair, or -1; the length of the escape)."""
    code = _digits(text, at + 2)
    is_followed = byte_at(text, at + 6) == BACKSLASH and byte_at(text, at + 7) == _U
    if _HIGH <= code < _LOW and is_followed:
        low = _digits(text, at + 8)
        if _LOW <= low < _BEHIND:
            return 0x10000 + (code - _HIGH) * 0x400 + low - _LOW, 12
    return code, 6


@part
def _digits(text: Bytes, at: int) -> int:
    """Parse four hexadecimal digits; -1 for anything else."""
    number = 0
    for place in range(at, at + 4):
        byte = byte_at(text, place)
        small = byte | 0x20
        if _ZERO <= byte <= _NINE:
            number = number * 16 + byte - _ZERO
        elif _A <= small <= _F:
            number = number * 16 + small - _A + 10
        else:
            return -1
    return number


@part
def _put(out: Bytes, to: int, code: int) -> int:
    """Write a character into a JSON string; where the output ends."""
    if code < 0x20 and _SHORT[code] == 0:
        out[to], out[to + 1], out[to + 2], out[to + 3] = BACKSLASH, _U, _ZERO, _ZERO
        out[to + 4] = _ZERO + code // 16
        out[to + 5] = _ZERO + code % 16 if code % 16 < 10 else _A + code % 16 - 10
        return to + 6
    if code < 0x20 or code in (QUOTE, BACKSLASH):
        out[to] = BACKSLASH
        out[to + 1] = _SHORT[code] if code < 0x20 else code
        return to + 2
    if code < 0x80:
        out[to] = code
        return to + 1
    if code < 0x800:
        out[to] = 0xC0 | code >> 6
        out[to + 1] = 0x80 | code & 0x3F
        return to + 2
    if code < 0x10000:
        out[to] = 0xE0 | code >> 12
        out[to + 1] = 0x80 | code >> 6 & 0x3F
        out[to + 2] = 0x80 | code & 0x3F
        return to + 3
    out[to] = 0xF0 | code >> 18
    out[to + 1] = 0x80 | code >> 12 & 0x3F
    out[to + 2] = 0x80 | code >> 6 & 0x3F
    out[to + 3] = 0x80 | code & 0x3F
    return to + 4
