"""Updates `event_verdicts` from the events that changed, by the current plan.

A changed upload hour is judged again; after a change of the plan, all hours are. The commits of
the verdicts record the versions of events and plan that they are made from. `verdict_counts` has
them by upload day, so that nothing has to read all of them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, time

import pyarrow as pa

from novade_pipeline.defs.amplitude.tables import EVENTS
from novade_pipeline.defs.tracking_plan.judge import BATCH_ROWS, Judge
from novade_pipeline.defs.tracking_plan.plan_files import stored_plan
from novade_pipeline.defs.tracking_plan.tables import EVENT_VERDICTS, VERDICT_COUNTS
from novade_pipeline.lake.changed_windows import DAY, changed_windows, days_of, joined
from novade_pipeline.lake.changes import EVERYTHING, Everything
from novade_pipeline.lake.delta import WriteReceipt, replace, replace_window
from novade_pipeline.lake.derived import (
    is_current,
    recorded_versions,
    source_of,
    transactions_of_commit,
)
from novade_pipeline.lake.prefetch import prefetch
from novade_pipeline.lake.read import distinct, stream
from novade_pipeline.lake.windows import Window
from novade_pipeline.plurals import counted
from novade_pipeline.storage.store import Store

VERDICTS = ("conforming", "violating", "unplanned", "unjudged")
SLICE_DAYS = 31
_BATCH_BYTES = 16 * 2**20
_COLUMNS = (
    *("upload_date", "upload_hour", "file", "line", "uuid"),
    *("event_time", "event_type", "event_properties"),
)
_PLAN = "tracking_plan/plan"


def judge_changes(
    lake: Store, progress: Callable[[str], None] = lambda _: None
) -> list[WriteReceipt]:
    """Judge the events that changed; returns no receipts if none did.

    Raises:
        TransientFailure: another writer was faster; earlier commits remain.
    """
    plan = stored_plan(lake)
    events, version = source_of(lake, EVENTS)
    sources = {events: version, _PLAN: _as_number(plan.version)}
    if version < 0 or is_current(lake, EVENT_VERDICTS, sources, [EVENTS]):
        return []
    recorded = recorded_versions(lake, EVENT_VERDICTS, sources)
    reset_by = _PLAN if recorded[_PLAN] != sources[_PLAN] else None
    windows = EVERYTHING if reset_by else changed_windows(lake, EVENTS, recorded[events], version)
    judge = Judge(plan)
    receipts: list[WriteReceipt] = []
    slices = _slices(_all_days(lake) if isinstance(windows, Everything) else windows)
    for number, part in enumerate(slices, 1):
        receipts.append(
            replace_window(
                lake,
                EVENT_VERDICTS,
                _verdict_rows(lake, judge, plan.version, part, version),
                part,
                transactions=transactions_of_commit(number, len(slices), sources, reset_by),
            )
        )
        progress(f"{EVENT_VERDICTS.name}: {number} of {counted(len(slices), 'commit')}")
    return receipts


def count_changes(lake: Store) -> list[WriteReceipt]:
    """Count the verdicts of the upload days that changed since they were counted.

    Raises:
        TransientFailure: another writer was faster.
    """
    verdicts, version = source_of(lake, EVENT_VERDICTS)
    sources = {verdicts: version}
    if version < 0 or is_current(lake, VERDICT_COUNTS, sources, [EVENT_VERDICTS]):
        return []
    since = recorded_versions(lake, VERDICT_COUNTS, sources)[verdicts]
    windows = changed_windows(lake, EVENT_VERDICTS, since, version)
    if isinstance(windows, Everything):
        rows = _count_rows(lake, None, version)
        return [replace(lake, VERDICT_COUNTS, rows, transactions=sources)]
    days = days_of(windows)
    rows = _count_rows(lake, [_hours_of(day) for day in days], version)
    counted_days = [Window(day, day + DAY) for day in days]
    return [replace_window(lake, VERDICT_COUNTS, rows, counted_days, transactions=sources)]


def _count_rows(lake: Store, windows: Sequence[Window] | None, version: int) -> pa.Table:
    """How many events of each type have each verdict, by upload day."""
    keys = ["upload_date", "event_type", "verdict"]
    schema = VERDICT_COUNTS.schema
    total = schema.empty_table()
    verdicts = stream(lake, EVENT_VERDICTS, columns=keys, windows=windows, version=version)
    for batch in verdicts:
        ones = pa.repeat(pa.scalar(1, pa.int64()), batch.num_rows)
        rows = pa.table([*batch.select(keys).columns, ones], schema=schema)
        total = pa.concat_tables([total, rows]).group_by(keys).aggregate([("events", "sum")])
        total = total.select([*keys, "events_sum"]).rename_columns(schema.names).cast(schema)
    return total


def _all_days(lake: Store) -> list[Window]:
    """The days with rows in either table."""
    days = distinct(lake, EVENTS, "upload_date") | distinct(lake, EVENT_VERDICTS, "upload_date")
    return [_hours_of(day) for day in sorted(days)]


def _hours_of(day: date) -> Window:
    start = datetime.combine(day, time(), UTC)
    return Window(start, start + DAY)


def _verdict_rows(
    lake: Store, judge: Judge, plan_version: str, windows: Sequence[Window], version: int
) -> pa.RecordBatchReader:
    """The verdicts of all events of some hours, batch by batch."""

    def batches() -> Iterator[pa.RecordBatch]:
        if not windows:
            return
        # An unknown field may name the version.
        columns = (*_COLUMNS, "other_fields") if judge.has_versions else _COLUMNS
        events = stream(lake, EVENTS, columns=columns, windows=windows, version=version)
        # Reading, judging and writing run side by side.
        with closing(prefetch(_larger_batches(events))) as ahead:
            for batch in ahead:
                verdicts = judge.judge(*(batch[name] for name in columns[6:]))
                columns_of = {
                    **{name: batch[name] for name in _COLUMNS[:5]},
                    "event_date": batch["event_time"].cast(pa.date32()),
                    "event_type": batch["event_type"],
                    "verdict": verdicts.verdict,
                    "violations": verdicts.violations,
                    "plan_version": pa.repeat(plan_version, batch.num_rows),
                }
                yield pa.RecordBatch.from_arrays(
                    [columns_of[f.name].cast(f.type) for f in EVENT_VERDICTS.schema],
                    schema=EVENT_VERDICTS.schema,
                )

    return pa.RecordBatchReader.from_batches(EVENT_VERDICTS.schema, batches())


def _larger_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in fewer batches, of bounded size: each costs a little for each rule."""
    pending: list[pa.RecordBatch] = []
    for batch in batches:
        pending.append(batch)
        rows, size = sum(part.num_rows for part in pending), sum(part.nbytes for part in pending)
        if rows >= BATCH_ROWS or size >= _BATCH_BYTES:
            yield pa.concat_batches(pending)
            pending = []
    if pending:
        yield pa.concat_batches(pending)


def _slices(windows: Sequence[Window]) -> list[list[Window]]:
    """Windows of bounded commits; an empty one if nothing changed, to record the versions."""
    parts = [
        Window(max(window.start, day.start), min(window.end, day.end))
        for window in windows
        for day in map(_hours_of, days_of([window]))
    ]
    return [joined(parts[at : at + SLICE_DAYS]) for at in range(0, len(parts), SLICE_DAYS)] or [[]]


def _as_number(plan_version: str) -> int:
    """A plan's version, 16 hex digits, as a number that a Delta transaction can record."""
    return int(plan_version[:15], 16)


def count_by_type(lake: Store) -> dict[str, dict[str, int]]:
    """Event type -> verdict -> landed events."""
    counts: dict[str, Counter[str]] = {}
    for batch in stream(lake, VERDICT_COUNTS, columns=["event_type", "verdict", "events"]):
        for row in batch.to_pylist():
            counts.setdefault(row["event_type"], Counter())[row["verdict"]] += row["events"]
    return {name: dict(sorted(counts[name].items())) for name in sorted(counts)}
