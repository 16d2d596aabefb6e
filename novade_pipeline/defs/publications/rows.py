"""Converts a record of each kind to a row, or says why it cannot."""

import re
from collections.abc import Mapping
from typing import Any

from novade_pipeline.defs.publications.repairs import clean_text, parse_date
from novade_pipeline.landing.record_rows import InvalidRecord, Row
from novade_pipeline.landing.records import Columns

DRUG_COLUMNS = Columns(
    {
        "drug": ("drug", "name"),
        "atccode": ("atccode", "atc_code", "atc"),
        "synonyms": ("synonyms", "synonym"),
    },
    required=("drug",),
)
PUBLICATION_COLUMNS = Columns(
    {
        "id": ("id", "pmid", "nct_id"),
        "title": ("title", "scientific_title"),
        "date": ("date", "publication_date"),
        "journal": ("journal", "journal_title"),
    },
    required=("title", "date"),
)
_BETWEEN_SYNONYMS = re.compile(r"[|;]")


def drug_row(values: Mapping[str, Any], mended: list[str]) -> Row:
    """A drug; synonyms are a list, or a text with `|` or `;` between them.

    Raises:
        InvalidRecord: it has no name.
    """
    name = _required(values, "drug", mended)
    stated = values.get("synonyms")
    parts = stated if isinstance(stated, list) else _BETWEEN_SYNONYMS.split(str(stated or ""))
    synonyms = [text for part in parts if (text := clean_text(part, mended))]
    return {
        "drug": name,
        "atccode": clean_text(values.get("atccode"), mended),
        "synonyms": list(dict.fromkeys(synonyms)),
    }


def publication_row(values: Mapping[str, Any], mended: list[str]) -> Row:
    """A PubMed article or a clinical trial.

    Raises:
        InvalidRecord: it has no title, or no date that can be read.
    """
    title = _required(values, "title", mended)
    day = parse_date(values.get("date"), mended)
    if day is None:
        actual = "another form" if clean_text(values.get("date"), []) else "none"
        raise InvalidRecord(
            f"date: expected one like 2020-01-31, 31/01/2020 or 31 January 2020, found {actual}"
        )
    return {
        "id": clean_text(values.get("id"), mended),
        "title": title,
        "date": day,
        "journal": clean_text(values.get("journal"), mended),
    }


def _required(values: Mapping[str, Any], name: str, mended: list[str]) -> str:
    value = values.get(name)
    if isinstance(value, dict | list):
        raise InvalidRecord(f"{name}: expected a text, found {'an object' if value else 'nothing'}")
    text = clean_text(value, mended)
    if text is None:
        raise InvalidRecord(f"{name}: expected a text, found a blank one")
    return text
