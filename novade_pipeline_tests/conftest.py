"""Fixtures that every test may ask for."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from novade_pipeline.storage import Store, store
from novade_pipeline_tests.azurite import Azurite, running_azurite

settings.register_profile(
    "novade",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("novade")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real data beside the project; CI fails where it is missing, others skip."""
    if not SHARED.is_dir():
        told = f"expected the shared data in {SHARED}, found none"
        if os.environ.get("NOVADE_REQUIRE_SHARED") == "1":
            pytest.fail(told)
        pytest.skip(told)
    return SHARED


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """A real storage server, one for each process of tests that asks for it."""
    with running_azurite() as server:
        yield server


@pytest.fixture(params=["disk", "azurite"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Store]:
    """Makes empty stores by name; the test runs with the local disk, and again with Azurite."""
    if request.param == "disk":
        return lambda name: store(str(tmp_path / name))
    server: Azurite = request.getfixturevalue("azurite")
    return lambda name: server.new_store(name)
