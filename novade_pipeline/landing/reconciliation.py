"""Comparing tables with the ledger: every row is from a recorded file, and no row is missing.

They agree after every load. They differ where the ledger was deleted while landing files were gone,
or where another program changed a table.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.lake.read import count_by, read
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.source import Source
from novade_pipeline.storage.store import Store

MAX_DAYS = 31
"""On how many days that differ the rows are counted by file; other days are only named."""


@dataclass(frozen=True)
class Difference:
    """A file or day of which a table has more or fewer rows than the ledger says.

    Attributes:
        table: the source's table, or its quarantine.
        place: the file, or the upload day where rows were not counted by file.
        rows: how many the table has.
        recorded: how many the ledger says.
    """

    table: Table
    place: str
    rows: int
    recorded: int


def differences(lake: Store, source: Source) -> list[Difference]:
    """Compare a source's table and quarantine with its ledger.

    The number of rows a day comes from the table's log; rows are read only of days that differ.
    """
    where = {"source": source.name}
    columns = ["file", "upload_date", "rows", "quarantined", "refused"]
    ledger = read(lake, source.ledger, columns=columns, where=where)
    quarantine = read(lake, source.quarantine, columns=["file"], where=where)
    # A refused file is one row, with line 0.
    recorded = pc.add(ledger["quarantined"], ledger["refused"].cast(pa.int64()))
    return _in_table(lake, source, ledger) + _unequal(
        source.quarantine,
        Counter(quarantine["file"].to_pylist()),
        _rows_by(ledger.append_column("in_quarantine", recorded), "file", "in_quarantine"),
    )


def _in_table(lake: Store, source: Source, ledger: pa.Table) -> list[Difference]:
    by_day = _unequal(
        source.table,
        count_by(lake, source.table, "upload_date"),
        _rows_by(ledger, "upload_date", "rows"),
    )
    by_file = []
    for day in (difference.place for difference in by_day[:MAX_DAYS]):
        of_day = ledger.filter(pc.equal(ledger["upload_date"], date.fromisoformat(day)))
        files = count_by(lake, source.table, "file", [_window(day)])
        by_file += _unequal(source.table, files, _rows_by(of_day, "file", "rows"))
    return by_file + by_day[MAX_DAYS:]


def _unequal(table: Table, rows: Counter[str], recorded: Counter[str]) -> list[Difference]:
    return [
        Difference(table, place, rows[place], recorded[place])
        for place in sorted(rows | recorded)
        if rows[place] != recorded[place]
    ]


def _rows_by(ledger: pa.Table, column: str, counted: str) -> Counter[str]:
    sums = ledger.group_by(column).aggregate([(counted, "sum")])
    values, counts = sums[column].to_pylist(), sums[f"{counted}_sum"].to_pylist()
    return Counter({str(value): count for value, count in zip(values, counts, strict=True)})


def _window(day: str) -> Window:
    start = datetime.combine(date.fromisoformat(day), time(), UTC)
    return Window(start, start + timedelta(days=1))
