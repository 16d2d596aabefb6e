"""Lines of JSON as most are: objects without space, of known fields whose values need no care.

The first and fastest of the ways of `json_lines`. It accepts a line only where the slower ones
would give the same values.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from novade_pipeline.json_rows.compiled import scan
from novade_pipeline.json_rows.compiled.padding import PADDING
from novade_pipeline.json_rows.compiled.steps import Integers
from novade_pipeline.json_rows.extra_fields import name_of, objects_of
from novade_pipeline.json_rows.text import Text
from novade_pipeline.lake.table import Column

Number = TypeVar("Number", np.uint8, np.int32, np.int64)

_KINDS = {
    pa.string(): scan.TEXT,
    pa.timestamp("us", tz="UTC"): scan.TIME,
    pa.int64(): scan.INTEGER,
    pa.float64(): scan.NUMBER,
    pa.bool_(): scan.FLAG,
}
_TEXTS = (scan.TEXT, scan.DOCUMENT)
# Each takes room for the values of all columns, however short it is. No power of two: columns that
# lie so far apart would push one another out of the processor's cache.
_MOST_LINES = 2**14 + 16


@dataclass(frozen=True)
class Plain:
    """What lines became.

    Attributes:
        rows: of the plain ones, in order.
        numbers: for each row the number of its line, from 0.
        rest: number -> line, of those that are not plain.
    """

    rows: pa.Table
    numbers: Integers
    rest: dict[int, bytes]


class PlainLines:
    """Parses lines of known fields; each thread needs its own."""

    def __init__(
        self, fields: Sequence[Column], other_fields: str | None = None, *, typed: bool = True
    ) -> None:
        """Create a parser.

        Args:
            fields: the columns of known fields.
            other_fields: the column of all other fields; None to drop them.
            typed: False to keep values that are not text as JSON, whatever the column's type, and
                to require none.
        """
        self._fields = fields
        self._other_fields = other_fields
        self._typed = typed
        self.set_extra_fields([])

    def set_extra_fields(self, extra: Sequence[str]) -> None:
        """Parse these extra fields too, in this order."""
        types = [c.type if self._typed else pa.string() for c in self._fields]
        names = [c.name for c in self._fields]
        self._schema = pa.schema(
            zip([*names, *extra], [*types, *(pa.string() for _ in extra)], strict=True)
        )
        kinds = [_kind(c, self._typed) for c in self._fields] + [scan.DOCUMENT for _ in extra]
        required = [self._typed and c.required for c in self._fields] + [False for _ in extra]
        names = [*(c.source for c in self._fields), *extra]
        self._columns, self._buffers = _columns(kinds, required, names), _room(kinds)

    def read(self, text: Text, size: int) -> Plain:
        """Find the plain lines, and read them.

        Args:
            text: whole lines, each ended by a newline, and `PADDING`.
            size: of the lines.
        """
        assert not size or text[size - 1] == scan.NEWLINE, "compiled code reads up to one"
        batches, numbers, rest = [], [np.empty(0, np.int64)], {}
        at = line_count = 0
        while at < size:
            scanned = _fresh(self._buffers)
            at, rows, others = scan.scan_lines(text, at, size, self._columns, scanned)
            batches.append(self._batch(text, scanned, rows))
            numbers.append(scanned.lines[:rows] + line_count)
            for number, begin, end in scanned.rest[:others].tolist():
                rest[line_count + number] = text[begin:end].tobytes()
            line_count += rows + others
        table = pa.Table.from_batches(batches, self._schema)
        fields = len(self._fields)
        rows = table.select(range(fields))
        if self._other_fields is not None:
            extra = table.select(range(fields, table.num_columns))
            rows = rows.append_column(self._other_fields, objects_of(extra, len(table)))
        return Plain(rows, np.concatenate(numbers), rest)

    def _batch(self, text: Text, scanned: scan.ScanBuffers, rows: int) -> pa.RecordBatch:
        """The scanned rows, in Arrow's memory."""
        offsets = _in_arrow((len(scanned.starts), rows + 1), np.int32)
        size = int(scanned.lengths[:, :rows].sum(dtype=np.int64))
        gathered = _in_arrow((size + PADDING,), np.uint8)
        scan.gather_texts(text, scanned, rows, offsets, gathered)
        texts = pa.py_buffer(gathered)
        filled = scanned.filled[:, :rows]
        bits, counts = np.packbits(filled, 1, "little"), filled.sum(1)
        arrays, begin = [], 0
        for column, field in enumerate(self._schema):
            kind, slot = self._columns.kinds[column], self._columns.slots[column]
            nulls = rows - int(counts[column])
            buffers = [pa.py_buffer(bits[column]) if nulls else None]
            if kind in _TEXTS:
                buffers += [pa.py_buffer(offsets[slot]), texts.slice(begin)]
                begin += int(offsets[slot, rows])
            elif kind == scan.FLAG:
                buffers.append(pa.py_buffer(bits[len(self._schema) + slot]))
            else:
                buffers.append(pa.py_buffer(scanned.values[slot, :rows]))
            arrays.append(pa.Array.from_buffers(field.type, rows, buffers, nulls))
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def text_of(lines: Sequence[bytes]) -> tuple[Text, int]:
    """Lines as `PlainLines` takes them: (each ended by a newline, then `PADDING`; their size)."""
    text = bytearray(b"\n").join([*lines, bytes(PADDING)])
    return np.frombuffer(text, np.uint8), len(text) - PADDING


