"""Deletes traces from a table, rows and addresses in other rows, in one commit."""

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
"""The keys of deleted rows, as far as a data file can have them."""

_ROW = "_row"


def remove(lake: Store, traces: Traces, followed: Traces | None = None) -> None:
    """Delete the traces from their table.

    Args:
        traces: of the table.
        followed: of the table that it follows: rows with the keys of its deleted rows go as well.

    Raises:
        TransientFailure: the storage failed, or another writer was faster; nothing is written.
    """
    keys_for = _keys_of(lake, traces.table, followed)

    def is_touched(draft: Draft, file: DataFile) -> bool:
        return bool(traces.of(draft, file)) or len(keys_for(file)) > 0

    def change(file: DataFile, at: int, rows: pa.Table) -> pa.Table:
        file_traces = traces.files[file.path]
        is_gone = file_traces.gone.mask(at, len(rows)) | _with_keys(rows, keys_for(file))
        is_amended = file_traces.amended.mask(at, len(rows))
        if is_amended.any():
            mask = pa.array(is_amended)
            for name, values in traces.changed(rows.filter(mask)).items():
                rows = with_values(rows, name, mask, values)
        return rows.filter(pa.array(~is_gone)) if is_gone.any() else rows

    rewrite(lake, traces.table, change, is_touched=is_touched)


def _keys_of(lake: Store, table: Table, followed: Traces | None) -> KeysFor:
    """The deleted keys of a followed table, for one file at a time to bound memory."""
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
    """Whether a file certainly has no key between two bounds."""
    ends = key_range(table, file)
    if not ends.is_bounded or low is None or high is None:
        return False
    return bool(ends.high < low or ends.low > high)


def _with_keys(rows: pa.Table, keys: pa.Table) -> Mask:
    """True for each row with one of the keys."""
    mask = np.zeros(len(rows), bool)
    if len(keys):
        numbered = rows.select(keys.schema.names).append_column(
            _ROW, pa.array(range(len(rows)), pa.int64())
        )
        matches = numbered.join(keys, keys.schema.names, join_type="left semi")
        mask[matches[_ROW].to_numpy()] = True
    return mask
