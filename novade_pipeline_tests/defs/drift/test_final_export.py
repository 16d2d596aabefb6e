"""The final export: complete, verified, written whole or not at all, and found out if changed."""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from novade_pipeline.defs.drift import final_export
from novade_pipeline.defs.drift.manifest import (
    MANIFEST,
    faults,
    frozen_since,
    read_manifest,
    violations,
)
from novade_pipeline.defs.drift.tables import CONTACTS, CONVERSATIONS, MESSAGES, READ
from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.lake.read import read
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.sandbox.drift_api import DriftApi, Faults
from novade_pipeline_tests.places import NewStore

World = Any
LIST = "/conversations/list"


def _lines(world: World, manifest: dict[str, Any], table: Any) -> list[dict[str, Any]]:
    file = manifest["tables"][table.name]["as_told"]["name"]
    text = gzip.decompress(world.lake.read(manifest["folder"], file)).decode()
    return [json.loads(line) for line in text.splitlines()]


def _copied(world: World, manifest: dict[str, Any], table: Any) -> Any:
    file = manifest["tables"][table.name]["as_rows"]["name"]
    return pq.read_table(io.BytesIO(world.lake.read(manifest["folder"], file)))


def _documents(world: World) -> list[str]:
    return sorted(entry.file for entry in world.lake.entries("documents/"))


def test_all_that_the_workspace_has_is_copied_twice_and_the_tables_are_frozen(
    world: World, new_store: NewStore
) -> None:
    world.lake = new_store("lake")
    service = DriftApi(conversations=30)
    world.serve(service)
    world.load()
    assert frozen_since(world.lake) is None
    manifest = world.export()
    assert _lines(world, manifest, CONVERSATIONS) == [
        service.state.conversations[number] for number in sorted(service.state.conversations)
    ]
    assert {line["id"] for line in _lines(world, manifest, CONTACTS)} == set(world.rows(CONTACTS))
    for table in READ:
        rows = _copied(world, manifest, table)
        assert rows.schema.names == table.schema.names
        assert [f.type for f in rows.schema] == [f.type for f in table.schema]
        entry = manifest["tables"][table.name]
        assert entry["told"] == entry["rows"] == entry["in_table"] == len(rows)
        assert len(_lines(world, manifest, table)) == len(rows)
    assert read_manifest(world.lake) == manifest
    assert frozen_since(world.lake) is not None
    assert (violations(manifest), faults(world.lake, manifest)) == ([], [])


def test_everything_is_read_anew(world: World) -> None:
    service = DriftApi(conversations=20)
    world.serve(service)
    world.load()
    # Changed without a new time: no load finds it.
    number = service.newest_first()[9]["id"]
    service.state.messages[number][0]["body"] = "<p>Edited</p>"
    world.load()
    assert "<p>Edited</p>" not in {row["body"] for row in world.rows(MESSAGES).values()}
    manifest = world.export()
    assert "<p>Edited</p>" in {row["body"] for row in world.rows(MESSAGES).values()}
    assert "<p>Edited</p>" in _copied(world, manifest, MESSAGES)["body"].to_pylist()


def test_what_changes_while_it_is_made_is_in_it(world: World) -> None:
    service = DriftApi(conversations=60)
    world.serve(service)
    numbers = [row["id"] for row in service.newest_first()]
    changes = [
        lambda: service.write(numbers[50], "<p>One more thing</p>"),
        lambda: service.close(numbers[55]),
        service.chat,
    ]
    service.on_response = lambda path: (
        changes.pop()() if changes and path.endswith("/messages") else None
    )
    manifest = world.export()
    assert changes == []
    assert _lines(world, manifest, CONVERSATIONS) == [
        service.state.conversations[number] for number in sorted(service.state.conversations)
    ]
    texts = [message["body"] for message in _lines(world, manifest, MESSAGES)]
    assert texts.count("<p>One more thing</p>") == 1
    assert manifest["tables"][MESSAGES.name]["told"] == len(read(world.lake, MESSAGES))


def test_a_workspace_that_never_holds_still_is_not_frozen(world: World) -> None:
    service = DriftApi(conversations=12)
    world.serve(service)
    service.on_response = lambda path: (
        service.chat() and None if path.endswith("/messages") else None
    )
    with pytest.raises(TransientFailure, match=r"expected the workspace not to change, found"):
        world.export(api_most_reads=2)
    assert frozen_since(world.lake) is None
    assert _documents(world) == []


def test_what_is_no_row_is_copied_as_it_was_read(world: World) -> None:
    service = DriftApi(conversations=30, faults=Faults(broken_every=7))
    world.serve(service)
    manifest = world.export()
    for table in READ:
        entry = manifest["tables"][table.name]
        assert entry["told"] == entry["rows"] + entry["quarantined"] == entry["as_told"]["count"]
        assert entry["quarantined"] > 0
        assert entry["as_rows"]["count"] == entry["rows"] == len(_copied(world, manifest, table))
    assert "yesterday" in {line["createdAt"] for line in _lines(world, manifest, MESSAGES)}


