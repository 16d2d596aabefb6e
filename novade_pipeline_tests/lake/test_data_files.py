"""Which data files a write leaves: cut by partition and size, others untouched."""

import dataclasses
import errno
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import create_model

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.lake import draft, stream
from novade_pipeline.lake.conform import conform
from novade_pipeline.lake.data_files import ROW_GROUP_ROWS, files_of
from novade_pipeline.lake.delta import (
    create,
    current_version,
    open_table,
    replace,
    replace_window,
    transaction_version,
)
from novade_pipeline.lake.draft import Draft
from novade_pipeline.lake.read import read
from novade_pipeline.lake.region import WindowRegion
from novade_pipeline.storage import azure_objects
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.azurite import Azurite
from novade_pipeline_tests.faulty_proxy import Faults, FaultyProxy
from novade_pipeline_tests.faulty_store import through_proxy
from novade_pipeline_tests.lake.delta_tables import (
    HOUR,
    PLAYS,
    START,
    USERS,
    Play,
    log_of,
    plays,
    songs_in,
    users,
    window_of,
)
from novade_pipeline_tests.places import on_disk

DAYS = 40


def _paths(lake: Store) -> list[str]:
    found = open_table(lake, PLAYS)
    assert found is not None
    return sorted(pa.table(found.get_add_actions(flatten=True))["path"].to_pylist())


def _many(count: int) -> pa.RecordBatchReader:
    """Rows of forty days in turns, in batches of a hundred."""

    def batches() -> Iterator[pa.RecordBatch]:
        for first in range(0, count, 100):
            moments = [START + (n % DAYS) * 24 * HOUR for n in range(first, first + 100)]
            yield pa.RecordBatch.from_pydict(
                {
                    "day": [moment.date() for moment in moments],
                    "hour": moments,
                    "kind": ["a"] * 100,
                    "song": [f"{n:06}" for n in range(first, first + 100)],
                    "count": range(first, first + 100),
                },
                schema=PLAYS.schema,
            )

    return pa.RecordBatchReader.from_batches(PLAYS.schema, batches())


def test_only_files_with_replaced_rows_are_written_anew(lake: Store) -> None:
    for hour in (0, 2, 4):
        rows = plays((hour, f"{hour}"), (hour + 1, f"{hour + 1}"))
        replace_window(lake, PLAYS, rows, [window_of(hour, hour + 2)])
    before = _paths(lake)
    receipt = replace_window(lake, PLAYS, plays(), [window_of(1, 3)])
    assert songs_in(lake) == ["0", "3", "4", "5"]
    assert receipt.files == 2
    assert len(set(_paths(lake)) & set(before)) == 1


def test_a_window_between_the_rows_of_a_file_leaves_the_file(lake: Store) -> None:
    replace_window(lake, PLAYS, plays((0, "a"), (9, "b")), [window_of(0, 10)])
    before = _paths(lake)
    replace_window(lake, PLAYS, plays((4, "new")), [window_of(3, 5)])
    assert songs_in(lake) == ["a", "b", "new"]
    assert set(before) < set(_paths(lake))


def test_ranges_are_known_of_a_column_wherever_it_stands(lake: Store) -> None:
    # Readers of Delta know those of the first 32 columns, unless the table says otherwise.
    more = {f"more_{n}": (int | None, None) for n in range(40)}
    own = {name: (field.annotation, field) for name, field in Play.model_fields.items()}
    fields: dict[str, Any] = more | own
    wide = dataclasses.replace(PLAYS, row=create_model("Wide", __doc__="A play.", **fields))
    rows = conform(wide, plays((0, "a"), (9, "b")).to_batches()[0])
    replace_window(lake, wide, pa.table(rows), [window_of(0, 10)])
    target = open_table(lake, wide)
    assert target is not None
    (file,) = files_of(wide, target)
    assert file.ranges["hour"].low == START
    assert WindowRegion(wide, [window_of(20, 21)], {}).contains(file) is False


def test_a_write_that_changes_nothing_makes_no_version(lake: Store) -> None:
    replace_window(lake, PLAYS, plays((0, "a")), [window_of(0, 1)])
    receipt = replace_window(lake, PLAYS, plays(), [window_of(5, 6)])
    assert receipt.table_version == current_version(lake, PLAYS) == 1
    assert (receipt.rows, receipt.files, receipt.bytes) == (0, 0, 0)


