"""A Drift workspace that is served for real, and a lake that it is loaded into."""

import gzip
import io
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from starlette.applications import Starlette

from novade_pipeline.api.client import Client
from novade_pipeline.api.retry import Retry
from novade_pipeline.defs.drift.final_export import final_export
from novade_pipeline.defs.drift.load import (
    ChatsLoaded,
    api_of,
    load_accounts,
    load_chats,
    load_users,
)
from novade_pipeline.defs.drift.manifest import Manifest
from novade_pipeline.defs.drift.settings import DriftSettings
from novade_pipeline.defs.drift.tables import TABLES
from novade_pipeline.defs.drift.writer import Writer
from novade_pipeline.lake.delta import current_version
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.sandbox.drift_api import TOKEN, DriftApi
from novade_pipeline.sandbox.serving import serving
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store

KEEP = PersonalDataPolicy()


class World:
    """A service and a lake.

    Attributes:
        now: what time a load takes it to be; the machine's where None.
    """

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.root = root
        self.lake: Store = store(str(root / "lake"))
        self.url = ""
        self.messages: list[str] = []
        self.policy = KEEP
        self.now: datetime | None = None
        self._stack = stack

    def serve(self, service: DriftApi | Starlette) -> None:
        """Put a service in the place of the one before."""
        app = service.app() if isinstance(service, DriftApi) else service
        self.url = self._stack.enter_context(serving(app))

    def settings(self, **more: Any) -> DriftSettings:
        values = {"api_url": self.url, "token": TOKEN, "overlap_minutes": 5} | more
        return DriftSettings(_env_file=None, **values)  # type: ignore[arg-type]

    def client(self, settings: DriftSettings) -> Client:
        api = api_of(settings)
        return Client(type(api)(**{**vars(api), "retry": Retry(first_wait=0.01)}))

    def writer(self) -> Writer:
        return Writer(self.lake, self.policy, self.now or datetime.now(UTC))

    def load(self, *, whole: bool = False, **settings: Any) -> tuple[ChatsLoaded, Writer]:
        """Bring all tables to what the service has."""
        drift, writer = self.settings(**settings), self.writer()
        with self.client(drift) as client:
            loaded = load_chats(client, writer, drift, self.messages.append, whole=whole)
            load_accounts(client, writer, drift)
            load_users(client, writer)
        return loaded, writer

    def export(self, **settings: Any) -> Manifest:
        """Make the final export."""
        drift = self.settings(**settings)
        with self.client(drift) as client:
            return final_export(client, self.lake, self.policy, drift, self.messages.append)

    def rows(self, table: Table) -> dict[Any, dict[str, Any]]:
        """The rows of a table by their key."""
        (key,) = table.key[-1:]
        return {row[key]: row for row in read(self.lake, table).to_pylist()}

    def contents(self) -> dict[str, list[str]]:
        """All rows of all tables in one order, without when they were read."""
        return {
            table.name: sorted(
                repr({k: v for k, v in row.items() if k != "read_at"})
                for row in read(self.lake, table).to_pylist()
            )
            for table in TABLES
        }

    def files_with(self, text: bytes) -> list[str]:
        """The files of the lake that hold a text, packed ones among them."""
        files = []
        for entry in self.lake.entries():
            content = self.lake.read(entry.file)
            if entry.file.endswith(".gz"):
                content = gzip.decompress(content)
            if entry.file.endswith(".parquet"):
                content = repr(pq.read_table(io.BytesIO(content)).to_pylist()).encode()
            files += [entry.file] if text in content.lower() else []
        return files

    def versions(self) -> dict[str, int | None]:
        """The version of each table."""
        return {table.name: current_version(self.lake, table) for table in TABLES}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(tmp_path, stack)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Manifest]]:
    """A final export, for tests that put back what they change."""
    with ExitStack() as stack:
        made = World(tmp_path_factory.mktemp("exported"), stack)
        made.serve(DriftApi(conversations=8))
        yield made, made.export()
