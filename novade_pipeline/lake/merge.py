"""Upserts by key: the newest version of a row wins, and what does not change is not rewritten.

Rows come in slices that fit in memory. Which of their keys the table has is looked up in the
files whose range holds them. Only files with rows that change are written anew; rows that the
table does not have become files of their own, in the order of their keys. All of it is one commit,
however many slices there were.
"""

import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial, reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.commits import CommitConflict
from novade_pipeline.lake.conform import conform
from novade_pipeline.lake.data_files import DataFile
from novade_pipeline.lake.delta import WriteReceipt, create_with_columns
from novade_pipeline.lake.draft import Draft, known_transactions
from novade_pipeline.lake.keyed_files import key_range, rows_per_file, write_sorted
from novade_pipeline.lake.prefetch import in_threads
from novade_pipeline.lake.stream import Rows, greatest
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Moment
from novade_pipeline.storage.store import Store

# A slice ends where it has so many rows, or so many bytes.
SLICE_ROWS = 250_000
SLICE_BYTES = 64 * 2**20
CLOCKS_DIFFER = timedelta(days=1)
"""Versions that are times further ahead than this are of a clock that was wrong."""
# Rows in memory are merged again where another writer was faster.
TRIES = 5

# Numbers of rows: of a slice, and of a file.
_OURS, _FILE, _THEIRS = "_ours", "_file", "_theirs"


