"""Keeping `event_verdicts` beside `amplitude/events`: judge what changed, by the plan as it is.

A changed upload day is judged again; a changed plan has all days judged again. Which version of
the events, and which plan, the verdicts have taken in stands in the commits of the verdicts.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from deltalake import QueryBuilder

from novade_pipeline.defs.amplitude.tables import EVENTS
from novade_pipeline.defs.tracking_plan.judge import BATCH_ROWS, Judge
from novade_pipeline.defs.tracking_plan.plan_files import NO_PLAN, stored_plan
from novade_pipeline.defs.tracking_plan.tables import EVENT_VERDICTS
from novade_pipeline.lake.changes import EVERYTHING, Changed, Everything, changed_partitions
from novade_pipeline.lake.delta import WriteReceipt, open_table, replace_window
from novade_pipeline.lake.derived import is_current, recorded_with, source_of, taken_in
from novade_pipeline.lake.prefetch import prefetch
from novade_pipeline.lake.read import distinct, stream
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage import Store

__all__ = ["NO_PLAN", "VERDICTS", "count_by_type", "judge_changes", "stored_plan"]

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
    """Judge what the verdicts have not taken in yet; no receipts where there is nothing.

    Raises:
        TransientFailure: another writer was faster; what was committed before stays.
    """
    plan = stored_plan(lake)
    events, version = source_of(lake, EVENTS)
    sources = {events: version, _PLAN: _as_number(plan.version)}
    if version < 0 or is_current(lake, EVENT_VERDICTS, sources, [EVENTS]):
        return []
    known = taken_in(lake, EVENT_VERDICTS, sources)
    anew_by = _PLAN if known[_PLAN] != sources[_PLAN] else None
    changed = changed_partitions(lake, EVENTS, known[events], version)
    judge = Judge(plan)
    receipts: list[WriteReceipt] = []
    slices = _slices(_days_to_judge(lake, EVERYTHING if anew_by else changed))
    for number, days in enumerate(slices, 1):
        receipts.append(
            replace_window(
                lake,
                EVENT_VERDICTS,
                _judged(lake, judge, plan.version, days, version),
                _as_windows(days),
                transactions=recorded_with(number, len(slices), sources, anew_by),
            )
        )
        progress(f"{EVENT_VERDICTS.name}: {number} of {len(slices)} commits")
    return receipts


def _days_to_judge(lake: Store, changed: Changed) -> list[date]:
    """Days whose events changed; all days of both tables where all may have."""
    if not isinstance(changed, Everything):
        return sorted(changed)
    return sorted(
        distinct(lake, EVENTS, "upload_date") | distinct(lake, EVENT_VERDICTS, "upload_date")
    )


def _judged(
    lake: Store, judge: Judge, plan_version: str, days: Sequence[date], version: int
) -> pa.RecordBatchReader:
    """The verdicts of all events of the days, batch by batch."""

    def batches() -> Iterator[pa.RecordBatch]:
        if not days:
            return
        # Of the fields that the model does not know, one may name the version.
        columns = (*_COLUMNS, "other_fields") if judge.has_versions else _COLUMNS
        events = stream(lake, EVENTS, columns=columns, windows=_as_windows(days), version=version)
        # Reading, judging and writing run side by side.
        with closing(prefetch(_joined(events))) as ahead:
            for batch in ahead:
                verdicts = judge.judge(*(batch[name] for name in columns[6:]))
                made = {
                    **{name: batch[name] for name in _COLUMNS[:5]},
                    "event_date": batch["event_time"].cast(pa.date32()),
                    "event_type": batch["event_type"],
                    "verdict": verdicts.verdict,
                    "violations": verdicts.violations,
                    "plan_version": pa.repeat(plan_version, batch.num_rows),
                }
                yield pa.RecordBatch.from_arrays(
                    [made[f.name].cast(f.type) for f in EVENT_VERDICTS.schema],
                    schema=EVENT_VERDICTS.schema,
                )

    return pa.RecordBatchReader.from_batches(EVENT_VERDICTS.schema, batches())


def _joined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in fewer batches, of bounded size: each costs a little for each rule."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        rows, size = sum(one.num_rows for one in held), sum(one.nbytes for one in held)
        if rows >= BATCH_ROWS or size >= _BATCH_BYTES:
            yield pa.concat_batches(held)
            held = []
    if held:
        yield pa.concat_batches(held)


def _slices(days: Sequence[date]) -> list[Sequence[date]]:
    """Bounded commits; one, empty, where no day changed, to record the versions."""
    return [days[at : at + SLICE_DAYS] for at in range(0, len(days), SLICE_DAYS)] or [[]]


def _as_windows(days: Sequence[date]) -> list[Window]:
    starts = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days]
    windows: list[Window] = []
    for start in starts:
        end = start + timedelta(days=1)
        if windows and windows[-1].end == start:
            windows[-1] = Window(windows[-1].start, end)
        else:
            windows.append(Window(start, end))
    return windows


def _as_number(plan_version: str) -> int:
    """A plan's version, 16 hex digits, as what a Delta transaction can record."""
    return int(plan_version[:15], 16)


def count_by_type(lake: Store) -> dict[str, dict[str, int]]:
    """Event type -> verdict -> landed events."""
    found = open_table(lake, EVENT_VERDICTS)
    if found is None:
        return {}
    counts: dict[str, dict[str, int]] = {}
    query = "SELECT event_type, verdict, count(*) AS n FROM t GROUP BY 1, 2 ORDER BY 1, 2"
    for batch in QueryBuilder().register("t", found).execute(query):
        for row in pa.record_batch(batch).to_pylist():
            counts.setdefault(row["event_type"], {})[row["verdict"]] = row["n"]
    return counts
