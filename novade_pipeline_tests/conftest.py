"""Fixtures that every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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