def merge(
    store: Store,
    table: Table,
    rows: Rows,
    *,
    replace_equal: bool = False,
    replace_newer: bool = False,
    transactions: Mapping[str, int] | None = None,
) -> WriteReceipt:
    """Upsert by key: of several rows of a key the one with the greatest version column wins.

    A deletion is a row like any other, with its `is_deleted` true. Of several rows of one key and
    version the first counts, with `ties` the last.

    Args:
        rows: a stream is held in memory slice by slice; with `ties` whole.
        ties: a row of the same version replaces the one there as well, and any row one that is
            deleted, or whose version is a time to come: for callers that have looked and hand over
            only what differs.
        overrule: a row replaces the one there, be that one newer.
        transactions: app id -> version, recorded with the commit; where no row changes, with an
            empty one, unless the table has them already, or newer ones.

    Returns:
        What was written. Its rows are those inserted and updated, of a stream slice by slice; its
        bytes include the rows that stand in the same files.

    Raises:
        PermanentFailure: a column has another type than declared, or a key no value; nothing is
            written.
        TransientFailure: another writer was faster; rows in memory are tried again before.
    """
    assert table.version is not None, f"{table.name} has no version column"
    started = time.monotonic()
    if replace_equal and isinstance(rows, pa.RecordBatchReader):
        rows = rows.read_all()
    lost: CommitConflict | None = None
    known: dict[str, int | None] = {}
    for left in reversed(range(TRIES if isinstance(rows, pa.Table) else 1)):
        target = create_with_columns(store, table)
        found = known_transactions(target, transactions)
        if lost is not None and found != known:
            raise lost
        known = found
        draft = Draft(store, table, target)
        changed, passed_over, newest = 0, 0, None
        for part in _slices(table, rows, whole=replace_equal):
            written, older = _put(
                draft, _newest_of_each(table, part, replace_equal), replace_equal, replace_newer
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
    held: list[pa.RecordBatch] = []
    count = size = 0
    for source in rows.to_batches() if isinstance(rows, pa.Table) else rows:
        batch = conform(table, source)
        for first in range(0, batch.num_rows, SLICE_ROWS):
            part = batch.slice(first, SLICE_ROWS)
            held.append(part)
            count, size = count + part.num_rows, size + part.nbytes
            if not whole and (count >= SLICE_ROWS or size >= SLICE_BYTES):
                yield pa.Table.from_batches(held, table.schema)
                held, count, size = [], 0, 0
    if held:
        yield pa.Table.from_batches(held, table.schema)


def _newest_of_each(table: Table, rows: pa.Table, ties: bool) -> pa.Table:
    """One row a key, in the order of the key."""
    for name in table.key:
        if rows[name].null_count:
            raise PermanentFailure(
                f"{table.name}: expected a value in every {name}, which is part of the key, found "
                f"{rows[name].null_count} without; nothing is written."
            )
    assert table.version is not None
    order = [(name, "ascending") for name in table.key]
    order += [(table.version, "descending"), (_OURS, "descending" if ties else "ascending")]
    asked = rows.select(list(dict.fromkeys((*table.key, table.version)))).append_column(
        _OURS, _numbers(len(rows))
    )
    sorted_ = rows.take(pc.sort_indices(asked, sort_keys=order)).combine_chunks()
    differs = (
        pc.not_equal(sorted_[name].slice(1), sorted_[name].slice(0, len(rows) - 1))
        for name in table.key
    )
    first = pa.chunked_array([[True], *reduce(pc.or_, differs).chunks], pa.bool_())
    return sorted_.filter(first)


def _put(draft: Draft, rows: pa.Table, ties: bool, overrule: bool) -> tuple[int, int]:
    """Put a slice into the draft: (rows that are new or newer, rows that are older)."""
    table = draft.table
    places = _places(draft, rows)
    version = pa.chunked_array([pc.take(rows[table.version], places[_OURS])])
    is_newer = (pc.greater_equal if ties else pc.greater)(version, places[table.version])
    if ties and "is_deleted" in table.schema.names:
        is_newer = pc.or_kleene(is_newer, places["is_deleted"])
    if ties and pa.types.is_timestamp(places[table.version].type):
        latest = pa.scalar(datetime.now(UTC) + CLOCKS_DIFFER, places[table.version].type)
        is_newer = pc.or_kleene(is_newer, pc.greater(places[table.version], latest))
    is_newer = pc.or_(is_newer.fill_null(False), overrule)
    older = pc.and_not(pc.less(version, places[table.version]), is_newer)
    newer = places.filter(is_newer).sort_by(_OURS)
    each = rows_per_file(draft.rows + len(rows) - len(places))

    by_file: dict[str, list[tuple[int, int]]] = {}
    for path, theirs, ours in zip(
        *(newer[name].to_pylist() for name in (_FILE, _THEIRS, _OURS)), strict=True
    ):
        by_file.setdefault(path, []).append((theirs, ours))
    touched = [draft.files[path] for path in by_file]
    work = [(file, by_file[file.path]) for file in touched]
    for file, written in zip(
        touched, in_threads(partial(_rewrite, draft, rows, each), work), strict=True
    ):
        draft.replace([file], written)

    is_there = pc.is_in(_numbers(len(rows)), value_set=places[_OURS].combine_chunks())
    fresh = rows.filter(pc.invert(is_there))
    draft.replace([], write_sorted(draft, _widened(draft, fresh, None), each))
    return len(newer) + len(fresh), pc.sum(older).as_py() or 0


def _places(draft: Draft, rows: pa.Table) -> pa.Table:
    """Where the table has the rows' keys.

    Returns:
        the number of the row, the file, the number of the row there, and what decides there:
        its version, and whether it is deleted.
    """
    table = draft.table
    assert table.version is not None
    keys = rows.select(table.key).append_column(_OURS, _numbers(len(rows)))
    decides = [table.version, *(n for n in ("is_deleted",) if n in table.schema.names)]
    columns = list(dict.fromkeys([*table.key, *decides]))
    held: list[pa.Table] = []
    found: list[pa.Table] = []

    def look_up() -> None:
        joined = pa.concat_tables(held).join(keys, list(table.key), join_type="inner")
        found.append(joined.select([_OURS, _FILE, _THEIRS, *decides]))
        held.clear()

    for there in in_threads(partial(_keys, draft, columns), _candidates(draft, keys)):
        held.append(there)
        if sum(map(len, held)) >= SLICE_ROWS:
            look_up()
    if held:
        look_up()
    schema = pa.schema(
        [(_OURS, pa.int64()), (_FILE, pa.string()), (_THEIRS, pa.int64())]
        + [(name, table.schema.field(name).type) for name in decides]
    )
    return pa.concat_tables([schema.empty_table(), *(part.cast(schema) for part in found)])


def _candidates(draft: Draft, keys: pa.Table) -> list[DataFile]:
    """The files whose range holds a key."""
    values = keys[draft.table.key[0]].to_pylist()
    found = []
    for file in draft.files.values():
        there = key_range(draft.table, file)
        if not there.is_bounded or bisect_left(values, there.low) < bisect_right(
            values, there.high
        ):
            found.append(file)
    return found


def _keys(draft: Draft, columns: list[str], file: DataFile) -> pa.Table:
    """A file's rows in a few columns, with their place."""
    found = pa.concat_tables(draft.read(file, columns))
    return found.append_column(_FILE, pa.repeat(file.path, len(found))).append_column(
        _THEIRS, _numbers(len(found))
    )


def _rewrite(
    draft: Draft, rows: pa.Table, each: int, work: tuple[DataFile, list[tuple[int, int]]]
) -> list[DataFile]:
    """Write a file anew, with some of its rows replaced."""
    file, places = work
    written: list[DataFile] = []
    before = 0
    for there in draft.read(file):
        here = [(t - before, o) for t, o in places if before <= t < before + len(there)]
        old, new = (pa.array([place[i] for place in here], pa.int64()) for i in (0, 1))
        before += len(there)
        stays = pc.invert(pc.is_in(_numbers(len(there)), value_set=old))
        replaced = _widened(draft, rows.take(new), there.take(old))
        result = pa.concat_tables([there.filter(stays), replaced]).combine_chunks()
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
    found = greatest(rows[table.data_time])
    return max((value for value in (newest, found) if value is not None), default=None)


def _numbers(count: int) -> pa.Array:
    return pa.array(range(count), pa.int64())


def _is_newer(version: int, known: int | None) -> bool:
    return known is None or version > known
