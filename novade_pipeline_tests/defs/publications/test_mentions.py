"""Mentions over many files: the same whatever the windows, the order, and the number of copies."""

import gzip
import os
import random
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from novade_pipeline.defs.publications.tables import (
    DRUG_MENTIONS,
    FILES,
    PUBMED_ARTICLES,
    QUARANTINE,
    TITLE_MENTIONS,
)
from novade_pipeline.lake.delta import current_version
from novade_pipeline_tests.defs.publications.conftest import World, csv

DRUGS = "atccode,drug,synonyms\nA1,ASPIRIN,acetylsalicylic acid|Aspro\nA2,CODEINE,\n"


def test_a_synonym_stands_for_its_drug(world: World) -> None:
    world.land("drugs.csv", DRUGS)
    world.land("pubmed.csv", csv(("1", "Acetylsalicylic Acid in mice", "2020-01-01", "J")))
    world.load()
    world.mention()
    assert world.rows(DRUG_MENTIONS, "drug", "atccode", "found") == [
        ("ASPIRIN", "A1", "acetylsalicylic acid")
    ]


def test_copies_of_an_article_are_one_mention(world: World) -> None:
    world.land("drugs.csv", DRUGS)
    article = ("1", "Aspirin", "2020-01-01", "J")
    world.land("pubmed.csv", csv(article, article))
    world.land("pubmed.json", '[{"id": 1, "title": "Aspirin", "date": "01/01/2020"}]')
    world.land("pubmed_2026-01-01.csv", csv(("", "ASPIRIN", "2020-01-01", "J")))
    world.load()
    world.mention()
    assert len(world.rows(PUBMED_ARTICLES, "file")) == 4
    assert world.pairs() == [("ASPIRIN", "1")]


def test_of_the_copies_the_last_by_name_counts(world: World) -> None:
    world.land("drugs.csv", DRUGS)
    world.land("pubmed_2026-01-01.csv", csv(("1", "Aspirin or codeine", "2020-01-01", "J")))
    world.land("pubmed_2026-01-02.csv", csv(("1", "Codeine", "2020-02-02", "K")))
    world.load()
    world.mention()
    assert world.rows(DRUG_MENTIONS, "drug", "journal", "date") == [
        ("CODEINE", "K", date(2020, 2, 2))
    ]


def test_a_journal_is_one_however_it_is_spelt(world: World) -> None:
    world.land("drugs.csv", DRUGS)
    spelt = ("The Lancet", "THE LANCET", "The  Lancet")
    rows = [(str(i), "Aspirin", f"2020-01-0{i}", name) for i, name in enumerate(spelt, 1)]
    world.land("pubmed.csv", csv(*rows))
    world.load()
    world.mention()
    assert {journal for (journal,) in world.rows(DRUG_MENTIONS, "journal")} == {"The Lancet"}


def test_all_formats_may_be_dropped_at_any_time(world: World) -> None:
    world.land("drugs.csv.gz", gzip.compress(DRUGS.encode()))
    world.land(
        "pubmed_a.json.gz", gzip.compress(b'[{"id": 1, "title": "Aspirin", "date": "2020-01-01"},]')
    )
    world.load()
    world.mention()
    table = pa.table(
        {"id": [2], "title": ["Codeine"], "date": [date(2020, 1, 2)], "journal": ["J"]}
    )
    parquet.write_table(table, world.folder / "pubmed_b.parquet")
    world.land(
        "clinical_trials_2026-03-01.csv",
        csv(("N1", "codeine", "1 May 2020", "J"), header="id,scientific_title,date,journal"),
    )
    world.load()
    world.mention()
    assert world.pairs() == [("ASPIRIN", "1"), ("CODEINE", "2"), ("CODEINE", "N1")]


