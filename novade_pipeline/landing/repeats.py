"""Lines that repeat a row of the same hour, found as the rows stream by in order."""

from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.lake.table import Table

Mask = np.ndarray[Any, np.dtype[np.bool_]]


class Repeats:
    """Which rows are the first of their key within their window.

    Rows come ordered by window, so only the keys of the newest window are kept in memory.
    """

    def __init__(self, table: Table) -> None:
        others = [name for name in table.key if name not in (table.window, "file", "line")]
        if "file" in table.key:
            others = []
        self._name = others[0] if others else None
        assert len(others) <= 1, f"{table.name}: repeats are told by one column, found {others}"
        self._window = str(table.window)
        self._hour: datetime | None = None
        self._seen: list[pa.Array] = []

    def first(self, rows: pa.Table) -> Mask | None:
        """True for each row that stands; None where all do."""
        if self._name is None or not len(rows):
            return None
        keys = rows[self._name].combine_chunks()
        hours = rows[self._window].combine_chunks()
        mask = np.ones(len(rows), bool)
        if len(pc.unique(keys)) < len(keys):
            numbered = pa.table({"hour": hours, "key": keys, "row": np.arange(len(rows))})
            first = duckdb.sql("SELECT min(row) AS row FROM numbered GROUP BY hour, key")
            mask[:] = False
            mask[first.to_arrow_table()["row"].to_numpy()] = True
            del numbered
        if self._seen and hours[0].as_py() == self._hour:
            same = pc.equal(hours, pa.scalar(self._hour, hours.type))
            known = pc.is_in(keys, pa.concat_arrays(self._seen))
            mask &= ~pc.and_(same, known).to_numpy(zero_copy_only=False)
        last = hours[-1].as_py()
        if last != self._hour:
            self._hour, self._seen = last, []
        self._seen.append(keys.filter(pc.equal(hours, pa.scalar(last, hours.type))))
        return None if mask.all() else mask
