"""Loading landed files: whole hours, exactly once, every line accounted for."""

import gzip
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novade_pipeline.errors import TransientFailure
from novade_pipeline.lake.delta import current_version, replace_window
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing import load as load_module
from novade_pipeline.landing.load import Lines, load
from novade_pipeline.personal_data import PersonalDataPolicy
from novade_pipeline.sandbox.amplitude_exports import land_bulk
from novade_pipeline_tests.places import on_disk

Shop = Any
HourOf = Callable[[int], Any]
HASH = PersonalDataPolicy("hash", b"a key")


def _play(uuid: str, **fields: str) -> bytes:
    told = "".join(f',"{name}":{value}' for name, value in fields.items())
    return f'{{"uuid":"{uuid}"{told}}}'.encode()


def _uuids(shop: Shop) -> list[str]:
    return [row["uuid"] for row in shop.rows()]


def _versions(shop: Shop) -> list[int | None]:
    tables = (shop.source.table, shop.source.ledger, shop.source.quarantine)
    return [current_version(shop.lake, table) for table in tables]


def test_what_landed_is_in_the_table(shop: Shop, hour: HourOf) -> None:
    shop.land(shop.name(0), _play("a"), _play("b"))
    shop.land(shop.name(3), _play("c"))
    report = shop.load()
    assert [(r["uuid"], r["upload_hour"], r["line"]) for r in shop.rows()] == [
        ("a", hour(0), 1),
        ("b", hour(0), 2),
        ("c", hour(3), 1),
    ]
    assert report.lines == Lines(files=2, lines=3, rows=3)
    assert (report.hours, report.changed) == (2, True)


def test_a_second_load_does_nothing(shop: Shop) -> None:
    shop.land(shop.name(0), _play("a"), b"{")
    shop.land("stray.json.gz", _play("a"))
    shop.load()
    before = _versions(shop)
    assert shop.wanted().is_empty
    assert not shop.load().changed
    assert _versions(shop) == before


def test_every_line_is_accounted_for(shop: Shop) -> None:
    shop.land(shop.name(0), _play("a"), b"", b"{", _play("a"), b" ", b"\xff", _play("b"))
    report = shop.load()
    assert report.lines == Lines(files=1, lines=7, rows=2, repeated=1, quarantined=2, blank=2)
    row = shop.ledger()[shop.name(0)]
    counts = [row[n] for n in ("lines", "rows", "repeated", "quarantined", "blank")]
    assert counts == [7, 2, 1, 2, 2]


def test_within_an_hour_the_first_copy_stands(shop: Shop) -> None:
    shop.land(shop.name(0, 1), _play("b", share="1"), _play("c"))
    shop.land(shop.name(0, 0), _play("a"), _play("b", share="0"))
    shop.load()
    assert [(row["uuid"], row["share"]) for row in shop.rows()] == [
        ("a", None),
        ("b", 0.0),
        ("c", None),
    ]
    assert shop.ledger()[shop.name(0, 1)]["repeated"] == 1


def test_across_hours_every_copy_stands(shop: Shop) -> None:
    shop.land(shop.name(0), _play("a"))
    shop.land(shop.name(1), _play("a"))
    shop.load()
    assert _uuids(shop) == ["a", "a"]


def test_a_reexported_hour_replaces_the_first_export(shop: Shop) -> None:
    shop.land(shop.name(0), _play("a"), _play("b"))
    shop.land(shop.name(1), _play("c"))
    shop.load()
    shop.land(shop.name(0), _play("b"))
    report = shop.load()
    assert (_uuids(shop), report.hours) == (["b", "c"], 1)


def test_a_copy_stands_again_when_the_one_before_it_is_taken_away(shop: Shop) -> None:
    shop.land(shop.name(0, 0), _play("a"))
    shop.land(shop.name(0, 1), _play("a"), _play("b"))
    shop.load()
    shop.land(shop.name(0, 0), _play("c"))
    shop.load()
    assert _uuids(shop) == ["c", "a", "b"]


