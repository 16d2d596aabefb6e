"""The rows of a table that have some keys, found by the range of keys that each file has."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from novade_pipeline.lake.conform import conform
from novade_pipeline.lake.data_files import DataFile
from novade_pipeline.lake.draft import Draft
from novade_pipeline.lake.keyed_files import files_with_keys
from novade_pipeline.lake.prefetch import in_threads
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store

_ROW = "_row"


def rows_of_keys(store: Store, table: Table, target: DeltaTable, keys: pa.Table) -> pa.Table:
    """The stored rows with these keys, in the declared columns.

    Args:
        target: the version that is read.
        keys: the columns of the key, without nulls.
    """
    draft = Draft(store, table, target)
    ordered = keys.sort_by([(name, "ascending") for name in table.key])

    def matching(file: DataFile) -> list[pa.Table]:
        return list(_matching(draft, file, ordered))

    parts = [table.schema.empty_table()]
    for groups in in_threads(matching, files_with_keys(draft, ordered)):
        parts += groups
    return pa.concat_tables(parts)


def _matching(draft: Draft, file: DataFile, keys: pa.Table) -> Iterator[pa.Table]:
    table = draft.table
    first = keys[table.key[0]].combine_chunks()
    for group in draft.read(file):
        rows = group.select(table.schema.names)
        rows = rows.filter(pc.is_in(rows[table.key[0]], value_set=first))
        if len(rows) and len(table.key) > 1:
            numbers = pa.array(range(len(rows)), pa.int64())
            places = rows.select(table.key).append_column(_ROW, numbers)
            names = list(table.key)
            rows = rows.take(places.join(keys, names, join_type="left semi")[_ROW].combine_chunks())
        for batch in rows.to_batches():
            yield pa.Table.from_batches([conform(table, batch)])
