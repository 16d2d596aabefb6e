"""The made-up publications: the same each time, and every one of them found again."""

from pathlib import Path

import pytest

from novade_pipeline.defs.publications.tables import (
    CLINICAL_TRIALS,
    DRUG_MENTIONS,
    FILES,
    PUBMED_ARTICLES,
)
from novade_pipeline.sandbox.publications import land
from novade_pipeline_tests.defs.publications.conftest import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_same_seed_lands_the_same_files_once(world: World) -> None:
    assert land(world.landing) == (4, 160)
    assert land(world.landing) == (0, 160)
    assert land(world.landing, seed=2)[0] == 3


def test_with_faults_the_same_is_mentioned_as_without(tmp_path: Path) -> None:
    """But for the trials without a title."""
    lengths = {}
    for faults in (True, False):
        (tmp_path / str(faults)).mkdir()
        world = World(tmp_path / str(faults))
        land(world.landing, faults=faults)
        world.load()
        world.mention()
        assert len(world.rows(PUBMED_ARTICLES, "id")) == 120
        lengths[faults] = {
            (drug, title.removesuffix(" à domicile"), day, journal)
            for drug, title, day, journal in world.rows(
                DRUG_MENTIONS, "drug", "title", "date", "journal"
            )
        }
        assert len(world.rows(CLINICAL_TRIALS, "id")) == (36 if faults else 40)
        quarantined = sum(n for (n,) in world.rows(FILES, "quarantined"))
        assert quarantined == (4 if faults else 0)
    assert lengths[True] < lengths[False]
    assert len(lengths[True]) > 100
