"""Objects of a store, on the disk and on Azure: written whole or not at all, read as listed."""

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.storage import azure_objects
from novade_pipeline.storage import store as storage
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.azurite import Azurite
from novade_pipeline_tests.faulty_proxy import Fault, Faults, FaultyProxy
from novade_pipeline_tests.faulty_store import through_proxy

NewStore = Callable[[str], Store]


def _listed(root: Store, prefix: str = "") -> list[str]:
    return [entry.file for entry in root.entries(prefix)]


def test_what_is_written_is_there_whole(new_store: NewStore) -> None:
    root = new_store("root")
    root.write(b"old and long", "a", "b")
    root.write(b"new", "a", "b")
    assert root.read("a", "b") == b"new"
    assert _listed(root) == ["a/b"]
    root.delete("a", "b")
    root.delete("a", "b")
    assert _listed(root) == []
    with pytest.raises(FileNotFoundError):
        root.read("a", "b")


@pytest.mark.parametrize("size", [0, 1, 10, 11, 25, 40])
def test_what_is_written_in_pieces_is_whole_when_it_is_finished(
    size: int, new_store: NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure_objects, "BLOCK_BYTES", 10)
    root = new_store("root")
    content = bytes(range(size))
    begun = root.create("a b", "c")
    for first in range(0, size, 4):
        assert begun.write(memoryview(content)[first : first + 4]) == len(
            content[first : first + 4]
        )
    assert begun.tell() == size
    begun.finish()
    assert root.read("a b", "c") == content
    assert _listed(root) == ["a b/c"]


def test_an_object_is_read_from_any_place_on(new_store: NewStore) -> None:
    root = new_store("root")
    content = bytes(range(256)) * 100
    root.write(content, "a b", "c")
    with root.open("a b", "c") as opened:
        opened.seek(-3, os.SEEK_END)
        assert opened.read() == content[-3:]
        opened.seek(1_000)
        assert (opened.read(10), opened.tell()) == (content[1_000:1_010], 1_010)
        opened.seek(5, os.SEEK_CUR)
        assert opened.read(4) == content[1_015:1_019]
        opened.seek(0)
        assert opened.read() == content
        assert opened.read() == b""
    with pytest.raises(FileNotFoundError):
        root.open("a b", "d")


def test_of_an_object_that_changes_nothing_more_is_read(azurite: Azurite) -> None:
    root = azurite.new_store("root")
    root.write(b"old", "a")
    with root.open("a") as opened:
        root.write(b"new", "a")
        with pytest.raises((TransientFailure, UserError)):
            opened.read()


def test_a_disk_that_takes_a_part_only_is_an_error(tmp_path: Path) -> None:
    # A limit on the size of files does as a full disk does: a part of the last piece is taken.
    code = """
import resource, sys
from novade_pipeline.storage.locations import store
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
begun = store(sys.argv[1]).create("a")
try:
    begun.write(bytes(1_500))
    begun.finish()
except OSError:
    begun.discard()
    sys.exit(3)
"""
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path / "root")], check=False)
    assert ran.returncode == 3
    assert _listed(store(str(tmp_path / "root"))) == []


def test_what_was_cut_off_is_begun_anew(new_store: NewStore) -> None:
    root = new_store("root")
    root.create("a", "b").write(b"much of it")
    begun = root.create("a", "b")
    begun.write(b"all")
    begun.finish()
    assert root.read("a", "b") == b"all"


def test_of_a_document_that_does_not_fit_nothing_stays(tmp_path: Path) -> None:
    code = """
import resource, sys
from novade_pipeline.storage.locations import store
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
try:
    store(sys.argv[1]).write(bytes(1_500), "a")
except OSError:
    sys.exit(3)
"""
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path / "root")], check=False)
    assert ran.returncode == 3
    assert _listed(store(str(tmp_path / "root"))) == []


@pytest.mark.parametrize("size", [0, 5, 25])
def test_what_is_discarded_is_not_there(
    size: int, new_store: NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure_objects, "BLOCK_BYTES", 10)
    root = new_store("root")
    begun = root.create("a", "b")
    begun.write(bytes(size))
    begun.discard()
    del begun
    gc.collect()
    assert _listed(root) == []


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "error_after", "cut_response"])
def test_blocks_whose_answers_are_lost_are_sent_again_and_stand_once(
    kind: Fault, azurite: Azurite, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure_objects, "BLOCK_BYTES", 10)
    place = azurite.new_store("root")
    with proxy.failing(Faults((kind,), 0.4, seed=3, aim="^PUT ")):
        begun = through_proxy(proxy, place).create("a")
        for _ in range(10):
            begun.write(bytes(range(10)))
        begun.write(b"end")
        begun.finish()
    assert proxy.done[kind] > 2
    assert place.read("a") == bytes(range(10)) * 10 + b"end"


def test_a_listing_is_in_order_and_begins_with_its_prefix(new_store: NewStore) -> None:
    root = new_store("root")
    for name in ("x_2", "x_1", "y", "x/z", "v"):
        root.write(b"1", "folder", name)
    root.write(b"1", "other")
    assert _listed(root, "folder/x") == ["folder/x/z", "folder/x_1", "folder/x_2"]
    assert _listed(root, "folder/x_") == ["folder/x_1", "folder/x_2"]
    assert _listed(root, "nowhere/") == []


def test_a_version_that_was_listed_is_read_or_nothing(new_store: NewStore) -> None:
    root = new_store("root")
    content, told = bytes(range(256)) * 40_000, "a changed while it was read"
    root.write(content, "a")
    (entry,) = root.entries()
    assert entry.size == len(content)
    with root.open_version("a", entry.etag) as stream:
        assert b"".join(iter(lambda: stream.read(65_537), b"")) == content
    root.write(content[:-1], "a")
    with pytest.raises(TransientFailure, match=told), root.open_version("a", entry.etag) as stream:
        stream.read()
    root.delete("a")
    with pytest.raises(TransientFailure, match=told), root.open_version("a", entry.etag) as stream:
        stream.read()


def test_a_long_listing_has_pages_that_may_be_gone_on_with(
    new_store: NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "PAGE_ENTRIES", 5)
    root = new_store("root")
    names = [f"{n:05}" for n in range(8)]
    for name in names:
        root.write(b"", name)
    first = next(root.pages())
    assert [entry.file for entry in first.entries] == names[:5]
    (rest,) = root.pages("", first.following)
    assert [entry.file for entry in rest.entries] == names[5:]
    assert rest.following is None


def test_a_container_that_is_not_there_is_told(azurite: Azurite) -> None:
    url = "abfss://nowhere@devstoreaccount1.dfs.core.windows.net/x"
    root = store(url, {"account_key": azurite.key, "endpoint": azurite.blob_url})
    for act in (root.exists, lambda: root.write(b"", "a"), lambda: root.read("a")):
        with pytest.raises(UserError, match=f"{url}: expected a container, found none"):
            act()
