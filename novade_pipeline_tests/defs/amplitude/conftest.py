"""Amplitude's exports as they lie in the shared data, and loading them."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.amplitude.export_files import EVENTS, MERGED_IDS
from novade_pipeline.lake.read import read
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.ledger import Rules
from novade_pipeline.landing.load import LoadReport, load
from novade_pipeline.landing.source import Source, find_pending
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.places import copy

SOURCES = {source.name: source for source in (EVENTS, MERGED_IDS)}
UNTIMED = {"loaded_at", "table_version", "etag"}


class Lake:
    """A lake that a landing zone's exports are loaded into."""

    def __init__(self, landing: Store, lake: Store) -> None:
        self.landing = landing
        self.lake = lake

    def load(
        self,
        within: Window | None = None,
        *,
        policy: PersonalDataPolicy | None = None,
        sources: tuple[str, ...] = tuple(SOURCES),
    ) -> list[LoadReport]:
        """Load what is wanted of both exports."""
        policy = policy or PersonalDataPolicy()
        rules = Rules(1, policy.fingerprint, date(2018, 1, 1), timedelta(0))
        return [
            load(
                source,
                self.landing,
                self.lake,
                policy,
                find_pending(source, self.landing, self.lake, rules, within),
            )
            for source in self._sources(sources)
        ]

    def is_done(self) -> bool:
        """Nothing is wanted."""
        rules = Rules(1, "keep", date(2018, 1, 1), timedelta(0))
        return all(
            find_pending(source, self.landing, self.lake, rules).is_empty
            for source in SOURCES.values()
        )

    def rows(self, name: str) -> list[dict[str, Any]]:
        """A table's rows in an order of their own, without when they were loaded."""
        (table,) = {
            table
            for source in SOURCES.values()
            for table in (source.table, source.ledger, source.quarantine)
            if table.name == f"amplitude/{name}"
        }
        names = [column for column in table.schema.names if column not in UNTIMED]
        rows = read(self.lake, table, columns=names).to_pylist()
        return sorted(rows, key=lambda row: (row["file"], row.get("line", 0)))

    def state(self) -> dict[str, list[dict[str, Any]]]:
        """All tables."""
        return {n: self.rows(n) for n in ("events", "merged_ids", "files", "quarantine")}

    @staticmethod
    def _sources(names: tuple[str, ...]) -> list[Source]:
        return [SOURCES[name] for name in names]


@pytest.fixture(scope="session")
def lake_of() -> Callable[[Store, Store], Lake]:
    """Makes lakes."""
    return Lake


@pytest.fixture(scope="session")
def copied(shared: Path) -> Callable[[str, Store], Store]:
    """Copies a folder of Amplitude's shared exports to where it can be changed, or read again."""

    def make(folder: str, target: Store) -> Store:
        copy(store(str(shared / folder)), target, "amplitude/")
        return target

    return make
