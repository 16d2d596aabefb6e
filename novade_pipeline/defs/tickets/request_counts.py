"""Tickets by request type, by day and in total: what was counted, and what has changed since.

The counts of the files that `tickets/tickets` no longer has are subtracted, those of the files that
it has gained are added, so that only these are read.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, TypeAlias

import pyarrow as pa

from novade_pipeline.defs.tickets.tables import REQUESTS_BY_TYPE, TICKETS
from novade_pipeline.lake.delta import WriteReceipt, replace
from novade_pipeline.lake.derived import is_current, recorded_versions, source_of
from novade_pipeline.lake.file_differences import are_readable, file_differences
from novade_pipeline.lake.read import read
from novade_pipeline.plurals import counted
from novade_pipeline.storage.store import Store

TOTAL = "total"
KINDS = ("exact", "spelling", "variant", "unknown", "missing")
OTHER_FIELD = "other_field"
_READ = ("is_deleted", "request_date", "request_type", "request_type_kind", "request_type_field")
_GROUP = ["request_date", "request_type", "request_type_kind", "request_type_field"]
Counts: TypeAlias = Counter[tuple[date, str, str]]
"""(day, request type, kind or `other_field`) -> tickets."""


def update_counts(lake: Store, on_progress: Callable[[str], None]) -> list[WriteReceipt]:
    """Bring `tickets/requests_by_type` up to what `tickets/tickets` has.

    Args:
        on_progress: called with one sentence where something has changed.

    Raises:
        TransientFailure: another writer was faster; the next call continues.
    """
    tickets, version = source_of(lake, TICKETS)
    sources = {tickets: version}
    if version < 0 or is_current(lake, REQUESTS_BY_TYPE, sources, [TICKETS]):
        return []
    since = recorded_versions(lake, REQUESTS_BY_TYPE, sources)[tickets]
    differences = file_differences(lake, TICKETS, since)
    if differences is not None and not are_readable(differences, "is_deleted"):
        differences = file_differences(lake, TICKETS, None)
    assert differences is not None
    counts: Counts = Counter()
    if not differences.is_whole:
        counts = stored_counts(read(lake, REQUESTS_BY_TYPE).to_pylist())
    counts.update(_counts(differences.rows(differences.added, _READ)))
    counts.subtract(_counts(differences.rows(differences.removed, _READ)))
    rows = pa.Table.from_pylist(count_rows(counts), schema=REQUESTS_BY_TYPE.schema)
    receipt = replace(lake, REQUESTS_BY_TYPE, rows, transactions={tickets: differences.version})
    on_progress(f"{REQUESTS_BY_TYPE.name}: {counted(receipt.rows, 'row')}")
    return [receipt]


def count_rows(counts: Counts) -> list[dict[str, Any]]:
    """The rows of `requests_by_type`: days in order, then the total."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for (day, request_type, kind), number in sorted(counts.items()):
        for period, of_day in ((day.isoformat(), day), (TOTAL, None)):
            row = rows.setdefault(
                (period, request_type),
                {
                    "period": period,
                    "request_date": of_day,
                    "request_type": request_type,
                    **dict.fromkeys(("tickets", *KINDS, OTHER_FIELD), 0),
                },
            )
            row[kind] += number
            row["tickets"] += number if kind in KINDS else 0
    return [rows[key] for key in sorted(rows) if rows[key]["tickets"]]


def stored_counts(rows: Iterable[dict[str, Any]]) -> Counts:
    """The counts that rows of days hold."""
    return Counter(
        {
            (row["request_date"], row["request_type"], kind): row[kind]
            for row in rows
            if row["period"] != TOTAL
            for kind in (*KINDS, OTHER_FIELD)
        }
    )


def _counts(batches: Iterable[pa.RecordBatch]) -> Counts:
    """The tickets of rows that are not deleted."""
    counts: Counts = Counter()
    for batch in batches:
        live = pa.Table.from_batches([batch]).filter(pa.compute.invert(batch["is_deleted"]))
        for row in live.group_by(_GROUP).aggregate([([], "count_all")]).to_pylist():
            day, number = row["request_date"], row["count_all"]
            counts[day, row["request_type"], row["request_type_kind"]] += number
            if row["request_type_field"] not in (None, "request_type"):
                counts[day, row["request_type"], OTHER_FIELD] += number
    return counts
