"""What changed in a table is read from its log, and only from the commits in between."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pydantic import BaseModel, Field

from novade_pipeline.lake.changes import EVERYTHING, changed_partitions, has_changed
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store


class Row(BaseModel):
    """A row."""

    day: date | None = Field(description="A day.")
    n: int = Field(description="A number.")


TABLE = Table(name="some/rows", row=Row, key=("n",), write_mode="replace", partition_by=("day",))


def _write(lake: Store, days: dict[int | None, int], **how: Any) -> int:
    """Days of March and a number for each; returns the version written."""
    rows = [{"day": day and date(2026, 3, day), "n": n} for day, n in days.items()]
    write_deltalake(
        lake.table_url(*TABLE.path),
        pa.Table.from_pylist(rows, schema=TABLE.schema),
        partition_by=["day"],
        storage_options=lake.options(),
        **{"mode": "append", **how},
    )
    return _table(lake).version()


def _table(lake: Store) -> DeltaTable:
    return DeltaTable(lake.table_url(*TABLE.path), storage_options=lake.options())


def _commit(version: int) -> tuple[str, ...]:
    return (*TABLE.path, "_delta_log", f"{version:020d}.json")


def _days(*days: int) -> frozenset[date]:
    return frozenset(date(2026, 3, day) for day in days)


def test_appended_rows_change_their_partitions(lake: Store) -> None:
    first = _write(lake, {1: 1, 2: 2})
    _write(lake, {2: 3})
    last = _write(lake, {4: 4})
    assert changed_partitions(lake, TABLE, first, last) == _days(2, 4)
    assert changed_partitions(lake, TABLE, last - 1, last) == _days(4)
    assert changed_partitions(lake, TABLE, last, last) == frozenset()


def test_a_window_that_is_emptied_has_changed(lake: Store) -> None:
    first = _write(lake, {1: 1, 2: 2})
    last = _write(lake, {}, mode="overwrite", predicate="day = '2026-03-01'")
    assert changed_partitions(lake, TABLE, first, last) == _days(1)


def test_deleted_rows_change_their_partition(lake: Store) -> None:
    first = _write(lake, {1: 1, 2: 2})
    _table(lake).delete("n = 2")
    assert changed_partitions(lake, TABLE, first, first + 1) == _days(2)


def test_a_compaction_changes_nothing(lake: Store) -> None:
    _write(lake, {1: 1})
    first = _write(lake, {1: 2})
    _table(lake).optimize.compact()
    last = _table(lake).version()
    assert last > first
    assert changed_partitions(lake, TABLE, first, last) == frozenset()
    assert not has_changed(lake, TABLE, first, last)


def test_rows_without_a_partition_are_a_partition(lake: Store) -> None:
    first = _write(lake, {1: 1})
    last = _write(lake, {None: 2})
    assert changed_partitions(lake, TABLE, first, last) == frozenset({None})


def test_versions_of_several_digits_are_read_in_their_order(lake: Store) -> None:
    for n in range(12):
        _write(lake, {1 + n: n})
    assert changed_partitions(lake, TABLE, 8, 11) == _days(10, 11, 12)


def test_only_the_commits_in_between_are_opened(lake: Store) -> None:
    for n in range(6):
        _write(lake, {1 + n: n})
    for version in (0, 1, 2, 5):
        lake.write(b"not to be read", *_commit(version))
    assert changed_partitions(lake, TABLE, 2, 4) == _days(4, 5)


@pytest.mark.parametrize("since", [None, 99])
def test_a_version_that_is_unknown_or_younger_than_the_table_means_everything(
    lake: Store, since: int | None
) -> None:
    last = _write(lake, {1: 1})
    assert changed_partitions(lake, TABLE, since, last) is EVERYTHING


def test_a_log_that_was_cleaned_up_means_everything(lake: Store) -> None:
    first = _write(lake, {1: 1})
    for n in range(3):
        _write(lake, {2 + n: n})
    table = _table(lake)
    table.alter.set_table_properties({"delta.logRetentionDuration": "interval 0 seconds"})
    table = _table(lake)
    table.create_checkpoint()
    table.cleanup_metadata()
    with pytest.raises(FileNotFoundError):
        lake.read(*_commit(first + 1))
    assert changed_partitions(lake, TABLE, first, table.version()) is EVERYTHING
    assert has_changed(lake, TABLE, first, table.version())


def test_a_file_action_that_names_no_partition_means_everything(lake: Store) -> None:
    first = _write(lake, {1: 1})
    lake.write(b'{"remove":{"path":"a","dataChange":true}}\n', *_commit(first + 1))
    assert changed_partitions(lake, TABLE, first, first + 1) is EVERYTHING


def test_commits_of_one_application_can_be_left_out(lake: Store) -> None:
    from deltalake import CommitProperties, Transaction

    first = _write(lake, {1: 1})
    ours = CommitProperties(app_transactions=[Transaction("ours", 1)])
    last = _write(lake, {2: 2}, commit_properties=ours)
    assert has_changed(lake, TABLE, first, last)
    assert not has_changed(lake, TABLE, first, last, but_by="ours")


def test_a_table_without_a_partition_column_is_refused(lake: Store) -> None:
    plain = Table(name="some/rows", row=Row, key=("n",), write_mode="replace")
    with pytest.raises(ValueError, match="expected one partition column"):
        changed_partitions(lake, plain, 0, 1)
