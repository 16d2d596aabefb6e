"""Where tests store things, on the local disk and on Azurite alike; fixtures are in conftest."""

import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeAlias

import duckdb
import pytest

from novade_pipeline.lake.query import connect
from novade_pipeline.storage.azure import AzureStore
from novade_pipeline.storage.local import LocalStore
from novade_pipeline.storage.store import Store

NewStore: TypeAlias = Callable[[str], Store]
"""Makes empty stores by name."""

on_disk = pytest.mark.parametrize("new_store", ["disk"], indirect=True)
"""Not again on Azurite: what is tried is of a disk, or done before anything is stored."""

_CLOCK = itertools.count(1_700_000_000)


def drop(root: Store, content: bytes, *file: str) -> None:
    """Put a file there that is younger than all that were dropped before.

    A disk's clock is too coarse to tell apart two versions of one size and one moment.
    """
    root.write(content, *file)
    if isinstance(root, LocalStore):
        at = next(_CLOCK)
        os.utime(root.path(*file), (at, at))


def copy(source: Store, target: Store, prefix: str = "") -> None:
    """Put the files of a store whose names begin with `prefix` into another one."""

    def put(file: str) -> None:
        target.write(source.read(file), file)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(put, [entry.file for entry in source.entries(prefix)]))


def clear(root: Store, *folder: str) -> None:
    """Take away all files below a folder."""
    for entry in root.entries("/".join((*folder, ""))):
        root.delete(entry.file)


@contextmanager
def lake_connection(lake: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads the lake."""
    with connect(lake=lake) as connection:
        yield connection


def credentials(root: Store) -> dict[str, str]:
    """What `storage.locations` needs beside the URL to make the same store."""
    if not isinstance(root, AzureStore) or root.access.key is None:
        return {}
    return {"account_key": root.access.key, "endpoint": root.access.endpoint}
