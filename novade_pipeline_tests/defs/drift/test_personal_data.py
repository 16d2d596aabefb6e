"""Under `hash` and `drop` no address reaches the lake; another policy reads everything again."""

from typing import Any

import pytest

from novade_pipeline.defs.drift.tables import CONTACTS, CONVERSATIONS, MESSAGES, USERS
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.sandbox.drift_api import DriftApi, Faults

World = Any
KEEP, DROP = PersonalDataPolicy(), PersonalDataPolicy("drop")
HASH = PersonalDataPolicy("hash", b"key")


def _addresses(service: DriftApi) -> list[bytes]:
    people = [person.email for person in service.state.people.values()]
    return [email.lower().encode() for email in people]


def _found(world: World, service: DriftApi) -> list[bytes]:
    everything = b"\n".join(_addresses(service))
    assert b"@" in everything
    return [address for address in _addresses(service) if world.files_with(address)]


@pytest.mark.parametrize("policy", [HASH, DROP], ids=lambda policy: policy.mode)
def test_no_address_reaches_the_lake(world: World, policy: PersonalDataPolicy) -> None:
    service = DriftApi(conversations=12, faults=Faults(broken_every=5))
    world.policy = policy
    world.serve(service)
    world.load()
    assert _found(world, service) == []
    for table in (CONTACTS, MESSAGES, USERS):
        for name in table.personal:
            values = {row[name] for row in world.rows(table).values()} - {None}
            # Of a JSON document the keys stay, without values.
            leaked = [value for value in values if policy.mode == "drop" and value[:1] not in "{["]
            assert leaked == [], (table.name, name)


def test_what_is_kept_is_found_where_the_test_above_looks(world: World) -> None:
    service = DriftApi(conversations=12)
    world.serve(service)
    world.load()
    assert _found(world, service) == _addresses(service)


def test_a_hashed_address_is_that_of_the_address_in_lower_case(world: World) -> None:
    service = DriftApi(conversations=12)
    world.serve(service)
    world.policy = HASH
    world.load()
    for number, person in service.state.people.items():
        assert world.rows(CONTACTS)[number]["email"] == HASH.hash(person.email.lower())


def test_another_policy_reads_everything_again_and_so_does_one_that_comes_back(
    world: World,
) -> None:
    service = DriftApi(conversations=25)
    world.serve(service)
    states = []
    for policy in (KEEP, HASH, KEEP, DROP):
        world.policy = policy
        assert world.load()[0].read == 25
        assert world.load()[0].read == 0
        states.append(world.contents())
    assert states[0] == states[2]
    assert len({repr(state[CONTACTS.name]) for state in states}) == 3
    assert len({repr(state[CONVERSATIONS.name]) for state in states}) == 1


def test_a_contact_that_is_gone_under_another_policy_keeps_no_address(world: World) -> None:
    service = DriftApi(conversations=12)
    world.serve(service)
    world.load()
    chat = service.newest_first()[0]
    service.delete_contact(chat["contactId"])
    world.policy = HASH
    world.load()
    row = world.rows(CONTACTS)[chat["contactId"]]
    assert (row["is_deleted"], row["email"], row["attributes"]) == (True, None, None)
    assert row["created_at"] is not None
