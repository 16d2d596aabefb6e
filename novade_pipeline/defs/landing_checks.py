"""The checks of a domain whose data lands as files: what is promised, and whether it holds.

Of its tables, its ledger and its quarantine; the step of `landing_assets` runs them after a load.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import dagster as dg
import pyarrow.compute as pc

from novade_pipeline.defs.markdown import markdown_table
from novade_pipeline.defs.table_assets import (
    QUARANTINE_CHECK,
    check_columns,
    check_fresh,
    check_specs,
    key_of,
)
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.ledger import HOUR
from novade_pipeline.landing.source import Source
from novade_pipeline.landing.unrecorded import Difference, differences
from novade_pipeline.settings import Settings
from novade_pipeline.storage import Store

UNIQUE_CHECK = "key_is_unique"
ACCOUNTED_CHECK = "every_line_accounted_for"
LOADS_CHECK = "loads_succeed"
RECORDED_CHECK = "every_row_is_recorded"
WHOLE_CHECK = "nothing_follows_the_gzip_stream"
_SHOWN = 20


def source_checks(table: Table) -> list[dg.AssetCheckSpec]:
    """What is checked of a table that lines become rows of."""
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
    """What is checked of the ledger."""
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
    """The results of all those checks.

    Args:
        sources: they share one ledger and one quarantine.
        within: the run's days; keys are looked at within them.
    """
    ledger, quarantine = sources[0].ledger, sources[0].quarantine
    for source in sources:
        yield check_columns(lake, source.table)
        yield check_fresh(source.table, _newest(lake, source), settings.freshness_hours)
        # Files without a date in their names are loaded by every run, whatever its days.
        yield _check_unique(lake, source.table, within if source.is_undated is None else None)
    yield check_columns(lake, ledger)
    yield _check_accounted(lake, ledger)
    yield _check_recorded(lake, ledger, sources)
    yield _check_whole(lake, ledger)
    yield dg.AssetCheckResult(
        passed=True, check_name=LOADS_CHECK, asset_key=key_of(ledger), metadata={"attempts": 1}
    )
    yield check_columns(lake, quarantine)
    yield _check_quarantine(lake, quarantine)


def _newest(lake: Store, source: Source) -> datetime | None:
    """The newest hour that has rows: what landed last, told by the ledger."""
    files = read(
        lake, source.ledger, columns=["upload_hour", "rows"], where={"source": source.name}
    ).to_pylist()
    hours = [f["upload_hour"] for f in files if f["rows"] and f["upload_hour"] is not None]
    return max(hours) + HOUR if hours else None


def _check_unique(lake: Store, table: Table, within: Window | None) -> dg.AssetCheckResult:
    import duckdb

    windows = None if within is None else [within]
    rows = read(lake, table, columns=list(table.key), windows=windows)
    names = ", ".join(f'"{name}"' for name in table.key)
    twice = duckdb.sql(
        f"SELECT count(*) FROM (SELECT {names} FROM rows GROUP BY ALL HAVING count(*) > 1)"
    ).fetchone()
    repeated = 0 if twice is None else int(twice[0])
    return dg.AssetCheckResult(
        passed=repeated == 0,
        check_name=UNIQUE_CHECK,
        asset_key=key_of(table),
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"rows": len(rows), "repeated_keys": repeated, "key": ", ".join(table.key)},
    )


def _check_accounted(lake: Store, ledger: Table) -> dg.AssetCheckResult:
    names = ["file", "lines", "rows", "repeated", "quarantined", "blank", "erased"]
    files = read(lake, ledger, columns=names).to_pylist()
    wrong = [f["file"] for f in files if f["lines"] != sum(f[name] or 0 for name in names[2:])]
    return dg.AssetCheckResult(
        passed=not wrong,
        check_name=ACCOUNTED_CHECK,
        asset_key=key_of(ledger),
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "files": len(files),
            **{name: sum(f[name] or 0 for f in files) for name in names[1:]},
            "files_not_accounted_for": dg.MetadataValue.json(wrong[:20]),
        },
    )


def _check_recorded(lake: Store, ledger: Table, sources: Sequence[Source]) -> dg.AssetCheckResult:
    differing = [difference for source in sources for difference in differences(lake, source)]
    unrecorded = sum(max(d.rows - d.recorded, 0) for d in differing)
    missing = sum(max(d.recorded - d.rows, 0) for d in differing)
    listed = markdown_table(
        ["table", "file or day", "rows", "recorded"],
        [(d.table.name, d.place, d.rows, d.recorded) for d in differing[:_SHOWN]],
        characters=120,
    )
    return dg.AssetCheckResult(
        passed=not differing,
        check_name=RECORDED_CHECK,
        asset_key=key_of(ledger),
        severity=dg.AssetCheckSeverity.WARN,
        description=_explain(ledger, differing, unrecorded, missing) if differing else None,
        metadata={
            "rows_unrecorded": unrecorded,
            "rows_missing": missing,
            "files": dg.MetadataValue.md(listed),
        },
    )


def _explain(ledger: Table, differing: Sequence[Difference], unrecorded: int, missing: int) -> str:
    first = differing[0]
    sentences = [
        f"{ledger.name}: expected it to record every row, found {unrecorded:,} rows that it does "
        f"not and {missing:,} missing, first in {first.table.name} of {first.place}: "
        f"{first.rows:,} rows, {first.recorded:,} recorded."
    ]
    if unrecorded:
        sentences.append("Land the files of unrecorded rows again, or delete these rows.")
    if missing:
        sentences.append("Load the days of missing rows again: novade run --reload --window DAYS.")
    return " ".join(sentences)


def _check_whole(lake: Store, ledger: Table) -> dg.AssetCheckResult:
    files = read(lake, ledger, columns=["file", "trailing_bytes"])
    files = files.filter(pc.greater(files["trailing_bytes"], 0)).to_pylist()
    description = None
    if files:
        description = (
            f"{ledger.name}: expected files that end with their gzip stream, found {len(files):,} "
            f"with other bytes after it, first {files[0]['file']} "
            f"({files[0]['trailing_bytes']:,} bytes). The stream is loaded, the bytes are ignored; "
            "export the files again if rows are missing."
        )
    listed = markdown_table(
        ["file", "bytes"],
        [(f["file"], f["trailing_bytes"]) for f in files[:_SHOWN]],
        characters=120,
    )
    return dg.AssetCheckResult(
        passed=not files,
        check_name=WHOLE_CHECK,
        asset_key=key_of(ledger),
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata={
            "files": len(files),
            "trailing_bytes": sum(f["trailing_bytes"] for f in files),
            "listed": dg.MetadataValue.md(listed),
        },
    )


def _check_quarantine(lake: Store, quarantine: Table) -> dg.AssetCheckResult:
    rows = read(lake, quarantine, columns=["file", "line", "reason"]).to_pylist()
    listed = markdown_table(
        ["file", "line", "reason"],
        [(r["file"], r["line"] or "all", r["reason"]) for r in rows[:20]],
        characters=120,
    )
    return dg.AssetCheckResult(
        passed=not rows,
        check_name=QUARANTINE_CHECK,
        asset_key=key_of(quarantine),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "files": sum(1 for row in rows if row["line"] == 0),
            "lines": sum(1 for row in rows if row["line"] != 0),
            "reasons": dg.MetadataValue.md(listed),
        },
    )
