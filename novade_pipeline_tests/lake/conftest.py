"""Fixtures of the tests of tables."""

import pytest

from novade_pipeline.lake import keyed_files
from novade_pipeline.lake import merge as merging
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.places import NewStore


@pytest.fixture
def lake(new_store: NewStore) -> Store:
    """An empty lake, on the local disk and again on Azurite."""
    return new_store("lake")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of three rows and slices of six, so that few rows have many of either."""
    monkeypatch.setattr(keyed_files, "LEAST_ROWS", 3)
    monkeypatch.setattr(merging, "SLICE_ROWS", 6)
