"""What no query of changes tells: records that are gone for good, and what came late.

All records are listed with their stamps, marks of deletion and formulas, and compared with the
lake's rows. What the organisation has no more is marked. What differs is read again: a record that
is back, one that the lake has missed, and one whose change became visible only after the overlap
had passed. Where a formula tells something else the row takes it in, and stays what it was
otherwise.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.defs.salesforce.fields import Fields
from novade_pipeline.defs.salesforce.organisation import LONGEST_IN_URL, Organisation
from novade_pipeline.defs.salesforce.precision import exceeding
from novade_pipeline.defs.salesforce.quarantine import keep_bad, refuse_too_many
from novade_pipeline.defs.salesforce.reconciliation import COLUMNS, as_returned, compared
from novade_pipeline.defs.salesforce.rows import Bad, Rows, guarded_rows
from novade_pipeline.defs.salesforce.slices import query
from novade_pipeline.defs.salesforce.spool import Spool
from novade_pipeline.defs.salesforce.watermark import SWEEP, micros, moment
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.conform import conform, conform_columns
from novade_pipeline.lake.delta import WriteReceipt, transaction_version
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.query import scratch, sql_identifier
from novade_pipeline.lake.read import stream
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect
from novade_pipeline.storage.store import Store

IDS_A_QUERY = 200
"""So that the query fits into a URL, its fields as well."""
MOST_BY_ID = 20_000
"""More records are read again by their stamps, all that were changed between the first and last."""
FEW = 100
"""An object with fewer rows may lose all of them without a question."""


@dataclass(frozen=True)
class Swept:
    """What a sweep found.

    Attributes:
        ids: the organisation has, those in the recycle bin among them.
        vanished: rows that were marked as gone for good.
        returned: rows that were read again, since the lake had none of them that lives.
        late: rows that were read again, since the organisation has them in another state.
        recalculated: rows whose formula fields had another value.
        receipts: of the commits.
        quarantine: of the quarantine's.
    """

    ids: int
    vanished: int
    returned: int
    late: int
    recalculated: int
    receipts: tuple[WriteReceipt, ...]
    quarantine: tuple[WriteReceipt, ...]


def sweep_is_due(lake: Store, table: Table, hours: float, now: datetime) -> bool:
    """The last sweep is longer ago than that, by the organisation's clock."""
    last = transaction_version(lake, table, SWEEP)
    return last is None or now - moment(last) >= timedelta(hours=hours)


def sweep(
    org: Organisation,
    lake: Store,
    name: str,
    fields: Fields,
    policy: PersonalDataPolicy,
    now: datetime,
    tell: Callable[[str], None],
) -> Swept:
    """Compare all records and formulas, and merge what differs; the last commit also says when.

    Raises:
        PermanentFailure: more than half of the rows seem to be gone, which is rather a right that
            was lost.
        TransientFailure: it cannot be read now; the next load sweeps again.
    """
    read_as = fields.as_read
    formulas = pa.schema([read_as.schema.field(one) for one in ("id", *fields.calculated)])
    with Spool(formulas) as told:
        listed = _listed(org, name, fields, policy, told, tell)
        found = compared(listed, _held(lake, fields.table))
        _refuse_a_lost_right(org, name, found.rows, len(found.absent))
        receipts = _recalculate(lake, fields, told, org.settings.slice_rows)
    recalculated = sum(receipt.rows for receipt in receipts)
    gone = pa.array(_confirmed(org, name, found.absent), pa.string())
    again = [*found.returned, *found.missed, *found.late]
    wrong: list[Bad] = []
    more_digits: set[str] = set()
    back = pa.array(found.returned, pa.string())
    with Spool(read_as.schema) as rows:
        for batch in _marked(lake, fields.table, gone, now) if len(gone) else ():
            rows.add(conform(read_as, batch))
        for batch, bad in _read_again(org, name, fields, listed, again, tell):
            wrong += bad
            refuse_too_many(name, wrong)
            guarded = as_returned(guarded_rows(read_as, batch, policy), back, now)
            more_digits |= exceeding(fields, guarded)
            rows.add(guarded)
        kept = keep_bad(lake, name, wrong, lambda ids: rows.has("id", ids), policy, now)
        table = fields.with_digits(more_digits).table
        receipts += _merged(lake, table, rows, org.settings.slice_rows, {SWEEP: micros(now)})
    swept = Swept(
        ids=len(listed),
        vanished=len(gone),
        returned=len(found.returned) + len(found.missed),
        late=len(found.late),
        recalculated=recalculated,
        receipts=tuple(receipts),
        quarantine=(kept,) if kept is not None else (),
    )
    tell(
        f"{name}: swept {swept.ids:,} ids, {swept.vanished:,} vanished, {swept.returned:,} came "
        f"back, {swept.late:,} changed unseen, {recalculated:,} with another value of a formula"
    )
    return swept


def _listed(
    org: Organisation,
    name: str,
    fields: Fields,
    policy: PersonalDataPolicy,
    told: Spool,
    tell: Callable[[str], None],
) -> pa.Table:
    """All records with their stamps; where there are formula fields, their values go to `told`."""
    swept = _only(fields, (*COLUMNS, *fields.calculated))
    soql = f"SELECT {', '.join(swept.names)} FROM {name}"
    page = org.first_page(soql) if len(soql) <= LONGEST_IN_URL else None
    if page is not None and page.total <= org.settings.bulk_from_rows:
        pages = org.query_pages(swept, page)
    else:
        pages = org.bulk_pages(swept, soql, tell)
    schema = pa.schema([fields.table.schema.field(one).with_nullable(True) for one in COLUMNS])
    parts = [schema.empty_table()]
    for batch, bad in pages:
        ids = [{"id": one.key} for one in bad if one.key]
        parts += [pa.Table.from_batches([conform_columns(fields.table, schema, batch)])]
        parts += [pa.Table.from_pylist(ids, schema)] if ids else []
        if fields.calculated:
            rows = protect(pa.Table.from_batches([batch]), fields.table.personal, policy)
            for one in rows.select(told.schema.names).to_batches():
                told.add(pa.record_batch(one.columns, schema=told.schema))
    return pa.concat_tables(parts)


