"""Fixtures of the sensors' tests."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from novade_pipeline_tests.graph.sensor_world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield World(tmp_path, instance)
