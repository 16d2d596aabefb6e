"""A week of exports, landed once, and clients of Salesforce."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.sandbox.amplitude_exports import Landed
from novade_pipeline.sandbox.salesforce.api import SalesforceApi
from novade_pipeline_tests.sandbox.landed_exports import MONDAY, ExportContents, landed_in, read
from novade_pipeline_tests.sandbox.salesforce_client import Client, client_of


@pytest.fixture(scope="session")
def week(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Landed, ExportContents]:
    folder = tmp_path_factory.mktemp("week")
    figures = landed_in(folder, MONDAY, 168)
    return folder, figures, read(folder)


@pytest.fixture(scope="session")
def rows(week: tuple[Path, Landed, ExportContents]) -> list[tuple[datetime, dict[str, Any]]]:
    return [(hour, event) for (hour, _), event in week[2].rows.items()]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A client for tests that change nothing."""
    with client_of(SalesforceApi(people=60, batch_size=20)) as client:
        yield client


@pytest.fixture
def own() -> Iterator[Client]:
    """A client whose organisation the test may change."""
    with client_of(SalesforceApi(people=60, batch_size=20)) as client:
        yield client
