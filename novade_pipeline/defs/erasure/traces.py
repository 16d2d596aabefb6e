"""Traces of erased persons in a table: their rows, and other rows that hold their addresses.

Data files never change, so a row is identified by its file and its position: one bit a row, for
files with traces only.
"""

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.lake.data_files import DataFile
from novade_pipeline.lake.deletion import row_key
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.draft import Draft
from novade_pipeline.lake.prefetch import prefetch
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.forget import ErasedIdentifiers, Mask, erased_rows, redacted_columns
from novade_pipeline.privacy.marks import BelongsTo
from novade_pipeline.storage.store import Store

LANDED_IN, LINE = "file", "line"


@dataclass(frozen=True)
class RowBits:
    """A bit for each row of a file, or none if all are false."""

    packed: np.ndarray[Any, np.dtype[np.uint8]] = field(
        default_factory=lambda: np.zeros(0, np.uint8), repr=False
    )

    @staticmethod
    def of(masks: list[Mask]) -> "RowBits":
        """The bits of consecutive masks."""
        whole = np.concatenate(masks) if masks else np.zeros(0, bool)
        return RowBits(np.packbits(whole)) if whole.any() else RowBits()

    def __bool__(self) -> bool:
        return bool(len(self.packed))

    def mask(self, at: int, rows: int) -> Mask:
        """The bits of `rows` rows from position `at`."""
        if not self:
            return np.zeros(rows, bool)
        first = at // 8
        bits = np.unpackbits(self.packed[first : (at + rows + 7) // 8])
        mask: Mask = bits[at - 8 * first :][:rows].astype(bool)
        return mask


@dataclass(frozen=True)
class FileTraces:
    """Which rows of a data file are deleted, and which are amended."""

    gone: RowBits
    amended: RowBits

    def __bool__(self) -> bool:
        return bool(self.gone or self.amended)


@dataclass
class Traces:
    """The traces in one table.

    Attributes:
        erased: the persons.
        rows: number of rows of erased persons.
        amended: column -> number of other rows in which it changes.
        lost: landed file -> number of its deleted rows.
        files: data file -> its traces.
    """

    table: Table
    erased: ErasedIdentifiers
    rows: int = 0
    amended: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    files: dict[str, FileTraces] = field(default_factory=dict)

    def of(self, draft: Draft, file: DataFile) -> FileTraces:
        """The traces in a data file, which is read once."""
        if file.path not in self.files:
            gone: list[Mask] = []
            amended: list[Mask] = []
            with closing(prefetch(draft.read(file, _columns(self.table, draft.columns)))) as groups:
                for rows in groups:
                    is_gone, is_amended = self._scan(rows)
                    gone.append(is_gone)
                    amended.append(is_amended)
            self.files[file.path] = FileTraces(RowBits.of(gone), RowBits.of(amended))
        return self.files[file.path]

    def changed(self, rows: pa.Table) -> Mapping[str, pa.Array]:
        """The columns with an erased person's address, redacted."""
        columns = redacted_columns(rows, self.table.owners, self.erased)
        return {name: columns[name] for name in columns.keys() - set(row_key(self.table))}

    def _scan(self, rows: pa.Table) -> tuple[Mask, Mask]:
        mask = erased_rows(rows, self.table.owners, self.erased)
        gone = np.zeros(len(rows), bool) if mask is None else mask
        lost, rest = rows.filter(pa.array(gone)), rows.filter(pa.array(~gone))
        self.rows += len(lost)
        if LANDED_IN in rows.schema.names:
            self.lost.update(value_counts(lost[LANDED_IN]))
        changes = np.zeros(len(rest), bool)
        for name, column in self.changed(rest).items():
            differs = pc.fill_null(pc.not_equal(rest[name], column), True)
            differs = pc.and_(differs, pc.is_valid(rest[name])).to_numpy()
            self.amended[name] += int(differs.sum())
            changes |= differs
        amended = np.zeros(len(rows), bool)
        amended[~gone] = changes
        return gone, amended


def traces_in(lake: Store, table: Table, erased: ErasedIdentifiers) -> Traces:
    """Read the table once, some row groups at a time."""
    traces = Traces(table, erased)
    target = open_table(lake, table)
    if target is not None:
        draft = Draft(lake, table, target, as_stored=True)
        for file in draft.files.values():
            traces.of(draft, file)
    return traces


def _columns(table: Table, stored: pa.Schema) -> list[str]:
    """Key columns, owner columns, and every text column, declared or not."""
    names = {*row_key(table), *table.owners.columns, *table.owners.may_contain, LANDED_IN, LINE}
    names |= {mark.source for mark in table.owners.may_contain.values()}
    names |= {
        mark.when[0]
        for marks in table.owners.columns.values()
        for mark in marks
        if isinstance(mark, BelongsTo) and mark.when is not None
    }
    return [field.name for field in stored if field.name in names or _is_text(field.type)]


def value_counts(column: pa.ChunkedArray) -> dict[str, int]:
    """Each value of a column with its number of rows."""
    values, counts = pc.value_counts(column).flatten()
    return dict(zip(values.to_pylist(), counts.to_pylist(), strict=True))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
