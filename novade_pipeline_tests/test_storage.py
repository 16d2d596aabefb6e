"""From a URL to what each library needs; the same on the local disk and on Azure."""

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from novade_pipeline import azure_objects, azure_storage, storage
from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.storage import Store, store
from novade_pipeline_tests.azurite import KEY, Azurite
from novade_pipeline_tests.faulty_proxy import Fault, Faults, FaultyProxy
from novade_pipeline_tests.faulty_store import through

NewStore = Callable[[str], Store]
URL = "abfss://lake@novade.dfs.core.windows.net/a/b"
NAMES = ["a b", "100%", "é", "a#b", "a?b", "it's", "%20", "a+b", "ü/x"]
FORBIDDEN = {
    "abfss://lake@novade.blob.core.windows.net/a": "expected abfss://container@account.dfs.",
    "abfss://novade.dfs.core.windows.net/a": "expected abfss://container@account.dfs.",
    "abfss://lake@novade.dfs.core.windows.net/a?b=c": "expected abfss://container@account.dfs.",
    "abfss://Lake@novade.dfs.core.windows.net/a": "found 'Lake'",
    "abfss://la--ke@novade.dfs.core.windows.net/a": "found 'la--ke'",
    "abfss://la@novade.dfs.core.windows.net/a": "found 'la'",
    "abfss://lake@no_vade.dfs.core.windows.net/a": "expected an account of 3 to 24",
    "abfss://lake@novade.dfs.core.windows.net/a./b": "found 'a.'",
    "abfss://lake@novade.dfs.core.windows.net/a//b": "found ''",
    "abfss://lake@novade.dfs.core.windows.net/a/../b": "found '..'",
    "abfss://lake@novade.dfs.core.windows.net/a\\b": "found 'a",
}


def _listed(root: Store, prefix: str = "") -> list[str]:
    return [entry.file for entry in root.entries(prefix)]


def test_a_folder_and_its_url_are_the_same_store(tmp_path: Path) -> None:
    assert store(str(tmp_path)) == store(tmp_path.as_uri())
    assert store(str(tmp_path)).path() == str(tmp_path)


def test_a_relative_folder_is_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert store("data/lake").url == (tmp_path / "data" / "lake").as_uri()


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_may_have_any_name(name: str, tmp_path: Path) -> None:
    root = store(str(tmp_path / name))
    root.write(b"here", "file")
    assert (tmp_path / name / "file").read_bytes() == b"here"
    assert store(root.url) == root


@pytest.mark.parametrize("name", NAMES)
def test_any_name_leads_to_its_object(name: str, new_store: NewStore) -> None:
    root = new_store("root")
    root.write(b"here", name, "file")
    assert root.read(name, "file") == b"here"
    assert _listed(root) == [f"{name}/file"]
    with root.open(name, "file") as found:
        assert found.read() == b"here"
    (entry,) = root.entries()
    with root.open_version(entry.file, entry.etag) as stream:
        assert stream.read() == b"here"


def test_a_child_is_below_the_root() -> None:
    root = store("file:///lake")
    assert root.child("a", "b c") == "file:///lake/a/b%20c"
    assert root.path("a", "b c") == "/lake/a/b c"


def test_people_and_libraries_name_a_place_on_azure_in_their_own_way() -> None:
    root = store(URL + "/")
    assert root.url == URL
    assert root.child("t") == f"{URL}/t"
    assert root.path("t") == "lake/a/b/t"
    assert root.table_url("t") == root.duckdb_path("t") == "az://lake/a/b/t"


@pytest.mark.parametrize("part", ["", "/etc", "..", "a/../../b", "../x"])
@pytest.mark.parametrize("url", ["file:///lake", URL])
def test_a_part_that_climbs_out_of_the_root_is_refused(part: str, url: str) -> None:
    for place in (store(url).child, store(url).path, store(url).table_url):
        with pytest.raises(ValueError, match=f"is not a path below {url}"):
            place("a", part)


@pytest.mark.parametrize("url", ["s3://bucket/x", "http://host/x", "gs://b", "abc://", "az://c/x"])
def test_a_scheme_that_is_not_supported_is_named(url: str) -> None:
    with pytest.raises(ValueError, match=f"found {url.split(':')[0]}://"):
        store(url)