def test_a_new_part_of_an_hour_leaves_the_other_parts_rows(shop: Shop) -> None:
    shop.land(shop.name(0, 0), _play("a"))
    shop.load()
    shop.land(shop.name(0, 1), _play("b"))
    shop.load()
    assert _uuids(shop) == ["a", "b"]


def test_a_file_that_is_gone_takes_its_rows_with_it(shop: Shop) -> None:
    shop.land(shop.name(0), _play("a"), b"{")
    shop.land(shop.name(1), _play("b"), b"{")
    shop.load()
    shop.remove(shop.name(1))
    shop.load()
    assert _uuids(shop) == ["a"]
    assert list(shop.ledger()) == [shop.name(0)]
    assert [row["file"].endswith(shop.name(0)) for row in shop.quarantine()] == [True]


def test_a_file_that_is_gone_keeps_its_rows_within_the_grace_period(shop: Shop) -> None:
    shop.land(shop.name(0), _play("a"))
    shop.load()
    shop.remove(shop.name(0))
    grace = timedelta(days=1)
    shop.load(grace=grace)
    assert _uuids(shop) == ["a"]
    assert shop.ledger()[shop.name(0)]["missing_since"] is not None
    assert shop.wanted(grace=grace).is_empty
    shop.load()
    assert (_uuids(shop), shop.ledger()) == ([], {})


def test_a_file_that_comes_back_is_not_missed_any_more(shop: Shop) -> None:
    shop.land(shop.name(0), _play("a"))
    shop.load()
    aside = shop.remove(shop.name(0))
    shop.load(grace=timedelta(days=1))
    shop.put(shop.name(0), aside)
    shop.load(grace=timedelta(days=1))
    assert shop.ledger()[shop.name(0)]["missing_since"] is None


def test_a_damaged_file_is_refused_whole_and_its_neighbours_are_loaded(shop: Shop) -> None:
    shop.land(shop.name(0), _play("a"))
    broken = gzip.compress(_play("b") + b"\n")[:-6]
    shop.put(shop.name(0, 1), broken)
    shop.put(shop.name(1), b"text")
    report = shop.load()
    assert _uuids(shop) == ["a"]
    assert report.lines == Lines(files=3, lines=1, rows=1, refused_files=2)
    assert [(r["line"], r["reason"], r["raw"], r["raw_bytes"]) for r in shop.quarantine()] == [
        (0, "gzip ends early", broken, len(broken)),
        (0, "not gzip", b"text", 4),
    ]


def test_a_damaged_file_that_is_mended_leaves_quarantine(shop: Shop) -> None:
    shop.put(shop.name(0), b"text")
    shop.load()
    shop.land(shop.name(0), _play("a"))
    shop.load()
    assert (_uuids(shop), shop.quarantine()) == (["a"], [])
    assert not shop.ledger()[shop.name(0)]["refused"]


def test_bad_lines_leave_quarantine_with_their_file(shop: Shop) -> None:
    shop.land(shop.name(0), b"{", _play("a"))
    shop.land(shop.name(1), b"{")
    shop.load()
    shop.land(shop.name(0), _play("a"))
    shop.load()
    assert [(row["file"].rsplit("/", 1)[-1]) for row in shop.quarantine()] == [shop.name(1)]


def test_a_name_that_says_no_hour_is_in_quarantine_whole(shop: Shop) -> None:
    shop.land("export of march.json.gz", _play("a"))
    report = shop.load()
    assert (report.lines.refused_files, _uuids(shop)) == (1, [])
    (row,) = shop.quarantine()
    assert row["reason"] == "expected a name like 2026-03-01_22#0.json.gz, found another"
    assert (row["line"], row["upload_hour"]) == (0, None)


