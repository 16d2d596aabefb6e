"""The drug graph as one JSON document: each drug with its mentions and their dates.

`drug_graph.schema.json` beside this file is its schema.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

Graph = dict[str, Any]

DOCUMENT = ("documents", "publications", "drug_graph.json")
PICTURE = ("documents", "publications", "drug_graph.html")
SCHEMA_FILE = Path(__file__).with_name("drug_graph.schema.json")
KINDS = {"pubmed_article": "pubmed_articles", "clinical_trial": "clinical_trials"}
"""Kind of publication -> the node's list."""


def drug_graph(
    drugs: Sequence[tuple[str, str | None]], mentions: Iterable[Mapping[str, Any]]
) -> Graph:
    """The graph of all known drugs, mentioned or not.

    Args:
        drugs: (name, ATC code).
        mentions: rows of `publications/drug_mentions`.
    """
    rows = list(mentions)
    codes = dict(drugs) | {m["drug"]: m["atccode"] for m in rows}
    nodes: dict[str, dict[str, Any]] = {
        name: {
            "name": name,
            "atccode": codes[name],
            "pubmed_articles": [],
            "clinical_trials": [],
            "journals": [],
        }
        for name in sorted(codes)
    }
    journals: dict[str, set[tuple[str, str]]] = {name: set() for name in nodes}
    for mention in sorted(rows, key=lambda m: (m["date"], m["publication"])):
        day = mention["date"].isoformat()
        nodes[mention["drug"]][KINDS[mention["kind"]]].append(
            {
                "id": mention["id"],
                "title": mention["title"],
                "date": day,
                "journal": mention["journal"],
            }
        )
        if mention["journal"] is not None:
            journals[mention["drug"]].add((day, mention["journal"]))
    for name, dated in journals.items():
        nodes[name]["journals"] = [{"name": j, "date": day} for day, j in sorted(dated)]
    return {"format": "novade/drug_graph", "version": 1, "drugs": list(nodes.values())}


def counts(graph: Graph) -> dict[str, int]:
    """Numbers of drugs, mentions and journals in the graph."""
    pairs = {(d["name"], j["name"]) for d in graph["drugs"] for j in d["journals"]}
    return {
        "drugs": len(graph["drugs"]),
        "drug_publication_mentions": sum(
            len(drug[of]) for drug in graph["drugs"] for of in KINDS.values()
        ),
        "drug_journal_dates": sum(len(drug["journals"]) for drug in graph["drugs"]),
        "drug_journals": len(pairs),
        "journals": len({journal for _, journal in pairs}),
    }


def violations(graph: object, limit: int = 10) -> list[str]:
    """Where a document breaks the schema, as sentences without values."""
    messages = []
    for error in _validator().iter_errors(graph):
        place = "/".join(map(str, error.instance_path)) or "the document"
        messages.append(f"{place}: breaks {'/'.join(map(str, error.schema_path))}")
        if len(messages) == limit:
            break
    return messages


@cache
def _validator() -> Any:
    import jsonschema_rs

    schema = json.loads(SCHEMA_FILE.read_text())
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True, offline=True)
