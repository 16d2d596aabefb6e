"""Made-up drugs, articles and trials, landed as files with the faults of real ones.

    publications/drugs.csv  pubmed.csv  pubmed.json  clinical_trials.csv.gz

The same arguments give the same bytes; identical existing files are not touched.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from novade_pipeline.lake.documents import write_document
from novade_pipeline.storage.store import Store

FOLDER = "publications"
FIRST_DAY = date(2024, 1, 1)
DAYS = 500

_DRUGS = (
    ("N02ZA01", "LUMIFENAC", "lumifénac sodium|Lumidol"),
    ("N02ZA02", "CALMADOL", ""),
    ("6302007", "VIREXINE", "virexine hydrochloride"),
    ("C07ZA04", "CARDOPRIL", "Cardéa"),
    ("C07ZA05", "NORCARDOPRIL", ""),
    ("J01ZA01", "SOLVACILLIN", ""),
    ("J01ZA02", "TERRAMYXIN", "Terrax"),
    ("R06ZA01", "ALLERGOZINE", ""),
    ("A10ZA01", "GLUCOVEX", "glucovex acetate"),
    ("L04ZA01", "IMMUNOLIMAB", ""),
)
_JOURNALS = (
    *("Journal of Imaginary Medicine", "Annals of Quiet Hospitals", "Revue générale des essais"),
    *("The Northern Pharmacist", "Letters in Applied Remedies", "Archives of Slow Surgery"),
)
_TITLES = (
    "Effects of {} on sleep after surgery",
    "{} and the response to fever: a cohort study",
    "Long-term outcomes of patients treated with {}",
    "{}-induced rash in adults",
    "A comparison of {} and {} in chronic pain",
    "{} versus placebo in children with asthma",
    "Walking speed and mood in later life",
    "Night shifts and blood pressure among nurses",
)


@dataclass(frozen=True)
class _Publication:
    id: str
    title: str
    day: date
    journal: str


def land(
    landing: Store, *, articles: int = 120, trials: int = 40, seed: int = 1, faults: bool = True
) -> tuple[int, int]:
    """Land drugs, articles and trials.

    Args:
        landing: the landing zone, created if missing.
        articles: number of PubMed articles, half of them as CSV and half as JSON.
        trials: number of clinical trials.
        seed: another seed gives other titles.
        faults: include the faults of manual entry.

    Returns:
        (number of files written, number of publications).
    """
    rng = Random(seed)
    pubmed = [_publication(rng, str(30_000_001 + i)) for i in range(articles)]
    clinical = [_publication(rng, f"NCT{9_000_001 + i:08}") for i in range(trials)]
    half = articles // 2
    files = {
        "drugs.csv": _csv(("atccode", "drug", "synonyms"), _DRUGS),
        "pubmed.csv": _articles(pubmed[:half], faults),
        "pubmed.json": _json(pubmed[half:], faults),
        "clinical_trials.csv.gz": gzip.compress(_trials(clinical, faults), mtime=0),
    }
    written = [write_document(landing, content, FOLDER, name) for name, content in files.items()]
    return sum(written), articles + trials


def _publication(rng: Random, name: str) -> _Publication:
    template = rng.choice(_TITLES)
    drugs = [_name(rng, drug) for drug in rng.sample(_DRUGS, template.count("{}"))]
    day = FIRST_DAY + timedelta(rng.randrange(DAYS))
    return _Publication(name, template.format(*drugs), day, rng.choice(_JOURNALS))


def _name(rng: Random, drug: Sequence[str]) -> str:
    """A drug as in titles: its name or a synonym, in some case."""
    synonyms = [name for name in drug[2].split("|") if name]
    name = rng.choice([drug[1], drug[1], *synonyms])
    return rng.choice([name.capitalize(), name.lower(), name])


def _articles(publications: Sequence[_Publication], faults: bool) -> bytes:
    rows = [
        (p.id, p.title, f"{p.day:%d/%m/%Y}" if faults and i % 3 else p.day.isoformat(), p.journal)
        for i, p in enumerate(publications)
    ]
    text = _csv(("id", "title", "date", "journal"), rows)
    return text + b"\t\n" if faults else text


def _json(publications: Sequence[_Publication], faults: bool) -> bytes:
    rows = [
        {
            "id": "" if faults and i % 20 == 7 else int(p.id) if i % 2 else p.id,
            "title": p.title,
            "date": f"{p.day:%d/%m/%Y}" if faults else p.day.isoformat(),
            "journal": p.journal,
        }
        for i, p in enumerate(publications)
    ]
    text = json.dumps(rows, indent=1, ensure_ascii=False)
    return (text.removesuffix("\n]") + ",\n]" if faults and rows else text).encode()


def _trials(publications: Sequence[_Publication], faults: bool) -> bytes:
    rows: list[tuple[str, ...]] = []
    for i, p in enumerate(publications):
        day = f"{p.day.day} {p.day:%B %Y}"
        if faults and i % 10 == 3:
            rows += [(p.id, p.title, day, ""), ("", p.title, day, p.journal)]
        elif faults and i % 10 == 5:
            rows.append((p.id, f"{p.title} \\xc3\\xa0 domicile", day, p.journal + "\\xc3\\x28"))
        elif faults and i % 10 == 8:
            rows.append((p.id, "  ", day, p.journal))
        else:
            rows.append((p.id, p.title, day, p.journal))
    return _csv(("id", "scientific_title", "date", "journal"), rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