def test_a_stray_file_that_is_gone_leaves_quarantine_and_ledger(shop: Shop) -> None:
    shop.land("stray.json.gz", _play("a"))
    shop.load()
    shop.remove("stray.json.gz")
    shop.load()
    assert (shop.quarantine(), shop.ledger()) == ([], {})
    assert shop.wanted().is_empty


def test_a_day_before_the_history_starts_is_in_quarantine_until_history_starts_earlier(
    shop: Shop, hour: HourOf
) -> None:
    shop.land(shop.name(0), _play("a"))
    later = hour(48).date()
    shop.load(first_day=later)
    assert _uuids(shop) == []
    (row,) = shop.quarantine()
    assert row["reason"].startswith("expected an hour from NOVADE_HISTORY_START to now")
    shop.load()
    assert (_uuids(shop), shop.quarantine()) == (["a"], [])
    assert shop.state() == shop.state_from_nothing()
    shop.load(first_day=later)
    assert (_uuids(shop), len(shop.quarantine())) == ([], 1)
    assert shop.wanted(first_day=later).is_empty


def test_an_hour_to_come_is_in_quarantine(shop: Shop) -> None:
    shop.land("2999-01-01_0#0.json.gz", _play("a"))
    shop.load()
    assert [row["reason"] for row in shop.quarantine()] == [
        "expected an hour from NOVADE_HISTORY_START to now, found 2999-01-01 00h"
    ]


def test_only_the_window_is_loaded(shop: Shop, hour: HourOf) -> None:
    for number in range(4):
        shop.land(shop.name(number), _play(str(number)))
    shop.load(Window(hour(1), hour(3)))
    assert _uuids(shop) == ["1", "2"]
    shop.load()
    assert _uuids(shop) == ["0", "1", "2", "3"]


def test_rows_between_two_windows_are_left_alone(shop: Shop) -> None:
    for number in range(3):
        shop.land(shop.name(number), _play(f"{number}"))
    shop.load()
    for number in (0, 2):
        shop.land(shop.name(number), _play(f"new {number}"))
    shop.load()
    assert _uuids(shop) == ["new 0", "1", "new 2"]


def test_a_newer_parser_tries_again_what_an_older_one_refused(shop: Shop) -> None:
    shop.land(shop.name(0), b"{")
    shop.land(shop.name(1), _play("a"))
    shop.load()
    newer = replace(shop.source, parser_version=2)
    assert not shop.load(source=newer, parser_version=2).changed
    report = shop.load(source=newer, parser_version=2, retry_quarantined=True)
    assert report.hours == 1
    assert not shop.load(source=newer, parser_version=2, retry_quarantined=True).changed


def test_everything_is_loaded_again_on_demand(shop: Shop) -> None:
    shop.land(shop.name(0), _play("a"), b"{")
    shop.load()
    before = shop.state()
    assert shop.load(reload=True).hours == 1
    assert shop.state() == before


def test_two_sources_share_a_ledger_and_keep_out_of_each_others_rows(shop: Shop) -> None:
    other = replace(shop.source, name="others", folder="shop/others")
    shop.put(shop.name(0), b"text", other.folder)
    shop.land(shop.name(0), b"{")
    shop.load()
    shop.load(source=replace(other, table=replace(other.table, name="shop/others")))
    shop.land(shop.name(0), _play("a"))
    shop.load()
    assert [row["source"] for row in shop.quarantine()] == ["others"]
    assert len(shop.ledger()) == 1
    assert shop.wanted().is_empty


def test_a_long_load_commits_slices_of_whole_hours(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_module, "SLICE_DAYS", 1)
    for number in range(0, 80, 8):
        shop.land(shop.name(number), _play(str(number)), b"{")
    told: list[str] = []
    report = load(
        shop.source,
        shop.landing,
        shop.lake,
        PersonalDataPolicy(),
        shop.wanted(),
        told.append,
    )
    assert len(report.receipts) == len(told) == 4
    assert report.lines == Lines(files=10, lines=20, rows=10, quarantined=10)
    assert told[-1] == "shop/plays: 4 commits, 10 files, 10 rows"
    monkeypatch.undo()
    assert shop.state() == shop.state_from_nothing()


