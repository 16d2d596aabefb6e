"""The account of each line, after the rows of some are gone: told of as erased, never lost."""

from collections.abc import Mapping

import pyarrow as pa

from novade_pipeline.defs.erasure.traces import Traces
from novade_pipeline.lake.deletion import amend, named_by
from novade_pipeline.landing.ledger import read_ledger
from novade_pipeline.landing.source import Source
from novade_pipeline.storage import Store


def account(lake: Store, source: Source, found: Mapping[str, Traces]) -> None:
    """Bring the ledger to what will be there, before anything goes.

    All is told from what the tables hold, so that an erasure that was cut off tells the same again.

    Args:
        found: table -> its traces.
    """
    rows, refused = found[source.table.name], found[source.quarantine.name]
    names = rows.lost.keys() | refused.lost.keys()
    if not names:
        return
    changed = []
    for row in read_ledger(lake, source.ledger, source.name, whole=True):
        if row.file not in names:
            continue
        left = rows.files[row.file] - rows.lost[row.file]
        quarantined = refused.files[row.file] - refused.lost[row.file]
        known = left + quarantined + row.repeated + row.blank
        told = {"rows": left, "quarantined": quarantined, "erased": row.lines - known}
        changed.append(row.model_copy(update=told).model_dump())
    columns = [*named_by(source.ledger), "rows", "quarantined", "erased"]
    schema = pa.schema([source.ledger.schema.field(name) for name in columns])
    amend(lake, source.ledger, pa.Table.from_pylist(changed, schema))
