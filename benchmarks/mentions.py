"""How many titles a second are looked through for all drugs, against one expression a drug.

    .venv/bin/python benchmarks/mentions.py [--titles 1000000] [--drugs 5000] [--repeat 3]

Made-up titles, seeded, in a Parquet file that is read batch by batch; each run in a process of its
own. The naive loop looks at a small sample of the same titles, since it is slow, and has to find
the same. A quarter of the titles shows whether memory grows with them. Last, a year of files, one
a day, is loaded and looked through in windows of a month, as a backfill does.
It is a benchmark, not a test: a missed goal ends with 0 too.
"""

import argparse
import importlib
import random
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from harness import Measured, Sample, report, sampled, timed, verdict

GOAL = 100_000
GROWTH = 1.25
BATCH = 16_384
SAMPLE = 200
FIRST = date(2025, 1, 1)
_SYLLABLES = (
    *("ben", "cor", "dex", "flu", "lor", "met", "ni", "ox", "pra", "ri", "sal", "ti", "val", "zo"),
    *("ami", "car", "do", "epi", "gli", "hy", "keto", "lam"),
)
_ENDINGS = ("ine", "ol", "one", "ide", "ate", "mab", "pril", "statin", "azole", "cillin")
_WORDS = (
    *("treatment", "of", "patients", "with", "acute", "chronic", "effects", "a", "randomized"),
    *("controlled", "trial", "the", "in", "mice", "children", "response", "to", "and", "risk"),
    *("therapy", "outcomes", "β-blocker", "naïve", "cohort", "study", "following", "surgery"),
    *("induced", "myocardial", "infarction", "pilot", "versus", "placebo", "long-term"),
)


def drug_names(count: int) -> list[str]:
    """Different made-up names; some within others, as real ones are."""
    chance = random.Random(1)
    names: dict[str, None] = {}
    while len(names) < count:
        stem = "".join(chance.choices(_SYLLABLES, k=chance.randint(2, 3)))
        names[(stem + chance.choice(_ENDINGS)).upper()] = None
    return list(names)


def titles(count: int, drugs: list[str], seed: int) -> Iterator[str]:
    """Titles of 8 to 18 words; three in ten have a drug or two."""
    chance = random.Random(seed)
    for _ in range(count):
        words = chance.choices(_WORDS, k=chance.randint(8, 18))
        if chance.random() < 0.3:
            for name in chance.choices(drugs, k=chance.randint(1, 2)):
                words[chance.randrange(len(words))] = name.capitalize()
        yield " ".join(words).capitalize()


def write_titles(path: Path, count: int, drugs: list[str]) -> None:
    """Titles as rows of `pubmed_articles`, in Parquet."""
    import pyarrow as pa
    from pyarrow import parquet

    from novade_pipeline.defs.publications.tables import PUBMED_ARTICLES
    from novade_pipeline.defs.publications.title_mentions import COPIED_COLUMNS

    schema = pa.schema([PUBMED_ARTICLES.schema.field(name) for name in COPIED_COLUMNS])
    hour = datetime(2025, 1, 1, tzinfo=UTC)
    same = {"upload_date": FIRST, "upload_hour": hour, "file": "f", "date": FIRST, "journal": "J"}
    made = titles(count, drugs, 2)
    with parquet.ParquetWriter(path, schema) as writer:
        for at in range(0, count, BATCH):
            some = [next(made) for _ in range(min(BATCH, count - at))]
            numbers = list(range(at, at + len(some)))
            own = {"title": some, "id": list(map(str, numbers)), "line": numbers, "record": numbers}
            columns = [
                pa.array(own[f.name] if f.name in own else [same[f.name]] * len(some), f.type)
                for f in schema
            ]
            writer.write_table(pa.table(columns, schema=schema))


def ours(path: Path, drugs: list[str]) -> int:
    """Look through all titles as the asset does; how many there were."""
    from pyarrow import parquet

    from novade_pipeline.defs.publications.matcher import DrugMatcher, DrugNames
    from novade_pipeline.defs.publications.title_mentions import mentions_in

    known = [DrugNames(name, None, (name,)) for name in drugs]
    matcher, done = DrugMatcher(known), 0
    for batch in parquet.ParquetFile(path).iter_batches(BATCH):
        mentions_in(batch, matcher, known, "pubmed_article")
        done += batch.num_rows
    return done


def naive(path: Path, drugs: list[str]) -> int:
    """The loop: one expression a drug, each searched in each title of the sample."""
    found = 0
    patterns = [re.compile(rf"\b{re.escape(name)}\b", re.IGNORECASE) for name in drugs]
    for title in _sample(path):
        found += sum(pattern.search(title) is not None for pattern in patterns)
    assert found == _found_by_ours(path, drugs), "both find the same"
    return SAMPLE


def _sample(path: Path) -> list[str]:
    from pyarrow import parquet

    batch = next(parquet.ParquetFile(path).iter_batches(SAMPLE, columns=["title"]))
    return list(batch.column("title").to_pylist())


def _found_by_ours(path: Path, drugs: list[str]) -> int:
    from novade_pipeline.defs.publications.matcher import DrugMatcher, DrugNames

    matcher = DrugMatcher([DrugNames(name, None, (name,)) for name in drugs])
    return len(matcher.find(_sample(path)))


