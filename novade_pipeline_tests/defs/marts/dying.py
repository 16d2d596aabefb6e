"""Refreshes of the marts in processes of their own: killed, or without space on the disk."""

import os
import resource
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from novade_pipeline.defs.marts.project import prepared_project
from novade_pipeline.defs.marts.refresh import refresh
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.forks import FORKS


def killed_refresh(root: Path, models: Sequence[str], seconds: float) -> int | None:
    """Refresh the models of a world and kill the process after so many seconds.

    Returns:
        its exit code.
    """
    parent_end, child_end = FORKS.Pipe()
    process = FORKS.Process(target=_refresh, args=(root, models, child_end))
    process.start()
    # Else nobody would hear that the process ended before it was ready.
    child_end.close()
    parent_end.recv()
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode


def refresh_that_dies_in_the_snapshot(root: Path, models: Sequence[str]) -> int | None:
    """Refresh the models; as dbt would commit a snapshot, the process is killed.

    Returns:
        its exit code.
    """
    process = FORKS.Process(target=_refresh_and_die, args=(root, models))
    process.start()
    process.join()
    return process.exitcode


def refresh_within(root: Path, models: Sequence[str], file_bytes: int) -> str:
    """Refresh the models where no file can grow further than so many bytes.

    Returns:
        the error's name and message; empty where there is none.
    """
    parent_end, child_end = FORKS.Pipe()
    process = FORKS.Process(target=_refresh_within, args=(root, models, file_bytes, child_end))
    process.start()
    child_end.close()
    error: str = parent_end.recv()
    process.join()
    return error


def _refresh_within(root: Path, models: Sequence[str], file_bytes: int, error: Connection) -> None:
    # To a program this is a disk that is full: the write fails, and nothing else does.
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    try:
        _refresh(root, models, None)
    except Exception as failure:
        error.send(f"{type(failure).__name__}: {failure}")
    else:
        error.send("")


def _refresh(root: Path, models: Sequence[str], ready: Connection | None) -> None:
    warehouse = root / "warehouse.duckdb"
    project = prepared_project(warehouse)
    if ready:
        ready.send("ready")
    refresh(project, store(str(root / "lake")), warehouse, models=models, checks=[])


def _refresh_and_die(root: Path, models: Sequence[str]) -> None:
    from dbt.adapters.duckdb.impl import DuckDBAdapter

    adapter: Any = DuckDBAdapter
    commit = adapter.commit_if_has_connection

    def die_in_the_snapshot(self: Any) -> None:
        if self.connections.get_thread_connection().name.startswith("snapshot."):
            os.kill(os.getpid(), signal.SIGKILL)
        commit(self)

    adapter.commit_if_has_connection = die_in_the_snapshot
    _refresh(root, models, None)
