"""Listing landed files, and reading one exactly as it was listed."""

import os
from datetime import UTC, datetime
from typing import Any

import pytest

from novade_pipeline.errors import TransientFailure
from novade_pipeline.landing.files import LandedFile, list_files, open_landed
from novade_pipeline_tests.places import NewStore, on_disk

Shop = Any
FOLDER = "shop/plays"


def _list(shop: Shop) -> list[LandedFile]:
    return list_files(shop.landing, [f"{FOLDER}/"], shop.source.hour_of)


def test_files_are_listed_by_hour_and_name(shop: Shop) -> None:
    # As text, 9h comes after 10h.
    names = ["2026-03-02_9#0.json.gz", "2026-03-02_10#1.json.gz", "2026-03-02_10#0.json.gz"]
    for name in names:
        shop.land(name, b"x")
    assert [file.name for file in _list(shop)] == [names[0], names[2], names[1]]


def test_a_file_is_named_below_the_landing_zone(shop: Shop) -> None:
    shop.land(shop.name(0), b"x")
    (file,) = _list(shop)
    assert file.file == f"{FOLDER}/{shop.name(0)}"
    assert file.hour == datetime(2026, 3, 1, 22, tzinfo=UTC)


def test_a_name_that_says_no_hour_is_listed_first(shop: Shop) -> None:
    shop.land(shop.name(0), b"x")
    shop.land("zz export.json.gz", b"x")
    assert [file.hour is None for file in _list(shop)] == [True, False]


def test_files_in_folders_below_are_listed(shop: Shop) -> None:
    shop.upload(shop.name(0), b"x", f"{FOLDER}/2026/march")
    assert [file.file for file in _list(shop)] == [f"{FOLDER}/2026/march/{shop.name(0)}"]


@pytest.mark.parametrize("name", [".hidden.gz", "_SUCCESS", "._2026-03-01_22#0.json.gz"])
def test_an_upload_in_progress_is_left_alone(name: str, shop: Shop) -> None:
    shop.upload(name, b"x")
    assert _list(shop) == []


def test_a_folder_that_is_not_there_has_no_files(new_store: NewStore) -> None:
    assert list_files(new_store("landing"), [f"{FOLDER}/"], lambda _: None) == []


def test_another_export_has_another_etag_though_its_size_is_the_same(shop: Shop) -> None:
    shop.land(shop.name(0), b"x")
    (before,) = _list(shop)
    shop.land(shop.name(0), b"y")
    (after,) = _list(shop)
    assert before.size == after.size
    assert before.etag != after.etag


def test_a_file_that_is_left_alone_keeps_its_etag(shop: Shop) -> None:
    shop.land(shop.name(0), b"x")
    assert _list(shop) == _list(shop)


def test_a_name_with_reserved_characters_is_read(shop: Shop) -> None:
    name = "100% #1? é [x]*.json.gz"
    shop.upload(name, b"content")
    (file,) = _list(shop)
    assert file.name == name
    with open_landed(shop.landing, file) as stream:
        assert stream.read() == b"content"


def test_a_file_that_changed_since_the_listing_is_a_failure_that_passes(shop: Shop) -> None:
    shop.upload(shop.name(0), b"x")
    (file,) = _list(shop)
    shop.upload(shop.name(0), b"y")

    def read() -> None:
        with open_landed(shop.landing, file) as stream:
            stream.read()

    with pytest.raises(TransientFailure, match="changed while it was read"):
        read()


# Azure reads the version that was asked for, to its end; of a disk it is known only afterwards.
@on_disk
def test_a_file_on_a_disk_that_changes_while_it_is_read_is_a_failure_that_passes(
    shop: Shop,
) -> None:
    shop.upload(shop.name(0), b"x")
    (file,) = _list(shop)

    def read() -> None:
        with open_landed(shop.landing, file) as stream:
            stream.read()
            os.utime(shop.landing.path(file.file), (1, 1))

    with pytest.raises(TransientFailure, match="changed while it was read"):
        read()
