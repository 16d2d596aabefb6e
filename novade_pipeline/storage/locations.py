"""Creates the store of a URL; the only place that knows the supported schemes."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from novade_pipeline.storage.local import LocalStore
from novade_pipeline.storage.store import AZURE_SCHEME, Store

SCHEMES = ("file", AZURE_SCHEME)
# Control characters too, and bytes that are not UTF-8, which become U+FFFD.
_NOT_IN_A_LAKE = re.compile("[%\\\\\\[\\]^|\x00-\x1f\x7f\ufffd]")


def store(url: str, azure: Mapping[str, str | None] | None = None) -> Store:
    """The store of a folder, a `file://` URL or an `abfss://` URL.

    Args:
        azure: `connection_string`, `account_key`, `sas_token`, `endpoint`; each may be unset.

    Raises:
        ValueError: the scheme, a name or the credentials are invalid, or the path is empty.
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


def lake_store(url: str, azure: Mapping[str, str | None] | None = None) -> Store:
    """The store of a lake: as `store`, for a path that each library of Delta reads the same way.

    delta-rs and its kernel decode the percent signs of a path or not, refuse some characters, and
    read a backslash as a slash.

    Raises:
        ValueError: as `store`, or the path of a folder has such characters.
    """
    lake = store(url, azure)
    if isinstance(lake, LocalStore) and (wrong := _NOT_IN_A_LAKE.search(lake.path())):
        raise ValueError(
            "expected a folder without % \\ [ ] ^ |, control characters and bytes that are not "
            f"UTF-8 in its full path, since Delta's libraries misread them, found {wrong[0]!r} in "
            f"{lake.path()!r}; choose another folder"
        )
    return lake
