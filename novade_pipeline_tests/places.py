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
"""Only on disk: the test is about disks, or about what happens before anything is stored."""

_CLOCK = itertools.count(1_700_000_000)


def drop(root: Store, content: bytes, *file: str) -> None:
    """Write a file that is younger than all files dropped before.

    A disk's clock is too coarse to tell apart two versions of one size and one moment.
    """
    root.write(content, *file)
    if isinstance(root, LocalStore):
        at = next(_CLOCK)
        os.utime(root.path(*file), (at, at))


def copy(source: Store, target: Store, prefix: str = "") -> None:
    """Copy the files of a store whose names begin with `prefix` to another store."""

    def copy_file(file: str) -> None:
        target.write(source.read(file), file)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(copy_file, [entry.file for entry in source.entries(prefix)]))


def clear(root: Store, *folder: str) -> None:
    """Delete all files below a folder."""
    for entry in root.entries("/".join((*folder, ""))):
        root.delete(entry.file)


@contextmanager
def lake_connection(lake: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads the lake."""
    with connect(lake=lake) as connection:
        yield connection


def credentials(root: Store) -> dict[str, str]:
    """The options that `storage.locations` needs with the URL to make the same store."""
    if not isinstance(root, AzureStore) or root.access.key is None:
        return {}
    return {"account_key": root.access.key, "endpoint": root.access.endpoint}
