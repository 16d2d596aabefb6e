"""What cannot be loaded: files and lines in quarantine, with the reason, until they are mended."""

import errno
import gzip
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.json_rows.text import RAW_BYTES
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.discovery import stems_of
from novade_pipeline.landing.json_lines import JsonLines
from novade_pipeline.landing.line_counts import LineTotals
from novade_pipeline.landing.source import find_pending
from novade_pipeline.storage.local import LocalStore
from novade_pipeline_tests.landing.conftest import a_rule
from novade_pipeline_tests.landing.lines import MakeChunk
from novade_pipeline_tests.landing.plays import play
from novade_pipeline_tests.places import on_disk

Shop = Any
HourOf = Callable[[int], Any]


def test_a_damaged_file_is_refused_whole_and_its_neighbours_are_loaded(shop: Shop) -> None:
    shop.land(shop.name(0), play("a"))
    broken = gzip.compress(play("b") + b"\n")[:-6]
    shop.upload(shop.name(0, 1), broken)
    shop.upload(shop.name(1), b"text")
    report = shop.load()
    assert shop.uuids() == ["a"]
    assert report.lines == LineTotals(files=3, lines=1, rows=1, refused_files=2)
    assert [(r["line"], r["reason"], r["raw"], r["raw_bytes"]) for r in shop.quarantine()] == [
        (0, "gzip ends early", broken, len(broken)),
        (0, "not gzip", b"text", 4),
    ]


@on_disk
def test_a_file_that_cannot_be_opened_is_refused_until_it_can(shop: Shop) -> None:
    shop.land(shop.name(0), b'{"uuid":"a"}')
    broken = Path(shop.landing.path(shop.source.folder, shop.name(1)))
    broken.symlink_to(broken)
    stray = Path(shop.landing.path(shop.source.folder, "stray"))
    stray.symlink_to(stray)
    shop.load()
    assert shop.uuids() == ["a"]
    reasons = {row["file"].rsplit("/", 1)[-1]: row["reason"] for row in shop.quarantine()}
    assert reasons[shop.name(1)] == "cannot be opened (Too many levels of symbolic links)"
    assert reasons["stray"].startswith("expected a name like")
    assert not shop.load().changed
    broken.unlink()
    stray.unlink()
    shop.land(shop.name(1), b'{"uuid":"b"}')
    shop.load()
    assert shop.uuids() == ["a", "b"]
    assert shop.quarantine() == []


@on_disk
def test_what_passes_with_the_machine_refuses_no_file(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.land(shop.name(0), play("a"))
    shop.load()
    shop.land(shop.name(0), play("b"))

    def busy(*_: object) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "open_version", busy)
        with pytest.raises(TransientFailure, match="found: Too many open files"):
            shop.load()
    assert shop.uuids() == ["a"]
    shop.load()
    assert shop.uuids() == ["b"]


@on_disk
def test_a_folder_that_cannot_be_listed_is_not_empty(shop: Shop) -> None:
    shop.land(shop.name(0), play("a"))
    shop.load()
    folder = Path(shop.landing.path(shop.source.folder))
    folder.rename(folder.with_name("aside"))
    folder.symlink_to(folder)
    with pytest.raises(UserError, match="plays: expected to list what is there, found: Too many"):
        shop.load()
    assert shop.uuids() == ["a"]


@on_disk
def test_a_folder_whose_name_is_no_text_is_looked_into(shop: Shop) -> None:
    folder = Path(shop.landing.path(shop.source.folder), os.fsdecode(b"caf\xe9"))
    folder.mkdir(parents=True)
    (folder / shop.name(0)).write_bytes(gzip.compress(play("a") + b"\n"))
    for _ in range(2):
        shop.load()
        assert shop.uuids() == ["a"]
    rows = shop.rows()
    (stem,) = stems_of((row["file"], row["upload_hour"]) for row in rows)
    assert stem == "shop/plays/caf\ufffde9/"
    within = Window(rows[0]["upload_hour"], rows[0]["upload_hour"] + timedelta(hours=1))
    assert find_pending(shop.source, shop.landing, shop.lake, a_rule(), within, [stem]).is_empty


