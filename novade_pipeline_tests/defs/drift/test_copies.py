"""Erased persons are neither in a later copy of the workspace nor left in an earlier one."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.drift.copies import forget_in_copies
from novade_pipeline.defs.drift.manifest import faults, frozen_since, read_manifest
from novade_pipeline.defs.drift.tables import (
    CONTACT_ID,
    CONTACTS,
    CONVERSATION_ID,
    CONVERSATIONS,
    MESSAGES,
    TABLES,
)
from novade_pipeline.defs.erasure.commands import erasure_scope
from novade_pipeline.defs.erasure.erase import ErasureScope, erase
from novade_pipeline.execution.runner import LocalRunner
from novade_pipeline.lake.tombstones import TOMBSTONES
from novade_pipeline.privacy.forget import ErasedIdentifiers, GivenIdentifiers
from novade_pipeline.privacy.identifiers import Identifier
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.sandbox.drift_api import DriftApi
from novade_pipeline.settings import load_settings
from novade_pipeline.storage.local import LocalStore

World = Any


@dataclass(frozen=True)
class Book:
    """Whoever is erased."""

    erased: ErasedIdentifiers

    def current(self) -> ErasedIdentifiers:
        """The names."""
        return self.erased


def _erased(service: DriftApi, contact: int) -> GivenIdentifiers:
    """All names of somebody who chats."""
    chats = [n for n, row in service.state.conversations.items() if row["contactId"] == contact]
    return GivenIdentifiers(
        frozenset(
            {
                Identifier("email", service.state.people[contact].email.lower()),
                Identifier(CONTACT_ID.kind, str(contact)),
                *(Identifier(CONVERSATION_ID, str(number)) for number in chats),
            }
        )
    )


def test_a_copy_loses_whoever_is_erased_and_is_whole_again(world: World) -> None:
    service = DriftApi(conversations=12)
    contact = service.newest_first()[0]["contactId"]
    email = service.state.people[contact].email.lower()
    # Somebody else says the address.
    another_chat = next(r["id"] for r in service.newest_first() if r["contactId"] != contact)
    service.write(another_chat, f"<p>Ask {email}.</p>")
    world.serve(service)
    before = world.export()
    since = frozen_since(world.lake)
    erased = _erased(service, contact)
    assert forget_in_copies(world.lake, erased) == [before["folder"]]
    manifest = read_manifest(world.lake)
    assert manifest is not None
    documents = [file for file in world.files_with(email.encode()) if file.startswith("doc")]
    assert documents == []
    assert faults(world.lake, manifest) == []
    assert frozen_since(world.lake) == since
    for table, least in ((CONTACTS, 1), (CONVERSATIONS, 1), (MESSAGES, 2)):
        was, now = before["tables"][table.name], manifest["tables"][table.name]
        assert now["told"] == was["told"]
        assert was["rows"] - now["rows"] == now["erased"] >= least
    # Nobody is left: nothing is written again.
    assert forget_in_copies(world.lake, erased) == []


class Cut(Exception):
    """The process is killed."""


def _cut_after(count: int, patch: pytest.MonkeyPatch) -> None:
    """Let the lake do so much, and no more."""
    left = count

    def counted(does: Callable[..., Any]) -> Callable[..., Any]:
        def do(*args: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Cut
            return does(*args)

        return do

    for name in ("create", "write", "delete"):
        patch.setattr(LocalStore, name, counted(getattr(LocalStore, name)))


def test_what_is_cut_off_anywhere_comes_to_the_same_end(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = DriftApi(conversations=4)
    contact = service.newest_first()[0]["contactId"]
    email = service.state.people[contact].email.lower().encode()
    world.serve(service)
    world.export()
    erased = _erased(service, contact)
    place = Path(world.lake.path())
    shutil.copytree(place, tmp_path / "before")
    for count in range(100):
        shutil.rmtree(place)
        shutil.copytree(tmp_path / "before", place)
        with monkeypatch.context() as patch, suppress(Cut):
            _cut_after(count, patch)
            forget_in_copies(world.lake, erased)
            break
        forget_in_copies(world.lake, erased)
        manifest = read_manifest(world.lake)
        assert manifest is not None
        assert faults(world.lake, manifest) == []
        kept = [entry.file for entry in world.lake.entries("documents/drift/final_export/")]
        assert {file.rpartition("/")[0] for file in kept} == {manifest["folder"]}
        assert [file for file in world.files_with(email) if file in kept] == []
    assert count > 20


def test_whoever_is_erased_is_not_in_a_later_copy(world: World) -> None:
    service = DriftApi(conversations=12)
    contact = service.newest_first()[0]["contactId"]
    world.policy = PersonalDataPolicy(tombstones=Book(_erased(service, contact)))
    world.serve(service)
    manifest = world.export()
    assert world.files_with(service.state.people[contact].email.lower().encode()) == []
    entry = manifest["tables"][CONTACTS.name]
    assert (entry["erased"], entry["told"]) == (1, entry["rows"] + 1)
    assert manifest["tables"][CONVERSATIONS.name]["erased"] >= 1


def test_novade_erase_takes_a_person_out_of_tables_and_copies(
    world: World,
) -> None:
    service = DriftApi(conversations=6)
    contact = service.newest_first()[0]["contactId"]
    email = service.state.people[contact].email.lower()
    world.serve(service)
    world.export()
    settings = load_settings(
        lake_url=world.lake.url,
        landing_url=str(world.root),
        warehouse_path=world.root / "warehouse.duckdb",
        dagster_home=world.root / "dagster",
    )
    graph = ErasureScope(
        tables={table.name: table for table in TABLES} | {TOMBSTONES.name: TOMBSTONES},
        marts=(),
        sources=(),
        require_no_run_in_progress=lambda: None,
        rebuild=lambda all_marts: (),
        copies=erasure_scope(settings, LocalRunner()).copies,
    )
    erase(settings, graph, email)
    assert world.files_with(email.encode()) == []
    manifest = read_manifest(world.lake)
    assert manifest is not None
    assert faults(world.lake, manifest) == []
