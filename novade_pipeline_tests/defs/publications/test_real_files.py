"""The real files, with all their faults: the figures that are expected of them."""

import json
from datetime import date

from novade_pipeline.defs.publications.graph import counts, violations
from novade_pipeline.defs.publications.graph_queries import all_related_drugs, top_journals
from novade_pipeline.defs.publications.tables import (
    CLINICAL_TRIALS,
    DRUG_MENTIONS,
    DRUGS,
    FILES,
    PUBMED_ARTICLES,
    QUARANTINE,
)
from novade_pipeline.lake.read import read
from novade_pipeline_tests.defs.publications.conftest import World


def test_the_real_files_give_exactly_the_expected_figures(real: World) -> None:
    graph = real.graph()
    assert counts(graph) == {
        "drugs": 7,
        "drug_publication_mentions": 19,
        "drug_journal_dates": 16,
        "drug_journals": 13,
        "journals": 10,
    }
    assert len(read(real.lake, DRUG_MENTIONS)) == 19
    assert [(j.name, len(j.drugs)) for j in top_journals(graph)] == [
        ("Journal of emergency nursing", 2),
        ("Psychopharmacology", 2),
        ("The journal of maternal-fetal & neonatal medicine", 2),
    ]


def test_the_real_graph_is_as_its_schema_says(real: World) -> None:
    assert violations(real.graph()) == []


def test_drugs_of_the_same_journals_are_related_both_ways(real: World) -> None:
    related = {(drug, found.drug) for drug, found in all_related_drugs(real.graph())}
    pairs = {("ATROPINE", "BETAMETHASONE"), ("ETHANOL", "TETRACYCLINE")}
    assert related == pairs | {(b, a) for a, b in pairs}


def test_what_was_mended_is_counted_by_kind_and_every_record_is_accounted_for(real: World) -> None:
    names = ("file", "lines", "rows", "repeated", "quarantined", "blank", "mended")
    told = {
        file.rpartition("/")[2]: (*counted, json.loads(mended or "{}"))
        for file, *counted, mended in real.rows(FILES, *names)
    }
    trials = {"broken_escape": 2, "day_first_date": 1, "joined_halves": 1, "worded_date": 5}
    assert told == {
        "drugs.csv": (7, 7, 0, 0, 0, {}),
        "pubmed.csv": (9, 8, 0, 0, 1, {"day_first_date": 7}),
        "pubmed.json": (5, 5, 0, 0, 0, {"day_first_date": 5, "trailing_comma": 1}),
        "clinical_trials.csv": (8, 6, 1, 1, 0, trials),
    }


def test_the_trial_without_a_title_is_in_quarantine(real: World) -> None:
    assert real.rows(QUARANTINE, "file", "line", "reason") == [
        ("publications/clinical_trials.csv", 4, "title: expected a text, found a blank one")
    ]


def test_the_two_halves_of_a_trial_are_one_row(real: World) -> None:
    trials = real.rows(CLINICAL_TRIALS, "id", "journal", "date", "line")
    assert ("NCT03490942", "Journal of emergency nursing", date(2020, 5, 25), 7) in trials
    assert len(trials) == 6


def test_typed_bytes_become_their_character_or_go(real: World) -> None:
    told = repr(real.rows(CLINICAL_TRIALS, "title", "journal"))
    assert "Laminoplasty or ñ Laminectomy" in told
    assert "\\\\x" not in told
    assert {j for (j,) in real.rows(CLINICAL_TRIALS, "journal")} == {
        "Journal of emergency nursing",
        "Hôpitaux Universitaires de Genève",
    }


def test_ids_and_codes_are_texts_whatever_they_look_like(real: World) -> None:
    ids = [i for (i,) in real.rows(PUBMED_ARTICLES, "id")]
    assert sorted(map(str, ids)) == sorted([*map(str, range(1, 13)), "None"])
    assert ("ISOPRENALINE", "6302001") in real.rows(DRUGS, "drug", "atccode")


def test_a_row_says_where_it_came_from(real: World) -> None:
    rows = real.rows(PUBMED_ARTICLES, "file", "line", "record", "id")
    assert ("publications/pubmed.json", 14, 3, "11") in rows
    assert ("publications/pubmed.csv", 9, 8, "8") in rows
