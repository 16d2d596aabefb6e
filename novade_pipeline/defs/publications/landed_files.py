"""What the files of publications are called, and what each kind of them becomes.

`pubmed.csv`, `pubmed_2026-03-01.json.gz`, `drugs_2026.parquet`: the name begins with the kind and
ends with the format. A file whose name has a date belongs to that day; any other to the hour that
it was last changed in.
"""

import re
from datetime import UTC, datetime

from novade_pipeline.defs.publications import tables
from novade_pipeline.defs.publications.rows import (
    DRUG_COLUMNS,
    PUBLICATION_COLUMNS,
    drug_row,
    publication_row,
)
from novade_pipeline.defs.publications.split_trials import SplitTrialJoiner
from novade_pipeline.landing.record_formats import format_of
from novade_pipeline.landing.record_rows import RecordRows
from novade_pipeline.landing.source import Source

FOLDER = "publications"
_KIND = re.compile(r"(drugs|pubmed|clinical_trials)(?![A-Za-z0-9])")
_DATE = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d)", re.ASCII)


def kind_of(name: str) -> str | None:
    """`drugs`, `pubmed` or `clinical_trials`; None where the name is of none of them."""
    found = _KIND.match(name)
    return found[1] if found is not None and format_of(name) is not None else None


def day_of(name: str) -> datetime | None:
    """The first hour of the day that the name says, UTC; None where it says none, or is of none."""
    found = _DATE.search(name)
    if kind_of(name) is None or found is None:
        return None
    try:
        return datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    except ValueError:
        return None


def is_undated(name: str) -> bool:
    """The name is one of ours and has nothing that looks like a date."""
    return kind_of(name) is not None and _DATE.search(name) is None


DRUGS = Source(
    name="drugs",
    folder=FOLDER,
    table=tables.DRUGS,
    ledger=tables.FILES,
    quarantine=tables.QUARANTINE,
    hour_of=day_of,
    naming="drugs.csv or drugs_2026-03-01.json.gz",
    reader=RecordRows(tables.DRUGS, DRUG_COLUMNS, drug_row),
    claims=lambda name: kind_of(name) == "drugs",
    is_undated=is_undated,
)
PUBMED_ARTICLES = Source(
    name="pubmed_articles",
    folder=FOLDER,
    table=tables.PUBMED_ARTICLES,
    ledger=tables.FILES,
    quarantine=tables.QUARANTINE,
    hour_of=day_of,
    naming="drugs.csv, pubmed_2026-03-01.json.gz or clinical_trials.parquet",
    reader=RecordRows(tables.PUBMED_ARTICLES, PUBLICATION_COLUMNS, publication_row),
    # And what no kind claims: it goes to quarantine, and says so.
    claims=lambda name: kind_of(name) in ("pubmed", None),
    is_undated=is_undated,
)
CLINICAL_TRIALS = Source(
    name="clinical_trials",
    folder=FOLDER,
    table=tables.CLINICAL_TRIALS,
    ledger=tables.FILES,
    quarantine=tables.QUARANTINE,
    hour_of=day_of,
    naming="clinical_trials.csv or clinical_trials_2026-03-01.json.gz",
    reader=RecordRows(
        tables.CLINICAL_TRIALS, PUBLICATION_COLUMNS, publication_row, SplitTrialJoiner
    ),
    claims=lambda name: kind_of(name) == "clinical_trials",
    is_undated=is_undated,
)
