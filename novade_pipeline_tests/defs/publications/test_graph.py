"""The graph as a document and as a page, and what it answers by itself."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.publications.graph import Graph, counts, drug_graph, violations
from novade_pipeline.defs.publications.graph_page import MAX_PUBLICATIONS, graph_page
from novade_pipeline.defs.publications.graph_queries import (
    journals_by_drug_count,
    parse_graph,
    related_drugs,
    top_journals,
)
from novade_pipeline.errors import UserError

ARTICLE, TRIAL = "pubmed_article", "clinical_trial"


def _mention(
    drug: str, kind: str, journal: str | None, day: int = 1, id_: str = "1"
) -> dict[str, Any]:
    return {
        "drug": drug,
        "atccode": None,
        "kind": kind,
        "publication": id_,
        "id": id_,
        "title": f"On {drug}",
        "date": date(2020, 1, day),
        "journal": journal,
    }


def _graph(*mentions: dict[str, Any]) -> Graph:
    return drug_graph([("NOBODY", "X1")], mentions)


def test_a_drug_that_nothing_mentions_is_in_the_graph() -> None:
    graph = _graph()
    assert [drug["name"] for drug in graph["drugs"]] == ["NOBODY"]
    assert violations(graph) == []
    assert top_journals(graph) == []


def test_a_journal_stands_once_a_date() -> None:
    graph = _graph(
        _mention("A", ARTICLE, "J"),
        _mention("A", TRIAL, "J", id_="2"),
        _mention("A", ARTICLE, "J", day=2, id_="3"),
        _mention("A", ARTICLE, None, id_="4"),
    )
    (drug,) = [d for d in graph["drugs"] if d["name"] == "A"]
    assert drug["journals"] == [
        {"name": "J", "date": "2020-01-01"},
        {"name": "J", "date": "2020-01-02"},
    ]
    assert counts(graph)["drug_publication_mentions"] == 4
    assert violations(graph) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), "other"),
        (("drugs", 0, "atccode"), 6302001),
        (("drugs", 0, "pubmed_articles", 0, "date"), "01/01/2020"),
        (("drugs", 0, "pubmed_articles", 0, "title"), ""),
        (("drugs", 0, "journals", 0, "name"), None),
        (("drugs", 0, "more"), 1),
    ],
)
def test_a_document_that_breaks_its_schema_is_found(path: tuple[Any, ...], value: object) -> None:
    graph = _graph(_mention("A", ARTICLE, "J"))
    node: Any = graph
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    assert len(violations(graph)) == 1


def test_journals_that_tie_share_a_rank_and_all_are_told() -> None:
    graph = _graph(
        *(_mention(drug, ARTICLE, "J") for drug in "AB"),
        *(_mention(drug, TRIAL, "K") for drug in "AC"),
        _mention("A", ARTICLE, "L"),
        _mention("A", ARTICLE, "L", day=2, id_="2"),
    )
    ranked = [(j.rank, j.name, j.drugs) for j in journals_by_drug_count(graph)]
    assert ranked == [(1, "J", ("A", "B")), (1, "K", ("A", "C")), (3, "L", ("A",))]
    assert [j.name for j in top_journals(graph)] == ["J", "K"]


def test_related_drugs_share_journals_in_articles_and_not_in_trials() -> None:
    graph = _graph(
        *(_mention(drug, ARTICLE, "J") for drug in ("Ä", "B", "C")),
        *(_mention(drug, ARTICLE, "K") for drug in ("Ä", "C", "D")),
        _mention("D", TRIAL, "J", id_="N1"),
        _mention("B", TRIAL, "L", id_="N2"),
        _mention("E", TRIAL, "J", id_="N3"),
        _mention("F", ARTICLE, "L", id_="9"),
    )
    assert [(r.drug, r.journals) for r in related_drugs(graph, "a")] == [
        ("B", ("J",)),
        ("C", ("J", "K")),
    ]
    assert related_drugs(graph, "F") == []


def test_a_drug_that_the_graph_has_not_is_refused_with_those_like_it() -> None:
    with pytest.raises(UserError, match="such as NOBODY; found 'nobodi'"):
        related_drugs(_graph(), "nobodi")
    with pytest.raises(UserError, match="found an empty one"):
        related_drugs(drug_graph([], []), "nobody")


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"<html>", "as JSON, found no JSON"), (b'{"drugs": []}', "the document: breaks")],
)
def test_a_file_that_is_no_graph_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(UserError, match=f"^graph.json: .*{told}"):
        parse_graph(content, "graph.json")


def test_the_page_shows_everything_and_fetches_nothing() -> None:
    page = graph_page(_graph(_mention("A<b>", ARTICLE, "J & K"), _mention("C", TRIAL, "J & K")))
    for shown in ("A&lt;b&gt;", "J &amp; K", "2020-01-01", "On C", "Clinical trial"):
        assert shown in page
    assert "A<b>" not in page
    addresses = re.findall(r"""(?:https?:)?//[^\s"'<]+""", re.sub(r'xmlns="[^"]*"', "", page))
    assert addresses == []
    assert not re.search(r"<(?:link|img|iframe|script src)", page)


def test_the_page_of_a_large_graph_says_what_it_leaves_out() -> None:
    mentions = [
        _mention(f"D{n:03}", ARTICLE, f"J{i}", id_=f"{n}-{i}") for n in range(200) for i in range(5)
    ]
    page = graph_page(drug_graph([], mentions))
    assert page.count('class="node publication') == MAX_PUBLICATIONS
    assert "shows the 60 most mentioned drugs" in page


def test_no_two_labels_of_the_page_stand_upon_each_other(real: Any) -> None:
    page = graph_page(real.graph())
    for kind in ("drug", "journal"):
        ys = [int(y) for y in re.findall(rf'class="node {kind}".*?cy="(\d+)"', page)]
        assert len(ys) == {"drug": 7, "journal": 10}[kind]
        assert min(b - a for a, b in zip(sorted(ys), sorted(ys)[1:], strict=False)) >= 26


def test_the_document_survives_json(tmp_path: Path, real: Any) -> None:
    graph = real.graph()
    assert parse_graph(json.dumps(graph).encode(), "x") == graph
