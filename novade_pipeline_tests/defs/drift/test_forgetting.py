"""Erased persons are neither in a later copy of the workspace nor left in an earlier one."""

from dataclasses import dataclass
from typing import Any

from novade_pipeline.defs.drift.forgetting import forget_in_copies
from novade_pipeline.defs.drift.manifest import faults, frozen_since, manifest
from novade_pipeline.defs.drift.tables import (
    CONTACT_ID,
    CONTACTS,
    CONVERSATION_ID,
    CONVERSATIONS,
    MESSAGES,
)
from novade_pipeline.personal_data import PersonalDataPolicy
from novade_pipeline.persons.forget import Erased, Told
from novade_pipeline.persons.names import Name
from novade_pipeline.sandbox.drift_api import DriftApi

World = Any


@dataclass(frozen=True)
class Book:
    """Whoever is erased."""

    erased: Erased

    def current(self) -> Erased:
        """The names."""
        return self.erased


def _erased(service: DriftApi, contact: int) -> Told:
    """All names of somebody who chats."""
    chats = [n for n, row in service.has.conversations.items() if row["contactId"] == contact]
    return Told(
        frozenset(
            {
                Name("email", service.has.people[contact].email.lower()),
                Name(CONTACT_ID.kind, str(contact)),
                *(Name(CONVERSATION_ID, str(number)) for number in chats),
            }
        )
    )


def test_a_copy_loses_whoever_is_erased_and_is_whole_again(world: World) -> None:
    service = DriftApi(conversations=12)
    contact = service.newest_first()[0]["contactId"]
    email = service.has.people[contact].email.lower()
    # Somebody else says the address.
    other = next(r["id"] for r in service.newest_first() if r["contactId"] != contact)
    service.write(other, f"<p>Ask {email}.</p>")
    world.serve(service)
    before = world.export()
    since = frozen_since(world.lake)
    erased = _erased(service, contact)
    assert forget_in_copies(world.lake, erased) == [before["folder"]]
    told = manifest(world.lake)
    assert told is not None
    documents = [file for file in world.files_with(email.encode()) if file.startswith("doc")]
    assert documents == []
    assert faults(world.lake, told) == []
    assert frozen_since(world.lake) == since
    for table, least in ((CONTACTS, 1), (CONVERSATIONS, 1), (MESSAGES, 2)):
        was, now = before["tables"][table.name], told["tables"][table.name]
        assert now["told"] == was["told"]
        assert was["rows"] - now["rows"] == now["erased"] >= least
    # Nobody is left: nothing is written again.
    assert forget_in_copies(world.lake, erased) == []


def test_whoever_is_erased_is_not_in_a_later_copy(world: World) -> None:
    service = DriftApi(conversations=12)
    contact = service.newest_first()[0]["contactId"]
    world.policy = PersonalDataPolicy(tombstones=Book(_erased(service, contact)))
    world.serve(service)
    told = world.export()
    assert world.files_with(service.has.people[contact].email.lower().encode()) == []
    found = told["tables"][CONTACTS.name]
    assert (found["erased"], found["told"]) == (1, found["rows"] + 1)
    assert told["tables"][CONVERSATIONS.name]["erased"] >= 1
