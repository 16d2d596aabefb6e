"""Marts are published where they changed, once, and whatever was cut off or damaged before."""

import shutil
from typing import Any

import pytest

from novade_pipeline.defs.marts import refresh as refresh_module
from novade_pipeline.defs.marts.project import Project
from novade_pipeline_tests.defs.marts.stored_marts import (
    published_table,
    published_versions,
    query_warehouse,
)
from novade_pipeline_tests.places import clear, on_disk

World = Any


def test_only_touched_hours_are_published(built: World, project: Project) -> None:
    built.land(5, built.event("new", 5.0))
    built.write()
    done = built.refresh(project)
    receipt = done.marts["event_enhanced"].published.receipt
    assert (receipt.rows, receipt.files) == (1, 1)
    assert done.marts["sessions"].published.receipt.rows < len(built.marts()["sessions"])
    assert built.published() == built.marts()


@on_disk
def test_a_publication_that_was_cut_off_is_done_by_the_next_refresh(
    built: World, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    built.land(5, built.event("new", 5.0))
    built.write()

    def die(*args: Any) -> Any:
        raise OSError("the lake is gone")

    with monkeypatch.context() as patched:
        patched.setattr(refresh_module, "publish", die)
        with pytest.raises(OSError, match="gone"):
            built.refresh(project)
    assert built.published() != built.marts()
    done = built.refresh(project)
    assert done.marts["sessions"].reason is None
    assert not done.marts["sessions"].is_unchanged
    assert built.published() == built.marts() == built.whole(project)


def test_a_publication_that_was_not_noted_is_not_done_again(built: World, project: Project) -> None:
    versions = published_versions(built)
    query_warehouse(built, "delete from novade.published")
    assert all(mart.is_unchanged for mart in built.refresh(project).marts.values())
    assert published_versions(built) == versions


@pytest.mark.parametrize(
    ("new_store", "harm"),
    [("disk", "deleted"), ("disk", "written by others"), ("azurite", "deleted")],
    indirect=["new_store"],
)
def test_a_published_mart_that_another_writer_damaged_is_published_again(
    built: World, project: Project, harm: str
) -> None:
    if harm == "deleted":
        clear(built.lake, "marts", "event_enhanced")
    else:
        published_table(built, "marts", "event_enhanced").delete("uuid = 'a'")
    built.land(5, built.event("new", 5.0))
    built.write()
    built.refresh(project)
    assert built.published() == built.marts()


@on_disk
def test_a_warehouse_restored_from_a_copy_publishes_its_own_future(
    built: World, project: Project
) -> None:
    copy = built.root / "copy.duckdb"
    shutil.copy(built.warehouse, copy)
    for hour in (5, 6):
        built.land(hour, built.event(f"new{hour}", hour))
        built.write()
        built.refresh(project)
    shutil.copy(copy, built.warehouse)
    built.refresh(project)
    assert built.published() == built.marts() == built.whole(project)
