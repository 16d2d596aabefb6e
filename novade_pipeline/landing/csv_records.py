"""Records of CSV: commas, a header, quotes doubled inside quotes (RFC 4180).

A quote that is never closed costs its line, not the rest of the file.
"""

import csv
from collections import deque
from collections.abc import Iterator

from novade_pipeline.landing.files import DamagedFile, LandedFile
from novade_pipeline.landing.records import (
    HEAD_CHARACTERS,
    MAX_RECORD_BYTES,
    Columns,
    Record,
    is_utf8,
)
from novade_pipeline.plurals import counted

_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def csv_records(texts: Iterator[str], file: LandedFile, columns: Columns) -> Iterator[Record]:
    """The records of a CSV, in order; the header is none of them.

    Raises:
        DamagedFile: the header has not the required columns.
    """
    lines = _Lines(texts)
    reader = csv.reader(lines, strict=True)
    header: list[str] | None = None
    while True:
        lines.begin()
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            if header is None:
                raise DamagedFile(file, f"expected a CSV header, found none ({error})") from None
            yield lines.reject_first_line(error)
            continue
        if not any(field.strip() for field in fields):
            if header is not None:
                yield Record(lines.line, None, lines.text(), lines.size())
        elif header is None:
            header = _header(fields, file, columns)
        else:
            yield _record(fields, header, lines)
    if header is None:
        raise DamagedFile(file, "expected a CSV header, found only blank lines")


def _header(fields: list[str], file: LandedFile, columns: Columns) -> list[str]:
    if missing := columns.missing(fields):
        expected = f"expected the columns {', '.join(missing)}"
        for separator, name in _OTHER_SEPARATORS.items():
            if not columns.missing(",".join(fields).split(separator)):
                expected = f"expected commas between the columns, found {name}"
        raise DamagedFile(
            file, f"{expected}; the header has {len(fields)} columns; export it again as CSV"
        )
    header = [columns.column_of(field) for field in fields]
    if len(set(header)) < len(header):
        raise DamagedFile(file, "expected each column once, found one twice in the header")
    return header


def _record(fields: list[str], header: list[str], lines: "_Lines") -> Record:
    text, size = lines.text(), lines.size()
    if size > MAX_RECORD_BYTES:
        return Record(lines.line, None, text, size, _too_long(size))
    if len(fields) != len(header):
        reason = f"expected {counted(len(header), 'field')}, found {len(fields)}"
        return Record(lines.line, None, text, size, reason)
    if not is_utf8(text):
        return Record(lines.line, None, text, size, "expected UTF-8 text, found other bytes")
    return Record(lines.line, dict(zip(header, fields, strict=True)), text, size)


def _too_long(size: int) -> str:
    return f"expected a record of at most {MAX_RECORD_BYTES >> 20} MiB, found {size:,} characters"


class _Lines:
    """The lines of a text, which can be read again; of an endless one only the head is kept."""

    def __init__(self, texts: Iterator[str]) -> None:
        self._fresh = _lines(texts)
        self._again: deque[tuple[str, int]] = deque()
        self._record: list[tuple[str, int]] = []
        self.line = 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._fresh)
        self._record.append(line)
        return line[0]

    def begin(self) -> None:
        """Begin a record with the next line."""
        self.line += len(self._record)
        self._record = []

    def text(self) -> str:
        """The record's lines."""
        return "".join(text for text, _ in self._record)

    def size(self) -> int:
        """How many characters they have."""
        return sum(size for _, size in self._record)

    def reject_first_line(self, error: csv.Error) -> Record:
        """The first line as a bad record; the other lines are read again."""
        (text, size), *others = self._record
        self._again.extendleft(reversed(others))
        self._record = self._record[:1]
        if size > MAX_RECORD_BYTES:
            reason = _too_long(size)
        elif others or "end of data" in str(error):
            reason = "expected each quote closed, found one that is not"
        elif "field limit" in str(error):
            reason = f"expected fields of at most {csv.field_size_limit():,} characters"
        else:
            reason = "expected quotes doubled within quotes, found one that is not"
        return Record(self.line, None, text, size, reason)


def _lines(texts: Iterator[str]) -> Iterator[tuple[str, int]]:
    """(a line with its newline, how many characters it has)."""
    carried, size = "", 0
    for text in texts:
        *whole, last = text.split("\n")
        for line in whole:
            if size:
                yield f"{carried}{line}\n", size + len(line) + 1
                carried, size = "", 0
            else:
                yield f"{line}\n", len(line) + 1
        size += len(last)
        if len(carried) + len(last) <= MAX_RECORD_BYTES:
            carried += last
        elif len(carried) <= HEAD_CHARACTERS:
            carried += last[:HEAD_CHARACTERS]
    if size:
        yield carried, size
