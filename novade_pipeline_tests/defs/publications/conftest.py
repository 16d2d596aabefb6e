"""A landing zone and a lake of publications, filled step by step without a run."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.publications.drug_mentions import deduplicate
from novade_pipeline.defs.publications.graph import Graph, drug_graph
from novade_pipeline.defs.publications.landed_files import CLINICAL_TRIALS, DRUGS, PUBMED_ARTICLES
from novade_pipeline.defs.publications.tables import DRUG_MENTIONS
from novade_pipeline.defs.publications.title_mentions import find_changed_mentions, known_drugs
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.ledger import Rules
from novade_pipeline.landing.load import LoadReport, load
from novade_pipeline.landing.source import find_pending
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.locations import store

SOURCES = (DRUGS, PUBMED_ARTICLES, CLINICAL_TRIALS)
RULES = Rules(1, "keep", date(2018, 1, 1), timedelta(0))
MIDNIGHT = datetime.min.time()


class World:
    """Files are landed under their names; nothing is loaded until `load` is called."""

    def __init__(self, root: Path, landing: Path | None = None) -> None:
        self.folder = (landing or root / "landing") / "publications"
        if landing is None:
            self.folder.mkdir(parents=True)
        self.landing = store(str(self.folder.parent))
        self.lake = store(str(root / "lake"))

    def land(self, name: str, content: str | bytes) -> None:
        data = content if isinstance(content, bytes) else content.encode()
        (self.folder / name).write_bytes(data)

    def load(self, first: date | None = None, last: date | None = None) -> list[LoadReport]:
        """Load what is wanted, of all days or of these."""
        within = None
        if first is not None and last is not None:
            start, end = (datetime.combine(d, MIDNIGHT, UTC) for d in (first, last))
            within = Window(start, end + timedelta(days=1))
        policy = PersonalDataPolicy()
        return [
            load(
                source,
                self.landing,
                self.lake,
                policy,
                find_pending(source, self.landing, self.lake, RULES, within),
            )
            for source in SOURCES
        ]

    def mention(self) -> int:
        """Bring both tables of mentions up to date: how many commits that took."""
        return len(find_changed_mentions(self.lake)) + len(deduplicate(self.lake))

    def graph(self) -> Graph:
        drugs = [(names.drug, names.atccode) for names in known_drugs(self.lake)]
        return drug_graph(drugs, read(self.lake, DRUG_MENTIONS).to_pylist())

    def rows(self, table: Table, *names: str) -> list[tuple[Any, ...]]:
        """The columns of all rows, in one order."""
        found = read(self.lake, table, columns=list(names)).to_pylist()
        return sorted((tuple(row[name] for name in names) for row in found), key=repr)

    def pairs(self) -> list[tuple[str, str]]:
        """(drug, publication) of the deduplicated mentions."""
        return self.rows(DRUG_MENTIONS, "drug", "publication")  # type: ignore[return-value]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(scope="session")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The real files, loaded; not to be changed."""
    world = World(tmp_path_factory.mktemp("real"), shared / "landing")
    world.load()
    world.mention()
    return world


def csv(*rows: Sequence[str], header: str = "id,title,date,journal") -> str:
    """A CSV with every field in quotes."""
    lines = [",".join(f'"{field}"' for field in row) for row in rows]
    return "\n".join([header, *lines, ""])
