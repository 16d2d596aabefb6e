"""Upserts by key: the newest version of a row wins, and what does not change is not rewritten.

Rows come in slices that fit in memory. Which of their keys the table has is looked up in the
files whose range holds them. Only files with rows that change are written anew; rows that the
table does not have become files of their own, in the order of their keys. All of it is one commit,
however many slices there were.
"""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial, reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.changes import has_changed
from novade_pipeline.lake.commits import CommitConflict, commit_conflict
from novade_pipeline.lake.conform import conform
from novade_pipeline.lake.data_files import DataFile
from novade_pipeline.lake.delta import WriteReceipt, create_with_columns
from novade_pipeline.lake.draft import Draft, known_transactions
from novade_pipeline.lake.keyed_files import files_with_keys, rows_per_file, write_sorted
from novade_pipeline.lake.prefetch import in_threads
from novade_pipeline.lake.stream import Rows, greatest
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Moment
from novade_pipeline.storage.store import Store

# A slice ends where it has so many rows, or so many bytes.
SLICE_ROWS = 250_000
SLICE_BYTES = 64 * 2**20
CLOCKS_DIFFER = timedelta(days=1)
"""Versions further in the future than this come from a wrong clock."""
# Rows in memory are merged again where another writer was faster.
TRIES = 5

# Numbers of rows: of a slice, and of a file.
_ROW, _FILE, _FILE_ROW = "_row", "_file", "_file_row"


def merge(
    store: Store,
    table: Table,
    rows: Rows,
    *,
    replace_equal: bool = False,
    replace_newer: bool = False,
    transactions: Mapping[str, int] | None = None,
    compared_with: int | None = None,
    expected_rows: int = 0,
) -> WriteReceipt:
    """Upsert by key: of several rows of a key the one with the greatest version column wins.

    A deletion is a row like any other, with its `is_deleted` true. Of several rows of one key and
    version the first counts, with `replace_equal` the last.

    Args:
        rows: a stream is read into memory slice by slice; with `replace_equal` whole.
        replace_equal: a row also replaces a stored row of the same version, a deleted one, and one
            whose version lies in the future: for callers that pass only rows that differ.
        replace_newer: a row replaces the stored one even where that is newer.
        transactions: app id -> version, recorded with the commit; where no row changes, with an
            empty one, unless the table has them already, or newer ones.
        compared_with: the version that the caller has made the rows from, if it has.
        expected_rows: of a stream into an empty table, about; its files have their size at once.

    Returns:
        What was written. Its rows are those inserted and updated, of a stream slice by slice; its
        bytes include the rows that stand in the same files.

    Raises:
        PermanentFailure: a column has another type than declared, or a key no value; nothing is
            written.
        TransientFailure: another writer was faster; rows in memory are tried again before.
        CommitConflict: likewise, where rows changed after the version that they were made from.
    """
    assert table.version is not None, f"{table.name} has no version column"
    started = time.monotonic()
    if replace_equal and isinstance(rows, pa.RecordBatchReader):
        rows = rows.read_all()
    lost: CommitConflict | None = None
    known: dict[str, int | None] = {}
    for left in reversed(range(TRIES if isinstance(rows, pa.Table) else 1)):
        target = create_with_columns(store, table)
        recorded = known_transactions(target, transactions)
        if lost is not None and recorded != known:
            raise lost
        known = recorded
        draft = Draft(store, table, target)
        if compared_with is not None and has_changed(store, table, compared_with, draft.version):
            raise commit_conflict(table)
        changed, passed_over, newest = 0, 0, None
        for part in _slices(table, rows, whole=replace_equal):
            written, older = _merge_slice(
                draft,
                _newest_of_each(table, part, replace_equal),
                replace_equal,
                replace_newer,
                expected_rows,
            )
            changed, passed_over = changed + written, passed_over + older
            newest = _later(newest, part, table)
        newer = {a: v for a, v in (transactions or {}).items() if _is_newer(v, known[a])}
        try:
            version = draft.version
            if changed or newer:
                version = draft.commit(transactions if changed else newer)
        except CommitConflict as race:
            if not left:
                raise
            lost = race
            continue
        return WriteReceipt(
            rows=changed,
            bytes=sum(file.size for file in draft.added.values()),
            files=len(draft.added),
            table_version=version,
            newest=newest,
            seconds=time.monotonic() - started,
            passed_over=passed_over,
        )
    raise AssertionError("the last try returns or raises")


