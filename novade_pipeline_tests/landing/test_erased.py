"""Loads after somebody was erased: the rows stay away, and every line is still accounted for."""

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from novade_pipeline.lake.tombstones import TombstoneRegistry
from novade_pipeline.landing.line_counts import LineTotals
from novade_pipeline.landing.reconciliation import differences
from novade_pipeline.privacy.identifiers import EMAIL, Identifier
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline_tests.byte_search import files_with
from novade_pipeline_tests.landing.plays import play

Shop = Any
ADA = "ada@example.com"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _policy(shop: Shop, mode: Any = "keep", key: bytes = b"") -> PersonalDataPolicy:
    book = TombstoneRegistry(shop.lake, key)
    book.add([Identifier(EMAIL, ADA), Identifier("user_id", "U-1")], NOW)
    return PersonalDataPolicy(mode, key, book)


def test_lines_of_erased_persons_are_counted_and_no_rows(shop: Shop) -> None:
    ada, id_one = play("a", user_id=ADA), play("b", user_id="U-1")
    broken = f'{{"user_id": "{ADA}"'.encode()
    shop.land(shop.name(0), ada, play("c"), b"", b"{", ada, broken, id_one)
    shop.land(shop.name(1), play("d", user_id="U-2"))
    report = shop.load(policy=_policy(shop))
    assert report.lines == LineTotals(
        files=2, lines=8, rows=2, repeated=1, quarantined=1, blank=1, erased=3
    )
    assert [row["uuid"] for row in shop.rows()] == ["c", "d"]
    assert [row["line"] for row in shop.quarantine()] == [4]
    erased = {name: row["erased"] for name, row in shop.ledger().items()}
    assert erased == {shop.name(0): 3, shop.name(1): 0}
    assert differences(shop.lake, shop.source) == []
    assert files_with(shop.lake, ADA) == []


def test_a_reload_leaves_them_out_again_and_nothing_is_wanted_because_of_them(shop: Shop) -> None:
    shop.land(shop.name(0), play("a", user_id=ADA), play("c"))
    shop.load()
    policy = _policy(shop)
    assert shop.plan().is_empty
    shop.load(policy=policy, reload=True)
    assert [row["uuid"] for row in shop.rows()] == ["c"]
    before = shop.state()
    shop.land(shop.name(0), play("a", user_id=ADA), play("c"))
    shop.load(policy=policy)
    assert shop.rows() == before["rows"]


@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_they_are_left_out_under_any_policy(shop: Shop, mode: Any) -> None:
    shop.land(shop.name(0), play("a", user_id=ADA), play("b", user_id="U-1"), play("c"))
    shop.load(policy=_policy(shop, mode, b"a key"))
    assert [row["uuid"] for row in shop.rows()] == ["c"]


def test_an_address_in_somebody_elses_row_is_replaced(shop: Shop) -> None:
    shop.land(shop.name(0), play("a", user_id="U-2", properties={"invited": ADA.title()}))
    shop.load(policy=_policy(shop))
    (row,) = shop.rows()
    assert json.loads(row["properties"]) == {"invited": "erased"}


def test_a_damaged_file_that_names_them_is_refused_and_its_bytes_are_not_kept(shop: Shop) -> None:
    damaged = gzip.compress(play("a", user_id=ADA) + b"\n", mtime=0)[:-6]
    shop.upload(shop.name(0), damaged)
    shop.upload(shop.name(1), gzip.compress(play("b", user_id="U-2") + b"\n", mtime=0)[:-6])
    report = shop.load(policy=_policy(shop))
    assert report.lines.refused_files == 2
    assert [row["raw"] is None for row in shop.quarantine()] == [True, False]
