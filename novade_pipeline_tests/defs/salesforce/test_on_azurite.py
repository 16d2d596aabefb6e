"""The organisation in a lake on a storage server, as on the local disk."""

from collections.abc import Iterator
from typing import Any

import pytest

from novade_pipeline.defs.salesforce.tables import QUARANTINE
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.sandbox.salesforce.fields import Field
from novade_pipeline_tests.azurite import Azurite
from novade_pipeline_tests.defs.salesforce.conftest import World, new_world
from novade_pipeline_tests.defs.salesforce.same_state import differences


@pytest.fixture
def world(azurite: Azurite) -> Iterator[World]:
    with new_world(azurite.new_store("salesforce")) as made:
        yield made


@pytest.mark.parametrize("bulk_from_rows", [0, 10_000], ids=["bulk", "rest"])
def test_every_sort_of_change_arrives(world: World, bulk_from_rows: int) -> None:
    options: dict[str, Any] = {"bulk_from_rows": bulk_from_rows, "slice_rows": 5}
    world.org.add_field("Account", Field("Score__c", "double", calculated=True))
    assert world.load("Account", **options).is_full
    assert differences(world, "Account") == []
    changed, binned, gone, *_ = (record["Id"] for record in world.org.records("Account"))
    new = world.org.insert("Account", {"Name": "New"})
    world.org.update("Account", changed, {"Name": "Changed"})
    world.org.delete("Account", binned)
    world.org.purge("Account", gone)
    world.org.recalculate("Account", "Score__c", lambda row: len(row["Name"]))
    loaded = world.load("Account", sweep_hours=0, **options)
    assert not loaded.is_full
    assert {new, changed} <= world.rows("Account").keys()
    assert differences(world, "Account") == []
    world.org.undelete("Account", binned)
    world.load("Account", **options)
    assert differences(world, "Account") == []
    version = world.version("Account")
    world.load("Account", **options)
    assert world.version("Account") == version


def test_a_bad_record_is_in_quarantine_until_it_is_read_well(world: World) -> None:
    bad = world.org.records("Contact")[0]
    world.org.table("Contact").store({**bad, "Birthdate": "none"})
    world.load("Contact", policy=PersonalDataPolicy("hash", b"key"))
    (kept,) = world.read(QUARANTINE)
    assert (kept["record"], kept["raw"]) == (bad["Id"], None)
    world.org.update("Contact", bad["Id"], {"Birthdate": None})
    world.load("Contact", policy=PersonalDataPolicy("hash", b"key"))
    assert world.read(QUARANTINE) == []
    assert bad["Id"] in world.rows("Contact")
