"""Fixtures that every test may ask for."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from novade_pipeline.sandbox.broker import Broker
from novade_pipeline.settings import Settings
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.azurite import Azurite, running_azurite
from novade_pipeline_tests.brokers import shared_broker
from novade_pipeline_tests.faulty_proxy import FaultyProxy, faulty_proxy
from novade_pipeline_tests.places import NewStore
from novade_pipeline_tests.worlds import settings_in

settings.register_profile(
    "novade",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("novade")


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes name no test: gzip holds the time, and all workers must collect the same names."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest modules come first: at the end, one of them would leave a core idle."""
    items.sort(key=lambda item: _rank(item.path))


def _rank(module: Path) -> int:
    """0 for a module of commands and the page, 1 for one that runs the graph, marts or a JVM."""
    if module.parent == HERE:
        return 0
    return 1 if any(module.is_relative_to(HERE / folder) for folder in LONG) else 2


HERE = Path(__file__).parent
LONG = ("defs/erasure", "defs/marts", "execution", "graph", "spark", "streams")
"""Folders with the longest modules."""
SHARED = HERE.resolve().parents[1] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real data beside the project; CI fails where it is missing, others skip."""
    if not SHARED.is_dir():
        message = f"expected the shared data in {SHARED}, found none"
        if os.environ.get("NOVADE_REQUIRE_SHARED") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return SHARED


@pytest.fixture(scope="session")
def real_data(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Settings:
    """The shared data, loaded in one run by the first process of tests to need it; read-only."""
    # Imported here, as the process that distributes tests needs no Dagster.
    from novade_pipeline.execution.local_run import run_graph

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    loaded = settings_in(folder / "real_data", shared / "landing")
    with (folder / "real_data.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not loaded.dagster_home.exists():
            outcome = run_graph(loaded)
            assert outcome.success, outcome.failures
    return loaded


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """A real storage server, one for each process of tests that uses it."""
    with running_azurite() as server:
        yield server


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real Kafka broker, one for all processes of tests; topics have unique names."""
    folder, owner = tmp_path_factory.getbasetemp(), os.getpid()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder, owner = folder.parent, os.getppid()
    with shared_broker(folder / "broker", owner) as running:
        yield running


@pytest.fixture(scope="session")
def proxy(azurite: Azurite) -> Iterator[FaultyProxy]:
    """A proxy in front of Azurite, which passes requests on until faults are set."""
    with faulty_proxy(azurite.blob_url) as running:
        yield running


@pytest.fixture(params=["disk", "azurite"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> NewStore:
    """Makes empty stores by name; the test runs with the local disk, and again with Azurite."""
    return _stores(request, tmp_path)


@pytest.fixture(scope="module", params=["disk", "azurite"])
def new_lasting_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> NewStore:
    """The same, for what all tests of a module share."""
    return _stores(request, tmp_path_factory.mktemp("stores"))


def _stores(request: pytest.FixtureRequest, folder: Path) -> NewStore:
    if request.param == "disk":
        return lambda name: store(str(folder / name))
    server: Azurite = request.getfixturevalue("azurite")
    return lambda name: server.new_store(name)