@on_disk
def test_a_name_that_is_no_text_is_in_quarantine_as_one(shop: Shop) -> None:
    shop.land(shop.name(0), b'{"uuid":"a"}')
    Path(shop.landing.path(shop.source.folder), os.fsdecode(b"caf\xe9.json.gz")).write_bytes(b"x")
    shop.load()
    assert shop.uuids() == ["a"]
    (row,) = shop.quarantine()
    assert (row["file"], row["raw"]) == ("shop/plays/caf\ufffde9.json.gz", b"x")
    assert not shop.load().changed


def test_a_damaged_file_that_is_mended_leaves_quarantine(shop: Shop) -> None:
    shop.upload(shop.name(0), b"text")
    shop.load()
    shop.land(shop.name(0), play("a"))
    shop.load()
    assert (shop.uuids(), shop.quarantine()) == (["a"], [])
    assert not shop.ledger()[shop.name(0)]["refused"]


def test_bad_lines_leave_quarantine_with_their_file(shop: Shop) -> None:
    shop.land(shop.name(0), b"{", play("a"))
    shop.land(shop.name(1), b"{")
    shop.load()
    shop.land(shop.name(0), play("a"))
    shop.load()
    assert [(row["file"].rsplit("/", 1)[-1]) for row in shop.quarantine()] == [shop.name(1)]


def test_a_name_that_says_no_hour_is_in_quarantine_whole(shop: Shop) -> None:
    shop.land("export of march.json.gz", play("a"))
    report = shop.load()
    assert (report.lines.refused_files, shop.uuids()) == (1, [])
    (row,) = shop.quarantine()
    assert row["reason"] == "expected a name like 2026-03-01_22#0.json.gz, found another"
    assert (row["line"], row["upload_hour"]) == (0, None)


def test_a_stray_file_that_is_gone_leaves_quarantine_and_ledger(shop: Shop) -> None:
    shop.land("stray.json.gz", play("a"))
    shop.load()
    shop.remove("stray.json.gz")
    shop.load()
    assert (shop.quarantine(), shop.ledger()) == ([], {})
    assert shop.plan().is_empty


def test_a_day_before_the_history_starts_is_in_quarantine_until_history_starts_earlier(
    shop: Shop, hour: HourOf
) -> None:
    shop.land(shop.name(0), play("a"))
    later = hour(48).date()
    shop.load(first_day=later)
    assert shop.uuids() == []
    (row,) = shop.quarantine()
    assert row["reason"].startswith("expected an hour from NOVADE_HISTORY_START to now")
    shop.load()
    assert (shop.uuids(), shop.quarantine()) == (["a"], [])
    assert shop.state() == shop.state_from_nothing()
    shop.load(first_day=later)
    assert (shop.uuids(), len(shop.quarantine())) == ([], 1)
    assert shop.plan(first_day=later).is_empty


def test_an_hour_to_come_is_in_quarantine(shop: Shop) -> None:
    shop.land("2999-01-01_0#0.json.gz", play("a"))
    shop.load()
    assert [row["reason"] for row in shop.quarantine()] == [
        "expected an hour from NOVADE_HISTORY_START to now, found 2999-01-01 00h"
    ]


def test_a_newer_parser_tries_again_what_an_older_one_refused(shop: Shop) -> None:
    shop.land(shop.name(0), b"{")
    shop.land(shop.name(1), play("a"))
    shop.load()
    newer = replace(shop.source, parser_version=2)
    assert not shop.load(source=newer, parser_version=2).changed
    report = shop.load(source=newer, parser_version=2, retry_quarantined=True)
    assert report.hours == 1
    assert not shop.load(source=newer, parser_version=2, retry_quarantined=True).changed


def test_a_long_bad_line_is_truncated_and_its_length_reported(
    parser: JsonLines, chunk_of: MakeChunk
) -> None:
    line = b'{"uuid":"' + b"x" * (3 * RAW_BYTES)
    (bad,) = parser.parse(chunk_of([line])).bad
    assert (bad.raw, bad.raw_bytes) == (line[:RAW_BYTES], len(line))