def _slices(table: Table, rows: Rows, *, whole: bool) -> Iterator[pa.Table]:
    """The rows in their declared types, in parts that fit in memory."""
    batches: list[pa.RecordBatch] = []
    count = size = 0
    for source in rows.to_batches() if isinstance(rows, pa.Table) else rows:
        batch = conform(table, source)
        for first in range(0, batch.num_rows, SLICE_ROWS):
            part = batch.slice(first, SLICE_ROWS)
            batches.append(part)
            count, size = count + part.num_rows, size + part.nbytes
            if not whole and (count >= SLICE_ROWS or size >= SLICE_BYTES):
                yield pa.Table.from_batches(batches, table.schema)
                batches, count, size = [], 0, 0
    if batches:
        yield pa.Table.from_batches(batches, table.schema)


def _newest_of_each(table: Table, rows: pa.Table, replace_equal: bool) -> pa.Table:
    """One row a key, in the order of the key."""
    for name in table.key:
        if rows[name].null_count:
            raise PermanentFailure(
                f"{table.name}: expected a value in every {name}, which is part of the key, found "
                f"{rows[name].null_count} without; nothing is written."
            )
    assert table.version is not None
    if len(table.key) == 1 and _rises(rows[table.key[0]].combine_chunks()):
        return rows.combine_chunks()
    order = [(name, "ascending") for name in table.key]
    order += [(table.version, "descending"), (_ROW, "descending" if replace_equal else "ascending")]
    sort_columns = rows.select(list(dict.fromkeys((*table.key, table.version)))).append_column(
        _ROW, _numbers(len(rows))
    )
    sorted_ = rows.take(pc.sort_indices(sort_columns, sort_keys=order)).combine_chunks()
    differs = (
        pc.not_equal(sorted_[name].slice(1), sorted_[name].slice(0, len(rows) - 1))
        for name in table.key
    )
    first = pa.chunked_array([[True], *reduce(pc.or_, differs).chunks], pa.bool_())
    return sorted_.filter(first)


def _rises(keys: pa.Array) -> bool:
    """Whether each is greater than the one before: in order already, and none comes twice."""
    return bool(pc.all(pc.less(keys[:-1], keys[1:])).as_py() is not False)


def _merge_slice(
    draft: Draft, rows: pa.Table, replace_equal: bool, replace_newer: bool, expected_rows: int
) -> tuple[int, int]:
    """Merge a slice into the draft: (rows that are new or newer, rows that are older)."""
    table = draft.table
    places = _locate(draft, rows)
    version = pa.chunked_array([pc.take(rows[table.version], places[_ROW])])
    is_newer = (pc.greater_equal if replace_equal else pc.greater)(version, places[table.version])
    if replace_equal and "is_deleted" in table.schema.names:
        is_newer = pc.or_kleene(is_newer, places["is_deleted"])
    if replace_equal and pa.types.is_timestamp(places[table.version].type):
        latest = pa.scalar(datetime.now(UTC) + CLOCKS_DIFFER, places[table.version].type)
        is_newer = pc.or_kleene(is_newer, pc.greater(places[table.version], latest))
    is_newer = pc.or_(is_newer.fill_null(False), replace_newer)
    older = pc.and_not(pc.less(version, places[table.version]), is_newer)
    newer = places.filter(is_newer).sort_by(_ROW)
    each = rows_per_file(max(draft.rows + len(rows) - len(places), expected_rows))

    by_file: dict[str, list[tuple[int, int]]] = {}
    for path, old_row, new_row in zip(
        *(newer[name].to_pylist() for name in (_FILE, _FILE_ROW, _ROW)), strict=True
    ):
        by_file.setdefault(path, []).append((old_row, new_row))
    touched = [draft.files[path] for path in by_file]
    work = [(file, by_file[file.path]) for file in touched]
    for file, written in zip(
        touched, in_threads(partial(_rewrite, draft, rows, each), work), strict=True
    ):
        draft.replace([file], written)

    fresh = rows
    if len(places):
        exists = pc.is_in(_numbers(len(rows)), value_set=places[_ROW].combine_chunks())
        fresh = rows.filter(pc.invert(exists))
    draft.replace([], write_sorted(draft, _widened(draft, fresh, None), each))
    return len(newer) + len(fresh), pc.sum(older).as_py() or 0


