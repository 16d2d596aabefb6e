"""Queries of the drug graph, answered from the graph alone."""

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from novade_pipeline.defs.publications.folding import fold
from novade_pipeline.defs.publications.graph import DOCUMENT, Graph, violations
from novade_pipeline.errors import UserError
from novade_pipeline.storage.store import Store


@dataclass(frozen=True)
class Journal:
    """A journal with the drugs that it mentions, in order."""

    rank: int
    name: str
    drugs: tuple[str, ...]


@dataclass(frozen=True)
class Related:
    """A related drug, and the journals that mention both drugs."""

    drug: str
    journals: tuple[str, ...]


def parse_graph(content: bytes, where: str) -> Graph:
    """Parse and validate a graph document.

    Raises:
        UserError: it is not a drug graph.
    """
    try:
        graph = json.loads(content)
    except ValueError:
        raise UserError(f"{where}: expected a drug graph as JSON, found no JSON.") from None
    if broken := violations(graph, limit=1):
        raise UserError(f"{where}: expected a drug graph, found that {broken[0]}.")
    assert isinstance(graph, dict)
    return graph


def stored_graph(lake: Store) -> Graph:
    """The graph in the lake.

    Raises:
        UserError: there is no graph, or it is not valid.
    """
    where = lake.child(*DOCUMENT)
    try:
        content = lake.read(*DOCUMENT)
    except FileNotFoundError:
        raise UserError(
            f"publications: expected a drug graph at {where}, found none; run `novade run`."
        ) from None
    return parse_graph(content, where)


def journals_by_drug_count(graph: Graph) -> list[Journal]:
    """All journals, those with the most different drugs first; ties share a rank."""
    drugs: dict[str, set[str]] = {}
    for drug in graph["drugs"]:
        for journal in drug["journals"]:
            drugs.setdefault(journal["name"], set()).add(drug["name"])
    ordered = sorted(drugs.items(), key=lambda pair: (-len(pair[1]), pair[0].casefold(), pair[0]))
    sizes = [len(names) for _, names in ordered]
    return [
        Journal(sizes.index(len(names)) + 1, journal, tuple(sorted(names)))
        for journal, names in ordered
    ]


def top_journals(graph: Graph) -> list[Journal]:
    """The journals that mention the most different drugs, including ties."""
    return [journal for journal in journals_by_drug_count(graph) if journal.rank == 1]


def related_drugs(graph: Graph, drug: str) -> list[Related]:
    """The drugs that the same journals mention in PubMed articles but not in clinical trials.

    The journals are those that mention `drug` in an article.

    Args:
        drug: a drug's name, in any case, with or without accents.

    Raises:
        UserError: the graph has no such drug; lists similar names.
    """
    names = {fold(node["name"]): node["name"] for node in graph["drugs"]}
    if not names:
        raise UserError(
            "related: expected a graph with drugs, found an empty one; land drugs first."
        )
    if fold(drug) not in names:
        similar = difflib.get_close_matches(fold(drug), names, n=3) or sorted(names)[:3]
        raise UserError(
            f"related: expected a drug of the graph, such as "
            f"{', '.join(names[name] for name in similar)}; found {drug!r}."
        )
    return _Mentions(graph).related(names[fold(drug)])


def all_related_drugs(graph: Graph) -> Iterator[tuple[str, Related]]:
    """Each drug with each drug related to it."""
    mentions = _Mentions(graph)
    for node in graph["drugs"]:
        for related in mentions.related(node["name"]):
            yield node["name"], related


class _Mentions:
    """Which journal mentions which drug in articles and in trials."""

    def __init__(self, graph: Graph) -> None:
        self.journals: dict[str, set[str]] = {}
        self.in_articles: dict[str, set[str]] = {}
        self.in_trials: dict[str, set[str]] = {}
        for drug in graph["drugs"]:
            for article in drug["pubmed_articles"]:
                if article["journal"] is not None:
                    self.journals.setdefault(drug["name"], set()).add(article["journal"])
                    self.in_articles.setdefault(article["journal"], set()).add(drug["name"])
            for trial in drug["clinical_trials"]:
                if trial["journal"] is not None:
                    self.in_trials.setdefault(trial["journal"], set()).add(drug["name"])

    def related(self, drug: str) -> list[Related]:
        journals = sorted(self.journals.get(drug, ()))
        through: dict[str, list[str]] = {}
        for journal in journals:
            for candidate in self.in_articles[journal] - {drug}:
                through.setdefault(candidate, []).append(journal)
        tested = {
            candidate for journal in journals for candidate in self.in_trials.get(journal, ())
        }
        return [
            Related(name, tuple(through[name])) for name in sorted(through) if name not in tested
        ]
