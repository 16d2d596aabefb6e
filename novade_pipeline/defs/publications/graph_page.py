"""Renders the drug graph as one HTML page: drugs, publications, journals.

The page is self-contained: it fetches nothing, and its script only highlights connected nodes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from novade_pipeline.defs.publications.graph import KINDS, Graph, counts
from novade_pipeline.plurals import counted

MAX_PUBLICATIONS = 300
TEMPLATE = Path(__file__).with_name("graph_page.html")
TOP, ROW, GAP = 56, 26, 14
DRUG_X, LEFT_X, RIGHT_X, JOURNAL_X, WIDTH = 190, 370, 950, 1090, 1480
TITLE_CHARACTERS, JOURNAL_CHARACTERS = 64, 52


@dataclass
class _Publication:
    kind: str
    title: str
    date: str
    id: str | None
    journal: str | None
    drugs: list[str] = field(default_factory=list)


def graph_page(graph: Graph) -> str:
    """The page; of a large graph it shows the most mentioned drugs, and says so."""
    drugs, publications = _shown(graph)
    total = counts(graph)
    shown = (
        ""
        if len(drugs) == len(_mentioned(graph))
        else f" The page shows the {len(drugs)} most mentioned drugs; the document has all."
    )
    summary = (
        f"{counted(total['drugs'], 'drug')}, "
        f"{counted(total['drug_publication_mentions'], 'mention')} by publications, "
        f"{counted(total['journals'], 'journal')}.{shown}"
    )
    return _template().substitute(summary=escape(summary), svg=_svg(drugs, publications))


def _mentioned(graph: Graph) -> list[str]:
    """The drugs with a mention, the most mentioned first."""
    sizes = {d["name"]: sum(len(d[of]) for of in KINDS.values()) for d in graph["drugs"]}
    return sorted((name for name in sizes if sizes[name]), key=lambda name: (-sizes[name], name))


def _shown(graph: Graph) -> tuple[list[str], list[_Publication]]:
    """The drugs to show, and their publications in the order of the drugs."""
    nodes = {drug["name"]: drug for drug in graph["drugs"]}
    publications: dict[tuple[str | None, ...], _Publication] = {}
    drugs: list[str] = []
    for name in _mentioned(graph):
        of_drug = [(kind, p) for kind, of in KINDS.items() for p in nodes[name][of]]
        if drugs and len(publications) + len(of_drug) > MAX_PUBLICATIONS:
            break
        drugs.append(name)
        for kind, p in of_drug[:MAX_PUBLICATIONS]:
            key = (kind, p["id"], p["title"], p["date"])
            publication = publications.setdefault(
                key, _Publication(kind, p["title"], p["date"], p["id"], p["journal"])
            )
            publication.drugs.append(name)
    at = {name: i for i, name in enumerate(drugs)}
    ordered = sorted(
        publications.values(),
        key=lambda p: (sum(at[d] for d in p.drugs) / len(p.drugs), p.date, p.kind, p.title),
    )
    return drugs, ordered


def _svg(drugs: Sequence[str], publications: Sequence[_Publication]) -> str:
    journals = sorted({p.journal for p in publications if p.journal is not None})
    rows = [TOP + ROW * i for i in range(len(publications))]
    drug_y = _spread(
        {d: [y for p, y in zip(publications, rows, strict=True) if d in p.drugs] for d in drugs}
    )
    journal_y = _spread(
        {
            j: [y for p, y in zip(publications, rows, strict=True) if p.journal == j]
            for j in journals
        }
    )
    number = {j: i for i, j in enumerate(journals)}
    edges, nodes = [], []
    for i, (publication, y) in enumerate(zip(publications, rows, strict=True)):
        for drug in publication.drugs:
            ends = f"d{drugs.index(drug)}", f"p{i}"
            start = DRUG_X + 8, drug_y[drug]
            edges.append(_edge(ends, publication.kind, start, (LEFT_X, y)))
        if publication.journal is not None:
            ends = f"p{i}", f"j{number[publication.journal]}"
            end = JOURNAL_X - 8, journal_y[publication.journal]
            edges.append(_edge(ends, "of", (RIGHT_X, y), end))
        nodes.append(_publication(i, publication, y))
    for i, drug in enumerate(drugs):
        size = sum(drug in p.drugs for p in publications)
        nodes.append(_drug(i, drug, drug_y[drug], size))
    for journal, i in number.items():
        y = journal_y[journal]
        mentioned = {d for p in publications if p.journal == journal for d in p.drugs}
        nodes.append(_journal(i, journal, y, len(mentioned)))
    height = max([*rows, *drug_y.values(), *journal_y.values(), TOP]) + ROW
    heads = (
        f'<text class="head" x="{DRUG_X + 8}" y="24" text-anchor="end">Drugs</text>'
        f'<text class="head" x="{LEFT_X}" y="24">Publications, with their dates</text>'
        f'<text class="head" x="{JOURNAL_X - 8}" y="24">Journals</text>'
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        'xmlns="http://www.w3.org/2000/svg" aria-label="Drugs, publications and journals">'
        f"{heads}<g>{''.join(edges)}</g>{''.join(nodes)}</svg>"
    )


def _spread(anchors: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """A y for each node near the mean of its anchors, without overlap."""
    middles = sorted((sum(ys) / len(ys) if ys else TOP, name) for name, ys in anchors.items())
    placed: dict[str, int] = {}
    below = TOP - ROW - GAP
    for middle, name in middles:
        below = max(below + ROW + GAP, round(middle))
        placed[name] = below
    # Move up again, from the last to the first, what was pushed down without need.
    floor = max((y for ys in anchors.values() for y in ys), default=TOP)
    for _, name in reversed(middles):
        placed[name] = max(min(placed[name], floor), TOP)
        floor = placed[name] - ROW - GAP
    return placed if len(set(placed.values())) == len(placed) else _stacked(middles)


def _stacked(middles: Iterable[tuple[float, str]]) -> dict[str, int]:
    return {name: TOP + i * (ROW + GAP) for i, (_, name) in enumerate(middles)}


def _edge(nodes: tuple[str, str], kind: str, start: tuple[int, int], end: tuple[int, int]) -> str:
    (a, b), (x1, y1), (x2, y2) = nodes, start, end
    middle = (x1 + x2) // 2
    path = f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
    return f'<path class="edge {kind}" data-a="{a}" data-b="{b}" d="{path}"/>'


def _drug(i: int, name: str, y: int, size: int) -> str:
    return (
        f'<g class="node drug" id="d{i}" tabindex="0"><title>{escape(name)}: '
        f"{counted(size, 'publication')}</title>"
        f'<circle cx="{DRUG_X + 8}" cy="{y}" r="7"/><text x="{DRUG_X - 8}" y="{y}" '
        f'text-anchor="end">{escape(_cut(name, 22))} <tspan class="size">{size}</tspan></text></g>'
    )


def _publication(i: int, publication: _Publication, y: int) -> str:
    title = f"{publication.title} ({publication.id or 'no id'}, {publication.date})"
    return (
        f'<g class="node publication {publication.kind}" id="p{i}" tabindex="0">'
        f'<title>{escape(title)}</title><rect x="{LEFT_X}" y="{y - 11}" '
        f'width="{RIGHT_X - LEFT_X}" height="22" rx="4"/>'
        # A nested svg clips what a wide font would draw over the frame.
        f'<svg x="{LEFT_X}" y="{y - 11}" width="{RIGHT_X - LEFT_X - 4}" height="22">'
        '<text x="8" y="11">'
        f'<tspan class="date">{escape(publication.date)}</tspan>  '
        f"{escape(_cut(publication.title, TITLE_CHARACTERS))}</text></svg></g>"
    )


def _journal(i: int, name: str, y: int, size: int) -> str:
    label = f"{name}: {size} drug{'s' if size != 1 else ''}"
    return (
        f'<g class="node journal" id="j{i}" tabindex="0"><title>{escape(label)}</title>'
        f'<circle cx="{JOURNAL_X}" cy="{y}" r="7"/><text x="{JOURNAL_X + 16}" y="{y}">'
        f'{escape(_cut(name, JOURNAL_CHARACTERS))} <tspan class="size">{size}</tspan></text></g>'
    )


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


@cache
def _template() -> Template:
    return Template(TEMPLATE.read_text())
