"""What a table holds of erased persons: rows that go, and rows of others that name them.

Data files never change, so rows are known by their file and their place in it: a bit a row, of the
files that have any. That is an eighth of a byte a row at most, whatever the rows hold.
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
    """A bit for each row of a file, or none where all are false."""

    packed: np.ndarray[Any, np.dtype[np.uint8]] = field(
        default_factory=lambda: np.zeros(0, np.uint8), repr=False
    )

    @staticmethod
    def of(masks: list[Mask]) -> "RowBits":
        """Those of masks, one behind the other."""
        whole = np.concatenate(masks) if masks else np.zeros(0, bool)
        return RowBits(np.packbits(whole)) if whole.any() else RowBits()

    def __bool__(self) -> bool:
        return bool(len(self.packed))

    def mask(self, at: int, rows: int) -> Mask:
        """Those of so many rows from a place on."""
        if not self:
            return np.zeros(rows, bool)
        first = at // 8
        bits = np.unpackbits(self.packed[first : (at + rows + 7) // 8])
        found: Mask = bits[at - 8 * first :][:rows].astype(bool)
        return found


@dataclass(frozen=True)
class FileTraces:
    """Which rows of a data file are an erased person's, and which others change."""

    gone: RowBits
    amended: RowBits

    def __bool__(self) -> bool:
        return bool(self.gone or self.amended)


@dataclass
class Traces:
    """What was found in one table.

    Attributes:
        table: the table.
        erased: the persons.
        rows: of erased persons.
        amended: column -> rows of others that it changes in.
        lost: of a table with landed files, how many rows that go each file has.
        files: data file -> its traces.
    """

    table: Table
    erased: ErasedIdentifiers
    rows: int = 0
    amended: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    files: dict[str, FileTraces] = field(default_factory=dict)

    def of(self, draft: Draft, file: DataFile) -> FileTraces:
        """The traces in a data file, which is read where it was not before."""
        if file.path not in self.files:
            gone: list[Mask] = []
            amended: list[Mask] = []
            with closing(prefetch(draft.read(file, _columns(self.table, draft.columns)))) as groups:
                for rows in groups:
                    is_gone, is_amended = self._look_at(rows)
                    gone.append(is_gone)
                    amended.append(is_amended)
            self.files[file.path] = FileTraces(RowBits.of(gone), RowBits.of(amended))
        return self.files[file.path]

    def changed(self, rows: pa.Table) -> Mapping[str, pa.Array]:
        """The columns of rows of others in which an erased person's address stands, without it."""
        columns = redacted_columns(rows, self.table.owners, self.erased)
        return {name: columns[name] for name in columns.keys() - set(row_key(self.table))}

    def _look_at(self, rows: pa.Table) -> tuple[Mask, Mask]:
        mask = erased_rows(rows, self.table.owners, self.erased)
        gone = np.zeros(len(rows), bool) if mask is None else mask
        lost, kept = rows.filter(pa.array(gone)), rows.filter(pa.array(~gone))
        self.rows += len(lost)
        if LANDED_IN in rows.schema.names:
            self.lost.update(counted(lost[LANDED_IN]))
        changes = np.zeros(len(kept), bool)
        for name, column in self.changed(kept).items():
            differs = pc.fill_null(pc.not_equal(kept[name], column), True)
            differs = pc.and_(differs, pc.is_valid(kept[name])).to_numpy()
            self.amended[name] += int(differs.sum())
            changes |= differs
        amended = np.zeros(len(rows), bool)
        amended[~gone] = changes
        return gone, amended


def traces_in(lake: Store, table: Table, erased: ErasedIdentifiers) -> Traces:
    """Read the table once, some row groups at a time."""
    found = Traces(table, erased)
    target = open_table(lake, table)
    if target is not None:
        draft = Draft(lake, table, target, as_stored=True)
        for file in draft.files.values():
            found.of(draft, file)
    return found


def _columns(table: Table, stored: pa.Schema) -> list[str]:
    """What names rows, what says whose they are, and every text.

    The lake may have more columns than the model declares.
    """
    wanted = {*row_key(table), *table.owners.columns, *table.owners.may_contain, LANDED_IN, LINE}
    wanted |= {mark.source for mark in table.owners.may_contain.values()}
    wanted |= {
        mark.when[0]
        for marks in table.owners.columns.values()
        for mark in marks
        if isinstance(mark, BelongsTo) and mark.when is not None
    }
    return [one.name for one in stored if one.name in wanted or _is_text(one.type)]


def counted(column: pa.ChunkedArray) -> dict[str, int]:
    """How often each value stands in a column."""
    values, counts = pc.value_counts(column).flatten()
    return dict(zip(values.to_pylist(), counts.to_pylist(), strict=True))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
