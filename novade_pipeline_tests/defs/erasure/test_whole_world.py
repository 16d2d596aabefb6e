"""A person is erased from what the made-up services tell, which go on telling of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from novade_pipeline.defs.amplitude.tables import EVENTS
from novade_pipeline.defs.drift import tables as drift
from novade_pipeline.defs.erasure.commands import erasure_scope
from novade_pipeline.defs.erasure.erase import Erasure, erase
from novade_pipeline.defs.salesforce import tables as salesforce
from novade_pipeline.defs.segment import tables as segment
from novade_pipeline.execution.local_run import run_graph
from novade_pipeline.execution.runner import LocalRunner
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.sandbox import amplitude_exports, segment_tables
from novade_pipeline.sandbox.services import services
from novade_pipeline.settings import Settings, load_settings
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.byte_search import files_below_with, files_with, tables_with
from novade_pipeline_tests.worlds import settings_in

AS_OF = date(2026, 3, 4)
HOURS = 48
EVENTS_PER_HOUR = 30
BEGIN = datetime.combine(AS_OF, time(), UTC) - timedelta(hours=HOURS)


@dataclass(frozen=True)
class World:
    """A loaded world, the addresses that each system told, and one who was erased since.

    Attributes:
        places_before: files and tables that held the address before the erasure.
    """

    settings: Settings
    addresses: dict[str, list[str]]
    address: str
    places_before: list[str]
    done: Erasure


def _addresses(settings: Settings, table: Table, column: str) -> list[str]:
    return [
        str(address).lower()
        for address in read(settings.lake, table)[column].to_pylist()
        if address
    ]


def _addresses_by_table(settings: Settings) -> dict[str, list[str]]:
    of = {EVENTS: "user_id", segment.TRACKS: "user_id", segment.USERS: "id"}
    of |= {salesforce.CONTACT: "email", drift.CONTACTS: "email"}
    return {table.name: _addresses(settings, table, column) for table, column in of.items()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("world")
    amplitude_exports.land(
        root / "landing", first_hour=BEGIN, hours=HOURS, events_per_hour=EVENTS_PER_HOUR, seed=1
    )
    events = segment_tables.made_up_events(
        BEGIN, BEGIN + timedelta(hours=HOURS), events_per_hour=EVENTS_PER_HOUR, seed=1
    )
    segment_tables.land(store(str(root / "landing")), events)
    with services(1, EVENTS_PER_HOUR, AS_OF) as served:
        places = settings_in(root, root / "landing").model_dump(include=PLACES)
        apis: dict[str, Any] = {k.removeprefix("NOVADE_").lower(): v for k, v in served.items()}
        settings = load_settings(**places, **apis)
        outcome = run_graph(settings)
        assert outcome.success, outcome.failures
        addresses = _addresses_by_table(settings)
        known = set.intersection(*map(set, addresses.values()))
        address = max(sorted(known), key=addresses[EVENTS.name].count)
        places_before = _holding(settings, address)
        done = erase(settings, erasure_scope(settings, LocalRunner()), address)
        yield World(settings, addresses, address, places_before, done)


PLACES = {"lake_url", "landing_url", "warehouse_path", "dagster_home", "landing_grace_hours"}


def _holding(settings: Settings, address: str) -> list[str]:
    around = files_below_with(settings.warehouse_path.parent, address)
    return [
        *files_with(settings.lake, address),
        *tables_with(settings.warehouse_path, address),
        *(file for file in around if "/landing/" not in file),
    ]


def test_the_person_was_known_to_product_crm_and_chat_and_no_byte_is_left(world: World) -> None:
    erased_from = {table.table for table in world.done.tables if table.rows}
    assert erased_from >= {
        *world.addresses,
        *("marts/event_enhanced", "marts/user_enhanced", "marts/all_events"),
    }
    assert world.done.failures == []
    assert {file.rpartition("/")[0] for file in world.places_before} >= {
        "salesforce/contact",
        "drift/contacts",
    }
    assert "marts.user_enhanced" in world.places_before
    assert _holding(world.settings, world.address) == []


def test_the_others_are_all_there(world: World) -> None:
    left = {
        name: [a for a in addresses if a != world.address]
        for name, addresses in world.addresses.items()
    }
    remaining = _addresses_by_table(world.settings)
    assert {name: sorted(addresses) for name, addresses in remaining.items()} == {
        name: sorted(addresses) for name, addresses in left.items()
    }


def test_services_that_still_tell_of_them_bring_nobody_back(world: World) -> None:
    for select, full_refresh in ((None, False), ("marts/*", True)):
        outcome = run_graph(world.settings, select=select, full_refresh=full_refresh)
        assert outcome.success, outcome.failures
        assert _holding(world.settings, world.address) == []
