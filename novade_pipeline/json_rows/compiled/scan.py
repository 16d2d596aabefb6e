"""Finds the values of plain lines, and joins their texts as Arrow has them."""

from typing import NamedTuple

import numpy as np

from novade_pipeline.json_rows.compiled import values
from novade_pipeline.json_rows.compiled.padding import PADDING
from novade_pipeline.json_rows.compiled.steps import (
    BACKSLASH,
    QUOTE,
    Bytes,
    Integers,
    Numbers,
    Smalls,
    byte_at,
    compiled,
    copy_ahead,
    part,
    same_ahead,
)

PARTS = "81152a952988f146"
"""Of the sources that are compiled with this file."""

# Kinds of columns. In one for texts, any other value is kept as it is written.
TEXT, DOCUMENT, TIME, INTEGER, NUMBER, FLAG = range(6)

NEWLINE = ord("\n")

_COMMA, _COLON, _OPEN, _CLOSE = (ord(c) for c in ",:{}")
_N, _T = (ord(c) for c in "nt")
_ESCAPES = np.arange(256, dtype=np.uint8)
_ESCAPES[list(b"bfnrt")] = list(b"\b\f\n\r\t")
_MOST_EXACT = 2**53
_POWERS = 10.0 ** np.arange(16)


class Columns(NamedTuple):
    """The columns to scan for.

    Attributes:
        kinds: of the columns.
        slots: for each the row in what `ScanBuffers` has of its kind.
        required: whether no row is without a value.
        names: those of the fields as JSON has them, each with the quote behind it, and padding.
        names_at: where each of them begins, and where the last ends.
        follows: for each the one that is likely to come next; behind them, to come first.
    """

    kinds: Integers
    slots: Integers
    required: Bytes
    names: Bytes
    names_at: Integers
    follows: Integers


class ScanBuffers(NamedTuple):
    """The values of some lines.

    Attributes:
        starts: [slot, row]: where a text or document begins; ~ of it where a text has escapes.
        lengths: [slot, row]: how many bytes it has, without escapes.
        values: [slot, row]: times, in microseconds since 1970, and integers.
        numbers: the same memory, for numbers.
        filled: [column, row]: whether it has a value; behind the columns the flags, by their slots.
        lines: for each row the number of its line.
        rest: [n, 3] of each line that is not plain the number, where it begins, where it ends.
    """

    starts: Smalls
    lengths: Smalls
    values: Integers
    numbers: Numbers
    filled: Bytes
    lines: Integers
    rest: Integers


