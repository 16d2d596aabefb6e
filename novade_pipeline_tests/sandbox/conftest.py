"""A week of exports, landed once."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.sandbox.amplitude_exports import Landed
from novade_pipeline_tests.sandbox.found_exports import MONDAY, Found, landed_in, read


@pytest.fixture(scope="session")
def week(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Landed, Found]:
    folder = tmp_path_factory.mktemp("week")
    figures = landed_in(folder, MONDAY, 168)
    return folder, figures, read(folder)


@pytest.fixture(scope="session")
def rows(week: tuple[Path, Landed, Found]) -> list[tuple[datetime, dict[str, Any]]]:
    return [(hour, event) for (hour, _), event in week[2].rows.items()]
