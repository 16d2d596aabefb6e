"""A store of the lake or of the landing zone, reached through the faulty proxy."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING
from unittest import mock

from typing_extensions import override

from novade_pipeline.storage import azure as azure_storage
from novade_pipeline.storage.azure import AzureStore
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.faulty_proxy import FaultyProxy

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient

PATIENCE_SECONDS = 3


@dataclass(frozen=True)
class HastyStore(AzureStore):
    """Waits less for answers, and between tries, than the product does.

    Attributes:
        lake_tries: how often delta-rs tries again; as often as the product lets it where None.
    """

    lake_tries: int | None = None

    @override
    def options(self) -> dict[str, str]:
        options = super().options() | {"timeout": f"{PATIENCE_SECONDS}s"}
        return (
            options if self.lake_tries is None else options | {"max_retries": f"{self.lake_tries}"}
        )

    @cached_property
    def service(self) -> "BlobServiceClient":
        """As the product's, without its pauses."""
        at_once = {"initial_backoff": 0, "increment_base": 0, "random_jitter_range": 0}
        with (
            mock.patch.dict(azure_storage._RETRIES, at_once),
            mock.patch.dict(azure_storage._TIMEOUTS, {"read_timeout": PATIENCE_SECONDS}),
        ):
            service: BlobServiceClient = AzureStore.service.func(self)  # type: ignore[attr-defined]
            return service


def through_proxy(proxy: FaultyProxy, place: Store, lake_tries: int | None = None) -> Store:
    """The same place, through the proxy."""
    assert isinstance(place, AzureStore)
    access = replace(place.access, endpoint=proxy.url)
    return HastyStore(place.url, place.container, place.root, access, lake_tries=lake_tries)
