"""From a URL to what each library needs; the same on the local disk and on Azure."""

from collections.abc import Callable
from pathlib import Path

import pytest

from novade_pipeline.errors import UserError
from novade_pipeline.storage import azure as azure_storage
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.azurite import KEY

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
    "a signature that is empty": ({"sas_token": "sv=hunter2&sig="}, "(sig=…), found none"),
    "two tokens": ({"sas_token": "sv=1&sig=hunter2&sv=1&sig=hunter2"}, "(sig=…), found several"),
    "a token in two lines": (
        {"sas_token": "sv=1&\nsig=hunter2"},
        "found one with blanks, quotes or line ends in it; mend NOVADE_AZURE_SAS_TOKEN",
    ),
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


COPIED = (
    *("sv=1&sig=a%2Bb%2Fc%3D", "?sv=1&sig=a%2Bb%2Fc%3D", "sv=1&sig=a+b/c=", "sv=1&sig=a+b/c%3D"),
    *("sv=1&sig=a%2Bb%2Fc%3D \n", "\r\n sv=1&sig=a+b/c=\t", '"sv=1&sig=a+b/c="'),
    *("'?sv=1&sig=a+b/c='\n", "https://novade.blob.core.windows.net/lake?sv=1&sig=a+b/c="),
)


@pytest.mark.parametrize(
    "settings",
    [
        *({"sas_token": text} for text in (*COPIED, "sv=1&amp;sig=a%2Bb%2Fc%3D")),
        *({"connection_string": f"SharedAccessSignature={text}"} for text in COPIED),
        {"connection_string": "'AccountName=novade; SharedAccessSignature=sv=1&sig=a+b/c='\n"},
    ],
)
def test_a_sas_token_may_be_as_it_was_copied(settings: dict[str, str]) -> None:
    """Blanks and quotes around it are left out, and its signature is encoded."""
    options = store(URL, settings).options()
    assert options["azure_storage_sas_token"] == "sv=1&sig=a%2Bb%2Fc%3D"


@pytest.mark.parametrize("text", [f" {KEY}\n", f'"{KEY}"'])
def test_an_account_key_may_be_as_it_was_copied(text: str) -> None:
    assert store(URL, {"account_key": text}).options()["azure_storage_account_key"] == KEY


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
