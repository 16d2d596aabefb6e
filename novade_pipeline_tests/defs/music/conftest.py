"""A music service that is served for real, and a lake that it is loaded into."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from novade_pipeline.api.client import Client
from novade_pipeline.api.retry import Retry
from novade_pipeline.defs.music.load import LoadResult, api_of, load
from novade_pipeline.defs.music.settings import MusicSettings
from novade_pipeline.defs.music.tables import READ, TABLES
from novade_pipeline.lake.delta import current_version
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.sandbox.music_api import MusicApi
from novade_pipeline.sandbox.serving import serving
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store

KEEP = PersonalDataPolicy()


class World:
    """A service and a lake. The service may be asked in any state, as often as a test wants."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.root = root
        self.lake: Store = store(str(root / "lake"))
        self.url = ""
        self.log: list[str] = []
        self._stack = stack

    def serve(self, service: MusicApi | Starlette) -> None:
        """Put a service in the place of the one before."""
        app = service.app() if isinstance(service, MusicApi) else service
        self.url = self._stack.enter_context(serving(app))

    def load(
        self, *tables: Table, policy: PersonalDataPolicy = KEEP, **settings: Any
    ) -> dict[str, LoadResult]:
        """Bring the tables, or all of them, to what the service has."""
        music = MusicSettings(_env_file=None, api_url=self.url, **settings)  # type: ignore[call-arg]
        api = api_of(music)
        with Client(type(api)(**{**vars(api), "retry": Retry(first_wait=0.01)})) as client:
            return {
                table.path[-1]: load(client, self.lake, table, policy, music, self.log.append)
                for table in tables or READ
            }

    def rows(self, table: Table, *, live: bool = True) -> list[dict[str, Any]]:
        """The rows of a table, in the order of their key; only those that are not deleted."""
        found = read(self.lake, table).to_pylist()
        wanted = [row for row in found if not live or not row.get("is_deleted")]
        return sorted(wanted, key=lambda row: [str(row[name]).zfill(12) for name in table.key])

    def versions(self) -> dict[str, int | None]:
        """The version of each table."""
        return {table.name: current_version(self.lake, table) for table in TABLES}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(tmp_path, stack)
