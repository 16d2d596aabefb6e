"""Texts and dates as hands type them."""

from datetime import date, datetime

import pytest

from novade_pipeline.defs.publications.landed_files import day_of, is_undated, kind_of
from novade_pipeline.defs.publications.repairs import clean_text, parse_date
from novade_pipeline.defs.publications.rows import drug_row, publication_row
from novade_pipeline.defs.publications.split_trials import SplitTrialJoiner
from novade_pipeline.landing.record_rows import InvalidRecord, LocatedRow


@pytest.mark.parametrize(
    ("value", "text", "mended"),
    [
        (r"Journal\xc3\x28", "Journal", ["broken_escape"]),
        (r"or \xc3\xb1 not", "or ñ not", ["broken_escape"]),
        (r"a\xe2\x84\xa2\xff", "a", ["broken_escape"]),
        (r"a\x0ab", "a b", ["broken_escape"]),
        ("  a \n b\u00a0", "a b", []),
        ("   ", None, []),
        (r"\xc3", None, ["broken_escape"]),
        (None, None, []),
        (12, "12", []),
        (r"C:\xyz", r"C:\xyz", []),
    ],
)
def test_a_text_is_cleaned(value: object, text: str | None, mended: list[str]) -> None:
    kinds: list[str] = []
    assert (clean_text(value, kinds), kinds) == (text, mended)


@pytest.mark.parametrize(
    ("value", "day", "mended"),
    [
        ("2020-01-02", date(2020, 1, 2), []),
        ("2020-01-02T03:04:05Z", date(2020, 1, 2), []),
        ("01/02/2020", date(2020, 2, 1), ["day_first_date"]),
        ("31.12.2020", date(2020, 12, 31), ["day_first_date"]),
        ("1 January 2020", date(2020, 1, 1), ["worded_date"]),
        ("27 Apr 2020", date(2020, 4, 27), ["worded_date"]),
        (date(2020, 1, 2), date(2020, 1, 2), []),
        (datetime(2020, 1, 2, 3), date(2020, 1, 2), []),
    ],
)
def test_a_date_is_read(value: object, day: date, mended: list[str]) -> None:
    kinds: list[str] = []
    assert (parse_date(value, kinds), kinds) == (day, mended)


@pytest.mark.parametrize(
    "value", ["12/31/2020", "31/02/2020", "2020", "soon", "", None, "1 Brumaire 2020", "2020-13-01"]
)
def test_a_date_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(InvalidRecord, match="date: expected one like 2020-01-31"):
        publication_row({"title": "T", "date": value}, [])


def test_synonyms_are_a_list_or_a_text_with_bars_or_semicolons() -> None:
    as_text = drug_row({"drug": "ASA", "synonyms": "aspirin | Aspro;; aspirin"}, [])
    as_list = drug_row({"drug": "ASA", "synonyms": ["aspirin", "Aspro", None]}, [])
    assert as_text["synonyms"] == as_list["synonyms"] == ["aspirin", "Aspro"]
    assert drug_row({"drug": "ASA"}, [])["synonyms"] == []


def _half(line: int, id_: str | None, journal: str | None, title: str = "T") -> LocatedRow:
    row = {"id": id_, "journal": journal, "title": title, "date": date(2020, 1, 1), "mended": []}
    return LocatedRow(line, row)


def _joined(*entries: LocatedRow) -> tuple[list[tuple[int, object, object]], int]:
    halves, whole, completed = SplitTrialJoiner(), [], 0
    for entry in entries:
        more, joined = halves.add(entry)
        whole += more
        completed += joined
    return [(e.line, e.row["id"], e.row["journal"]) for e in [*whole, *halves.flush()]], completed


def test_halves_join_whichever_comes_first() -> None:
    assert _joined(_half(1, "A", None), _half(2, None, "J")) == ([(1, "A", "J")], 1)
    assert _joined(_half(1, None, "J"), _half(2, "A", None)) == ([(1, "A", "J")], 1)


def test_what_is_no_half_of_the_other_stays_as_it_is() -> None:
    apart = [_half(1, "A", None), _half(2, None, "J", "another title"), _half(3, "B", "K")]
    assert _joined(*apart) == ([(3, "B", "K"), (1, "A", None), (2, None, "J")], 0)
    twins = [_half(1, "A", None), _half(2, "B", None), _half(3, None, "J")]
    assert _joined(*twins) == ([(1, "A", None), (2, "B", "J")], 1)


def test_neither_id_nor_journal_is_no_half() -> None:
    assert _joined(_half(1, None, None), _half(2, "A", None))[1] == 0


@pytest.mark.parametrize(
    ("name", "kind", "day"),
    [
        ("pubmed.csv", "pubmed", None),
        ("pubmed_2026-03-01.json.gz", "pubmed", datetime(2026, 3, 1)),
        ("clinical_trials-2026-03-01-part2.parquet", "clinical_trials", datetime(2026, 3, 1)),
        ("drugs.JSONL", "drugs", None),
        ("pubmed_2026-13-01.csv", "pubmed", None),
        ("pubmedical.csv", None, None),
        ("pubmed.xlsx", None, None),
        ("drugs.parquet.gz", None, None),
        ("notes_2026-03-01.txt", None, None),
    ],
)
def test_a_name_says_the_kind_and_perhaps_the_day(
    name: str, kind: str | None, day: datetime | None
) -> None:
    found = day_of(name)
    assert (kind_of(name), found and found.replace(tzinfo=None)) == (kind, day)
    assert is_undated(name) == (kind is not None and day is None and "2026" not in name)
