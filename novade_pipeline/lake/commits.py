"""The metadata of commits, by which writers recognise their own in the log, and commit failures.

Where the response to a commit is lost, delta-rs retries, finds the version in place and takes its
own commit for another writer's. Source: the Delta protocol,
https://github.com/delta-io/delta/blob/master/PROTOCOL.md#commit-provenance-information.
"""

import errno
import json
import uuid
from collections.abc import Mapping
from typing import Any

from deltalake import Transaction
from deltalake.exceptions import CommitFailedError, TableNotFoundError

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store

MARK = "novade.write"
# No space, a quota, or a limit on the size of files.
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_UNWRITABLE = ("ermission denied", "Read-only file system", "Not a directory")


class CommitConflict(TransientFailure):
    """Another writer was faster, and nothing is written."""


def new_mark() -> dict[str, str]:
    """Custom metadata for a commit that no other commit has."""
    return {MARK: uuid.uuid4().hex}


def find_commit(store: Store, table: Table, mark: Mapping[str, str], since: int) -> int | None:
    """The version whose commit carries a mark; None where there is none.

    Args:
        since: the newest version that cannot be it.

    Raises:
        TransientFailure: the log cannot be read now.
    """
    version = since
    while True:
        version += 1
        try:
            entry = store.read(*table.path, "_delta_log", f"{version:020}.json")
        except FileNotFoundError:
            return None
        for action in map(json.loads, entry.splitlines()):
            commit_info: dict[str, Any] = action.get("commitInfo", {})
            if commit_info.get(MARK) == mark[MARK]:
                return version


def app_transactions(transactions: Mapping[str, int] | None) -> list[Transaction] | None:
    """App id -> version, as delta-rs records them with a commit."""
    return [Transaction(app, version) for app, version in (transactions or {}).items()] or None


def recover_commit(
    store: Store, table: Table, mark: Mapping[str, str], before: int, error: Exception
) -> int:
    """The version of our commit, where delta-rs reports a failure but the log has the commit.

    Args:
        before: the version that the write began with.

    Raises:
        CommitConflict: another writer was faster.
        TransientFailure: the log cannot be read now.
        UserError: the lake cannot be written.
    """
    failure = (
        commit_conflict(table)
        if isinstance(error, CommitFailedError)
        else write_failure(store, table, error)
    )
    try:
        version = find_commit(store, table, mark, before)
    except (OSError, UserError):
        raise failure from None
    except TransientFailure:
        raise TransientFailure(
            f"{table.name}: storage failed during a commit, whose outcome is unknown; "
            "the step runs again from its source."
        ) from None
    if version is None:
        raise failure from None
    return version


def commit_conflict(table: Table) -> CommitConflict:
    """The failure of a writer that another one overtook."""
    return CommitConflict(
        f"{table.name}: another writer changed the same rows meanwhile; nothing is written, "
        "the step runs again from its source."
    )


def write_failure(store: Store, table: Table, error: Exception) -> Exception:
    """The failure to report for a failed write, without delta-rs's text, which may print rows."""
    is_explained = isinstance(error, TransientFailure | UserError)
    if (failure := error if is_explained else store.translate_error(error, "write")) is not None:
        return type(failure)(f"{table.name}: {failure}")
    # delta-rs reports a folder that cannot be created as a missing table.
    if isinstance(error, PermissionError | TableNotFoundError) or any(
        phrase in str(error) for phrase in _UNWRITABLE
    ):
        return UserError(
            f"{table.name}: expected to write to {store.child(*table.path)}, found that this "
            "cannot be done; set NOVADE_LAKE_URL to a place that can be written."
        )
    if isinstance(error, OSError) and error.errno in _FULL_DISK:
        return UserError(
            f"{table.name}: expected space at {store.child(*table.path)}, found the disk full; "
            "nothing is written. Free some space and run again."
        )
    if isinstance(error, OSError):
        return TransientFailure(f"{table.name}: storage failed ({type(error).__name__}).")
    return PermanentFailure(
        f"{table.name}: delta-rs refused the write ({type(error).__name__}); nothing is written."
    )