def test_the_second_time_there_is_nothing_to_do(world: World) -> None:
    world.land("drugs.csv", DRUGS)
    world.land("pubmed.csv", csv(("1", "Aspirin", "2020-01-01", "J")))
    assert any(report.changed for report in world.load())
    assert world.mention() == 2
    assert not any(report.changed for report in world.load())
    assert world.mention() == 0


def test_a_reexported_file_replaces_what_it_held(world: World) -> None:
    world.land("drugs.csv", DRUGS)
    world.land("pubmed.csv", csv(("1", "Aspirin", "2020-01-01", "J"), ("2", "Codeine", "soon", "")))
    world.load()
    world.mention()
    world.land("pubmed.csv", csv(("3", "Codeine", "2020-01-01", "J")))
    os.utime(world.folder / "pubmed.csv", (1.7e9, 1.7e9))
    world.load()
    world.mention()
    assert world.pairs() == [("CODEINE", "3")]
    assert world.rows(QUARANTINE, "line") == []


def test_a_file_that_is_gone_takes_its_mentions_with_it(world: World) -> None:
    world.land("drugs.csv", DRUGS)
    world.land("pubmed_2026-01-01.csv", csv(("1", "Aspirin", "2020-01-01", "J")))
    world.land("pubmed.csv", csv(("2", "Codeine", "2020-01-01", "J")))
    world.load()
    world.mention()
    for name in ("pubmed_2026-01-01.csv", "pubmed.csv"):
        (world.folder / name).unlink()
        world.load()
        world.mention()
        assert name not in repr(world.rows(TITLE_MENTIONS, "file"))
    assert world.pairs() == []


def test_a_new_drug_is_looked_for_in_what_landed_before(world: World) -> None:
    world.land("drugs.csv", DRUGS)
    world.land("pubmed.csv", csv(("1", "Aspirin and morphine", "2020-01-01", "J")))
    world.load()
    world.mention()
    world.land("drugs_2026-01-01.csv", "drug,atccode\nMORPHINE,A3\naspirin,A9\n")
    world.load()
    world.mention()
    assert world.rows(DRUG_MENTIONS, "drug", "atccode") == [("MORPHINE", "A3"), ("aspirin", "A9")]


def test_the_same_drugs_from_another_file_have_nothing_looked_through_again(world: World) -> None:
    world.land("drugs.csv", DRUGS)
    world.land("pubmed.csv", csv(("1", "Aspirin", "2020-01-01", "J")))
    world.load()
    world.mention()
    before = current_version(world.lake, TITLE_MENTIONS)
    world.land("drugs_2026-01-01.csv", DRUGS)
    world.load()
    world.mention()
    assert current_version(world.lake, TITLE_MENTIONS) == before


def _year(world: World, days: int) -> list[date]:
    """One file a day, each with articles of its own and one of the day before, as updates have."""
    first = date(2025, 1, 1)
    chance = random.Random(7)
    for n in range(days):
        rows = [
            (
                str(n * 10 + i),
                chance.choice(["Aspirin", "Codeine", "Aspro, codeine", "Rest"]),
                "2025-01-01",
                "J",
            )
            for i in range(-2, 5)
        ]
        world.land(f"pubmed_{first + timedelta(n)}.csv", csv(*rows))
    world.land("drugs.csv", DRUGS)
    return [first + timedelta(n) for n in range(days)]


def test_a_backfill_in_windows_gives_what_one_load_gives(tmp_path: Path) -> None:
    for name in ("whole", "windows"):
        (tmp_path / name).mkdir()
    whole, windows = World(tmp_path / "whole"), World(tmp_path / "windows")
    days = _year(whole, 40)
    _year(windows, 40)
    whole.load()
    whole.mention()
    cuts = [days[at : at + 9] for at in range(0, len(days), 9)]
    random.Random(3).shuffle(cuts)
    for some in cuts:
        windows.load(some[0], some[-1])
        windows.mention()
    for table, names in (
        (PUBMED_ARTICLES, ("file", "line", "id", "title")),
        (TITLE_MENTIONS, ("file", "record", "drug")),
        (DRUG_MENTIONS, ("drug", "publication", "file", "line")),
    ):
        assert windows.rows(table, *names) == whole.rows(table, *names), table.name
    assert len(whole.rows(PUBMED_ARTICLES, "file")) == 280


