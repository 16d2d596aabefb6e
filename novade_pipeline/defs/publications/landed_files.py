"""The file names and sources of publications.

`pubmed.csv`, `pubmed_2026-03-01.json.gz`, `drugs_2026.parquet`: the name begins with the kind and
ends with the format. A file with a date in its name belongs to that day, any other to the hour of
its last change.
"""

import re
from datetime import UTC, datetime
from functools import partial

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


def kind_of(path: str) -> str | None:
    """`drugs`, `pubmed`, `clinical_trials`, or None for a file of any other name."""
    name = path.rsplit("/", 1)[-1]
    match = _KIND.match(name)
    return match[1] if match is not None and format_of(name) is not None else None


def day_of(name: str) -> datetime | None:
    """The first hour of the day in a publication file's name, UTC; else None."""
    match = _DATE.search(name)
    if kind_of(name) is None or match is None:
        return None
    try:
        return datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    except ValueError:
        return None


def is_undated(name: str) -> bool:
    """Whether a publication file's name has no date, not even an invalid one."""
    return kind_of(name) is not None and _DATE.search(name) is None


_source = partial(
    Source,
    folder=FOLDER,
    ledger=tables.FILES,
    quarantine=tables.QUARANTINE,
    hour_of=day_of,
    is_undated=is_undated,
)
DRUGS = _source(
    name="drugs",
    table=tables.DRUGS,
    naming="drugs.csv or drugs_2026-03-01.json.gz",
    reader=RecordRows(tables.DRUGS, DRUG_COLUMNS, drug_row),
    claims=lambda path: kind_of(path) == "drugs",
)
PUBMED_ARTICLES = _source(
    name="pubmed_articles",
    table=tables.PUBMED_ARTICLES,
    naming="drugs.csv, pubmed_2026-03-01.json.gz or clinical_trials.parquet",
    reader=RecordRows(tables.PUBMED_ARTICLES, PUBLICATION_COLUMNS, publication_row),
    # A file of no kind goes to this source's quarantine.
    claims=lambda path: kind_of(path) in ("pubmed", None),
)
CLINICAL_TRIALS = _source(
    name="clinical_trials",
    table=tables.CLINICAL_TRIALS,
    naming="clinical_trials.csv or clinical_trials_2026-03-01.json.gz",
    reader=RecordRows(
        tables.CLINICAL_TRIALS, PUBLICATION_COLUMNS, publication_row, SplitTrialJoiner
    ),
    claims=lambda path: kind_of(path) == "clinical_trials",
)
