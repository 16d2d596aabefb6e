"""What all tests of databases use: a real PostgreSQL, one for each process of tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from novade_pipeline.sandbox.database_servers import DatabaseServer, running_postgres
from novade_pipeline_tests.databases.world import World


@pytest.fixture(scope="session")
def postgres() -> Iterator[DatabaseServer]:
    """A server with logical decoding."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def world(postgres: DatabaseServer, tmp_path: Path) -> Iterator[World]:
    """An empty database and an empty lake."""
    with World.new(postgres, tmp_path) as new:
        yield new
