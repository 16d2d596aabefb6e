"""Merges while others write: nothing is lost, nothing twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from novade_pipeline.errors import TransientFailure
from novade_pipeline.lake.delta import transaction_version
from novade_pipeline.lake.maintenance import compact
from novade_pipeline.lake.merge import merge
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.lake.keyed_tables import (
    USERS,
    before_the_commit,
    joined_by_delta_rs,
    numbered,
    standing,
)
from novade_pipeline_tests.places import on_disk

OTHERS: dict[str, Callable[[Store], object]] = {
    "the same new row": lambda s: merge(s, USERS, numbered([40], 5)),
    "the same row there": lambda s: merge(s, USERS, numbered([7], 5)),
    "a row beside it": lambda s: merge(s, USERS, numbered([8], 5)),
    "delta-rs joins the files": joined_by_delta_rs,
}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("other", OTHERS)
def test_rows_in_memory_are_merged_again_where_another_writer_was_faster(
    other: str, lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge(lake, USERS, numbered(range(12)))
    before_the_commit(monkeypatch, lambda: OTHERS[other](lake))
    merge(lake, USERS, numbered([7, 40], 3), transactions={"crm": 1})
    newer = {"the same new row": 40, "the same row there": 7, "a row beside it": 8}.get(other)
    wanted = {**dict.fromkeys(range(12), 1), 7: 3, 40: 3} | ({newer: 5} if newer else {})
    assert standing(lake) == [(f"{n:04}", changed) for n, changed in sorted(wanted.items())]
    assert transaction_version(lake, USERS, "crm") == 1


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("other", OTHERS)
@on_disk
def test_a_stream_that_lost_a_race_is_told_to_its_source(
    other: str, lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge(lake, USERS, numbered(range(12)))
    before_the_commit(monkeypatch, lambda: OTHERS[other](lake))
    rows = numbered([7, 40], 3)
    with pytest.raises(TransientFailure, match="another writer changed the same rows"):
        merge(lake, USERS, pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches()))
    assert ("0007", 3) not in standing(lake)


@on_disk
def test_transactions_that_moved_meanwhile_are_a_lost_race(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge(lake, USERS, numbered(range(3)), transactions={"crm": 1})
    before_the_commit(
        monkeypatch, lambda: merge(lake, USERS, numbered([8]), transactions={"crm": 3})
    )
    with pytest.raises(TransientFailure, match="another writer"):
        merge(lake, USERS, numbered([9]), transactions={"crm": 2})
    assert transaction_version(lake, USERS, "crm") == 3


@pytest.mark.usefixtures("small")
@on_disk
def test_upkeep_of_other_files_does_not_disturb_a_stream(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        merge(lake, USERS, numbered([n]))
    merge(lake, USERS, numbered(range(10, 16)))
    before_the_commit(monkeypatch, lambda: compact(lake, USERS))
    rows = numbered([12], 2)
    merge(lake, USERS, pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches()))
    assert dict(standing(lake)) == {
        f"{n:04}": 2 if n == 12 else 1 for n in (0, 1, 2, *range(10, 16))
    }


def test_merges_side_by_side_lose_no_row_and_double_none(lake: Store) -> None:
    def writer(which: int) -> None:
        for step in range(3):
            rows = numbered([which, which + 2, 9], changed=2 * step + which)
            for left in reversed(range(20)):
                try:
                    merge(lake, USERS, rows)
                    break
                except TransientFailure:
                    assert left

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(writer, range(2)))
    assert standing(lake) == [("0000", 4), ("0001", 5), ("0002", 4), ("0003", 5), ("0009", 5)]
