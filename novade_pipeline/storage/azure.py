"""Azure Data Lake Storage, through the Blob API, which the emulator has too."""

import io
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from typing_extensions import override

from novade_pipeline.errors import UserError
from novade_pipeline.storage import store as storage
from novade_pipeline.storage.azure_access import Access, access_from_settings
from novade_pipeline.storage.azure_credentials import credential, token
from novade_pipeline.storage.azure_errors import translate_error
from novade_pipeline.storage.azure_objects import BlobReader, BlobWriter
from novade_pipeline.storage.iterable_stream import IterableStream
from novade_pipeline.storage.store import (
    AZURE_SCHEME,
    Entry,
    NewObject,
    Page,
    Store,
    changed_during_read,
)

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient, ContainerClient
    from azure.storage.queue import QueueClient

READ_BYTES = 4 * 2**20
"""Bytes of an object that one request reads."""
FEW_ENTRIES = 50
"""Page size of a listing where any object will do; it includes folders."""

_FORM = f"{AZURE_SCHEME}://container@account.dfs.core.windows.net/path"
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
# Of what ADLS allows, what every one of the libraries writes the same way.
_SEGMENT = re.compile(r"[\w.=~ -]*[\w=~-]", re.ASCII)
# The SDK's own pauses begin at 15 s.
_RETRIES: dict[str, Any] = {"retry_total": 8, "initial_backoff": 0.4, "increment_base": 1.6}
_TIMEOUTS: dict[str, Any] = {"connection_timeout": 10, "read_timeout": 60}
# For a check of an account that may not answer.
_QUICK_RETRIES: dict[str, Any] = {
    **{"retry_total": 1, "initial_backoff": 0.5},
    **{"increment_base": 0, "random_jitter_range": 0},
}
_QUICK_TIMEOUTS: dict[str, Any] = {"connection_timeout": 3, "read_timeout": 5}
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class AzureStore(Store):
    """A path in a container.

    Attributes:
        root: the path below the container, without slashes at its ends; may be empty.
        fails_fast: gives up within seconds, and reads no more than requested.
    """

    container: str = ""
    root: str = ""
    access: Access = field(default=Access("", ""), repr=False)
    fails_fast: bool = False

    @override
    def path(self, *parts: str) -> str:
        return "/".join(p for p in (self.container, self.root, *self._checked(parts)) if p)

    def blob(self, *parts: str) -> str:
        """The name of a blob in its container."""
        return "/".join(p for p in (self.root, *self._checked(parts)) if p)

    @override
    def table_url(self, *parts: str) -> str:
        return f"az://{self.path(*parts)}"

    @override
    def options(self) -> dict[str, str]:
        access = self.access
        options = {"azure_storage_account_name": access.account}
        if access.is_emulator:
            # Without it delta-rs lists from an offset, which the emulator does not understand.
            _point_to_emulator(access)
            options |= {"azure_storage_use_emulator": "true", "azure_allow_http": "true"}
        else:
            options["azure_storage_endpoint"] = access.endpoint
        if access.key:
            return options | {"azure_storage_account_key": access.key}
        if access.sas:
            return options | {"azure_storage_sas_token": access.sas}
        return options | {"azure_storage_token": token()}

    @override
    def duckdb_path(self, *parts: str) -> str:
        return self.table_url(*parts)

    @override
    def duckdb_setup(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        access = self.access
        if access.is_emulator:
            _point_to_emulator(access)
        if not access.is_default:
            secret_options = {"connection_string": access.connection_string}
            if not access.is_public and not access.is_emulator:
                # DuckDB's Delta reader reads this option, its Azure reader the connection string.
                secret_options["endpoint"] = access.endpoint
        elif access.is_public:
            secret_options = {
                "provider": "access_token",
                "access_token": token(),
                "account_name": access.account,
            }
        else:
            # With a token, the two readers expect the endpoint in different forms.
            raise UserError(
                f"{self.url}: expected an account key or a SAS token, since DuckDB reads through "
                "another endpoint than Azure's public one with these only; found none; set "
                "NOVADE_AZURE_SAS_TOKEN."
            )
        quoted = ", ".join(
            f"{k} '{v.replace(chr(39), chr(39) * 2)}'" for k, v in secret_options.items()
        )
        scope = f"az://{self.container}"
        secret = f"create or replace temporary secret lake (type azure, scope '{scope}', {quoted})"
        return ("delta", "azure"), (secret,)

    @cached_property
    def service(self) -> "BlobServiceClient":
        """The Azure SDK's client of the account."""
        from azure.storage.blob import BlobServiceClient, ExponentialRetry

        options: dict[str, Any] = {
            "retry_policy": ExponentialRetry(**(_QUICK_RETRIES if self.fails_fast else _RETRIES)),
            "max_single_get_size": 1 if self.fails_fast else READ_BYTES,
            "max_chunk_get_size": READ_BYTES,
            "raw_response_hook": _retry_when_throttled,
            **(_QUICK_TIMEOUTS if self.fails_fast else _TIMEOUTS),
        }
        if self.access.is_default:
            return BlobServiceClient(self.access.endpoint, credential=credential(), **options)
        return BlobServiceClient.from_connection_string(self.access.connection_string, **options)

    @cached_property
    def client(self) -> "ContainerClient":
        """The Azure SDK's client of the container."""
        return self.service.get_container_client(self.container)

    @override
    def pages(
        self, prefix: str = "", following: str | None = None, *, most: int | None = None
    ) -> Iterator[Page]:
        start = f"{self.root}/" if self.root else ""
        listing = self.client.list_blobs(
            name_starts_with=start + prefix,
            include=["metadata"],
            results_per_page=most or storage.PAGE_ENTRIES,
        )
        parts: Any = listing.by_page(continuation_token=following)
        while (part := self._call("list", lambda: next(parts, None))) is not None:
            entries = [
                Entry(blob.name[len(start) :], blob.etag, blob.size, blob.last_modified)
                for blob in part
                # A folder of a hierarchical namespace is listed as an empty blob.
                if not (blob.metadata or {}).get("hdi_isfolder")
            ]
            yield Page(entries, parts.continuation_token or None)

    @override
    def any_entry(self) -> Entry | None:
        return next((e for page in self.pages(most=FEW_ENTRIES) for e in page.entries), None)

    @override
    @contextmanager
    def open_version(self, file: str, etag: str) -> Iterator[IO[bytes]]:
        from azure.core import MatchConditions
        from azure.core.exceptions import (
            AzureError,
            ResourceModifiedError,
            ResourceNotFoundError,
        )

        try:
            download = self.client.download_blob(
                self.blob(file), etag=etag, match_condition=MatchConditions.IfNotModified
            )
            with io.BufferedReader(IterableStream(download.chunks()), READ_BYTES) as stream:
                yield stream
        except (ResourceModifiedError, ResourceNotFoundError):
            raise changed_during_read(file) from None
        except AzureError as error:
            raise self.translate_error(error, "read") or error from None

    @override
    def read(self, *parts: str) -> bytes:
        blob = self.client.get_blob_client(self.blob(*parts))
        return self._call("read", lambda: blob.download_blob().readall())

    @override
    def open(self, *parts: str) -> IO[bytes]:
        reader = BlobReader(self.client.get_blob_client(self.blob(*parts)), self._call)
        return io.BufferedReader(reader, READ_BYTES)

    @override
    def write(self, content: bytes, *parts: str) -> None:
        target = self.client.get_blob_client(self.blob(*parts))
        self._call("write", lambda: target.upload_blob(content, overwrite=True))

    @override
    def create(self, *parts: str) -> NewObject:
        return BlobWriter(self.client.get_blob_client(self.blob(*parts)), self._call)

    @override
    def delete(self, *parts: str) -> None:
        target = self.client.get_blob_client(self.blob(*parts))
        try:
            self._call("delete", target.delete_blob)
        except FileNotFoundError:
            return

    @override
    def exists(self) -> bool:
        next(self.pages(most=FEW_ENTRIES), None)
        return True

    @override
    def translate_error(self, error: Exception, operation: str) -> Exception | None:
        return translate_error(error, self.url, operation, self.access.sas)

    @override
    def failing_fast(self) -> "AzureStore":
        return replace(self, fails_fast=True)

    def _call(self, operation: str, act: Callable[[], _Result]) -> _Result:
        from azure.core.exceptions import AzureError

        try:
            return act()
        except AzureError as error:
            if getattr(error, "error_code", None) == "BlobNotFound":
                raise FileNotFoundError(self.url) from None
            raise self.translate_error(error, operation) or error from None


def queue_client(access: Access, url: str, *, fails_fast: bool = False) -> "QueueClient":
    """The Azure SDK's client of a storage queue of the same account.

    Args:
        fails_fast: gives up within seconds where the service does not answer.
    """
    from azure.storage.queue import ExponentialRetry, QueueClient

    queue_credential: Any = credential() if access.is_default else access.sas
    if access.key:
        queue_credential = {"account_name": access.account, "account_key": access.key}
    return QueueClient.from_queue_url(
        url,
        credential=queue_credential,
        retry_policy=ExponentialRetry(**(_QUICK_RETRIES if fails_fast else _RETRIES)),
        **(_QUICK_TIMEOUTS if fails_fast else _TIMEOUTS),
    )


def _retry_when_throttled(response: Any) -> None:
    """Make the SDK retry a throttled request: it retries 503, but not 429."""
    if response.http_response.status_code == 429:
        response.http_response.status_code = 503


def azure_store(url: str, settings: Mapping[str, str | None]) -> AzureStore:
    """The store behind an `abfss://` URL.

    Args:
        settings: `connection_string`, `account_key`, `sas_token`, `endpoint`; each may be unset.

    Raises:
        ValueError: the URL or a credential is malformed, or there are two credentials.
    """
    parts = urlsplit(url)
    container, separator, host = parts.netloc.rpartition("@")
    account, _, suffix = host.partition(".dfs.")
    if not separator or not suffix or parts.query or parts.fragment:
        raise ValueError(f"expected {_FORM}, found another form")
    if not _ACCOUNT.fullmatch(account):
        raise ValueError(f"expected an account of 3 to 24 small letters and digits in {_FORM}")
    if not _CONTAINER.fullmatch(container):
        raise ValueError(
            "expected a container of 3 to 63 small letters, digits and single hyphens, found "
            f"{container!r}"
        )
    root = parts.path.strip("/")
    for segment in root.split("/") if root else ():
        if not _SEGMENT.fullmatch(segment):
            raise ValueError(
                f"expected folders of letters, digits and ._=~- that do not end with a dot, found "
                f"{segment!r}"
            )
    canonical = f"{AZURE_SCHEME}://{container}@{host}" + (f"/{root}" if root else "")
    return AzureStore(canonical, container, root, access_from_settings(account, suffix, settings))


def _point_to_emulator(access: Access) -> None:
    """Set the emulator's address, which delta-rs and DuckDB's Delta reader read only here."""
    address = urlsplit(access.endpoint)
    os.environ["AZURITE_BLOB_STORAGE_URL"] = f"{address.scheme}://{address.netloc}"
