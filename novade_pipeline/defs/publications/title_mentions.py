"""Updates `title_mentions` from the publications that changed.

A changed upload day is scanned again; if drug names change, all days are. The commits of the
mentions record the version of the publications and of the names that they are made from.
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
from novade_pipeline.plurals import counted
from novade_pipeline.storage.store import Store

SLICE_DAYS = 31
COPIED_COLUMNS = (
    *("upload_date", "upload_hour", "file", "line", "record"),
    *("id", "title", "date", "journal"),
)


def known_drugs(lake: Store) -> list[DrugNames]:
    """The drugs in the lake, in order; of several rows the last by file counts, with all names."""
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
    """Scan the publications that changed; returns no receipts if none did.

    Raises:
        TransientFailure: another writer was faster; earlier commits remain.
    """
    drugs = known_drugs(lake)
    matcher = DrugMatcher(drugs)
    receipts: list[WriteReceipt] = []
    for kind, table in PUBLICATIONS.items():
        titles, version = source_of(lake, table)
        names_key = f"{DRUGS.name}:{kind}"
        sources = {titles: version, names_key: _as_number(drugs)}
        if version < 0 or is_current(lake, TITLE_MENTIONS, sources, [table]):
            continue
        recorded = recorded_versions(lake, TITLE_MENTIONS, sources)
        reset_by = names_key if recorded[names_key] != sources[names_key] else None
        changed = changed_partitions(lake, table, recorded[titles], version)
        days = _days_to_scan(lake, kind, EVERYTHING if reset_by else changed)
        slices = [days[at : at + SLICE_DAYS] for at in range(0, len(days), SLICE_DAYS)] or [[]]
        for number, slice_days in enumerate(slices, 1):
            mentions = _mentions(lake, matcher, drugs, kind, slice_days, version)
            receipts.append(
                replace_window(
                    lake,
                    TITLE_MENTIONS,
                    mentions,
                    _as_windows(slice_days),
                    where={"kind": kind},
                    transactions=transactions_of_commit(number, len(slices), sources, reset_by),
                )
            )
            progress(f"{TITLE_MENTIONS.name}: {kind}, {number} of {counted(len(slices), 'commit')}")
    return receipts


def mentions_in(
    batch: pa.RecordBatch, matcher: DrugMatcher, drugs: Sequence[DrugNames], kind: str
) -> pa.RecordBatch:
    """The mentions in a batch of publications, as rows of `title_mentions`."""
    titles = fold_all(batch.column("title").to_pylist())
    matches = matcher.find_in_folded(titles)
    rows = batch.take(pa.array([m.title for m in matches], pa.int64()))
    journals = rows.column("journal").to_pylist()
    folded_journals = {j: None if j is None else fold(j) for j in set(journals)}
    columns = {
        **{name: rows.column(name) for name in COPIED_COLUMNS},
        "kind": pa.array([kind] * len(matches), pa.string()),
        "drug": pa.array([drugs[m.drug].drug for m in matches], pa.string()),
        "atccode": pa.array([drugs[m.drug].atccode for m in matches], pa.string()),
        "found": pa.array([m.name for m in matches], pa.string()),
        "folded_title": pa.array([titles[m.title] for m in matches], pa.string()),
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


def _days_to_scan(lake: Store, kind: str, changed: Changed) -> list[date]:
    """Days whose publications changed; all days of both tables if all may have changed."""
    if not isinstance(changed, Everything):
        return sorted(changed)
    mentioned = distinct(lake, TITLE_MENTIONS, "upload_date", where={"kind": kind})
    return sorted(distinct(lake, PUBLICATIONS[kind], "upload_date") | mentioned)


def _as_windows(days: Sequence[date]) -> list[Window]:
    starts = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days]
    return [Window(start, start + timedelta(days=1)) for start in starts]


def _as_number(drugs: Sequence[DrugNames]) -> int:
    """A hash of the drugs and their names, as a number that a Delta transaction can record."""
    content = repr([(drug.drug, drug.atccode, sorted(drug.names)) for drug in drugs])
    return int(hashlib.sha256(content.encode()).hexdigest()[:15], 16)
