"""Rows are known by their file and their place in it, whatever happens to the table meanwhile."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from novade_pipeline.defs.erasure.removal import remove
from novade_pipeline.defs.erasure.traces import RowBits, traces_in
from novade_pipeline.lake.delta import append_once
from novade_pipeline.lake.maintenance import compact
from novade_pipeline.lake.read import read
from novade_pipeline.privacy.forget import GivenIdentifiers
from novade_pipeline.privacy.identifiers import EMAIL, Identifier
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.defs.erasure.big_tables import ADA, EVENTS, VERDICTS, batches, fill
from novade_pipeline_tests.places import NewStore

ERASED = GivenIdentifiers(frozenset({Identifier(EMAIL, ADA)}))


@given(st.lists(st.lists(st.booleans(), max_size=40), max_size=5), st.data())
def test_bits_are_the_masks_that_they_were_made_of(
    masks: list[list[bool]], data: st.DataObject
) -> None:
    whole = [bit for mask in masks for bit in mask]
    bits = RowBits.of([np.array(mask, bool) for mask in masks])
    first = data.draw(st.integers(0, len(whole)))
    count = data.draw(st.integers(0, len(whole) - first))
    assert bits.mask(first, count).tolist() == whole[first : first + count]
    assert bool(bits) == any(whole)


@pytest.fixture
def lake(new_store: NewStore) -> Store:
    lake = new_store("lake")
    fill(lake, 3_000, 20, rows_a_day=1_000)
    return lake


def _users(lake: Store) -> set[str]:
    return set(read(lake, EVENTS)["user"].to_pylist())


def _uuids(lake: Store, table: Any) -> list[str]:
    return sorted(read(lake, table)["uuid"].to_pylist())


def _append(lake: Store, version: int) -> None:
    """Ten more events, one of which is Ada's."""
    rows = pa.Table.from_batches(batches(EVENTS, 10, 20, rows_a_day=1_000))
    append_once(lake, EVENTS, rows, app_id="late", version=version)


def test_what_is_found_goes_with_what_follows_it(lake: Store) -> None:
    found = traces_in(lake, EVENTS, ERASED)
    assert found.rows == 300
    remove(lake, traces_in(lake, VERDICTS, ERASED), found)
    remove(lake, found)
    assert ADA.title() not in _users(lake)
    assert len(_users(lake)) == 2_700
    assert _uuids(lake, VERDICTS) == _uuids(lake, EVENTS)


def test_files_that_came_after_the_look_are_looked_at_as_well(lake: Store) -> None:
    found = traces_in(lake, EVENTS, ERASED)
    _append(lake, version=1)
    remove(lake, found)
    assert ADA.title() not in _users(lake)
    assert read(lake, EVENTS).num_rows == 2_700 + 9


def test_files_that_were_compacted_after_the_look_are_looked_at_again(lake: Store) -> None:
    for version in range(3):
        _append(lake, version)
    found = traces_in(lake, EVENTS, ERASED)
    compact(lake, EVENTS)
    remove(lake, traces_in(lake, VERDICTS, ERASED), found)
    remove(lake, found)
    assert ADA.title() not in _users(lake)
    assert len(_uuids(lake, VERDICTS)) == 2_700


def test_nothing_of_a_table_that_is_not_there(new_store: NewStore) -> None:
    found = traces_in(new_store("empty"), EVENTS, ERASED)
    assert (found.rows, found.files, found.amended) == (0, {}, {})
    remove(new_store("empty"), found)
