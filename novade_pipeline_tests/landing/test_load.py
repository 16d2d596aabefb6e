"""Loading landed files: whole hours, exactly once, every line accounted for."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from novade_pipeline.errors import TransientFailure
from novade_pipeline.lake.delta import current_version, replace_window
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing import load as load_module
from novade_pipeline.landing.line_counts import LineTotals
from novade_pipeline.landing.load import load
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline_tests.landing.plays import play

Shop = Any
HourOf = Callable[[int], Any]


def _versions(shop: Shop) -> list[int | None]:
    tables = (shop.source.table, shop.source.ledger, shop.source.quarantine)
    return [current_version(shop.lake, table) for table in tables]


def test_what_landed_is_in_the_table(shop: Shop, hour: HourOf) -> None:
    shop.land(shop.name(0), play("a"), play("b"))
    shop.land(shop.name(3), play("c"))
    report = shop.load()
    assert [(r["uuid"], r["upload_hour"], r["line"]) for r in shop.rows()] == [
        ("a", hour(0), 1),
        ("b", hour(0), 2),
        ("c", hour(3), 1),
    ]
    assert report.lines == LineTotals(files=2, lines=3, rows=3)
    assert (report.hours, report.changed) == (2, True)


def test_a_second_load_does_nothing(shop: Shop) -> None:
    shop.land(shop.name(0), play("a"), b"{")
    shop.land("stray.json.gz", play("a"))
    shop.load()
    before = _versions(shop)
    assert shop.plan().is_empty
    assert not shop.load().changed
    assert _versions(shop) == before


def test_every_line_is_accounted_for(shop: Shop) -> None:
    shop.land(shop.name(0), play("a"), b"", b"{", play("a"), b" ", b"\xff", play("b"))
    report = shop.load()
    assert report.lines == LineTotals(files=1, lines=7, rows=2, repeated=1, quarantined=2, blank=2)
    row = shop.ledger()[shop.name(0)]
    counts = [row[n] for n in ("lines", "rows", "repeated", "quarantined", "blank")]
    assert counts == [7, 2, 1, 2, 2]


def test_within_an_hour_the_first_copy_stands(shop: Shop) -> None:
    shop.land(shop.name(0, 1), play("b", share=1), play("c"))
    shop.land(shop.name(0, 0), play("a"), play("b", share=0))
    shop.load()
    assert [(row["uuid"], row["share"]) for row in shop.rows()] == [
        ("a", None),
        ("b", 0.0),
        ("c", None),
    ]
    assert shop.ledger()[shop.name(0, 1)]["repeated"] == 1


def test_across_hours_every_copy_stands(shop: Shop) -> None:
    shop.land(shop.name(0), play("a"))
    shop.land(shop.name(1), play("a"))
    shop.load()
    assert shop.uuids() == ["a", "a"]


def test_a_reexported_hour_replaces_the_first_export(shop: Shop) -> None:
    shop.land(shop.name(0), play("a"), play("b"))
    shop.land(shop.name(1), play("c"))
    shop.load()
    shop.land(shop.name(0), play("b"))
    report = shop.load()
    assert (shop.uuids(), report.hours) == (["b", "c"], 1)


def test_a_copy_stands_again_when_the_one_before_it_is_taken_away(shop: Shop) -> None:
    shop.land(shop.name(0, 0), play("a"))
    shop.land(shop.name(0, 1), play("a"), play("b"))
    shop.load()
    shop.land(shop.name(0, 0), play("c"))
    shop.load()
    assert shop.uuids() == ["c", "a", "b"]


def test_a_new_part_of_an_hour_leaves_the_other_parts_rows(shop: Shop) -> None:
    shop.land(shop.name(0, 0), play("a"))
    shop.load()
    shop.land(shop.name(0, 1), play("b"))
    shop.load()
    assert shop.uuids() == ["a", "b"]


def test_a_file_that_is_gone_takes_its_rows_with_it(shop: Shop) -> None:
    shop.land(shop.name(0), play("a"), b"{")
    shop.land(shop.name(1), play("b"), b"{")
    shop.load()
    shop.remove(shop.name(1))
    shop.load()
    assert shop.uuids() == ["a"]
    assert list(shop.ledger()) == [shop.name(0)]
    assert [row["file"].endswith(shop.name(0)) for row in shop.quarantine()] == [True]


def test_a_file_that_is_gone_keeps_its_rows_within_the_grace_period(shop: Shop) -> None:
    shop.land(shop.name(0), play("a"))
    shop.load()
    shop.remove(shop.name(0))
    grace = timedelta(days=1)
    shop.load(grace=grace)
    assert shop.uuids() == ["a"]
    assert shop.ledger()[shop.name(0)]["missing_since"] is not None
    assert shop.plan(grace=grace).is_empty
    shop.load()
    assert (shop.uuids(), shop.ledger()) == ([], {})


def test_a_file_that_comes_back_is_not_missed_any_more(shop: Shop) -> None:
    shop.land(shop.name(0), play("a"))
    shop.load()
    aside = shop.remove(shop.name(0))
    shop.load(grace=timedelta(days=1))
    shop.upload(shop.name(0), aside)
    shop.load(grace=timedelta(days=1))
    assert shop.ledger()[shop.name(0)]["missing_since"] is None


def test_only_the_window_is_loaded(shop: Shop, hour: HourOf) -> None:
    for number in range(4):
        shop.land(shop.name(number), play(str(number)))
    shop.load(Window(hour(1), hour(3)))
    assert shop.uuids() == ["1", "2"]
    shop.load()
    assert shop.uuids() == ["0", "1", "2", "3"]


def test_rows_between_two_windows_are_left_alone(shop: Shop) -> None:
    for number in range(3):
        shop.land(shop.name(number), play(f"{number}"))
    shop.load()
    for number in (0, 2):
        shop.land(shop.name(number), play(f"new {number}"))
    shop.load()
    assert shop.uuids() == ["new 0", "1", "new 2"]


def test_everything_is_loaded_again_on_demand(shop: Shop) -> None:
    shop.land(shop.name(0), play("a"), b"{")
    shop.load()
    before = shop.state()
    assert shop.load(reload=True).hours == 1
    assert shop.state() == before


def test_two_sources_share_a_ledger_and_keep_out_of_each_others_rows(shop: Shop) -> None:
    others = replace(shop.source, name="others", folder="shop/others")
    shop.upload(shop.name(0), b"text", others.folder)
    shop.land(shop.name(0), b"{")
    shop.load()
    shop.load(source=replace(others, table=replace(others.table, name="shop/others")))
    shop.land(shop.name(0), play("a"))
    shop.load()
    assert [row["source"] for row in shop.quarantine()] == ["others"]
    assert len(shop.ledger()) == 1
    assert shop.plan().is_empty


def test_a_long_load_commits_slices_of_whole_hours(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_module, "COMMIT_DAYS", 1)
    for number in range(0, 80, 8):
        shop.land(shop.name(number), play(str(number)), b"{")
    messages: list[str] = []
    report = load(
        shop.source,
        shop.landing,
        shop.lake,
        PersonalDataPolicy(),
        shop.plan(),
        messages.append,
    )
    assert len(report.receipts) == len(messages) == 4
    assert report.lines == LineTotals(files=10, lines=20, rows=10, quarantined=10)
    assert messages[-1] == "shop/plays: 4 commits, 10 files, 10 rows"
    monkeypatch.undo()
    assert shop.state() == shop.state_from_nothing()


def test_a_file_that_changed_since_the_listing_stops_the_load_before_its_commit(
    shop: Shop,
) -> None:
    shop.land(shop.name(0), play("a"))
    plan = shop.plan()
    shop.land(shop.name(0), play("b"))
    with pytest.raises(TransientFailure, match="changed while it was read"):
        load(shop.source, shop.landing, shop.lake, PersonalDataPolicy(), plan)
    assert (shop.rows(), shop.ledger()) == ([], {})
    shop.load()
    assert shop.uuids() == ["b"]


@pytest.mark.parametrize("written", ["quarantine", "quarantine and rows"])
def test_a_load_that_was_cut_off_between_commits_is_done_again(
    written: str, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at = shop.source.table.name if written == "quarantine" else shop.source.ledger.name

    def cut_off(store: Any, table: Any, rows: Any, *more: Any, **others: Any) -> Any:
        if table.name == stop_at:
            list(rows.to_batches() if hasattr(rows, "to_batches") else rows)
            raise ConnectionResetError
        return replace_window(store, table, rows, *more, **others)

    shop.land(shop.name(0), play("a"), b"{")
    with monkeypatch.context() as patch:
        patch.setattr(load_module, "replace_window", cut_off)
        with pytest.raises(ConnectionResetError):
            shop.load()
    assert len(shop.quarantine()) == 1
    assert len(shop.rows()) == (written != "quarantine")
    shop.load()
    assert shop.state() == shop.state_from_nothing()
