"""An organisation that is served for real, and a lake that it is loaded into."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.api.retry import Retry
from novade_pipeline.defs.salesforce.load import LoadResult, load
from novade_pipeline.defs.salesforce.organisation import Organisation
from novade_pipeline.defs.salesforce.session import SalesforceSession
from novade_pipeline.defs.salesforce.settings import SalesforceSettings
from novade_pipeline.defs.salesforce.tables import OBJECTS
from novade_pipeline.lake.delta import current_version, open_table
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.sandbox.salesforce.api import SalesforceApi
from novade_pipeline.sandbox.serving import serving
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store

KEEP = PersonalDataPolicy()


class World:
    """An organisation and a lake. The organisation may be in any state, as often as a test wants.

    Attributes:
        told: what the loads have told.
        waited: how long the sessions would have waited, each time.
        usage: of the newest session.
    """

    def __init__(self, api: SalesforceApi, url: str, lake: Store) -> None:
        self.api, self.org, self.url, self.lake = api, api.org, url, lake
        self.messages: list[str] = []
        self.waited: list[float] = []
        self.session: SalesforceSession | None = None

    def settings(self, **more: Any) -> SalesforceSettings:
        """How the organisation is reached."""
        values = {
            "url": self.url,
            "client_id": self.api.access.client_id,
            "client_secret": self.api.access.client_secret,
            "overlap_seconds": 5,
            "sweep_hours": 24.0,
        }
        return SalesforceSettings(_env_file=None, **{**values, **more})

    def organisation(self, **more: Any) -> Organisation:
        """The organisation with a session of its own, which waits for nothing."""
        self.session = SalesforceSession(self.settings(**more), Retry(), self.waited.append)
        return Organisation(self.settings(**more), self.session, poll_seconds=0.001)

    def load(self, name: str, policy: PersonalDataPolicy = KEEP, **more: Any) -> LoadResult:
        """Loads one object."""
        with self.organisation(**more) as org:
            return load(org, self.lake, name, policy, self.messages.append)

    def rows(self, name: str) -> dict[str, dict[str, Any]]:
        """All rows of an object's table with all columns that it has in the lake, by their ids."""
        delta_table = open_table(self.lake, OBJECTS[name])
        if delta_table is None:
            return {}
        return {row["id"]: row for row in delta_table.to_pyarrow_table().to_pylist()}

    def read(self, table: Table) -> list[dict[str, Any]]:
        """The rows of a table with its declared columns."""
        return read(self.lake, table).to_pylist()

    def version(self, name: str) -> int | None:
        """The version of an object's table."""
        return current_version(self.lake, OBJECTS[name])

    def records_by_id(self, name: str) -> dict[str, dict[str, Any]]:
        """The organisation's own records, by their ids."""
        return {record["Id"]: record for record in self.org.records(name)}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with new_world(tmp_path) as made:
        yield made


class new_world(ExitStack):  # noqa: N801
    """A world, as a context, with a lake of its own; the organisation is as the arguments say."""

    def __init__(self, lake: Path | Store, **how: Any) -> None:
        super().__init__()
        self._lake, self._how = store(str(lake / "lake")) if isinstance(lake, Path) else lake, how

    def __enter__(self) -> World:  # type: ignore[override]
        super().__enter__()
        api = SalesforceApi(**self._how)
        return World(api, self.enter_context(serving(api.app())), self._lake)
