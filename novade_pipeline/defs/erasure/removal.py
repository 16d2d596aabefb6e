"""Taking what was found out of a table: rows, and addresses in rows of others, in one commit."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pyarrow as pa

from novade_pipeline.defs.erasure.traces import Traces
from novade_pipeline.lake.data_files import DataFile
from novade_pipeline.lake.deletion import rewrite, with_values
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.draft import Draft
from novade_pipeline.lake.keyed_files import key_range
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.forget import Mask
from novade_pipeline.storage.store import Store

KeysFor = Callable[[DataFile], pa.Table]
"""The keys of rows that go, as far as a data file can have them."""

_ROW = "_row"


def remove(lake: Store, traces: Traces, followed: Traces | None = None) -> None:
    """Take away what was found.

    Args:
        traces: of the table.
        followed: of the table that it follows: what goes there goes here, under the same keys.

    Raises:
        TransientFailure: the storage failed, or another writer was faster; nothing is written.
    """
    keys_for = _keys_of(lake, traces.table, followed)

    def is_touched(draft: Draft, file: DataFile) -> bool:
        return bool(traces.of(draft, file)) or len(keys_for(file)) > 0

    def change(file: DataFile, at: int, rows: pa.Table) -> pa.Table:
        found = traces.files[file.path]
        gone = found.gone.mask(at, len(rows)) | _with_keys(rows, keys_for(file))
        amended = found.amended.mask(at, len(rows))
        if amended.any():
            mask = pa.array(amended)
            for name, values in traces.changed(rows.filter(mask)).items():
                rows = with_values(rows, name, mask, values)
        return rows.filter(pa.array(~gone)) if gone.any() else rows

    rewrite(lake, traces.table, change, is_touched=is_touched)


def _keys_of(lake: Store, table: Table, followed: Traces | None) -> KeysFor:
    """The keys that go with those of another table, file by file: in memory are those of one."""
    nothing = table.schema.empty_table().select(table.key)
    target = None if followed is None else open_table(lake, followed.table)
    if followed is None or target is None:
        return lambda file: nothing
    source = Draft(lake, followed.table, target, as_stored=True)

    @lru_cache(maxsize=1)
    def within(low: object, high: object) -> pa.Table:
        parts = [nothing]
        for file in source.files.values():
            if _is_outside(followed.table, file, low, high):
                continue
            gone, at = followed.of(source, file).gone, 0
            for rows in source.read(file, table.key) if gone else ():
                mask = gone.mask(at, len(rows))
                parts.append(rows.filter(pa.array(mask)).cast(nothing.schema))
                at += len(rows)
        return pa.concat_tables(parts)

    def keys_for(file: DataFile) -> pa.Table:
        ends = key_range(table, file)
        return within(ends.low, ends.high)

    return keys_for


def _is_outside(table: Table, file: DataFile, low: object, high: object) -> bool:
    """Whether a file has no key between two ends; where one is not known it may have some."""
    ends = key_range(table, file)
    if not ends.is_bounded or low is None or high is None:
        return False
    return bool(ends.high < low or ends.low > high)


def _with_keys(rows: pa.Table, keys: pa.Table) -> Mask:
    """True for each row that has one of some keys."""
    mask = np.zeros(len(rows), bool)
    if len(keys):
        numbered = rows.select(keys.schema.names).append_column(
            _ROW, pa.array(range(len(rows)), pa.int64())
        )
        found = numbered.join(keys, keys.schema.names, join_type="left semi")
        mask[found[_ROW].to_numpy()] = True
    return mask
