"""From chunks of lines of JSON to rows that say which file and line they came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from novade_pipeline.json_rows.text import OTHER_FIELDS, RAW_BYTES
from novade_pipeline.lake.table import Table
from novade_pipeline.landing.chunks import Chunk, FileSlice
from novade_pipeline.privacy.json_text import LONE_SURROGATE

Positions = np.ndarray[Any, np.dtype[np.int64]]

LANDED = ("upload_date", "upload_hour", "file", "line")


@dataclass(frozen=True)
class BadLine:
    """A line that cannot become a row.

    Attributes:
        file_slice: the part of the file that it is in.
        line: its number in the file, from 1.
        reason: what was expected and what was found, without the values.
        raw: its bytes, truncated to `RAW_BYTES`.
        raw_bytes: the size of the line.
    """

    file_slice: FileSlice
    line: int
    reason: str
    raw: bytes
    raw_bytes: int


@dataclass(frozen=True)
class Parsed:
    """What the lines of a chunk became: each is a row, bad, or blank.

    Attributes:
        slices: those of the chunk.
        rows: the table's columns, in the order of the lines.
        index: for each row the position of its file slice in the chunk.
        bad: the lines for quarantine.
        blank: for each slice, how many lines have no content.
        completed: for each slice, how many lines only completed a row; empty for none.
        mended: for each slice, kind of repair -> how many rows have it.
    """

    slices: tuple[FileSlice, ...]
    rows: pa.Table
    index: Positions
    bad: tuple[BadLine, ...]
    blank: tuple[int, ...]
    completed: tuple[int, ...] = ()
    mended: tuple[Mapping[str, int], ...] = ()


class JsonLines:
    """Parses chunks of a table's rows; each thread needs its own."""

    def __init__(self, table: Table) -> None:
        # Numba takes 0.4 s to import, which loading the graph should not wait for.
        from novade_pipeline.json_rows.parser import LineParser

        self._table = table
        fields = tuple(c for c in table.columns if c.name not in (*LANDED, OTHER_FIELDS))
        other_fields = OTHER_FIELDS if OTHER_FIELDS in table.schema.names else None
        self._parser = LineParser(fields, other_fields, table.data_time)

    def close(self) -> None:
        """Close the parser."""
        self._parser.close()

    def parse(self, chunk: Chunk) -> Parsed:
        """Parse the lines of a chunk and add the landed columns to their fields."""
        lines = self._parser.parse(chunk.text, chunk.size)
        numbers, slices = lines.numbers, chunk.slices
        starts = np.cumsum([0, *(part.lines for part in slices)])

        def slices_of(positions: Positions) -> Positions:
            return np.searchsorted(starts, positions, "right") - 1

        def by_slice(positions: Positions) -> tuple[int, ...]:
            return tuple(np.bincount(slices_of(positions), minlength=len(slices)).tolist())

        index = slices_of(numbers)
        firsts = np.array([part.first_line for part in slices], np.int64)
        hours = pa.array([part.file.hour for part in slices], pa.timestamp("us", tz="UTC"))
        taken = pa.array(index)
        landed = {
            "upload_date": hours.cast(pa.date32()).take(taken),
            "upload_hour": hours.take(taken),
            "file": pa.array([part.file.file for part in slices], pa.string()).take(taken),
            "line": pa.array(firsts[index] + numbers - starts[index]),
        }
        columns = [
            landed[name] if name in landed else lines.rows[name]
            for name in self._table.schema.names
        ]
        rows = pa.table(columns, schema=self._table.schema)
        bad_lines = []
        for i, (reason, raw) in sorted(lines.bad.items()):
            at = int(slices_of(np.array(i)))
            number = slices[at].first_line + i - int(starts[at])
            bad_lines.append(BadLine(slices[at], number, reason, raw[:RAW_BYTES], len(raw)))
        mended = tuple({LONE_SURROGATE: n} if n else {} for n in by_slice(lines.repaired))
        return Parsed(slices, rows, index, tuple(bad_lines), by_slice(lines.blank), mended=mended)
