"""A table with a key for the tests of merges, and rows for it."""

from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa
import pytest
from pydantic import BaseModel, Field

from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.draft import Draft
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store


class User(BaseModel):
    """A user."""

    id: str = Field(description="Names the user.")
    changed: int = Field(description="When it last changed.")
    name: str | None = Field(None, description="What it is called.")
    is_deleted: bool = Field(False, description="It is gone.")


USERS = Table(name="shop/users", row=User, key=("id",), write_mode="merge", version="changed")


def users(*rows: tuple[str, int, str | None, bool]) -> pa.Table:
    names = ("id", "changed", "name", "is_deleted")
    return pa.Table.from_pylist([dict(zip(names, r, strict=True)) for r in rows], USERS.schema)


def numbered(numbers: Iterable[int], changed: int = 1) -> pa.Table:
    return users(*((f"{n:04}", changed, f"name {changed}", False) for n in numbers))


def files_of(lake: Store) -> dict[str, tuple[int, str, str]]:
    """Path -> rows, least and greatest key."""
    found = open_table(lake, USERS)
    assert found is not None
    files = pa.table(found.get_add_actions(flatten=True)).to_pylist()
    return {f["path"]: (f["num_records"], f["min.id"], f["max.id"]) for f in files}


def standing(lake: Store) -> list[tuple[str, int]]:
    return sorted((row["id"], row["changed"]) for row in read(lake, USERS).to_pylist())


def before_the_commit(monkeypatch: pytest.MonkeyPatch, other: Callable[[], object]) -> None:
    """Do something once, when the next merge has all its files and is about to commit."""
    commit, waiting = Draft.commit, [other]

    def late(self: Draft, *args: Any, **options: Any) -> int:
        while waiting:
            waiting.pop()()
        return commit(self, *args, **options)

    monkeypatch.setattr(Draft, "commit", late)


def joined_by_delta_rs(lake: Store) -> None:
    found = open_table(lake, USERS)
    assert found is not None
    found.optimize.compact()
