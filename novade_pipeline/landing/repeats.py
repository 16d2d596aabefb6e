"""Finds rows that repeat a key of the same hour, in one pass over the ordered rows."""

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.lake.table import Table

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Hashes = np.ndarray[Any, np.dtype[np.uint64]]

# Joining two runs takes several times their memory.
RUN_KEYS = 2**19


class Repeats:
    """Which rows are the first of their key within their window.

    Rows come ordered by window, so only the keys of the newest window are kept: 128 bits each, in
    sorted runs of which each has at least twice the keys of the next, up to `RUN_KEYS`. So a row
    takes about as long in a window of millions as in one of a few.
    """

    def __init__(self, table: Table) -> None:
        key_columns = [name for name in table.key if name not in (table.window, "file", "line")]
        if "file" in table.key:
            key_columns = []
        self._name = key_columns[0] if key_columns else None
        assert len(key_columns) <= 1, f"{table.name}: expected one key column, found {key_columns}"
        self._window = str(table.window)
        self._hour: datetime | None = None
        self._runs: list[Hashes] = []

    def first(self, rows: pa.Table) -> Mask | None:
        """True for each row with a new key; None where all keys are new."""
        if self._name is None or not len(rows):
            return None
        hours = rows[self._window].combine_chunks()
        hashes = hashes_of(rows[self._name])
        mask = np.ones(len(rows), bool)
        order = np.argsort(hashes[0])
        in_order = hashes[:, order]
        if (np.diff(in_order[0]) == 0).any():
            numbered = np.stack(
                [hashes[1], hashes[0], hours.cast(pa.int64()).to_numpy().view("u8")]
            )
            # The sort is stable: of equal keys the first row comes first.
            by_key = np.lexsort(numbered)
            same = (np.diff(numbered[:, by_key]) == 0).all(axis=0)
            mask[by_key[1:][same]] = False
        if hours[0].as_py() == self._hour:
            same = self._is_in_hour(hours)[order]
            for run in self._runs:
                mask[order[same & _contains(run, in_order)]] = False
        last = hours[-1].as_py()
        if last != self._hour:
            self._hour, self._runs = last, []
        self._add_run(in_order[:, self._is_in_hour(hours)[order]])
        return None if mask.all() else mask

    def _is_in_hour(self, hours: pa.Array) -> Mask:
        same: Mask = pc.equal(hours, pa.scalar(self._hour, hours.type)).to_numpy(
            zero_copy_only=False
        )
        return same

    def _add_run(self, run: Hashes) -> None:
        while self._runs and self._runs[-1].shape[1] < min(2 * run.shape[1], RUN_KEYS):
            joined = np.concatenate([self._runs.pop(), run], axis=1)
            # Two sorted runs, which this kind of sort merges.
            run = joined[:, np.argsort(joined[0], kind="stable")]
        self._runs.append(run)


def hashes_of(keys: pa.ChunkedArray) -> Hashes:
    """128 bits of each key: [2, n]."""
    # Numba is imported where it is used; see `json_lines`.
    from novade_pipeline.json_rows.compiled.hashes import hash_texts

    texts = keys.cast(pa.string()).combine_chunks()
    hashes: Hashes = np.empty((2, len(texts)), np.uint64)
    _, offsets, content = texts.buffers()
    places = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    hash_texts(np.frombuffer(content or b"", np.uint8), places, hashes)
    return hashes


def _contains(run: Hashes, in_order: Hashes) -> Mask:
    """Which hashes a run has; they are in order too, so that the search stays in the cache."""
    at = np.minimum(np.searchsorted(run[0], in_order[0]), run.shape[1] - 1)
    is_in_run: Mask = run[0, at] == in_order[0]
    is_in_run[is_in_run] = run[1, at[is_in_run]] == in_order[1, is_in_run]
    return is_in_run