def test_a_file_that_changed_since_the_listing_stops_the_load_before_its_commit(
    shop: Shop,
) -> None:
    shop.land(shop.name(0), _play("a"))
    todo = shop.wanted()
    shop.land(shop.name(0), _play("b"))
    with pytest.raises(TransientFailure, match="changed while it was read"):
        load(shop.source, shop.landing, shop.lake, PersonalDataPolicy(), todo)
    assert (shop.rows(), shop.ledger()) == ([], {})
    shop.load()
    assert _uuids(shop) == ["b"]


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

    shop.land(shop.name(0), _play("a"), b"{")
    with monkeypatch.context() as patch:
        patch.setattr(load_module, "replace_window", cut_off)
        with pytest.raises(ConnectionResetError):
            shop.load()
    assert len(shop.quarantine()) == 1
    assert len(shop.rows()) == (written != "quarantine")
    shop.load()
    assert shop.state() == shop.state_from_nothing()


def test_under_hash_people_are_hashed_in_rows_and_quarantine_keeps_no_bytes(shop: Shop) -> None:
    secret = b"jane@example.com"
    line = _play(
        "a",
        user_id='"jane@example.com"',
        properties='{"email":"jane@example.com","contact":{"phone":"1","other":2},"song":"x"}',
        unknown='{"who":["jane@example.com"]}',
    )
    shop.land(shop.name(0), line, line[:-1])
    shop.put(shop.name(1), line)
    shop.load(policy=HASH)
    (row,) = shop.rows()
    name = HASH.hash("jane@example.com")
    assert row["user_id"] == name
    assert row["properties"] == (
        f'{{"email":"{name}","contact":{{"phone":"{HASH.hash("1")}","other":2}},"song":"x"}}'
    )
    assert row["other_fields"] == f'{{"unknown":{{"who":["{name}"]}}}}'
    assert [(r["raw"], r["raw_bytes"] > 0) for r in shop.quarantine()] == [(None, True)] * 2
    stored = [shop.lake.read(entry.file) for entry in shop.lake.entries()]
    assert stored
    assert not [1 for content in stored if secret in content]


@on_disk
def test_under_drop_people_are_gone(shop: Shop) -> None:
    line = _play("a", user_id='"u"', properties='{"email":"e","song":"x"}', unknown='{"n":1}')
    shop.land(shop.name(0), line)
    shop.load(policy=PersonalDataPolicy("drop"))
    (row,) = shop.rows()
    assert (row["user_id"], row["properties"]) == (None, '{"song":"x"}')
    assert "1" not in (row["other_fields"] or "")


@on_disk
@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_deeply_nested_personal_data_does_not_stop_a_load(mode: Any, shop: Shop) -> None:
    deep = "[" * 700 + '"jane"' + "]" * 700
    shop.land(shop.name(0), _play("a", unknown=deep, properties=f'{{"email":{deep}}}'))
    shop.load(policy=PersonalDataPolicy(mode, b"k"))
    (row,) = shop.rows()
    assert "jane" not in f"{row['other_fields']} {row['properties']}"


@on_disk
def test_another_policy_or_key_loads_everything_again(shop: Shop) -> None:
    shop.land(shop.name(0), _play("a", user_id='"u"'), b"{")
    shop.load()
    for policy in (HASH, PersonalDataPolicy("hash", b"another"), PersonalDataPolicy("drop")):
        assert shop.load(policy=policy).hours == 1
        assert not shop.load(policy=policy).changed
        (row,) = shop.rows()
        assert row["user_id"] == (policy.hash("u") if policy.mode == "hash" else None)
    shop.load()
    assert shop.state() == shop.state_from_nothing()


