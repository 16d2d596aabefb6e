"""Upkeep of the files of a table that is written by `merge`: disjoint ranges of keys, even sizes.

Merges leave small files behind, and files whose ranges overlap where keys do not come in their
order. Those are written anew, in the order of the key; the others stay as they are. Rows do not
change. Memory holds a slice of rows, and the first key column where there are more than that.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from novade_pipeline.lake.commits import CommitConflict
from novade_pipeline.lake.data_files import DataFile
from novade_pipeline.lake.draft import Draft
from novade_pipeline.lake.keyed_files import key_range, rows_per_file, write_sorted
from novade_pipeline.lake.prefetch import in_threads
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store

SLICE_ROWS = 200_000


def compact_by_key(store: Store, table: Table, target: DeltaTable) -> bool:
    """Write anew what is too small or overlaps; False where a load was faster.

    Raises:
        TransientFailure: the storage failed.
        UserError: the lake cannot be written.
    """
    draft = Draft(store, table, target)
    each = rows_per_file(draft.rows)
    for files in files_to_rewrite(table, list(draft.files.values()), each):
        written: list[DataFile] = []
        for low, high in _slices(draft, files):
            written += write_sorted(draft, _sorted(draft, files, low, high), each)
        draft.replace(files, written)
    if not draft.added:
        return True
    try:
        draft.commit(data_change=False, conflicts=lambda _: False)
    except CommitConflict:
        return False
    return True


def files_to_rewrite(table: Table, files: Sequence[DataFile], each: int) -> list[list[DataFile]]:
    """The files to rewrite, in groups that do not overlap; files half of `each` rows are large."""
    keys = {file.path: key_range(table, file) for file in files}
    if not all(of_file.is_bounded for of_file in keys.values()):
        return [list(files)]
    groups: list[list[DataFile]] = []
    rows, high = 0, None
    for file in sorted(files, key=lambda file: (keys[file.path].low, keys[file.path].high)):
        is_small = 2 * min(rows, file.rows) < each
        of_file = keys[file.path]
        if groups and (is_small or of_file.low < high):
            groups[-1].append(file)
            rows, high = rows + file.rows, max(high, of_file.high)
        else:
            groups.append([file])
            rows, high = file.rows, of_file.high
    return [group for group in groups if len(group) > 1 or group[0].rows > 2 * each]


def _slices(draft: Draft, files: Sequence[DataFile]) -> Iterator[tuple[Any, Any]]:
    """Ranges of the first key column, from and below, with so many rows that memory holds them."""
    if sum(file.rows for file in files) <= SLICE_ROWS:
        yield None, None
        return
    column = draft.table.key[0]

    def values(file: DataFile) -> list[pa.ChunkedArray]:
        return [rows[column] for rows in draft.read(file, [column])]

    chunks = [
        chunk
        for groups in in_threads(values, files)
        for values_of_group in groups
        for chunk in values_of_group.chunks
    ]
    keys = pa.chunked_array(chunks)
    order = pc.sort_indices(keys)
    ends = [keys[order[at].as_py()].as_py() for at in range(SLICE_ROWS, len(keys), SLICE_ROWS)]
    ends = list(dict.fromkeys(ends))
    yield from zip([None, *ends], [*ends, None], strict=True)


def _sorted(draft: Draft, files: Sequence[DataFile], low: Any, high: Any) -> pa.Table:
    """The rows of a range of keys, in the order of the key."""
    column = draft.table.key[0]

    def rows(file: DataFile) -> list[pa.Table]:
        parts_of_file = []
        for part in draft.read(file):
            if low is not None:
                part = part.filter(pc.greater_equal(part[column], low))
            if high is not None:
                part = part.filter(pc.less(part[column], high))
            parts_of_file.append(part)
        return parts_of_file

    overlapping = []
    for file in files:
        keys = key_range(draft.table, file)
        if not keys.is_bounded or (
            (low is None or keys.high >= low) and (high is None or keys.low < high)
        ):
            overlapping.append(file)
    parts = [part for parts_of_file in in_threads(rows, overlapping) for part in parts_of_file]
    order = [(name, "ascending") for name in draft.table.key]
    return pa.concat_tables(parts).combine_chunks().sort_by(order)