def year(folder: Path, drugs: list[str], count: int) -> int:
    """Load a year of files and look through their titles, month by month; how many titles."""
    from novade_pipeline.defs.publications.drug_mentions import deduplicate
    from novade_pipeline.defs.publications.landed_files import DRUGS, PUBMED_ARTICLES
    from novade_pipeline.defs.publications.tables import PUBMED_ARTICLES as TABLE
    from novade_pipeline.defs.publications.title_mentions import find_changed_mentions
    from novade_pipeline.lake.read import stream
    from novade_pipeline.lake.windows import Window
    from novade_pipeline.landing.ledger import Rules
    from novade_pipeline.landing.load import load
    from novade_pipeline.landing.source import find_pending
    from novade_pipeline.privacy.policy import PersonalDataPolicy
    from novade_pipeline.storage.locations import store

    landing, lake = store(str(folder / "landing")), store(str(folder / "lake"))
    rules = Rules(1, "keep", date(2018, 1, 1), timedelta(0))
    starts = [datetime(2025, month, 1, tzinfo=UTC) for month in range(1, 13)]
    for start, end in zip(starts, [*starts[1:], datetime(2026, 1, 1, tzinfo=UTC)], strict=True):
        for source in (DRUGS, PUBMED_ARTICLES):
            todo = find_pending(source, landing, lake, rules, Window(start, end))
            load(source, landing, lake, PersonalDataPolicy(), todo)
        find_changed_mentions(lake)
        deduplicate(lake)
    done = sum(batch.num_rows for batch in stream(lake, TABLE, columns=["line"]))
    assert done == count, f"expected {count} titles, found {done}"
    return done


def land_year(folder: Path, drugs: list[str], a_day: int) -> None:
    """One CSV a day, and the drugs."""
    place = folder / "landing" / "publications"
    place.mkdir(parents=True)
    (place / "drugs.csv").write_text("drug\n" + "\n".join(drugs) + "\n")
    made = titles(365 * a_day, drugs, 3)
    for n in range(365):
        lines = [f'{n}-{i},"{next(made)}",01/02/2024,Journal {i % 50}' for i in range(a_day)]
        day = FIRST + timedelta(n)
        (place / f"pubmed_{day}.csv").write_text("\n".join(["id,title,date,journal", *lines]))


def main() -> None:
    """Measure and print; with `--work`, do one piece of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--titles", type=int, default=1_000_000, help="to be looked through")
    parser.add_argument("--drugs", type=int, default=5_000, help="to be looked for")
    parser.add_argument("--a-day", type=int, default=500, help="titles in each file of the year")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each")
    parser.add_argument("--work", choices=("ours", "naive", "year"), help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    told = parser.parse_args()
    drugs = drug_names(told.drugs)
    if told.work:
        # What is imported is no part of what is measured.
        for name in ("pyarrow.parquet", "novade_pipeline.defs.publications.title_mentions"):
            importlib.import_module(name)
    if told.work == "year":
        report(timed(lambda: year(told.path, drugs, 365 * told.a_day)))
    elif told.work:
        work = ours if told.work == "ours" else naive
        report(timed(lambda: work(told.path, drugs)))
    else:
        _compare(told, drugs)


def _compare(told: argparse.Namespace, drugs: list[str]) -> None:
    def run(work: str, path: Path) -> Sample:
        options = ["--drugs", str(told.drugs), "--a-day", str(told.a_day)]
        return sampled(Path(__file__), ["--work", work, "--path", path, *options])

    with tempfile.TemporaryDirectory(prefix="novade-bench-") as folder:
        root = Path(folder)
        whole, quarter = root / "titles.parquet", root / "quarter.parquet"
        write_titles(whole, told.titles, drugs)
        write_titles(quarter, told.titles // 4, drugs)
        fast = Measured(tuple(run("ours", whole) for _ in range(told.repeat)))
        less = Measured(tuple(run("ours", quarter) for _ in range(told.repeat)))
        slow = Measured(tuple(run("naive", whole) for _ in range(told.repeat)))
        land_year(root / "year", drugs, told.a_day)
        backfill = Measured((run("year", root / "year"),))
    growth = fast.peak_mib / less.peak_mib
    print(f"{told.titles:,} titles, {told.drugs:,} drugs; the best of {told.repeat} runs")
    print(f"all names in one pass    {fast.rate:12,.0f} titles/s   peak {fast.peak_mib:6.0f} MiB")
    cpu_rate = told.titles / fast.cpu_seconds
    print(f"  per CPU second         {cpu_rate:12,.0f} titles")
    print(f"one expression a drug    {slow.rate:12,.0f} titles/s   on {SAMPLE} of the same titles")
    print(f"ratio                    {fast.rate / slow.rate:12,.0f}")
    print(f"wanted >= {GOAL:,} titles/s: {verdict(fast.rate >= GOAL)}")
    print(
        f"memory for 4 times the titles {growth:.2f} times   wanted <= {GROWTH}   "
        f"{verdict(growth <= GROWTH)}  "
        f"({less.peak_mib:.0f} MiB for a quarter)"
    )
    print(
        f"a year of files, {365 * told.a_day:,} titles, landed CSV to mentions in 12 windows: "
        f"{backfill.seconds:.1f} s, {backfill.rate:,.0f} titles/s, peak {backfill.peak_mib:.0f} MiB"
    )


if __name__ == "__main__":
    main()
