"""Worlds on the local disk."""

from collections.abc import Callable
from pathlib import Path

import pytest

from novade_pipeline.sandbox.broker import Broker as Server
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.streams.world import World, new_world


@pytest.fixture
def new(broker: Server, tmp_path: Path) -> Callable[..., World]:
    return lambda partitions=1, **topic: new_world(
        broker, store(str(tmp_path / "lake")), partitions, **topic
    )