def test_one_new_day_costs_one_commit_of_its_own(world: World) -> None:
    days = _year(world, 35)
    world.load()
    world.mention()
    world.land(f"pubmed_{days[-1] + timedelta(1)}.csv", csv(("9999", "Aspirin", "2025-01-01", "J")))
    reports = world.load()
    assert [report.lines.files for report in reports] == [0, 1, 0]
    assert world.mention() == 2


def test_undated_files_are_loaded_by_a_run_of_any_day(world: World) -> None:
    world.land("drugs.csv", DRUGS)
    world.land("pubmed_2025-01-01.csv", csv(("1", "Aspirin", "2020-01-01", "J")))
    world.load(date(2025, 3, 1), date(2025, 3, 1))
    assert world.rows(FILES, "file") == [("publications/drugs.csv",)]


def test_an_undated_file_gives_a_run_no_days(world: World) -> None:
    from novade_pipeline.defs.publications.landed_files import PUBMED_ARTICLES as SOURCE
    from novade_pipeline.landing.source import find_pending
    from novade_pipeline_tests.defs.publications.conftest import RULES

    world.land("pubmed.csv", csv())
    world.land("pubmed_2025-01-01.csv", csv())
    todo = find_pending(SOURCE, world.landing, world.lake, RULES)
    assert len(todo.hours) == 2
    assert todo.days == [date(2025, 1, 1)]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("pubmed.csv", "", "expected records, found an empty file"),
        ("pubmed.csv", "id;title;date;journal\n1;a;2020-01-01;J\n", "found semicolons"),
        ("pubmed.json", "<html></html>", "found HTML or XML"),
        ("pubmed.json", '[{"id": 1, "title": "a", "date": "2020-01-01"}', "is not closed"),
        ("pubmed.xlsx", "x", "expected a name like drugs.csv, pubmed_2026-03-01.json.gz"),
        ("pubmed_2026-99-01.csv", "x", "expected a name like"),
        ("pubmed_1999-01-01.csv", "x", "expected an hour from NOVADE_HISTORY_START to now"),
    ],
)
def test_a_bad_file_goes_to_quarantine_whole_and_hinders_no_other(
    world: World, name: str, content: str, told: str
) -> None:
    world.land("pubmed_2026-01-01.csv", csv(("1", "Aspirin", "2020-01-01", "J")))
    world.land(name, content)
    world.load()
    ((file, line, reason),) = world.rows(QUARANTINE, "file", "line", "reason")
    assert (file, line) == (f"publications/{name}", 0)
    assert told in reason
    assert world.rows(PUBMED_ARTICLES, "id") == [("1",)]
    assert not any(report.changed for report in world.load())


def test_unknown_fields_are_kept_and_are_personal(world: World) -> None:
    world.land(
        "pubmed.csv",
        csv(("1", "T", "2020-01-01", "J", "A. Smith"), header="id,title,date,journal,Authors"),
    )
    world.load()
    assert world.rows(PUBMED_ARTICLES, "other_fields") == [('{"authors": "A. Smith"}',)]
    assert PUBMED_ARTICLES.personal["other_fields"].paths == ("**",)


@pytest.mark.parametrize("changed", [1e9, 4e9])
def test_a_file_last_changed_at_no_time_of_ours_is_loaded_all_the_same(
    world: World, changed: float
) -> None:
    world.land("drugs.csv", DRUGS)
    os.utime(world.folder / "drugs.csv", (changed, changed))
    world.load()
    assert world.rows(FILES, "rows", "upload_date") == [(2, date(2018, 1, 1))]
    assert not any(report.changed for report in world.load())
