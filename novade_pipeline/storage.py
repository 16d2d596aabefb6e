"""From a URL to what each library needs to read and write there.

delta-rs, DuckDB, fsspec and the Azure SDK each take their credentials in their own way. They all
get them from a `Store`, so a scheme is supported here or nowhere. Local paths are wired now.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

SCHEMES = ("file",)


@dataclass(frozen=True)
class Store:
    """A root URL and the options that reach it.

    Attributes:
        url: absolute, without a trailing slash; `file://` for the local disk.
        options: delta-rs's `storage_options`; may hold secrets and is never shown.
    """

    url: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def child(self, *parts: str) -> str:
        """The URL of something below the root.

        Raises:
            ValueError: a part is empty, absolute or climbs out of the root.
        """
        for part in parts:
            if not part or part.startswith("/") or ".." in part.split("/"):
                raise ValueError(f"{part!r} is not a path below {self.url}")
        return "/".join((self.url, *map(quote, parts)))

    def path(self, *parts: str) -> str:
        """The same as `child`, as the file system of `filesystem()` names it."""
        url = self.child(*parts) if parts else self.url
        return unquote(url.removeprefix("file://"))

    def filesystem(self) -> Any:
        """The fsspec file system that holds the root."""
        import fsspec

        return fsspec.filesystem(urlsplit(self.url).scheme, **self.options)


def store(url: str) -> Store:
    """The store behind a URL or a local path.

    Raises:
        ValueError: the scheme is not supported, or the path is empty.
    """
    scheme = urlsplit(url).scheme if "://" in url else "file"
    if scheme not in SCHEMES:
        raise ValueError(
            f"expected a folder or a {'://, '.join(SCHEMES)}:// URL, found {scheme}://"
        )
    path = unquote(url.removeprefix("file://")) if "://" in url else url
    if not path:
        raise ValueError("expected a folder, found an empty path")
    return Store(Path(path).absolute().as_uri())
