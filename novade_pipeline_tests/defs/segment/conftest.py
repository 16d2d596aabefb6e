"""A landing zone and a lake of Segment's tables, filled step by step without a run."""

import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from novade_pipeline.defs.segment.landed_files import SOURCES
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.landing.ledger import Rules
from novade_pipeline.landing.load import LoadReport, load
from novade_pipeline.landing.source import find_pending
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.locations import store

RULES = Rules(1, "keep", date(2018, 1, 1), timedelta(0))
AT = datetime(2024, 5, 1, 10, 0, 0, 123000, tzinfo=UTC)


class World:
    """Files are landed below `segment/lantern/`; nothing is loaded until `load` is called."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "landing" / "segment" / "lantern"
        self.landing = store(str(root / "landing"))
        self.lake = store(str(root / "lake"))

    def land(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def load(self, policy: PersonalDataPolicy | None = None) -> dict[str, LoadReport]:
        return {
            source.name: load(
                source,
                self.landing,
                self.lake,
                policy or PersonalDataPolicy(),
                find_pending(source, self.landing, self.lake, RULES),
            )
            for source in SOURCES
        }

    def rows(self, table: Table, *names: str) -> list[tuple[Any, ...]]:
        """The columns of all rows, in one order."""
        rows = read(self.lake, table, columns=list(names)).to_pylist()
        return sorted((tuple(row[name] for name in names) for row in rows), key=repr)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def as_parquet(**columns: Any) -> bytes:
    content = io.BytesIO()
    parquet.write_table(pa.table(columns), content)
    return content.getvalue()


def parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)
