"""Keeping `title_mentions` beside the publications: looking through what changed.

A changed upload day is looked through again; changed names have all days looked through again.
Which version of the publications, and which names, the mentions have taken in stands in the
commits of the mentions.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from novade_pipeline.defs.publications.folding import fold, fold_all
from novade_pipeline.defs.publications.matcher import DrugMatcher, DrugNames
from novade_pipeline.defs.publications.tables import DRUGS, PUBLICATIONS, TITLE_MENTIONS
from novade_pipeline.lake.changes import EVERYTHING, Changed, Everything, changed_partitions
from novade_pipeline.lake.delta import WriteReceipt, replace_window
from novade_pipeline.lake.derived import (
    is_current,
    recorded_versions,
    source_of,
    transactions_of_commit,
)
from novade_pipeline.lake.read import distinct, read, stream
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage.store import Store

SLICE_DAYS = 31
COPIED_COLUMNS = (
    *("upload_date", "upload_hour", "file", "line", "record"),
    *("id", "title", "date", "journal"),
)


def known_drugs(lake: Store) -> list[DrugNames]:
    """The drugs that the lake holds, in order; of several rows of one the last by file counts.

    Its other names are those of all its rows.
    """
    rows = read(lake, DRUGS, columns=["file", "record", "drug", "atccode", "synonyms"]).to_pylist()
    drugs: dict[str, DrugNames] = {}
    for row in sorted(rows, key=lambda row: (row["file"], row["record"])):
        known = drugs.get(fold(row["drug"]))
        before = known.names if known is not None else ()
        code = row["atccode"] or (known.atccode if known is not None else None)
        names = tuple(dict.fromkeys((row["drug"], *row["synonyms"], *before)))
        drugs[fold(row["drug"])] = DrugNames(row["drug"], code, names)
    return [drugs[name] for name in sorted(drugs)]


def find_changed_mentions(
    lake: Store, progress: Callable[[str], None] = lambda _: None
) -> list[WriteReceipt]:
    """Look through what the mentions have not taken in yet; no receipts where there is nothing.

    Raises:
        TransientFailure: another writer was faster; what was committed before stays.
    """
    drugs = known_drugs(lake)
    matcher = DrugMatcher(drugs)
    receipts: list[WriteReceipt] = []
    for kind, table in PUBLICATIONS.items():
        titles, version = source_of(lake, table)
        names = f"{DRUGS.name}:{kind}"
        sources = {titles: version, names: _as_number(drugs)}
        if version < 0 or is_current(lake, TITLE_MENTIONS, sources, [table]):
            continue
        known = recorded_versions(lake, TITLE_MENTIONS, sources)
        anew_by = names if known[names] != sources[names] else None
        changed = changed_partitions(lake, table, known[titles], version)
        days = _days_to_look_through(lake, kind, EVERYTHING if anew_by else changed)
        slices = [days[at : at + SLICE_DAYS] for at in range(0, len(days), SLICE_DAYS)] or [[]]
        for number, some in enumerate(slices, 1):
            found = _mentions(lake, matcher, drugs, kind, some, version)
            receipts.append(
                replace_window(
                    lake,
                    TITLE_MENTIONS,
                    found,
                    _as_windows(some),
                    where={"kind": kind},
                    transactions=transactions_of_commit(number, len(slices), sources, anew_by),
                )
            )
            progress(f"{TITLE_MENTIONS.name}: {kind}, {number} of {len(slices)} commits")
    return receipts


def mentions_in(
    batch: pa.RecordBatch, matcher: DrugMatcher, drugs: Sequence[DrugNames], kind: str
) -> pa.RecordBatch:
    """The mentions in a batch of publications, as rows of `title_mentions`."""
    titles = fold_all(batch.column("title").to_pylist())
    found = matcher.find_in_folded(titles)
    rows = batch.take(pa.array([mention.title for mention in found], pa.int64()))
    journals = rows.column("journal").to_pylist()
    folded_journals = {j: None if j is None else fold(j) for j in set(journals)}
    columns = {
        **{name: rows.column(name) for name in COPIED_COLUMNS},
        "kind": pa.array([kind] * len(found), pa.string()),
        "drug": pa.array([drugs[m.drug].drug for m in found], pa.string()),
        "atccode": pa.array([drugs[m.drug].atccode for m in found], pa.string()),
        "found": pa.array([m.name for m in found], pa.string()),
        "folded_title": pa.array([titles[m.title] for m in found], pa.string()),
        "folded_journal": pa.array([folded_journals[j] for j in journals], pa.string()),
    }
    schema = TITLE_MENTIONS.schema
    return pa.RecordBatch.from_arrays(
        [columns[field.name].cast(field.type) for field in schema], schema=schema
    )


def _mentions(
    lake: Store,
    matcher: DrugMatcher,
    drugs: Sequence[DrugNames],
    kind: str,
    days: Sequence[date],
    version: int,
) -> pa.RecordBatchReader:
    def batches() -> Iterator[pa.RecordBatch]:
        if days:
            landed = stream(
                lake,
                PUBLICATIONS[kind],
                columns=COPIED_COLUMNS,
                windows=_as_windows(days),
                version=version,
            )
            for batch in landed:
                yield mentions_in(batch, matcher, drugs, kind)

    return pa.RecordBatchReader.from_batches(TITLE_MENTIONS.schema, batches())


def _days_to_look_through(lake: Store, kind: str, changed: Changed) -> list[date]:
    """Days whose publications changed; all days of both tables where all may have."""
    if not isinstance(changed, Everything):
        return sorted(changed)
    mentioned = distinct(lake, TITLE_MENTIONS, "upload_date", where={"kind": kind})
    return sorted(distinct(lake, PUBLICATIONS[kind], "upload_date") | mentioned)


def _as_windows(days: Sequence[date]) -> list[Window]:
    starts = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days]
    return [Window(start, start + timedelta(days=1)) for start in starts]


def _as_number(drugs: Sequence[DrugNames]) -> int:
    """The drugs and all their names, as what a Delta transaction can record."""
    told = repr([(drug.drug, drug.atccode, sorted(drug.names)) for drug in drugs])
    return int(hashlib.sha256(told.encode()).hexdigest()[:15], 16)