def _recalculate(lake: Store, fields: Fields, told: Spool, slice_rows: int) -> list[WriteReceipt]:
    """Let rows tell what their formula fields tell now, where that differs."""
    formulas = [sql_identifier(one) for one in fields.calculated]
    if not formulas:
        return []
    more_digits = {name for batch in told.reader() for name in exceeding(fields, batch)}
    table = fields.with_digits(more_digits).table
    now = ", ".join(f"told.{one} as {one}" for one in formulas)
    differs = " or ".join(f"told.{one} is distinct from ours.{one}" for one in formulas)
    with closing(scratch()) as connection:
        connection.register("told", told.reader())
        connection.register("ours", stream(lake, table))
        found = connection.execute(
            f"select ours.* replace ({now}) from ours join told using (id) where {differs}"
        ).to_arrow_reader(slice_rows)
        return [
            merge(lake, table, pa.Table.from_batches([conform(table, batch)]), replace_equal=True)
            for batch in found
            if batch.num_rows
        ]


def _held(lake: Store, table: Table) -> pa.Table:
    """Of all rows what is compared."""
    return stream(lake, table, columns=[*COLUMNS, "vanished_at"]).read_all()


def _confirmed(org: Organisation, name: str, gone: list[str]) -> list[str]:
    """Those that are not there when they are asked for by name either."""
    there = {
        record["Id"]
        for ids in _quoted(gone)
        for record in org.first_page(f"SELECT Id FROM {name} WHERE Id IN ({ids})").records
    }
    return [one for one in gone if one not in there]


def _refuse_a_lost_right(org: Organisation, name: str, rows: int, gone: int) -> None:
    if gone * 2 > rows > FEW and not org.settings.accept_vanished:
        raise PermanentFailure(
            f"Salesforce: expected most of the {rows:,} records of {name} that the lake has, found "
            f"{gone:,} of them gone; the user may rather see less than before ('View All Data', or "
            f"the object permission 'View All Records' on {name}). Nothing is marked; where it is "
            "right, set NOVADE_SALESFORCE_ACCEPT_VANISHED=true."
        )


def _marked(lake: Store, table: Table, gone: pa.Array, now: datetime) -> Iterator[pa.RecordBatch]:
    """The rows with these ids as they are in the lake, marked."""
    for batch in stream(lake, table):
        rows = batch.filter(pc.is_in(batch.column("id"), value_set=gone))
        if rows.num_rows:
            deleted = pa.array([True] * rows.num_rows)
            when = pa.array([now] * rows.num_rows, table.schema.field("vanished_at").type)
            yield rows.set_column(
                rows.schema.get_field_index("is_deleted"), table.schema.field("is_deleted"), deleted
            ).set_column(
                rows.schema.get_field_index("vanished_at"), table.schema.field("vanished_at"), when
            )


def _read_again(
    org: Organisation,
    name: str,
    fields: Fields,
    listed: pa.Table,
    ids: list[str],
    tell: Callable[[str], None],
) -> Iterator[Rows]:
    """The records with these ids: few are asked for by name, many are found by their stamps."""
    what = ", ".join(fields.names)
    if len(ids) > MOST_BY_ID:
        wanted = pa.array(ids, pa.string())
        stamps = listed.filter(pc.is_in(listed["id"], value_set=wanted))["system_modstamp"]
        ends = pc.min_max(stamps).as_py()
        soql = query(name, what, ends["min"], ends["max"] + timedelta(seconds=1))
        for batch, bad in org.bulk_pages(fields, soql, tell):
            rows = batch.filter(pc.is_in(batch.column("id"), value_set=wanted))
            yield rows, [one for one in bad if one.key in set(ids)]
        return
    for quoted in _quoted(ids):
        soql = f"SELECT {what} FROM {name} WHERE Id IN ({quoted})"
        if len(what) <= LONGEST_IN_URL:
            yield from org.query_pages(fields, org.first_page(soql))
        else:
            yield from org.bulk_pages(fields, soql)


def _merged(
    lake: Store, table: Table, rows: Spool, slice_rows: int, transactions: dict[str, int]
) -> list[WriteReceipt]:
    """Merge rows slice by slice; what the organisation has counts, be it older than the lake's."""
    receipts: list[WriteReceipt] = []
    held: list[pa.RecordBatch] = []
    for batch in rows.reader():
        if held and sum(map(len, held)) + len(batch) > slice_rows:
            part = pa.Table.from_batches(held)
            receipts.append(merge(lake, table, part, replace_equal=True, replace_newer=True))
            held = []
        held.append(batch)
    part = pa.Table.from_batches(held, rows.schema)
    last = merge(
        lake, table, part, replace_equal=True, replace_newer=True, transactions=transactions
    )
    return [*receipts, last]


def _quoted(ids: list[str]) -> Iterator[str]:
    for at in range(0, len(ids), IDS_A_QUERY):
        yield ", ".join(f"'{one}'" for one in ids[at : at + IDS_A_QUERY])


def _only(fields: Fields, columns: Collection[str]) -> Fields:
    return replace(fields, read=tuple(one for one in fields.read if one.column in columns))
