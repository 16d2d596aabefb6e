"""From a URL to the store behind it: a scheme is supported here or nowhere."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from novade_pipeline.storage.local import LocalStore
from novade_pipeline.storage.store import AZURE_SCHEME, Store

SCHEMES = ("file", AZURE_SCHEME)


def store(url: str, azure: Mapping[str, str | None] | None = None) -> Store:
    """The store behind a URL or a local path.

    Args:
        url: a folder, `file://…`, or `abfss://container@account.dfs.core.windows.net/path`.
        azure: `connection_string`, `account_key`, `sas_token`, `endpoint`, as far as they are set.

    Raises:
        ValueError: the scheme is not supported, a name is one that ADLS forbids, the path is empty,
            or the credentials are none.
    """
    scheme = urlsplit(url).scheme if "://" in url else "file"
    if scheme == AZURE_SCHEME:
        from novade_pipeline.storage.azure import azure_store

        return azure_store(url, azure or {})
    if scheme not in SCHEMES:
        raise ValueError(
            f"expected a folder or a {':// or '.join(SCHEMES)}:// URL, found {scheme}://"
        )
    path = unquote(url.removeprefix("file://")) if "://" in url else url
    if not path:
        raise ValueError("expected a folder, found an empty path")
    return LocalStore(Path(path).absolute().as_uri())
