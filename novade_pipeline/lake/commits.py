"""Marks by which a writer knows its own commit in the log of a Delta table.

Where storage has done a commit but its answer is lost, delta-rs asks again, is told that the
version is there already, and takes its own commit for another writer's. The log knows better.
Source: the Delta protocol,
https://github.com/delta-io/delta/blob/master/PROTOCOL.md#commit-provenance-information.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from novade_pipeline.lake.table import Table
from novade_pipeline.storage import Store

MARK = "novade.write"


@dataclass(frozen=True)
class Commit:
    """One entry of the log.

    Attributes:
        version: of the table.
        metrics: what the operation counted, as delta-rs names it.
    """

    version: int
    metrics: Mapping[str, int]


def new_mark() -> dict[str, str]:
    """Custom metadata for a commit that no other commit has."""
    return {MARK: uuid.uuid4().hex}


def find_commit(store: Store, table: Table, mark: Mapping[str, str], since: int) -> Commit | None:
    """The commit that carries a mark; None where there is none.

    Args:
        mark: from `new_mark`.
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
            told: dict[str, Any] = action.get("commitInfo", {})
            if told.get(MARK) == mark[MARK]:
                return Commit(version, told.get("operationMetrics", {}))