@compiled
def scan_lines(
    text: Bytes, at: int, size: int, columns: Columns, out: ScanBuffers
) -> tuple[int, int, int]:
    """Find the values of as many lines as there is room for.

    Args:
        text: lines, each ended by a newline, and padding.
        at: where to begin.
        size: of the lines.
        columns: their `follows` is kept up to date.
        out: gets the values.

    Returns:
        (where it ended, how many rows, how many lines that are not plain).
    """
    # Taken apart: Numba counts who uses an array whenever it is taken from a tuple.
    kinds, slots, required, names, names_at, follows = columns
    starts, lengths, integers, numbers, filled, lines, rest = out
    count, row, others = len(kinds), 0, 0
    last_line = np.full(count, -1, np.int64)
    while at < size and row + others < len(lines):
        begin, line = at, row + others
        fields, before, plain = 0, count, False
        more = byte_at(text, at) == _OPEN and byte_at(text, at + 1) == QUOTE
        while more:
            more = False
            at += 2
            column = follows[before]
            if not _is(text, at, names, names_at[column], names_at[column + 1]):
                column = _column(text, at, names, names_at)
                if column < 0:
                    break
                follows[before] = column
            at += names_at[column + 1] - names_at[column]
            if byte_at(text, at) != _COLON or last_line[column] == line:
                break
            at += 1
            last_line[column], before = line, column
            fields += 1
            kind, slot, end = kinds[column], slots[column], -1
            filled[column, row] = byte_at(text, at) != _N
            if byte_at(text, at) == _N:
                end = -1 if required[column] else values.read_null(text, at)
                if kind <= DOCUMENT:
                    lengths[slot, row] = 0
            elif kind == DOCUMENT or (kind == TEXT and byte_at(text, at) != QUOTE):
                end = values.read_document(text, at)
                starts[slot, row] = at
                lengths[slot, row] = end - at
            elif kind == INTEGER:
                end, digits, decimals = values.read_number(text, at)
                integers[slot, row] = digits
                end = -1 if decimals else end
            elif kind == NUMBER:
                end, digits, decimals = values.read_number(text, at)
                # Both are exact, so what comes of it is the nearest number.
                numbers[slot, row] = digits / _POWERS[decimals]
                end = -1 if abs(digits) > _MOST_EXACT else end
            elif kind == FLAG:
                end = values.read_flag(text, at)
                filled[count + slot, row] = byte_at(text, at) == _T
            elif byte_at(text, at) == QUOTE:
                first = at + 1
                quote, escaped = values.read_text(text, first)
                if kind == TEXT:
                    starts[slot, row] = ~first if escaped else first
                    lengths[slot, row] = quote - first - escaped
                    end = -1 if required[column] and quote == first else quote + (quote >= 0)
                else:
                    integers[slot, row] = values.read_time(text, first, quote)
                    end = -1 if integers[slot, row] == values.NO_TIME else quote + 1
            if end < 0:
                break
            at = end
            more = byte_at(text, at) == _COMMA and byte_at(text, at + 1) == QUOTE
            plain = byte_at(text, at) == _CLOSE and byte_at(text, at + 1) == NEWLINE
        for column in range(count if plain and fields < count else 0):
            if last_line[column] != line:
                plain = plain and not required[column]
                filled[column, row] = 0
                if kinds[column] <= DOCUMENT:
                    lengths[slots[column], row] = 0
        if plain:
            lines[row] = line
            row += 1
            at += 2
            continue
        while byte_at(text, at) != NEWLINE:
            at += 1
        rest[others, 0], rest[others, 1], rest[others, 2] = line, begin, at
        others += 1
        at += 1
    return at, row, others


@part
def _is(text: Bytes, at: int, names: Bytes, begin: int, end: int) -> bool:
    """Whether this name begins here."""
    while begin + PADDING < end and same_ahead(text, at, names, begin) == PADDING:
        at += PADDING
        begin += PADDING
    return same_ahead(text, at, names, begin) >= end - begin


@part
def _column(text: Bytes, at: int, names: Bytes, names_at: Integers) -> int:
    """The column of the field whose name begins here; -1 where none has it."""
    for column in range(len(names_at) - 1):
        if _is(text, at, names, names_at[column], names_at[column + 1]):
            return column
    return -1


@compiled
def gather_texts(
    text: Bytes, out: ScanBuffers, rows: int, offsets: Smalls, gathered: Bytes
) -> None:
    """Put the texts of each column behind one another, without their escapes.

    Args:
        text: that was scanned.
        out: of the scan.
        rows: how many.
        offsets: [slot, row]: gets where each begins within its column, and where the last ends.
        gathered: gets the texts; has padding.
    """
    starts, lengths = out.starts, out.lengths
    to = 0
    for slot in range(len(offsets)):
        begin = to
        for row in range(rows):
            offsets[slot, row] = to - begin
            at, end = starts[slot, row], to + lengths[slot, row]
            if at >= 0:
                while to < end:
                    copy_ahead(gathered, to, text, at)
                    to += PADDING
                    at += PADDING
                to = end
                continue
            at = ~at
            while to < end:
                byte = text[at]
                if byte == BACKSLASH:
                    at += 1
                    byte = _ESCAPES[text[at]]
                gathered[to] = byte
                to += 1
                at += 1
        offsets[slot, rows] = to - begin


@compiled
def count_lines(text: Bytes) -> int:
    """How many newlines there are."""
    count = 0
    for byte in text:
        count += byte == NEWLINE
    return count
