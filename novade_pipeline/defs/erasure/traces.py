"""What a table holds of erased persons: rows that go, and addresses in rows of others."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import QueryBuilder

from novade_pipeline.lake.deletion import named_by
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.query import identifier
from novade_pipeline.lake.table import Table
from novade_pipeline.persons.forget import Erased, owned, redacted
from novade_pipeline.persons.marks import BelongsTo
from novade_pipeline.storage import Store

_LANDED_IN = "file"


@dataclass
class Traces:
    """What was found in one table.

    Attributes:
        table: the table.
        gone: what names the rows that are an erased person's.
        amended: column -> what names the rows of others that it changes in, with the new values.
        files: of a table with files, how many rows each file has; whole files do not count.
        lost: the same, of the rows that go.
    """

    table: Table
    gone: pa.Table
    amended: dict[str, pa.Table] = field(default_factory=dict)
    files: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)

    @property
    def is_empty(self) -> bool:
        """There is nothing of an erased person."""
        return not self.gone.num_rows and not self.amended


def traces_in(lake: Store, table: Table, erased: Erased) -> Traces:
    """Read the table once, batch by batch."""
    names = named_by(table)
    schema = pa.schema([table.schema.field(name) for name in names])
    gone: list[pa.Table] = []
    amended: dict[str, list[pa.Table]] = defaultdict(list)
    found = Traces(table, schema.empty_table())
    for rows in _rows(lake, table):
        whole = rows
        if _LANDED_IN in rows.schema.names and "line" in rows.schema.names:
            whole = rows.filter(pc.greater(rows["line"], 0))
            found.files.update(whole[_LANDED_IN].to_pylist())
        mask = owned(rows, table.owners, erased)
        kept = rows
        if mask is not None:
            lost = rows.filter(pa.array(mask))
            kept = rows.filter(pa.array(~mask))
            gone.append(lost.select(names).cast(schema))
            if _LANDED_IN in rows.schema.names:
                found.lost.update(lost[_LANDED_IN].to_pylist())
        for name, column in redacted(kept, table.owners, erased).items():
            if name in names:
                continue
            changed = pc.fill_null(pc.not_equal(kept[name], column), True)
            changed = pc.and_(changed, pc.is_valid(kept[name]))
            columns = [*(kept[key].cast(schema.field(key).type) for key in names), column]
            amended[name].append(pa.table(columns, [*names, name]).filter(changed))
    if gone:
        found.gone = pa.concat_tables(gone)
    found.amended = {name: pa.concat_tables(parts) for name, parts in amended.items()}
    return found


def _rows(lake: Store, table: Table) -> Iterator[pa.Table]:
    """Of all rows, what names them, what says whose they are, and every text.

    The columns are those of the lake: it may have more than the model declares.
    """
    found = open_table(lake, table)
    if found is None:
        return
    there = pa.schema(found.schema().to_arrow())
    wanted = {*named_by(table), *table.owners.columns, *table.owners.may_hold, _LANDED_IN, "line"}
    wanted |= {mark.source for mark in table.owners.may_hold.values()}
    wanted |= {
        mark.when[0]
        for marks in table.owners.columns.values()
        for mark in marks
        if isinstance(mark, BelongsTo) and mark.when is not None
    }
    names = [one.name for one in there if one.name in wanted or _is_text(one.type)]
    query = f"SELECT {', '.join(map(identifier, names))} FROM t"
    for batch in QueryBuilder().register("t", found).execute(query):
        rows = pa.Table.from_batches([pa.record_batch(batch)])
        yield rows.cast(pa.schema([(one.name, _plain(one.type)) for one in rows.schema]))


def _is_text(kind: pa.DataType) -> bool:
    return bool(_plain(kind) == pa.string())


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(kind) or pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_binary_view(kind) or pa.types.is_large_binary(kind):
        return pa.binary()
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    return kind
