"""What Azure's refusals become: one sentence, whichever library is refused, without a secret."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import azure.identity
import duckdb
import pyarrow as pa
import pytest
from azure.core.exceptions import AzureError
from azure.storage.blob import generate_container_sas
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.lake.query import connect
from novade_pipeline.storage import azure as azure_storage
from novade_pipeline.storage import azure_credentials
from novade_pipeline.storage.azure import AzureStore
from novade_pipeline.storage.azure_errors import translate_error
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.azurite import KEY, Azurite
from novade_pipeline_tests.faulty_proxy import BLOB_READS, Faults, FaultyProxy, faulty_proxy

Let = Callable[..., AzureStore]
"""A store of the same place, let in by a SAS token with these permissions."""
HOUR = timedelta(hours=1)
WRONG_KEY = "d3Jvbmc="


@pytest.fixture(scope="module")
def owned(azurite: Azurite) -> AzureStore:
    """A place with an object and a table; not to be changed."""
    root = azurite.new_store("owned")
    assert isinstance(root, AzureStore)
    root.write(b"here", "a")
    write_deltalake(root.table_url("t"), pa.table({"x": [1]}), storage_options=root.options())
    return root


@pytest.fixture(scope="module")
def let(azurite: Azurite, owned: AzureStore) -> Let:
    def made(permission: str, starts: timedelta = -HOUR, ends: timedelta = HOUR) -> AzureStore:
        now = datetime.now(UTC)
        token = generate_container_sas(
            azurite.account,
            owned.container,
            account_key=azurite.key,
            permission=permission,
            start=now + starts,
            expiry=now + ends,
        )
        return _with(owned, sas_token=token)

    return made


def _with(owned: AzureStore, **credential: str) -> AzureStore:
    made = store(owned.url, {**credential, "endpoint": owned.access.endpoint})
    assert isinstance(made, AzureStore)
    return made


@pytest.fixture(scope="module")
def proxy(azurite: Azurite) -> Iterator[FaultyProxy]:
    with faulty_proxy(azurite.blob_url) as running:
        yield running


def _told(act: Callable[[], object]) -> str:
    with pytest.raises(UserError) as raised:
        act()
    told = str(raised.value)
    assert "sig=" not in told
    assert KEY not in told
    assert WRONG_KEY not in told
    assert told.count("\n") == 0
    return told


def _read_delta(root: AzureStore) -> None:
    try:
        DeltaTable(root.table_url("t"), storage_options=root.options())
    except (OSError, DeltaError) as error:
        raise root.translate_error(error, "read") or error from None


def _write_delta(root: AzureStore) -> None:
    try:
        write_deltalake(root.table_url("u"), pa.table({"x": [1]}), storage_options=root.options())
    except (OSError, DeltaError) as error:
        raise root.translate_error(error, "write") or error from None


def _read_duckdb(root: AzureStore) -> None:
    with connect(lake=root) as connection:
        try:
            connection.execute(f"FROM delta_scan('{root.duckdb_path('t')}')")
        except duckdb.Error as error:
            raise root.translate_error(error, "read") or error from None


READS: dict[str, Callable[[AzureStore], object]] = {
    "the SDK": lambda root: root.read("a"),
    "delta-rs": _read_delta,
    "DuckDB": _read_duckdb,
}
WRITES: dict[str, Callable[[AzureStore], object]] = {
    "the SDK": lambda root: root.write(b"", "b"),
    "delta-rs": _write_delta,
}


@pytest.mark.parametrize("by", READS)
def test_an_expired_token_and_a_missing_permission_are_told_apart(by: str, let: Let) -> None:
    lists_only, expired = let("l"), let("rwdl", -2 * HOUR, -HOUR)
    assert [entry.file for entry in lists_only.entries("a")] == ["a"]
    told = _told(lambda: READS[by](lists_only))
    assert "may not read there" in told
    assert "expected a SAS token with the permission Read (r), found one with `sp=l`" in told
    ended = datetime.now(UTC) - HOUR
    told = _told(lambda: READS[by](expired))
    assert f"the SAS token has expired at {ended:%Y-%m-%d}" in told
    assert "may not" not in told


@pytest.mark.parametrize("by", WRITES)
def test_a_token_that_may_not_write_is_told(by: str, let: Let) -> None:
    told = _told(lambda: WRITES[by](let("rl")))
    assert "expected a SAS token with the permission Write (w), found one with `sp=rl`" in told


def test_a_token_that_may_not_delete_is_told(let: Let) -> None:
    assert "the permission Delete (d)" in _told(lambda: let("rwl").delete("a"))


def test_a_token_that_may_not_list_is_told(let: Let) -> None:
    assert "the permission List (l)" in _told(lambda: let("r").any_entry())


def test_a_token_whose_time_has_not_come_is_told(let: Let) -> None:
    assert "is not valid before" in _told(lambda: let("rl", HOUR, 2 * HOUR).read("a"))


@pytest.mark.parametrize("by", READS)
def test_another_accounts_key_is_told(by: str, owned: AzureStore) -> None:
    told = _told(lambda: READS[by](_with(owned, account_key=WRONG_KEY)))
    assert "the credentials are not those of the account" in told


@pytest.mark.parametrize("by", READS)
def test_a_container_that_is_not_there_is_told(by: str, owned: AzureStore) -> None:
    elsewhere = store(
        f"abfss://nowhere@{owned.access.account}.dfs.core.windows.net/x",
        {"account_key": owned.access.key, "endpoint": owned.access.endpoint},
    )
    assert isinstance(elsewhere, AzureStore)
    assert "expected a container, found none of that name" in _told(lambda: READS[by](elsewhere))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("forbidden", "may not read there; give the identity the role `Storage Blob Data Reader`"),
        ("expired", "the SAS token has expired or is not valid yet"),
        ("skewed", "this machine's clock differs from Azure's"),
    ],
)
@pytest.mark.parametrize("by", ["the SDK", "delta-rs"])
def test_azures_own_words_are_understood(
    by: str, fault: str, expected: str, owned: AzureStore, proxy: FaultyProxy
) -> None:
    root = store(owned.url, {"account_key": owned.access.key, "endpoint": proxy.url})
    assert isinstance(root, AzureStore)
    with proxy.failing(Faults((fault,), aim=BLOB_READS)):  # type: ignore[arg-type]
        assert expected in _told(lambda: READS[by](root))


def test_a_host_that_is_not_there_is_told() -> None:
    root = store("abfss://lake@novade.dfs.invalid/x", {"account_key": KEY}).failing_fast()
    assert "found no such host" in _told(lambda: root.read("a"))


def test_a_server_that_says_nothing_is_given_up_within_the_time_limit(
    owned: AzureStore, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(azure_storage._QUICK_TIMEOUTS, "read_timeout", 0.2)
    root = store(owned.url, {"account_key": owned.access.key, "endpoint": proxy.url}).failing_fast()
    begun = time.monotonic()
    with (
        proxy.failing(Faults(("stall_before",))),
        pytest.raises(TransientFailure, match="could not be reached for a list"),
    ):
        root.exists()
    assert time.monotonic() - begun < 10


def test_no_credential_at_all_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """DefaultAzureCredential as it is, but that no address of a cloud's host is asked."""
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    offline = partial(
        azure.identity.DefaultAzureCredential, exclude_managed_identity_credential=True
    )
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", offline)
    azure_credentials.credential.cache_clear()
    root = store("abfss://lake@novade.dfs.core.windows.net/x").failing_fast()
    try:
        for act in (lambda: root.read("a"), root.options, root.duckdb_setup):
            assert "expected a managed identity, a log-in (`az login`) or one of" in _told(act)
    finally:
        azure_credentials.credential.cache_clear()
    assert [record.name for record in caplog.records if record.name.startswith("azure.")] == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("", None),
        ("<Code>ServerBusy</Code>", TransientFailure),
        ("<Code>BlobArchived</Code>", UserError),
        ("Generic MicrosoftAzure error: 503 Service Unavailable", TransientFailure),
        ("Parquet: a row of jane@example.com is broken", None),
    ],
)
def test_only_what_azure_says_is_explained(message: str, expected: type | None) -> None:
    found = translate_error(OSError(message), "abfss://lake", "read")
    assert expected is None if found is None else type(found) is expected


def test_an_answer_that_nobody_knows_is_told_by_its_code_alone() -> None:
    class Odd(AzureError):
        error_code = "NeverHeardOf"
        status_code = 418

    told = str(translate_error(Odd("jane@example.com"), "abfss://lake", "write"))
    assert told == "abfss://lake: storage refused a write (NeverHeardOf)."
