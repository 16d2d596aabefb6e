"""Checks of the tables, ledger and quarantine of a domain whose data lands as files.

The step of `landing_assets` runs them after a load.
"""

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import dagster as dg
import pyarrow.compute as pc

from novade_pipeline.graph.markdown import markdown_table
from novade_pipeline.graph.table_assets import (
    QUARANTINE_CHECK,
    check_columns,
    check_fresh,
    check_result,
    check_specs,
    key_of,
    reasons_of,
)
from novade_pipeline.lake.query import sql_identifier, workspace
from novade_pipeline.lake.read import count_by, read, stream
from novade_pipeline.lake.stream import greatest
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.ledger import HOUR
from novade_pipeline.landing.reconciliation import Difference, differences
from novade_pipeline.landing.source import Source
from novade_pipeline.plurals import counted
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

UNIQUE_CHECK = "key_is_unique"
ACCOUNTED_CHECK = "every_line_accounted_for"
LOADS_CHECK = "loads_succeed"
RECORDED_CHECK = "every_row_is_recorded"
WHOLE_CHECK = "nothing_follows_the_gzip_stream"
DAY_COLUMN = "upload_date"
"""The column by which the tables of landed rows are partitioned."""
LISTED = 20
_ERROR = dg.AssetCheckSeverity.ERROR


def source_checks(table: Table) -> list[dg.AssetCheckSpec]:
    """The checks of a table of landed rows."""
    return [
        *check_specs(table),
        dg.AssetCheckSpec(
            UNIQUE_CHECK,
            asset=key_of(table),
            blocking=True,
            description=f"No two rows of the run's days have the same {', '.join(table.key)}.",
        ),
    ]


def ledger_checks(ledger: Table) -> list[dg.AssetCheckSpec]:
    """The checks of the ledger."""
    return [
        *check_specs(ledger, fresh=False),
        dg.AssetCheckSpec(
            ACCOUNTED_CHECK,
            asset=key_of(ledger),
            blocking=True,
            description="lines = rows + repeated + quarantined + blank + erased, for every file.",
        ),
        dg.AssetCheckSpec(
            RECORDED_CHECK,
            asset=key_of(ledger),
            description="Tables and quarantine have exactly the rows that the ledger has recorded; "
            "warns with the files.",
        ),
        dg.AssetCheckSpec(
            WHOLE_CHECK,
            asset=key_of(ledger),
            description="No bytes follow a file's gzip stream; they are ignored, as by zcat. "
            "Warns with the files.",
        ),
        dg.AssetCheckSpec(
            LOADS_CHECK,
            asset=key_of(ledger),
            description="What landed is loaded within the set number of attempts.",
        ),
    ]


def check_results(
    settings: Settings, lake: Store, sources: Sequence[Source], within: Window
) -> Iterator[dg.AssetCheckResult]:
    """Runs all checks.

    Args:
        sources: they share one ledger and one quarantine.
        within: the run's days, whose keys are checked.
    """
    ledger, quarantine = sources[0].ledger, sources[0].quarantine
    for source in sources:
        yield check_columns(lake, source.table)
        yield check_fresh(source.table, newest_upload(lake, source), settings.freshness_hours)
        # Every run loads files without a date in their names.
        yield _check_unique(lake, source.table, within if source.is_undated is None else None)
    yield check_columns(lake, ledger)
    yield _check_accounted(lake, ledger)
    yield _check_recorded(lake, ledger, sources)
    yield _check_whole(lake, ledger)
    yield check_result(ledger, LOADS_CHECK, None, {"attempts": 1}, severity=_ERROR)
    yield check_columns(lake, quarantine)
    yield _check_quarantine(lake, quarantine)


def newest_upload(lake: Store, source: Source) -> datetime | None:
    """The end of the newest upload hour with rows, from the ledger.

    Unlike the times of the rows it does not depend on the clocks of devices.
    """
    columns, where = ["upload_hour", "rows"], {"source": source.name}
    hours = [
        greatest(files.filter(pc.greater(files["rows"], 0))["upload_hour"])
        for files in stream(lake, source.ledger, columns=columns, where=where)
    ]
    with_rows = [hour for hour in hours if isinstance(hour, datetime)]
    return max(with_rows) + HOUR if with_rows else None


def _check_unique(lake: Store, table: Table, within: Window | None) -> dg.AssetCheckResult:
    """Day by day, since equal keys are in one day's partition."""
    names = ", ".join(sql_identifier(name) for name in table.key)
    repeated = rows = 0
    with workspace() as connection:
        for days in _days(lake, table, within):
            keys = stream(lake, table, columns=list(table.key), windows=days)
            connection.register("keys", keys)
            counts = connection.execute(
                "select coalesce(sum(times), 0), count(*) filter (times > 1)"
                f" from (select count(*) as times from keys group by {names})"
            ).fetchone()
            connection.unregister("keys")
            assert counts is not None
            rows, repeated = rows + int(counts[0]), repeated + counts[1]
    metadata = {"rows": rows, "repeated_keys": repeated, "key": ", ".join(table.key)}
    problem = None
    if repeated:
        problem = (
            f"{counted(repeated, 'key')} ({', '.join(table.key)}) have several rows; load their "
            "days again: novade run --reload --window DAYS."
        )
    return check_result(table, UNIQUE_CHECK, problem, metadata, severity=_ERROR)


