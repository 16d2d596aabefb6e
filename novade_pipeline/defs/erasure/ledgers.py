"""The account of each line, after the rows of some are gone: counted as erased, never lost."""

from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import closing
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.defs.erasure.traces import LANDED_IN, LINE, Traces, counted
from novade_pipeline.lake.deletion import amend, row_key
from novade_pipeline.lake.read import stream
from novade_pipeline.lake.table import Table
from novade_pipeline.landing.source import Source
from novade_pipeline.storage.store import Store


def account(lake: Store, source: Source, found: Mapping[str, Traces]) -> None:
    """Bring the ledger to what will be there, before anything goes.

    All is counted from what the tables hold, so that an erasure that was cut off says the same
    again. In memory are the files that the persons' lines are in.

    Args:
        found: table -> its traces.
    """
    rows, refused = found[source.table.name], found[source.quarantine.name]
    files = rows.lost.keys() | refused.lost.keys()
    if not files:
        return
    left = rows_in(lake, source.table, files)
    left.subtract(rows.lost)
    quarantined = rows_in(lake, source.quarantine, files)
    quarantined.subtract(refused.lost)
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
            is_changed = pc.is_in(batch.column(LANDED_IN), value_set=names)
            accounts = [
                _without(row, left, quarantined) for row in batch.filter(is_changed).to_pylist()
            ]
            changed.append(pa.Table.from_pylist(accounts, schema))
    amend(lake, source.ledger, pa.concat_tables(changed))


def _without(
    row: dict[str, Any], left: Mapping[str, int], quarantined: Mapping[str, int]
) -> dict[str, Any]:
    """A file's row of the ledger, with the counts that it will have."""
    file = row[LANDED_IN]
    known = left[file] + quarantined[file] + row["repeated"] + row["blank"]
    counts = {"rows": left[file], "quarantined": quarantined[file], "erased": row["lines"] - known}
    return row | counts


def rows_in(lake: Store, table: Table, files: Collection[str]) -> Counter[str]:
    """How many rows of a table came from each of some landed files; whole files do not count."""
    names = pa.array(files, pa.string())
    found: Counter[str] = Counter()
    with closing(stream(lake, table, columns=[LANDED_IN, LINE])) as batches:
        for batch in batches:
            counts = pc.and_(
                pc.greater(batch.column(LINE), 0),
                pc.is_in(batch.column(LANDED_IN), value_set=names),
            )
            found.update(counted(batch.column(LANDED_IN).filter(counts)))
    return found
