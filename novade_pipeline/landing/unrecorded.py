"""Whether tables and ledger agree: each row is of a file that the ledger has, and none is missing.

They agree after every load. They do not where the ledger was deleted while landing files were gone,
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
from novade_pipeline.storage import Store

MOST_DAYS = 31
"""Of so many days the rows of each file are counted; of more, only those of each day."""


@dataclass(frozen=True)
class Difference:
    """Rows that a table has and the ledger does not explain, or the other way round.

    Attributes:
        table: which one: the source's, or its quarantine.
        place: the file; the upload day where only that was counted.
        rows: those that the table has.
        recorded: those that the ledger has.
    """

    table: Table
    place: str
    rows: int
    recorded: int


def differences(lake: Store, source: Source) -> list[Difference]:
    """The differences of a source and of its quarantine.

    Where all days agree no row of the table is read: how many each has is in the table's log. The
    quarantine, which is small or a fault itself, is counted by file.
    """
    where = {"source": source.name}
    columns = ["file", "upload_date", "rows", "quarantined", "refused"]
    ledger = read(lake, source.ledger, columns=columns, where=where)
    held = read(lake, source.quarantine, columns=["file"], where=where)
    # A file that is refused is one row, of line 0.
    refused = pc.add(ledger["quarantined"], ledger["refused"].cast(pa.int64()))
    return _in_table(lake, source, ledger) + _unequal(
        source.quarantine,
        Counter(held["file"].to_pylist()),
        _rows_by(ledger.append_column("held", refused), "file", "held"),
    )


def _in_table(lake: Store, source: Source, ledger: pa.Table) -> list[Difference]:
    by_day = _unequal(
        source.table,
        count_by(lake, source.table, "upload_date"),
        _rows_by(ledger, "upload_date", "rows"),
    )
    found = []
    for day in (difference.place for difference in by_day[:MOST_DAYS]):
        of_day = ledger.filter(pc.equal(ledger["upload_date"], date.fromisoformat(day)))
        files = count_by(lake, source.table, "file", [_whole(day)])
        found += _unequal(source.table, files, _rows_by(of_day, "file", "rows"))
    return found + by_day[MOST_DAYS:]


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


def _whole(day: str) -> Window:
    start = datetime.combine(date.fromisoformat(day), time(), UTC)
    return Window(start, start + timedelta(days=1))
