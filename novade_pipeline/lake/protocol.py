"""Which Delta tables are written to: not those of which a writer has to know more than we do.

A lake is open to other engines, and they may turn features on. Whoever writes without knowing one
of them brings deleted rows back, or writes what nobody can read. Source: the Delta protocol,
https://github.com/delta-io/delta/blob/master/PROTOCOL.md#table-features.
"""

import json
from collections.abc import Iterator

from deltalake import DeltaTable

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.table import Table

# Those that ask nothing of a writer until properties or columns make use of them; told below.
_HARMLESS = {
    *("appendOnly", "changeDataFeed", "checkConstraints", "columnMapping", "generatedColumns"),
    *("identityColumns", "invariants", "timestampNtz"),
}


def refuse_unfit(table: Table, target: DeltaTable) -> None:
    """Check that rows can be put into a table as its log says they have to be.

    Raises:
        PermanentFailure: the table has a feature that is not known here, or is cut otherwise.
    """
    if features := sorted(set(_in_use(target))):
        raise PermanentFailure(
            f"{table.name}: expected a Delta table without features of other engines, found "
            f"{', '.join(features)}; nothing is written. Drop them there (ALTER TABLE … DROP "
            "FEATURE, or UNSET TBLPROPERTIES), or make the table anew."
        )
    if table.write_mode == "merge" and (columns := target.metadata().partition_columns):
        raise PermanentFailure(
            f"{table.name}: expected no partitions, since its files are cut by key, found "
            f"{', '.join(columns)}; nothing is written. Make the table anew."
        )


def _in_use(target: DeltaTable) -> Iterator[str]:
    protocol, properties = target.protocol(), target.metadata().configuration
    named = {*(protocol.reader_features or ()), *(protocol.writer_features or ())}
    yield from named - _HARMLESS
    for name, value in properties.items():
        if name.startswith("delta.constraints."):
            yield "checkConstraints"
        if name == "delta.appendOnly" and value.lower() == "true":
            yield "appendOnly"
        if name == "delta.columnMapping.mode" and value.lower() != "none":
            yield "columnMapping"
    # Invariants, generated and identity columns.
    for field in json.loads(target.schema().to_json())["fields"]:
        features = (name for name in field["metadata"] if name.startswith("delta."))
        yield from (name for name in features if not name.startswith("delta.columnMapping."))