FILES = st.tuples(st.integers(0, 3), st.integers(0, 1)) | st.just("stray")
LINES = st.lists(
    st.sampled_from(
        [_play("a"), _play("b"), _play("a", share="1"), _play("c", new="2"), b"", b"{", b"\xff"]
    ),
    max_size=4,
)
EXPORT = st.tuples(st.just("export"), FILES, LINES)
STEPS = st.one_of(
    EXPORT,
    EXPORT,
    st.tuples(st.just("damage"), FILES, st.just(())),
    st.tuples(st.just("delete"), FILES, st.just(())),
    st.tuples(st.just("touch"), FILES, st.just(())),
    st.tuples(st.just("load"), st.integers(0, 3), st.integers(1, 4)),
    st.tuples(st.just("load"), st.just(0), st.just(4)),
)


@on_disk
@given(steps=st.lists(STEPS, min_size=3, max_size=14))
@settings(max_examples=25)
def test_whatever_happens_the_last_load_leaves_what_a_load_from_nothing_would(
    steps: list[tuple[str, Any, Any]], new_shop: Callable[[], Shop], hour: HourOf
) -> None:
    _live_through(steps, new_shop(), hour)


def test_one_of_each_that_may_happen_leaves_what_a_load_from_nothing_would(
    shop: Shop, hour: HourOf
) -> None:
    a, b = [_play("a")], [_play("a", share="1"), b"{", b"\xff"]
    steps: list[tuple[str, Any, Any]] = [
        *[("export", (0, 0), a), ("export", (0, 1), b), ("export", (1, 0), a)],
        *[("export", (2, 0), a), ("export", "stray", a), ("damage", (3, 0), ())],
        *[("load", 0, 2), ("load", 1, 3)],
        *[("export", (0, 0), b), ("touch", (0, 1), ()), ("delete", (1, 0), ())],
        *[("damage", (2, 0), ()), ("export", (3, 0), a), ("delete", "stray", ())],
        ("load", 0, 1),
    ]
    _live_through(steps, shop, hour)


def _live_through(steps: list[tuple[str, Any, Any]], shop: Shop, hour: HourOf) -> None:
    for what, which, how in steps:
        if what == "load":
            shop.load(Window(hour(which), hour(which + how)))
            continue
        name = "stray.json.gz" if which == "stray" else shop.name(*which)
        if what == "export":
            shop.land(name, *how)
        elif what == "damage":
            shop.put(name, b"\x1f\x8b and no more")
        elif name in shop.names():
            content = shop.remove(name)
            if what == "touch":
                shop.put(name, content)
    shop.load()
    assert shop.state() == shop.state_from_nothing()
    assert shop.wanted().is_empty


def test_memory_stays_bounded_over_many_days(tmp_path: Path) -> None:
    land_bulk(
        tmp_path / "landing",
        events=80_000,
        files=60,
        first_hour=datetime(2026, 1, 1, tzinfo=UTC),
        spread_days=60,
    )
    code = """
import re, sys
from pathlib import Path
from datetime import date, timedelta
from novade_pipeline.defs.amplitude.export_files import EVENTS
from novade_pipeline.landing.ledger import Rules
from novade_pipeline.landing.load import load
from novade_pipeline.landing.source import find_wanted
from novade_pipeline.personal_data import PersonalDataPolicy
from novade_pipeline.storage import store
landing, lake = store(sys.argv[1] + "/landing"), store(sys.argv[1] + "/lake")
rules = Rules(1, "keep", date(2018, 1, 1), timedelta(0))
todo = find_wanted(EVENTS, landing, lake, rules)
report = load(EVENTS, landing, lake, PersonalDataPolicy(), todo)
# Not `ru_maxrss`: Linux carries that over from the process that starts this one.
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(report.lines.rows, int(peak) // 1024)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    rows, mebibytes = map(int, ran.stdout.split())
    assert rows == 80_000
    assert mebibytes < 900