def _locate(draft: Draft, rows: pa.Table) -> pa.Table:
    """Finds the stored rows with the same keys.

    Returns:
        The number of the new row, the file, the number of the stored row in the file, and the
        stored row's version and deletion flag.
    """
    table = draft.table
    assert table.version is not None
    keys = rows.select(table.key).append_column(_ROW, _numbers(len(rows)))
    decides = [table.version, *(n for n in ("is_deleted",) if n in table.schema.names)]
    columns = list(dict.fromkeys([*table.key, *decides]))
    key_parts: list[pa.Table] = []
    matches: list[pa.Table] = []

    def look_up() -> None:
        joined = pa.concat_tables(key_parts).join(keys, list(table.key), join_type="inner")
        matches.append(joined.select([_ROW, _FILE, _FILE_ROW, *decides]))
        key_parts.clear()

    for file_keys in in_threads(partial(_keys, draft, columns), files_with_keys(draft, keys)):
        key_parts.append(file_keys)
        if sum(map(len, key_parts)) >= SLICE_ROWS:
            look_up()
    if key_parts:
        look_up()
    schema = pa.schema(
        [(_ROW, pa.int64()), (_FILE, pa.string()), (_FILE_ROW, pa.int64())]
        + [(name, table.schema.field(name).type) for name in decides]
    )
    return pa.concat_tables([schema.empty_table(), *(part.cast(schema) for part in matches)])


def _keys(draft: Draft, columns: list[str], file: DataFile) -> pa.Table:
    """A file's rows in a few columns, with their place."""
    rows = pa.concat_tables(draft.read(file, columns))
    return rows.append_column(_FILE, pa.repeat(file.path, len(rows))).append_column(
        _FILE_ROW, _numbers(len(rows))
    )


def _rewrite(
    draft: Draft, rows: pa.Table, each: int, work: tuple[DataFile, list[tuple[int, int]]]
) -> list[DataFile]:
    """Write a file anew, with some of its rows replaced."""
    file, places = work
    written: list[DataFile] = []
    before = 0
    for group in draft.read(file):
        pairs = [(old - before, new) for old, new in places if before <= old < before + len(group)]
        old, new = (pa.array([pair[i] for pair in pairs], pa.int64()) for i in (0, 1))
        before += len(group)
        stays = pc.invert(pc.is_in(_numbers(len(group)), value_set=old))
        replaced = _widened(draft, rows.take(new), group.take(old))
        result = pa.concat_tables([group.filter(stays), replaced]).combine_chunks()
        order = [(name, "ascending") for name in draft.table.key]
        written += write_sorted(draft, result.sort_by(order), each)
    return written


def _widened(draft: Draft, rows: pa.Table, old: pa.Table | None) -> pa.Table:
    """The rows in the lake's columns: what the code does not declare stays as it was."""
    columns: list[Any] = list(rows.columns)
    declared = list(draft.columns)[: len(columns)]
    columns = [c.cast(f.type) for c, f in zip(columns, declared, strict=True)]
    for field in list(draft.columns)[len(columns) :]:
        columns.append(pa.nulls(len(rows), field.type) if old is None else old[field.name])
    return pa.table(columns, schema=draft.columns)


def _later(newest: Moment | None, rows: pa.Table, table: Table) -> Moment | None:
    """The greatest data time so far."""
    if table.data_time is None:
        return None
    latest = greatest(rows[table.data_time])
    return max((value for value in (newest, latest) if value is not None), default=None)


def _numbers(count: int) -> pa.Array:
    return pa.array(np.arange(count, dtype=np.int64))


def _is_newer(version: int, known: int | None) -> bool:
    return known is None or version > known
