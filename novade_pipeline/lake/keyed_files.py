"""The data files of a table that is written by `merge`: many, small, in the order of the key.

A changed row costs a rewrite of its file, so the files are so small that 100 rows, wherever they
are, touch less than a twentieth of the table. The log has each file's range of keys.
"""

from bisect import bisect_left, bisect_right
from math import ceil

import pyarrow as pa

from novade_pipeline.lake.data_files import DataFile, Range
from novade_pipeline.lake.draft import Draft
from novade_pipeline.lake.prefetch import in_threads
from novade_pipeline.lake.table import Table

# Of 2,500 files 100 rows touch 98 at most, 3.9 %. Opening a file costs as much as a few hundred
# rows, so that smaller ones make reading slow, and more of them too.
FILES = 2_500
LEAST_ROWS = 400
_UNKNOWN = Range(None, None, None)


def rows_per_file(rows: int) -> int:
    """How many rows a file should have, in a table of so many."""
    return max(LEAST_ROWS, ceil(rows / FILES))


def key_range(table: Table, file: DataFile) -> Range:
    """The range of the first key column; without ends where that is not known."""
    return file.ranges.get(table.key[0], _UNKNOWN)


def files_with_keys(draft: Draft, keys: pa.Table) -> list[DataFile]:
    """The files whose range holds a key.

    Args:
        keys: in their order.
    """
    column = keys[draft.table.key[0]]
    if not len(column):
        return []
    first, last = column[0].as_py(), column[-1].as_py()
    near = [
        (file, bounds)
        for file in draft.files.values()
        if not (bounds := key_range(draft.table, file)).is_bounded
        or (bounds.low <= last and bounds.high >= first)
    ]
    values = column.to_pylist() if near else []
    return [
        file
        for file, bounds in near
        if not bounds.is_bounded
        or bisect_left(values, bounds.low) < bisect_right(values, bounds.high)
    ]


def write_sorted(draft: Draft, rows: pa.Table, rows_each: int) -> list[DataFile]:
    """Write rows, which are in the order of the key, to new files of about so many each."""
    if not len(rows):
        return []
    each = ceil(len(rows) / max(1, round(len(rows) / rows_each)))
    cuts = [rows.slice(first, each) for first in range(0, len(rows), each)]

    def written(cut: pa.Table) -> DataFile:
        with draft.new_file() as file:
            file.write(cut)
            return file.close()

    return list(in_threads(written, cuts))