@pytest.mark.parametrize("url", ["", "file://"])
def test_an_empty_path_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected a folder, found an empty path"):
        store(url)


@pytest.mark.parametrize("url", FORBIDDEN)
def test_a_name_that_azure_forbids_is_told(url: str) -> None:
    with pytest.raises(ValueError, match="expected") as raised:
        store(url)
    assert FORBIDDEN[url] in str(raised.value)


CREDENTIALS = {
    "two": (
        {"account_key": KEY, "sas_token": "sig=x"},
        "found NOVADE_AZURE_ACCOUNT_KEY and NOVADE_AZURE_SAS_TOKEN; leave one",
    ),
    "no base64": (
        {"account_key": "hunter2!"},
        "expected an account key in base64, found something else; mend NOVADE_AZURE_ACCOUNT_KEY",
    ),
    "no base64 in a connection string": (
        {"connection_string": "AccountName=novade;AccountKey=hunter2!"},
        "found something else; mend NOVADE_AZURE_CONNECTION_STRING",
    ),
    "no signature": ({"sas_token": "?sv=hunter2"}, "expected a SAS token with a signature"),
    "no credential": (
        {"connection_string": "AccountName=novade;Hunter2=1"},
        "expected a connection string with AccountKey or SharedAccessSignature",
    ),
    "another account": (
        {"connection_string": f"AccountName=other;AccountKey={KEY}"},
        "expected the connection string of account novade",
    ),
    "no endpoint": ({"endpoint": "hunter2.net"}, "expected an endpoint that begins with https://"),
}


@pytest.mark.parametrize("case", CREDENTIALS)
def test_a_wrong_credential_is_told_and_not_shown(case: str) -> None:
    told, expected = CREDENTIALS[case]
    with pytest.raises(ValueError, match="expected") as raised:
        store(URL, told)
    assert expected in str(raised.value)
    assert "hunter2" not in str(raised.value).lower()
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("name", ["account_key", "sas_token", "connection_string"])
def test_secrets_are_not_shown(name: str) -> None:
    secret = {
        "account_key": KEY,
        "sas_token": "sv=1&sig=hunter2",
        "connection_string": f"AccountName=novade;AccountKey={KEY}",
    }[name]
    shown = repr(store(URL, {name: secret}))
    assert KEY not in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        (URL, "https://novade.blob.core.windows.net"),
        (
            "abfss://l-1@novade.dfs.core.chinacloudapi.cn",
            "https://novade.blob.core.chinacloudapi.cn",
        ),
    ],
)
def test_the_url_tells_the_cloud(url: str, endpoint: str) -> None:
    options = store(url, {"account_key": KEY}).options()
    assert options["azure_storage_endpoint"] == endpoint
    assert options["azure_storage_account_name"] == "novade"
    assert options["azure_storage_account_key"] == KEY


@pytest.mark.parametrize("how", [{"account_key": KEY}, {"sas_token": "sv=1&sig=x"}])
def test_duckdb_is_told_of_an_endpoint_only_where_it_is_not_azures_own(
    how: dict[str, str],
) -> None:
    private = "https://novade.privatelink.example"
    _, (secret,) = store(URL, {**how, "endpoint": private}).duckdb_setup()
    assert f"BlobEndpoint={private};" in secret
    assert f", endpoint '{private}'" in secret
    _, (secret,) = store(URL, how).duckdb_setup()
    assert ", endpoint " not in secret


def test_duckdb_with_a_log_in_reads_azures_own_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_storage, "token", lambda: "a token")
    _, (secret,) = store(URL).duckdb_setup()
    assert "provider 'access_token', access_token 'a token', account_name 'novade')" in secret
    with pytest.raises(UserError, match="expected an account key or a SAS token"):
        store(URL, {"endpoint": "https://novade.privatelink.example"}).duckdb_setup()


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
from novade_pipeline.storage import store
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
from novade_pipeline.storage import store
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
        begun = through(proxy, place).create("a")
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
    for act in (root.is_there, lambda: root.write(b"", "a"), lambda: root.read("a")):
        with pytest.raises(UserError, match=f"{url}: expected a container, found none"):
            act()