def test_a_version_that_only_records_what_was_taken_in_is_made_once(lake: Store) -> None:
    for _ in range(2):
        replace_window(lake, PLAYS, plays(), [window_of(0, 1)], transactions={"events": 3})
    assert transaction_version(lake, PLAYS, "events") == 3
    assert current_version(lake, PLAYS) == 1


@on_disk
def test_row_groups_tell_what_a_reader_may_skip_them_by(lake: Store) -> None:
    replace_window(lake, PLAYS, plays((0, "a"), (1, "b"), kind="Ann"), [window_of(0, 2)])
    (path,) = _paths(lake)
    group = pq.read_metadata(lake.path(*PLAYS.path, path)).row_group(0)
    columns = [group.column(n) for n in range(group.num_columns)]
    told = {column.path_in_schema for column in columns if column.is_stats_set}
    assert told == {"hour", "song", "count"}


def test_the_log_tells_nothing_of_columns_that_may_be_personal(lake: Store) -> None:
    receipt = replace(lake, USERS, users(("a", 1, "Ann", False)))
    entry = str(log_of(lake, USERS, receipt.table_version))
    assert "Ann" not in entry


@on_disk
@pytest.mark.parametrize(
    ("bounds", "files"),
    [
        ({"BUFFERED_BYTES": 2**16}, range(DAYS + 1, 500)),
        ({"GROUP_BYTES": 2**11, "OPEN_FILES": 7}, range(DAYS + 1, 400)),
        ({"GROUP_BYTES": 1}, [DAYS]),
    ],
    ids=["rows", "files", "neither"],
)
def test_rows_that_come_in_any_order_are_cut_by_partition_in_bounded_memory(
    bounds: dict[str, int], files: Sequence[int], lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, bound in bounds.items():
        monkeypatch.setattr(stream, name, bound)
    receipt = replace_window(lake, PLAYS, _many(20_000), [window_of(0, 24 * DAYS)])
    assert receipt.rows == 20_000
    assert receipt.files in files
    found = read(lake, PLAYS)
    assert sorted(found["count"].to_pylist()) == list(range(20_000))
    assert all(row["day"] == row["hour"].date() for row in found.to_pylist())
    assert receipt.newest == START + timedelta(days=DAYS - 1)


@on_disk
def test_rows_that_wait_do_not_keep_the_batches_that_they_came_in(lake: Store) -> None:
    held: list[int] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for first in range(40):
            # All of them of one day, but for one.
            moments = [START + (n == 0) * 24 * HOUR for n in range(20_000)]
            rows = {
                "day": [m.date() for m in moments],
                "hour": moments,
                "kind": ["a" * 50] * 20_000,
            }
            rows |= {"song": [str(first)] * 20_000}
            yield conform(PLAYS, pa.RecordBatch.from_pydict(rows))
            held.append(pa.total_allocated_bytes())

    rows = pa.RecordBatchReader.from_batches(PLAYS.schema, batches())
    receipt = replace_window(lake, PLAYS, rows, [window_of(0, 48)])
    assert receipt.rows == 800_000
    assert max(held[20:]) < 1.5 * max(held[:20])


@on_disk
def test_rows_that_come_one_by_one_take_no_more_than_they_are(lake: Store) -> None:
    before, held = pa.total_allocated_bytes(), [0]

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in _many(8_000):
            for first in range(0, batch.num_rows, DAYS):
                yield batch.slice(first, DAYS)
                held.append(pa.total_allocated_bytes() - before)

    rows = pa.RecordBatchReader.from_batches(PLAYS.schema, batches())
    assert replace_window(lake, PLAYS, rows, [window_of(0, 24 * DAYS)]).rows == 8_000
    # Each by itself would take twice sixty-four bytes a column.
    assert max(held) < 8_000 * 300


@on_disk
def test_a_file_that_cannot_be_begun_leaves_nothing(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(lake, PLAYS)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "ParquetWriter", full)
    with pytest.raises(UserError, match=r"shop/plays: expected space at .*, found the disk full"):
        replace_window(lake, PLAYS, plays((0, "a")), [window_of(0, 1)])
    assert [entry.file for entry in lake.entries() if entry.file.endswith(".parquet")] == []


def test_an_empty_text_is_no_value_of_a_partition(lake: Store) -> None:
    by_kind = dataclasses.replace(PLAYS, partition_by=("kind",))
    with pytest.raises(PermanentFailure, match="expected a text in kind"):
        replace_window(lake, by_kind, plays((0, "a"), kind=""), [window_of(0, 1)])
    assert current_version(lake, by_kind) == 0


@on_disk
@pytest.mark.parametrize("batch_rows", [999, 30_000, 3 * ROW_GROUP_ROWS])
def test_files_end_at_their_size_and_row_groups_at_theirs(
    batch_rows: int, lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 4 * ROW_GROUP_ROWS + 1
    ids = [str(n) for n in range(count)]
    rows = pa.table({"id": ids, "changed": range(count), "is_deleted": [False] * count})
    batches = rows.to_batches(batch_rows)
    monkeypatch.setattr(stream, "FILE_BYTES", 2**17)
    receipt = replace(lake, USERS, pa.RecordBatchReader.from_batches(rows.schema, batches))
    assert receipt.files > 1
    assert sorted(read(lake, USERS)["changed"].to_pylist()) == list(range(count))
    found = open_table(lake, USERS)
    assert found is not None
    for path in found.file_uris():
        metadata = pq.read_metadata(path)
        *whole, last = (metadata.row_group(n).num_rows for n in range(metadata.num_row_groups))
        assert set(whole) <= {ROW_GROUP_ROWS}
        assert 0 < last <= ROW_GROUP_ROWS


@on_disk
def test_a_write_that_fails_leaves_no_file(lake: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from _many(1_000)
        raise KeyError("the source")

    monkeypatch.setattr(stream, "GROUP_BYTES", 1)
    rows = pa.RecordBatchReader.from_batches(PLAYS.schema, broken())
    with pytest.raises(KeyError, match="the source"):
        replace_window(lake, PLAYS, rows, [window_of(0, 24 * DAYS)])
    assert [entry.file for entry in lake.entries() if entry.file.endswith(".parquet")] == []


@pytest.mark.parametrize("whole_bytes", [0, 2**20])
def test_rows_around_a_window_stay_as_they_are(
    whole_bytes: int, lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draft, "WHOLE_BYTES", whole_bytes)
    songs = [(hour / 100, f"{hour:04}") for hour in range(1_000)]
    replace_window(lake, PLAYS, plays(*songs), [window_of(0, 24)])
    replace_window(lake, PLAYS, plays((2, "new")), [window_of(1, 9)])
    assert songs_in(lake) == [song for hour, song in songs if not 1 <= hour < 9] + ["new"]


@pytest.mark.parametrize("part", [slice(-100, -60), slice(4, 40), slice(10, None), slice(0, None)])
def test_a_damaged_file_is_told_and_nothing_is_written(part: slice, lake: Store) -> None:
    replace_window(lake, PLAYS, plays((0, "a"), (1, "b")), [window_of(0, 2)])
    (path,) = _paths(lake)
    content = bytearray(lake.read(*PLAYS.path, path))
    content[part] = bytes(len(content[part])) if part.stop else b""
    lake.write(bytes(content), *PLAYS.path, path)
    with pytest.raises(PermanentFailure, match=r"^shop/plays: expected Parquet in .*put the"):
        replace_window(lake, PLAYS, plays(), [window_of(0, 1)])
    assert current_version(lake, PLAYS) == 1


def test_a_file_that_is_gone_is_told(lake: Store) -> None:
    replace_window(lake, PLAYS, plays((0, "a"), (1, "b")), [window_of(0, 2)])
    (path,) = _paths(lake)
    lake.delete(*PLAYS.path, path)
    with pytest.raises(TransientFailure, match="shop/plays: "):
        replace_window(lake, PLAYS, plays(), [window_of(0, 1)])


def test_a_block_that_azure_does_not_take_is_told_with_the_tables_name(
    azurite: Azurite, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure_objects, "BLOCK_BYTES", 100)
    place = azurite.new_store("lake")
    create(place, PLAYS)
    with (
        proxy.failing(Faults(("internal_error",), aim="comp=block")),
        pytest.raises(TransientFailure, match=r"^shop/plays: "),
    ):
        replace_window(through_proxy(proxy, place), PLAYS, plays((0, "a")), [window_of(0, 1)])
    assert proxy.done
    assert songs_in(place) == []


@on_disk
def test_a_file_that_fails_is_not_there(lake: Store) -> None:
    next_version = Draft(lake, USERS, create(lake, USERS))
    rows = users(("a", 1, None, False))
    with pytest.raises(KeyError), next_version.new_file() as file:  # noqa: PT012
        file.write(rows)
        raise KeyError
    assert [entry.file for entry in lake.entries() if entry.file.endswith(".parquet")] == []
