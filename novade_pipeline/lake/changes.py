"""What changed in a Delta table between two versions, read from its log.

Only the commits in between are read, and of them only the actions on files: the cost is what
changed, not what is there. A compaction rewrites files without changing rows (`dataChange` is
false) and is no change. Source: the Delta protocol,
https://github.com/delta-io/delta/blob/master/PROTOCOL.md#add-file-and-remove-file.
"""

import json
from collections.abc import Iterator
from datetime import date
from enum import Enum
from typing import Any, TypeAlias

import pyarrow as pa

from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store


class Everything(Enum):
    """The log cannot say what changed: anything may have."""

    EVERYTHING = "everything"


EVERYTHING = Everything.EVERYTHING
Changed: TypeAlias = frozenset[Any] | Everything
"""Values of a partition column."""


def changed_partitions(store: Store, table: Table, since: int | None, until: int) -> Changed:
    """The partitions whose rows differ, or may differ, between two versions.

    Args:
        since: the version that is known already, exclusive; None when none is.
        until: the last version that is compared, inclusive.

    Returns:
        Values of the partition column; `EVERYTHING` without `since`, where the table was created
        again after it, or where the log between the two is gone or has no partitions.

    Raises:
        ValueError: the table has not exactly one partition column.
    """
    if len(table.partition_by) != 1:
        raise ValueError(f"{table.name}: expected one partition column, found {table.partition_by}")
    (column,) = table.partition_by
    if since is None or since > until:
        return EVERYTHING
    is_date = pa.types.is_date(table.schema.field(column).type)
    changed = set()
    try:
        for file in changed_files(store, table, since + 1, until):
            values = file.get("partitionValues")
            if values is None or column not in values:
                return EVERYTHING
            value = values[column]
            changed.add(date.fromisoformat(value) if is_date and value is not None else value)
    except FileNotFoundError:
        return EVERYTHING
    return frozenset(changed)


def has_changed(store: Store, table: Table, since: int, until: int, but_by: str = "") -> bool:
    """Whether rows may differ between two versions.

    Args:
        since: the version that is known already, exclusive.
        until: the last version that is compared, inclusive.
        but_by: commits that record a transaction of this application do not count.
    """
    if since > until:
        return True
    try:
        for version in range(since + 1, until + 1):
            actions = list(_actions(store, table, version))
            by = {action["txn"]["appId"] for action in actions if "txn" in action}
            if but_by not in by and any(_changed_file(action) for action in actions):
                return True
    except FileNotFoundError:
        return True
    return False


def unchanged_since(store: Store, table: Table, version: int) -> int:
    """The oldest version with the same rows as `version`; maintenance commits change none."""
    try:
        while version > 0 and not any(map(_changed_file, _actions(store, table, version))):
            version -= 1
    except FileNotFoundError:
        pass
    return version


def changed_files(store: Store, table: Table, first: int, last: int) -> Iterator[dict[str, Any]]:
    """The actions on files, added or removed, of commits that changed rows.

    Raises:
        FileNotFoundError: the log does not reach back to `first`.
    """
    for version in range(first, last + 1):
        for action in _actions(store, table, version):
            if file := _changed_file(action):
                yield file


def _changed_file(action: dict[str, Any]) -> dict[str, Any] | None:
    file: dict[str, Any] | None = action.get("add") or action.get("remove")
    return file if file is not None and file.get("dataChange", True) else None


def _actions(store: Store, table: Table, version: int) -> Iterator[dict[str, Any]]:
    for line in store.read(*table.path, "_delta_log", f"{version:020d}.json").splitlines():
        if line.strip():
            yield json.loads(line)
