"""Each fault is what its name says, for a client and for the server behind."""

from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient

from novade_pipeline_tests.azurite import Azurite
from novade_pipeline_tests.faulty_proxy import (
    BLOB_READS,
    COMMITS,
    PASSING,
    Fault,
    Faults,
    FaultyProxy,
)
from novade_pipeline_tests.faulty_server import Fate, Request

CONTENT = b"0123456789" * 10_000
STALL_SECONDS = 0.3


@pytest.fixture
def through(azurite: Azurite, proxy: FaultyProxy) -> Callable[..., BlobClient]:
    """Makes clients of a new container's blobs that go through the proxy and do not try again."""
    container = azurite.new_container()

    def client(name: str, **how: Any) -> BlobClient:
        service = BlobServiceClient(
            proxy.url, credential=azurite.key, **{"retry_total": 0, "read_timeout": 30, **how}
        )
        return service.get_blob_client(container, name)

    return client


@pytest.mark.parametrize(
    ("kind", "is_done"),
    [
        ("drop_before", False),
        ("drop_after", True),
        ("stall_before", False),
        ("stall_after", True),
        ("cut_request", False),
        ("cut_response", True),
        ("internal_error", False),
        ("error_after", True),
        ("busy", False),
        ("throttled", False),
        ("forbidden", False),
        ("expired", False),
        ("skewed", False),
    ],
)
def test_the_client_hears_of_a_failure_and_the_server_has_done_it_or_not(
    kind: Fault, is_done: bool, proxy: FaultyProxy, through: Callable[..., BlobClient]
) -> None:
    blob = through("a.bin", read_timeout=STALL_SECONDS if kind.startswith("stall") else 30)
    with proxy.failing(Faults((kind,))), pytest.raises(AzureError):
        blob.upload_blob(CONTENT)
    assert proxy.done == {kind: 1}
    assert blob.exists() == is_done
    if is_done:
        assert blob.download_blob().readall() == CONTENT


def test_half_of_what_is_read_is_an_error_and_no_short_read(
    proxy: FaultyProxy, through: Callable[..., BlobClient]
) -> None:
    blob = through("a.bin")
    blob.upload_blob(CONTENT)
    with proxy.failing(Faults(("cut_response",))), pytest.raises(AzureError):
        blob.download_blob().readall()


def test_a_missing_right_to_read_leaves_listing_allowed(
    azurite: Azurite, proxy: FaultyProxy, through: Callable[..., BlobClient]
) -> None:
    blob = through("a.bin")
    blob.upload_blob(CONTENT)
    container = ContainerClient(proxy.url, blob.container_name, credential=azurite.key)
    with proxy.failing(Faults(("forbidden",), aim=BLOB_READS)):
        assert [item.name for item in container.list_blobs()] == ["a.bin"]
        with pytest.raises(HttpResponseError) as refused:
            blob.download_blob()
    assert refused.value.status_code == 403
    assert refused.value.error_code == "AuthorizationPermissionMismatch"


def test_an_expired_token_is_reported_in_azures_words(
    proxy: FaultyProxy, through: Callable[..., BlobClient]
) -> None:
    with proxy.failing(Faults(("expired",))), pytest.raises(HttpResponseError) as refused:
        through("a.bin").upload_blob(CONTENT)
    assert refused.value.error_code == "AuthenticationFailed"
    assert "Signature not valid in the specified time frame" in str(refused.value)


def test_a_client_that_tries_again_gets_through(
    proxy: FaultyProxy, through: Callable[..., BlobClient]
) -> None:
    blob = through("a.bin", retry_total=3, initial_backoff=0, increment_base=0)
    faults = Faults(("busy", "drop_before", "internal_error"), at_most=2)
    with proxy.failing(faults):
        blob.upload_blob(CONTENT)
    assert (proxy.done.total(), proxy.passed) == (2, 1)
    assert blob.download_blob().readall() == CONTENT


def test_only_what_is_aimed_at_fails(
    proxy: FaultyProxy, through: Callable[..., BlobClient]
) -> None:
    with proxy.failing(Faults(("internal_error",), aim=COMMITS)):
        through("t/part-0.parquet").upload_blob(CONTENT)
        with pytest.raises(HttpResponseError):
            through(f"t/_delta_log/{7:020}.json").upload_blob(b"{}")


def test_faults_are_those_of_the_seed_in_whatever_order_requests_come() -> None:
    def drawn(seed: int, order: list[int]) -> list[Any]:
        fate = Fate(Faults(PASSING, rate=0.2, seed=seed))
        requests = [(number, Request("GET", f"/a/blob-{number}", "", {})) for number in order]
        return sorted((number, str(fate.of(request))) for number, request in requests)

    one_way, other_way = list(range(200)), list(range(200))[::-1]
    assert drawn(1, one_way) == drawn(1, other_way)
    assert drawn(1, one_way) != drawn(2, one_way)
    assert 20 < sum(fault != "None" for _, fault in drawn(1, one_way)) < 60


def test_names_that_are_new_in_each_run_do_not_change_what_fails() -> None:
    one, other = (
        Request("PUT", f"/a/lake-{tail}/t/part-00000-{name}-c000.parquet", "comp=block&x=1", {})
        for tail, name in [
            ("0123456789ab", "6c3c5a3e-901e-0014-0b1f-0123456789ab"),
            ("ba9876543210", "0b1f5a3e-901e-0014-6c3c-ba9876543210"),
        ]
    )
    assert one.kind == other.kind == "PUT /a/lake-*/t/part-00000-*-c000.parquet block"