def _days(lake: Store, table: Table, within: Window | None) -> Iterator[list[Window] | None]:
    """The days of the table within the window; None, for all at once, if there is no window."""
    if within is None:
        yield None
        return
    for day in sorted(count_by(lake, table, DAY_COLUMN)):
        start = datetime.combine(date.fromisoformat(day), time(), UTC)
        if within.start <= start < within.end:
            yield [Window(start, start + timedelta(days=1))]


def _check_accounted(lake: Store, ledger: Table) -> dg.AssetCheckResult:
    names = ["lines", "rows", "repeated", "quarantined", "blank", "erased"]
    total: Counter[str] = Counter()
    wrong: list[str] = []
    for files in stream(lake, ledger, columns=["file", *names]):
        columns = {name: pc.fill_null(files[name], 0) for name in names}
        accounted = functools.reduce(pc.add, (columns[name] for name in names[1:]))
        wrong += files.filter(pc.not_equal(columns["lines"], accounted))["file"].to_pylist()
        total.update({name: pc.sum(column).as_py() or 0 for name, column in columns.items()})
        total["files"] += files.num_rows
    metadata = {
        **{name: total[name] for name in ("files", *names)},
        "files_not_accounted_for": dg.MetadataValue.json(wrong[:LISTED]),
    }
    problem = None
    if wrong:
        problem = (
            f"The lines of {counted(len(wrong), 'file')} are not all accounted for, first of "
            f"{wrong[0]}; load the files' days again: novade run --reload --window DAYS."
        )
    return check_result(ledger, ACCOUNTED_CHECK, problem, metadata, severity=_ERROR)


def _check_recorded(lake: Store, ledger: Table, sources: Sequence[Source]) -> dg.AssetCheckResult:
    differing = [difference for source in sources for difference in differences(lake, source)]
    unrecorded = sum(max(d.rows - d.recorded, 0) for d in differing)
    missing = sum(max(d.recorded - d.rows, 0) for d in differing)
    listed = markdown_table(
        ["table", "file or day", "rows", "recorded"],
        [(d.table.name, d.place, d.rows, d.recorded) for d in differing[:LISTED]],
        characters=120,
    )
    return check_result(
        ledger,
        RECORDED_CHECK,
        _explain(differing, unrecorded, missing) if differing else None,
        {
            "rows_unrecorded": unrecorded,
            "rows_missing": missing,
            "files": dg.MetadataValue.md(listed),
        },
    )


def _explain(differing: Sequence[Difference], unrecorded: int, missing: int) -> str:
    first = differing[0]
    sentences = [
        f"Expected a record of every row, found {counted(unrecorded, 'row')} without one and "
        f"{missing:,} missing, first in {first.table.name} of {first.place}: "
        f"{counted(first.rows, 'row')}, {first.recorded:,} recorded."
    ]
    if unrecorded:
        sentences.append("Land the files of unrecorded rows again, or delete these rows.")
    if missing:
        sentences.append("Load the days of missing rows again: novade run --reload --window DAYS.")
    return " ".join(sentences)


def _check_whole(lake: Store, ledger: Table) -> dg.AssetCheckResult:
    files = read(lake, ledger, columns=["file", "trailing_bytes"])
    files = files.filter(pc.greater(files["trailing_bytes"], 0)).to_pylist()
    problem = None
    if files:
        problem = (
            f"Expected files that end with their gzip stream, found {len(files):,} "
            f"with other bytes after it, first {files[0]['file']} "
            f"({counted(files[0]['trailing_bytes'], 'byte')}). The stream is loaded, the bytes are "
            "ignored; export the files again if rows are missing."
        )
    listed_files = [(f["file"], f["trailing_bytes"]) for f in files[:LISTED]]
    listed = markdown_table(["file", "bytes"], listed_files, characters=120)
    metadata = {
        "files": len(files),
        "trailing_bytes": sum(f["trailing_bytes"] for f in files),
        "listed": dg.MetadataValue.md(listed),
    }
    return check_result(ledger, WHOLE_CHECK, problem, metadata)


def _check_quarantine(lake: Store, quarantine: Table) -> dg.AssetCheckResult:
    files = lines = 0
    with_lines: set[str] = set()
    counts: Counter[str] = Counter()
    listed: list[tuple[str, Any, str]] = []
    for rows in stream(lake, quarantine, columns=["file", "line", "reason"]):
        whole = pc.sum(pc.equal(rows["line"], 0)).as_py() or 0
        files, lines = files + whole, lines + rows.num_rows - whole
        with_lines.update(pc.unique(rows["file"].filter(pc.not_equal(rows["line"], 0))).to_pylist())
        for reason in pc.value_counts(rows["reason"]).to_pylist():
            counts[reason["values"]] += reason["counts"]
        first = rows.slice(0, LISTED - len(listed)).to_pylist()
        listed += [(row["file"], row["line"] or "all", row["reason"]) for row in first]
    reasons = markdown_table(["file", "line", "reason"], listed, characters=120)
    metadata = {"files": files, "lines": lines, "reasons": dg.MetadataValue.md(reasons)}
    problem = None
    if listed:
        unread = [counted(files, "whole file")] if files else []
        if lines:
            unread.insert(0, f"{counted(lines, 'line')} in {counted(len(with_lines), 'file')}")
        problem = (
            f"{' and '.join(unread)} could not be read: {reasons_of(counts)}. Land corrected "
            "files, which replace these; all other lines are loaded."
        )
    return check_result(quarantine, QUARANTINE_CHECK, problem, metadata)
