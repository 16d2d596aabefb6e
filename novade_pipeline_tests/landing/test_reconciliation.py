"""Whether the table and the ledger agree: told from the log, and file by file where they do not."""

from typing import Any

import pytest
from deltalake import DeltaTable

from novade_pipeline.landing import reconciliation
from novade_pipeline.landing.reconciliation import Difference, differences
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline_tests.landing.plays import play
from novade_pipeline_tests.places import clear

Shop = Any
FOLDER = "shop/plays"


def _found(shop: Shop) -> list[tuple[str, str, int, int]]:
    return [
        (d.table.path[-1], d.place.rsplit("/", 1)[-1], d.rows, d.recorded)
        for d in differences(shop.lake, shop.source)
    ]


def _loaded(shop: Shop) -> None:
    """Two hours before midnight and one after it, with lines of all kinds."""
    shop.land(shop.name(0), play("a"), play("a"), b"{", b"", play("b"))
    shop.land(shop.name(1), play("c"))
    shop.land(shop.name(2), play("d"), play("e"))
    shop.upload(shop.name(1, 1), b"text")
    shop.land("stray.json.gz", play("f"))
    shop.load()


def test_nothing_was_ever_loaded(shop: Shop) -> None:
    assert _found(shop) == []


def test_they_agree_after_loads_of_every_kind(shop: Shop) -> None:
    _loaded(shop)
    assert _found(shop) == []
    shop.land(shop.name(0), play("b"))
    shop.remove(shop.name(1))
    shop.load()
    assert _found(shop) == []
    shop.load(reload=True, policy=PersonalDataPolicy("drop"))
    assert _found(shop) == []


def test_rows_of_files_that_are_gone_with_the_ledger_are_named(shop: Shop) -> None:
    _loaded(shop)
    clear(shop.lake, "shop", "files")
    shop.remove(shop.name(0))
    shop.remove(shop.name(2))
    shop.load()
    assert shop.uuids() == ["a", "b", "c", "d", "e"]
    assert _found(shop) == [
        ("plays", shop.name(0), 2, 0),
        ("plays", shop.name(2), 2, 0),
        ("quarantine", shop.name(0), 1, 0),
    ]


def test_an_hour_that_is_loaded_again_has_no_rows_of_files_that_are_gone(shop: Shop) -> None:
    _loaded(shop)
    shop.upload(shop.name(2, 1), b"text")
    clear(shop.lake, "shop", "files")
    shop.remove(shop.name(2))
    shop.load()
    assert (shop.uuids(), _found(shop)) == (["a", "b", "c"], [])


def test_what_landed_again_explains_its_rows(shop: Shop) -> None:
    _loaded(shop)
    aside = shop.remove(shop.name(0))
    clear(shop.lake, "shop", "files")
    shop.load()
    assert len(_found(shop)) == 2
    shop.upload(shop.name(0), aside)
    shop.load()
    assert _found(shop) == []


def test_rows_that_another_program_took_away_are_missing(shop: Shop) -> None:
    _loaded(shop)
    target = DeltaTable(shop.lake.table_url(FOLDER), storage_options=shop.lake.options())
    target.delete("uuid = 'd'")
    assert _found(shop) == [("plays", shop.name(2), 1, 2)]


def test_a_table_that_was_deleted_lacks_every_row(shop: Shop) -> None:
    _loaded(shop)
    clear(shop.lake, *FOLDER.split("/"))
    assert _found(shop) == [
        ("plays", shop.name(0), 0, 2),
        ("plays", shop.name(1), 0, 1),
        ("plays", shop.name(2), 0, 2),
    ]


def test_a_quarantine_that_was_deleted_lacks_every_row(shop: Shop) -> None:
    _loaded(shop)
    clear(shop.lake, "shop", "quarantine")
    assert _found(shop) == [
        ("quarantine", shop.name(0), 0, 1),
        ("quarantine", shop.name(1, 1), 0, 1),
        ("quarantine", "stray.json.gz", 0, 1),
    ]


def test_one_row_of_the_ledger_that_is_gone_is_found(shop: Shop) -> None:
    _loaded(shop)
    target = DeltaTable(shop.lake.table_url("shop/files"), storage_options=shop.lake.options())
    target.delete(f"file = '{FOLDER}/{shop.name(1)}'")
    assert _found(shop) == [("plays", shop.name(1), 1, 0)]


def test_no_row_is_read_where_they_agree(shop: Shop) -> None:
    _loaded(shop)
    for entry in shop.lake.entries(f"{FOLDER}/"):
        if entry.file.endswith(".parquet"):
            shop.lake.delete(entry.file)
    assert _found(shop) == []


def test_of_many_days_only_the_first_are_looked_into(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _loaded(shop)
    clear(shop.lake, "shop", "files")
    monkeypatch.setattr(reconciliation, "MAX_DAYS", 1)
    unequal = differences(shop.lake, shop.source)
    of_table = [d for d in unequal if d.table is shop.source.table]
    assert [d.place.rsplit("/", 1)[-1] for d in of_table[:2]] == [shop.name(0), shop.name(1)]
    assert of_table[2:] == [Difference(shop.source.table, "2026-03-02", 2, 0)]
