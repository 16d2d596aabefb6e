"""Whatever windows are replaced, rows stand as an overwrite by delta-rs leaves them."""

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.data_files import DataFile, files_of
from novade_pipeline.lake.delta import create, open_table, replace_window
from novade_pipeline.lake.draft import Draft
from novade_pipeline.lake.read import read
from novade_pipeline.lake.region import WindowRegion
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Where, Window, predicate
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.places import NewStore, on_disk

START = datetime(2026, 3, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
PARTS = ("a b", "ü/x=1%2", "q:#?", None)


class Row(BaseModel):
    """A row."""

    part: str | None
    hour: datetime | None
    day: date
    kind: str
    n: int


def _table(*partition_by: str, window: str = "hour") -> Table:
    return Table("some/rows", Row, ("n",), "replace_window", partition_by, window)


TABLES = {
    "in one": _table(),
    "by an odd text": _table("part"),
    "in one, by days": _table(window="day"),
    "by day": _table("day"),
    "by the window": _table("day", window="day"),
    "by two": _table("part", "day"),
}
HOURS = st.integers(0, 60)
MOMENTS = st.builds(
    lambda hour, tick: START + timedelta(hours=hour) + tick * TICK, HOURS, st.integers(-1, 1)
)
ROWS = st.lists(
    st.tuples(st.sampled_from(PARTS), st.none() | MOMENTS, st.sampled_from("xy")), max_size=12
)
WINDOWS = st.none() | st.lists(st.tuples(MOMENTS, MOMENTS), max_size=4)
WHERE: st.SearchStrategy[Where] = st.sampled_from(
    [{}, {"kind": "x"}, {"kind": ["x", "y"]}, {"part": "a b"}, {"part": list(PARTS[:2])}]
)
STEPS = st.lists(st.tuples(ROWS, WINDOWS, WHERE, st.booleans()), min_size=1, max_size=5)


def _rows(table: Table, found: Sequence[Any], numbered_from: int) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {"part": p, "hour": h, "day": (h or START).date(), "kind": k, "n": numbered_from + n}
            for n, (p, h, k) in enumerate(found)
        ],
        schema=table.schema,
    )


def _windows(table: Table, found: Sequence[tuple[datetime, datetime]] | None) -> Any:
    if found is None:
        return None
    if table.window == "day":
        return [Window(start.date(), end.date()) for start, end in found]
    return [Window(start, end) for start, end in found]


def _overwritten(peer: Store, table: Table, rows: pa.Table, windows: Any, where: Where) -> None:
    """The same by delta-rs."""
    replaced = predicate(table, None if windows is None else sorted(windows), where)
    if windows is None:
        replaced += f' AND "{table.window}" IS NULL'
    write_deltalake(create(peer, table), rows, mode="overwrite", predicate=replaced)


def _standing(store: Store, table: Table) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read(store, table).sort_by("n").to_pylist()
    return found


@on_disk
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@given(steps=STEPS)
@settings(max_examples=20)
def test_rows_stand_as_after_an_overwrite_by_predicate(
    table: Table, steps: list[Any], new_store: NewStore
) -> None:
    name = uuid.uuid4().hex
    ours, peer = new_store(f"ours-{name}"), new_store(f"peer-{name}")
    for step, (found, pairs, where, is_joined) in enumerate(steps):
        windows = _windows(table, pairs)
        rows = _rows(table, found, 100 * step)
        inside = WindowRegion(table, windows, where).mask(rows)
        replace_window(ours, table, rows.filter(pa.array(inside)), windows, where=where)
        _overwritten(peer, table, rows.filter(pa.array(inside)), windows, where)
        assert _standing(ours, table) == _standing(peer, table)
        if not inside.all():
            with pytest.raises(PermanentFailure, match="nothing is written"):
                replace_window(ours, table, rows, windows, where=where)
        if is_joined:
            opened = open_table(ours, table)
            assert opened is not None
            opened.optimize.compact()
    for file, rows in _files(ours, table):
        _is_told_truly(table, file, rows)


def _files(store: Store, table: Table) -> list[tuple[DataFile, pa.Table]]:
    opened = open_table(store, table)
    assert opened is not None
    draft = Draft(store, table, opened)
    return [
        (file, pa.concat_tables([table.schema.empty_table(), *draft.read(file)]))
        for file in files_of(table, opened)
    ]


def _is_told_truly(table: Table, file: DataFile, rows: pa.Table) -> None:
    """What the log says of a file holds for its rows."""
    assert file.rows == len(rows)
    assert file.path.count("/") == len(table.partition_by)
    for name in table.partition_by:
        told = file.partition[name]
        assert {None if v is None else str(v) for v in rows[name].to_pylist()} == {told}
    for name, there in file.ranges.items():
        values = [value for value in rows[name].to_pylist() if value is not None]
        assert there.nulls in (None, len(rows) - len(values))
        if there.low is not None and there.high is not None:
            assert all(there.low <= value <= there.high for value in values)