def _kind(column: Column, typed: bool) -> int:
    is_document = column.json or not (typed or column.type == pa.string())
    return scan.DOCUMENT if is_document else _KINDS[column.type]


def _columns(kinds: Sequence[int], required: Sequence[bool], names: Sequence[str]) -> scan.Columns:
    stores = [_store(kind) for kind in kinds]
    written = [name_of(name)[1:].encode() for name in names]
    return scan.Columns(
        kinds=np.array(kinds, np.int64),
        slots=np.array([stores[:n].count(store) for n, store in enumerate(stores)], np.int64),
        required=np.array(required, np.uint8),
        names=np.array([*b"".join(written), *bytes(PADDING)], np.uint8),
        names_at=np.cumsum([0, *map(len, written)], dtype=np.int64),
        follows=np.array([*range(1, len(names)), 0, 0], np.int64),
    )


def _store(kind: int) -> int:
    """Where values of a kind are kept: 0 for texts, 1 for flags, 2 for others."""
    return 0 if kind in _TEXTS else 1 if kind == scan.FLAG else 2


def _room(kinds: Sequence[int]) -> scan.ScanBuffers:
    """Buffers for `_MOST_LINES`, used again and again."""
    texts, flags, others = ([_store(kind) for kind in kinds].count(store) for store in range(3))
    starts, lengths = np.empty((2, texts, _MOST_LINES), np.int32)
    values = np.empty((others, _MOST_LINES), np.int64)
    filled = np.empty((len(kinds) + flags, _MOST_LINES), np.uint8)
    lines, rest = np.empty(_MOST_LINES, np.int64), np.empty((_MOST_LINES, 3), np.int64)
    return scan.ScanBuffers(starts, lengths, values, values.view(np.float64), filled, lines, rest)


def _fresh(room: scan.ScanBuffers) -> scan.ScanBuffers:
    """The same buffers, except new ones for values, which Arrow keeps."""
    values = _in_arrow(room.values.shape, np.int64)
    return room._replace(values=values, numbers=values.view(np.float64))


def _in_arrow(shape: tuple[int, ...], dtype: type[Number]) -> np.ndarray[Any, np.dtype[Number]]:
    """New memory of Arrow, which any thread may free; NumPy's stays with its thread."""
    memory = pa.allocate_buffer(math.prod(shape) * np.dtype(dtype).itemsize)
    return np.frombuffer(memory, dtype).reshape(shape)
