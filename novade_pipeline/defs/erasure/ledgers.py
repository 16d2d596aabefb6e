"""Corrects the ledgers: lines whose rows are deleted are counted as erased, never lost."""

from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import closing
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.defs.erasure.traces import LANDED_IN, LINE, Traces, value_counts
from novade_pipeline.lake.deletion import amend, row_key
from novade_pipeline.lake.read import stream
from novade_pipeline.lake.table import Table
from novade_pipeline.landing.source import Source
from novade_pipeline.storage.store import Store


def account(lake: Store, source: Source, traces: Mapping[str, Traces]) -> None:
    """Set the ledger's counts to those after the erasure, before any row is deleted.

    Counts come from the tables alone, so that a repeated erasure writes the same again. Memory
    holds the names of the files with lines of erased persons.

    Args:
        traces: table -> its traces.
    """
    rows, rejected = traces[source.table.name], traces[source.quarantine.name]
    files = rows.lost.keys() | rejected.lost.keys()
    if not files:
        return
    left = rows_in(lake, source.table, files)
    left.subtract(rows.lost)
    quarantined = rows_in(lake, source.quarantine, files)
    quarantined.subtract(rejected.lost)
    columns = [*row_key(source.ledger), "rows", "quarantined", "erased"]
    schema = pa.schema([source.ledger.schema.field(name) for name in columns])
    changed = [schema.empty_table()]
    stored = stream(
        lake,
        source.ledger,
        columns=[*row_key(source.ledger), "lines", "repeated", "blank"],
        where={"source": source.name},
    )
    names = pa.array(files, pa.string())
    with closing(stored) as batches:
        for batch in batches:
            is_affected = pc.is_in(batch.column(LANDED_IN), value_set=names)
            accounts = [
                _amended_row(row, left, quarantined)
                for row in batch.filter(is_affected).to_pylist()
            ]
            changed.append(pa.Table.from_pylist(accounts, schema))
    amend(lake, source.ledger, pa.concat_tables(changed))


def _amended_row(
    row: dict[str, Any], left: Mapping[str, int], quarantined: Mapping[str, int]
) -> dict[str, Any]:
    """A file's ledger row with the counts after the erasure."""
    file = row[LANDED_IN]
    known = left[file] + quarantined[file] + row["repeated"] + row["blank"]
    counts = {"rows": left[file], "quarantined": quarantined[file], "erased": row["lines"] - known}
    return row | counts


def rows_in(lake: Store, table: Table, files: Collection[str]) -> Counter[str]:
    """Rows of a table by the landed file that they came from; whole quarantined files excluded."""
    names = pa.array(files, pa.string())
    counts: Counter[str] = Counter()
    with closing(stream(lake, table, columns=[LANDED_IN, LINE])) as batches:
        for batch in batches:
            is_line = pc.and_(
                pc.greater(batch.column(LINE), 0),
                pc.is_in(batch.column(LANDED_IN), value_set=names),
            )
            counts.update(value_counts(batch.column(LANDED_IN).filter(is_line)))
    return counts
