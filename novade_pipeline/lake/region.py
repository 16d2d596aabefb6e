"""The rows of a table that a write replaces; files are decided by their ranges where possible."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.data_files import DataFile
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Moment, Where, Window, interval

Mask = np.ndarray[Any, np.dtype[np.bool_]]


class Region(Protocol):
    """Some of a table's rows."""

    @property
    def columns(self) -> list[str]:
        """The columns that decide whether a row is inside."""

    def mask(self, rows: pa.Table) -> Mask:
        """For each row, which has the region's columns, whether it is inside."""

    def contains(self, file: DataFile) -> bool | None:
        """Whether all rows of a file are inside, or none; None where the log cannot decide."""

    def refuse_outside(self, batch: pa.RecordBatch) -> None:
        """Check rows that are written to the region.

        Raises:
            PermanentFailure: a row lies outside.
        """


@dataclass(frozen=True)
class ConstantRegion:
    """Every row of a table, or no row; new ones may be any."""

    is_inside: bool
    columns: list[str] = field(default_factory=list)

    def mask(self, rows: pa.Table) -> Mask:
        """As `Region` says."""
        return np.full(len(rows), self.is_inside)

    def contains(self, file: DataFile) -> bool | None:
        """As `Region` says."""
        return self.is_inside

    def refuse_outside(self, batch: pa.RecordBatch) -> None:
        """As `Region` says."""


@dataclass(frozen=True)
class WindowRegion:
    """The rows that lie within windows, or have no window where None, and have given values."""

    table: Table
    windows: Sequence[Window] | None
    where: Where

    @property
    def columns(self) -> list[str]:
        """As `Region` says."""
        assert self.table.window is not None, f"{self.table.name} has no window column"
        return list(dict.fromkeys((self.table.window, *self.where)))

    def mask(self, rows: pa.Table) -> Mask:
        """As `Region` says."""
        window, *_ = self.columns
        inside = self._in_windows(rows[window])
        for name in self.where:
            inside &= self._has_value(rows[name], name)
        return inside

    def contains(self, file: DataFile) -> bool | None:
        """As `Region` says."""
        verdicts = [self._whole_in_windows(file)]
        for name in self.where:
            value = file.partition.get(name)
            values = {str(value) for value in self._values(name)}
            verdicts.append(None if name not in file.partition else value in values)
        return False if False in verdicts else None if None in verdicts else True

    def refuse_outside(self, batch: pa.RecordBatch) -> None:
        """As `Region` says."""
        window, *_ = self.columns
        if not self._in_windows(batch.column(window)).all():
            expected = "no value"
            if self.windows is not None:
                expected = ", ".join(interval(w) for w in sorted(self.windows)[:3])
            raise PermanentFailure(
                f"{self.table.name}: expected {window} in {expected}, found rows outside; nothing "
                "is written."
            )
        for name, value in self.where.items():
            if not self._has_value(batch.column(name), name).all():
                expected = (
                    repr(value) if isinstance(value, str | int) else f"of {len(value)} values"
                )
                raise PermanentFailure(
                    f"{self.table.name}: expected {name} {expected} only, found others; nothing is "
                    "written."
                )

    @cached_property
    def _bounds(self) -> tuple[list[Moment], list[Moment]]:
        """The starts and ends of the windows; those that touch or overlap are one."""
        starts: list[Moment] = []
        ends: list[Moment] = []
        for window in sorted(self.windows or ()):
            if window.start >= window.end:
                continue
            if ends and window.start <= ends[-1]:
                ends[-1] = max(ends[-1], window.end)
            else:
                starts.append(window.start)
                ends.append(window.end)
        return starts, ends

    def _in_windows(self, column: pa.Array | pa.ChunkedArray) -> Mask:
        if self.windows is None:
            return _mask(column.is_null())
        starts, ends = (_numbers(pa.array(of, column.type)) for of in self._bounds)
        if not len(starts):
            return np.zeros(len(column), np.bool_)
        values = _numbers(column)
        at = np.searchsorted(starts, values, "right") - 1
        return (at >= 0) & (values < ends[at]) & _mask(column.is_valid())

    def _whole_in_windows(self, file: DataFile) -> bool | None:
        assert self.table.window is not None
        values = file.ranges.get(self.table.window)
        if values is None:
            return None
        no_row = values.nulls == 0
        every_row = values.nulls is not None and values.nulls == file.rows
        if self.windows is None:
            return True if every_row else False if no_row else None
        starts, ends = self._bounds
        if not starts or every_row:
            return False
        if not values.is_bounded:
            return None
        last = bisect_right(starts, values.high) - 1
        if last < 0 or ends[last] <= values.low:
            return False
        first = bisect_right(starts, values.low) - 1
        return True if no_row and first >= 0 and values.high < ends[first] else None

    def _has_value(self, column: pa.Array | pa.ChunkedArray, name: str) -> Mask:
        return _mask(pc.is_in(column, pa.array(self._values(name), column.type)))

    def _values(self, name: str) -> list[str | int]:
        value = self.where[name]
        return [value] if isinstance(value, str | int) else list(value)


def _numbers(column: pa.Array | pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Times and days as numbers; missing ones as any."""
    kind = pa.int32() if pa.types.is_date(column.type) else pa.int64()
    return np.asarray(pc.fill_null(column.cast(kind), 0), np.int64)


def _mask(column: pa.Array | pa.ChunkedArray) -> Mask:
    return np.asarray(column, np.bool_)