def test_what_only_the_tables_still_have_is_counted(world: World) -> None:
    service = DriftApi(conversations=20)
    world.serve(service)
    world.load()
    service.delete_conversation(service.newest_first()[3]["id"])
    entry = world.export()["tables"][CONVERSATIONS.name]
    assert (entry["rows"], entry["in_table"], entry["only_in_table"]) == (19, 20, 1)


@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_the_copy_holds_no_address_unless_personal_data_is_kept(world: World, mode: Any) -> None:
    service = DriftApi(conversations=12, faults=Faults(broken_every=5))
    for row in service.state.contacts.values():
        row["secretNewField"] = service.state.people[row["id"]].email
    world.policy = PersonalDataPolicy(mode, b"key")
    world.serve(service)
    manifest = world.export()
    for person in service.state.people.values():
        assert world.files_with(person.email.lower().encode()) == []
    assert manifest["personal_data"] == {"mode": mode, "fingerprint": world.policy.fingerprint}
    for table in READ:
        assert len(_lines(world, manifest, table)) == manifest["tables"][table.name]["rows"]


def test_what_is_kept_is_found_where_the_test_above_looks(
    exported: tuple[World, dict[str, Any]],
) -> None:
    world, _ = exported
    for row in world.rows(CONTACTS).values():
        entry = world.files_with(row["email"].encode())
        assert {file.rpartition("/")[2] for file in entry} >= {
            *("contacts.parquet", "contacts.jsonl.gz"),
        }


def _longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def _another_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("file", ["messages.parquet", "contacts.jsonl.gz"])
@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (_longer, "it was changed"),
        (_another_byte, "it was changed"),
        (Path.unlink, "expected a file, found none"),
    ],
    ids=["longer", "one bit", "gone"],
)
def test_a_file_that_was_changed_is_found(
    exported: tuple[World, dict[str, Any]], file: str, tamper: Callable[[Path], None], message: str
) -> None:
    world, made = exported
    path = Path(world.lake.path(made["folder"], file))
    content = path.read_bytes()
    tamper(path)
    (fault,) = faults(world.lake, made)
    path.write_bytes(content)
    assert fault.startswith(f"{made['folder']}/{file}: ")
    assert message in fault
    assert faults(world.lake, made) == []


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"format": 2}', b"\xff"], ids=["empty", "list", "format", "bytes"]
)
def test_a_manifest_that_is_none_is_reported_in_one_sentence(
    exported: tuple[World, dict[str, Any]], text: bytes
) -> None:
    world, _ = exported
    kept = world.lake.read(*MANIFEST)
    world.lake.write(text, *MANIFEST)
    try:
        with pytest.raises(PermanentFailure, match="expected the manifest of a final export"):
            frozen_since(world.lake)
    finally:
        world.lake.write(kept, *MANIFEST)


def test_a_copy_that_is_not_what_was_read_freezes_nothing_and_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = DriftApi(conversations=8)
    world.serve(service)
    upload = final_export.upload

    def half(lake: Any, path: Path, *parts: str) -> None:
        upload(lake, path, *parts)
        if parts[-1] == "messages.parquet":
            Path(lake.path(*parts)).write_bytes(path.read_bytes()[:-9])

    monkeypatch.setattr(final_export, "upload", half)
    with pytest.raises(PermanentFailure, match=r"found 1 faults, .*it was changed. Nothing is fro"):
        world.export()
    assert frozen_since(world.lake) is None
    assert _documents(world) == []


def test_tables_that_are_not_what_was_read_are_not_frozen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.serve(DriftApi(conversations=8))
    world.load()
    monkeypatch.setattr("novade_pipeline.defs.drift.writer.Writer.merge", lambda *a, **k: None)
    service = DriftApi(conversations=8, seed=2)
    world.serve(service)
    with pytest.raises(
        PermanentFailure, match=r"expected drift/\w+ to have the rows that were read, found"
    ):
        world.export()
    assert frozen_since(world.lake) is None


class Killed(BaseException):
    """The process is gone."""


def test_an_export_that_is_killed_freezes_nothing_and_the_next_one_sweeps_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.serve(DriftApi(conversations=8))
    write = final_export.write_manifest

    def killed(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr(final_export, "write_manifest", killed)
    # A process that is killed takes nothing away.
    monkeypatch.setattr(type(world.lake), "delete", lambda *_: None)
    with pytest.raises(Killed):
        world.export()
    monkeypatch.undo()
    assert write is final_export.write_manifest
    left = _documents(world)
    assert len(left) == 2 * len(READ)
    assert frozen_since(world.lake) is None
    manifest = world.export()
    kept = {file for file in _documents(world) if file.startswith(manifest["folder"])}
    assert set(_documents(world)) - kept == {"/".join(MANIFEST)}
