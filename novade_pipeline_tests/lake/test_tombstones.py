"""Tombstones: hashes only, obeyed by every first write, under any policy and key."""

from datetime import UTC, datetime
from typing import Annotated

import pyarrow as pa
import pytest
from pydantic import BaseModel

from novade_pipeline.errors import UserError
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.tombstones import TOMBSTONES, TombstoneRegistry
from novade_pipeline.privacy.identifiers import EMAIL, Identifier
from novade_pipeline.privacy.marks import Identity
from novade_pipeline.privacy.policy import Personal, PersonalDataPolicy, protect
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.byte_search import files_with
from novade_pipeline_tests.places import on_disk

ADA = "ada@example.com"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = b"a key"


class Person(BaseModel):
    """A person."""

    id: Annotated[str, Personal(), Identity("id")]
    email: Annotated[str | None, Personal(), Identity(EMAIL)] = None


PERSONS = Table("x/persons", Person, key=("id",), write_mode="replace")
ROWS = pa.Table.from_pylist(
    [{"id": "17", "email": ADA}, {"id": "18", "email": "b@example.com"}], schema=PERSONS.schema
)


def kept(lake: Store, policy: PersonalDataPolicy) -> list[str]:
    """The ids that a load lets through."""
    with_tombstones = PersonalDataPolicy(
        policy.mode, policy.key, TombstoneRegistry(lake, policy.key)
    )
    rows = protect(ROWS, PERSONS.personal, with_tombstones)
    plain = {policy.hash(id_): id_ for id_ in ("17", "18")} if policy.mode == "hash" else {}
    return [plain.get(id_, id_) for id_ in rows["id"].to_pylist()]


@pytest.mark.parametrize("key", [b"", KEY])
def test_an_erased_person_is_left_out_and_only_a_hash_says_who_it_is(
    lake: Store, key: bytes
) -> None:
    policy = PersonalDataPolicy("keep", key)
    assert kept(lake, policy) == ["17", "18"]
    TombstoneRegistry(lake, key).add([Identifier(EMAIL, ADA)], NOW)
    assert kept(lake, policy) == ["18"]
    assert files_with(lake, ADA, "ada@") == []
    (row,) = read(lake, TOMBSTONES).to_pylist()
    assert row["kind"] == EMAIL
    assert (row["salt"] is None) == bool(key)


@on_disk
def test_a_person_erased_from_a_lake_of_hashes_is_left_out_by_the_hash(lake: Store) -> None:
    policy = PersonalDataPolicy("hash", KEY)
    TombstoneRegistry(lake, KEY).add([Identifier("id", policy.hash("17"))], NOW)
    assert kept(lake, policy) == ["18"]
    assert kept(lake, PersonalDataPolicy("keep", KEY)) == ["18"]


@on_disk
def test_drop_leaves_erased_persons_out_before_it_drops(lake: Store) -> None:
    TombstoneRegistry(lake, b"").add([Identifier("id", "17")], NOW)
    with_tombstones = PersonalDataPolicy("drop", tombstones=TombstoneRegistry(lake, b""))
    assert len(protect(ROWS, PERSONS.personal, with_tombstones)) == 1


@on_disk
def test_the_book_is_looked_at_again_and_a_pinned_policy_is_not(lake: Store) -> None:
    policy = PersonalDataPolicy(tombstones=TombstoneRegistry(lake, b""))
    pinned = policy.pinned()
    TombstoneRegistry(lake, b"").add([Identifier("id", "17")], NOW)
    assert len(protect(ROWS, PERSONS.personal, pinned)) == 2
    assert len(protect(ROWS, PERSONS.personal, policy)) == 1


@on_disk
def test_names_are_written_once_and_share_a_salt(lake: Store) -> None:
    book = TombstoneRegistry(lake, b"")
    book.add([Identifier("id", "17")], NOW)
    book.add([Identifier("id", "17"), Identifier("id", "18")], NOW)
    rows = read(lake, TOMBSTONES)
    assert len(rows) == 2
    assert len(rows["salt"].unique()) == 1


@on_disk
def test_a_key_that_is_set_later_leaves_the_older_tombstones_in_force(lake: Store) -> None:
    TombstoneRegistry(lake, b"").add([Identifier("id", "17")], NOW)
    TombstoneRegistry(lake, KEY).add([Identifier("id", "18")], NOW)
    assert kept(lake, PersonalDataPolicy("keep", KEY)) == []


@on_disk
@pytest.mark.parametrize("key", [b"", b"another key"])
def test_nothing_is_loaded_while_the_key_of_a_tombstone_is_missing(lake: Store, key: bytes) -> None:
    TombstoneRegistry(lake, KEY).add([Identifier("id", "17")], NOW)
    with pytest.raises(UserError, match="NOVADE_PERSONAL_DATA_KEY"):
        kept(lake, PersonalDataPolicy("keep", key))
