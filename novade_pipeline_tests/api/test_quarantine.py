"""Bad items of an API stand in its quarantine until what they stand for is read again."""

from datetime import UTC, datetime
from typing import Any

import pytest

from novade_pipeline.api.items import BadItem, bad_item
from novade_pipeline.api.quarantine import quarantine, replace_rejected
from novade_pipeline.lake.delta import current_version
from novade_pipeline.lake.read import read
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline_tests.places import NewStore

NOW = datetime(2026, 11, 25, tzinfo=UTC)
TABLE = quarantine("tested")
KEEP = PersonalDataPolicy()


def _bad(place: str, position: int = 1) -> BadItem:
    return bad_item(
        {"email": "a@b.example"}, place, 1, position, "email: expected a list, found text"
    )


def test_what_is_read_again_replaces_what_stood_for_it_and_nothing_else(
    new_store: NewStore,
) -> None:
    lake = new_store("lake")
    items = [_bad("items/1"), _bad("items/2"), _bad("items/2", 2)]
    replace_rejected(lake, TABLE, "items", items, KEEP, NOW, ["items/1", "items/2"])
    replace_rejected(lake, TABLE, "others", [_bad("items/1")], KEEP, NOW)
    replace_rejected(lake, TABLE, "items", [_bad("items/3")], KEEP, NOW, ["items/2", "items/3"])
    rows = read(lake, TABLE).to_pylist()
    assert sorted((row["source"], row["place"]) for row in rows) == [
        ("items", "items/1"),
        ("items", "items/3"),
        ("others", "items/1"),
    ]
    replace_rejected(lake, TABLE, "items", [], KEEP, NOW)
    assert [row["source"] for row in read(lake, TABLE).to_pylist()] == ["others"]


def test_the_same_items_are_not_written_again(new_store: NewStore) -> None:
    lake = new_store("lake")
    assert replace_rejected(lake, TABLE, "items", [], KEEP, NOW) is None
    assert current_version(lake, TABLE) is None
    replace_rejected(lake, TABLE, "items", [_bad("items/1")], KEEP, NOW)
    before = current_version(lake, TABLE)
    assert replace_rejected(lake, TABLE, "items", [_bad("items/1")], KEEP, NOW) is None
    assert current_version(lake, TABLE) == before


@pytest.mark.parametrize(("mode", "is_kept"), [("keep", True), ("hash", False), ("drop", False)])
def test_what_an_item_holds_is_there_only_where_personal_data_is_kept(
    new_store: NewStore, mode: Any, is_kept: bool
) -> None:
    lake = new_store("lake")
    policy = PersonalDataPolicy(mode, b"key")
    replace_rejected(lake, TABLE, "items", [_bad("items/1")], policy, NOW)
    (row,) = read(lake, TABLE).to_pylist()
    assert (row["raw"] is not None) == is_kept
    assert row["raw_bytes"] == len(b'{"email": "a@b.example"}')
