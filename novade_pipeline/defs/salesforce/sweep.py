"""The sweep finds what incremental loads miss: hard deletes, late changes, values of formulas.

It lists all records with their stamps, deletion marks and formulas, and compares them with the
lake's rows. Records that are gone are marked as vanished. Records that returned, were missed, or
changed visibly only after the overlap are read again. New values of formulas are written.
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
from novade_pipeline.defs.salesforce.quarantine import refuse_too_many, update_quarantine
from novade_pipeline.defs.salesforce.reconciliation import COLUMNS, as_returned, compare
from novade_pipeline.defs.salesforce.rows import BadRecord, ParsedPage, guarded_rows
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
"""So many fit into the URL of a query, beside its fields."""
MOST_BY_ID = 20_000
"""More records are read again by the period of their stamps."""
FEW = 100
"""An object with at most so many rows may lose all of them."""


@dataclass(frozen=True)
class SweepResult:
    """The outcome of a sweep.

    Attributes:
        ids: of the organisation, the recycle bin included.
        vanished: rows that were marked as deleted for good.
        returned: rows that were read again, since the lake had none, or marked as vanished.
        late: rows that were read again, since the organisation has another state.
        recalculated: rows with new values of formulas.
        receipts: of the commits.
        quarantine: of the quarantine's commits.
    """

    ids: int
    vanished: int
    returned: int
    late: int
    recalculated: int
    receipts: tuple[WriteReceipt, ...]
    quarantine: tuple[WriteReceipt, ...]


def sweep_is_due(lake: Store, table: Table, hours: float, now: datetime) -> bool:
    """Whether the last sweep is at least so many hours ago, by the organisation's clock."""
    last = transaction_version(lake, table, SWEEP)
    return last is None or now - moment(last) >= timedelta(hours=hours)


def sweep(
    org: Organisation,
    lake: Store,
    name: str,
    fields: Fields,
    policy: PersonalDataPolicy,
    now: datetime,
    on_progress: Callable[[str], None],
) -> SweepResult:
    """Compares all records and formulas, and merges the differences.

    Raises:
        PermanentFailure: more than half of the rows seem to be gone; rather, a right was lost.
        TransientFailure: it cannot be read now; the next load sweeps again.
    """
    read_as = fields.as_read
    formulas = pa.schema([read_as.schema.field(name) for name in ("id", *fields.calculated)])
    with Spool(formulas) as formula_values:
        listed = _listed(org, name, fields, policy, formula_values, on_progress)
        differences = compare(listed, _stored_ids(lake, fields.table))
        _refuse_a_lost_right(org, name, differences.rows, len(differences.absent))
        receipts = _recalculate(lake, fields, formula_values, org.settings.slice_rows)
    recalculated = sum(receipt.rows for receipt in receipts)
    gone = pa.array(_confirmed(org, name, differences.absent), pa.string())
    to_read = [*differences.returned, *differences.missed, *differences.late]
    bad_records: list[BadRecord] = []
    more_digits: set[str] = set()
    back = pa.array(differences.returned, pa.string())
    with Spool(read_as.schema) as rows:
        for batch in _marked(lake, fields.table, gone, now) if len(gone) else ():
            rows.add(conform(read_as, batch))
        for batch, bad in _read_again(org, name, fields, listed, to_read, on_progress):
            bad_records += bad
            refuse_too_many(name, bad_records)
            guarded = as_returned(guarded_rows(read_as, batch, policy), back, now)
            more_digits |= exceeding(fields, guarded)
            rows.add(guarded)
        quarantine = update_quarantine(
            lake, name, bad_records, lambda ids: rows.matching("id", ids), policy, now
        )
        table = fields.with_digits(more_digits).table
        receipts += _merged(lake, table, rows, org.settings.slice_rows, {SWEEP: micros(now)})
    swept = SweepResult(
        ids=len(listed),
        vanished=len(gone),
        returned=len(differences.returned) + len(differences.missed),
        late=len(differences.late),
        recalculated=recalculated,
        receipts=tuple(receipts),
        quarantine=tuple(quarantine),
    )
    on_progress(
        f"{name}: swept {swept.ids:,} ids, {swept.vanished:,} vanished, {swept.returned:,} came "
        f"back, {swept.late:,} changed unseen, {recalculated:,} with another value of a formula"
    )
    return swept


def _listed(
    org: Organisation,
    name: str,
    fields: Fields,
    policy: PersonalDataPolicy,
    formula_values: Spool,
    on_progress: Callable[[str], None],
) -> pa.Table:
    """Lists all records with their stamps, and spools the values of formulas."""
    swept = _only(fields, (*COLUMNS, *fields.calculated))
    soql = f"SELECT {', '.join(swept.names)} FROM {name}"
    page = org.first_page(soql) if len(soql) <= LONGEST_IN_URL else None
    if page is not None and page.total <= org.settings.bulk_from_rows:
        pages = org.query_pages(swept, page)
    else:
        pages = org.bulk_pages(swept, soql, on_progress)
    schema = pa.schema([fields.table.schema.field(name).with_nullable(True) for name in COLUMNS])
    parts = [schema.empty_table()]
    for batch, bad in pages:
        ids = [{"id": record.key} for record in bad if record.key]
        parts += [pa.Table.from_batches([conform_columns(fields.table, schema, batch)])]
        parts += [pa.Table.from_pylist(ids, schema)] if ids else []
        if fields.calculated:
            rows = protect(pa.Table.from_batches([batch]), fields.table.personal, policy)
            for part in rows.select(formula_values.schema.names).to_batches():
                formula_values.add(pa.record_batch(part.columns, schema=formula_values.schema))
    return pa.concat_tables(parts)


def _recalculate(
    lake: Store, fields: Fields, formula_values: Spool, slice_rows: int
) -> list[WriteReceipt]:
    """Merges new values of formulas into the rows."""
    formulas = [sql_identifier(name) for name in fields.calculated]
    if not formulas:
        return []
    more_digits = {name for batch in formula_values.reader() for name in exceeding(fields, batch)}
    table = fields.with_digits(more_digits).table
    now = ", ".join(f"new.{name} as {name}" for name in formulas)
    differs = " or ".join(f"new.{name} is distinct from stored.{name}" for name in formulas)
    with closing(scratch()) as connection:
        connection.register("new", formula_values.reader())
        connection.register("stored", stream(lake, table))
        changed_rows = connection.execute(
            f"select stored.* replace ({now}) from stored join new using (id) where {differs}"
        ).to_arrow_reader(slice_rows)
        return [
            merge(lake, table, pa.Table.from_batches([conform(table, batch)]), replace_equal=True)
            for batch in changed_rows
            if batch.num_rows
        ]


def _stored_ids(lake: Store, table: Table) -> pa.Table:
    """Reads the compared columns of all rows."""
    return stream(lake, table, columns=[*COLUMNS, "vanished_at"]).read_all()


def _confirmed(org: Organisation, name: str, absent: list[str]) -> list[str]:
    """Returns the ids that the organisation does not return by name either."""
    existing = {
        record["Id"]
        for ids in _quoted(absent)
        for record in org.first_page(f"SELECT Id FROM {name} WHERE Id IN ({ids})").records
    }
    return [record_id for record_id in absent if record_id not in existing]


def _refuse_a_lost_right(org: Organisation, name: str, rows: int, gone: int) -> None:
    if gone * 2 > rows > FEW and not org.settings.accept_vanished:
        raise PermanentFailure(
            f"Salesforce: expected most of the {rows:,} records of {name} that the lake has, found "
            f"{gone:,} of them gone; perhaps the user sees fewer than before ('View All Data', or "
            f"the object permission 'View All Records' on {name}). Nothing is marked; if they are "
            "gone, set NOVADE_SALESFORCE_ACCEPT_VANISHED=true."
        )


def _marked(lake: Store, table: Table, gone: pa.Array, now: datetime) -> Iterator[pa.RecordBatch]:
    """Returns the lake's rows with these ids, marked as vanished."""
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
    on_progress: Callable[[str], None],
) -> Iterator[ParsedPage]:
    """Reads the records with these ids: few by id, many by the period of their stamps."""
    what = ", ".join(fields.names)
    if len(ids) > MOST_BY_ID:
        requested = pa.array(ids, pa.string())
        stamps = listed.filter(pc.is_in(listed["id"], value_set=requested))["system_modstamp"]
        ends = pc.min_max(stamps).as_py()
        soql = query(name, what, ends["min"], ends["max"] + timedelta(seconds=1))
        for batch, bad in org.bulk_pages(fields, soql, on_progress):
            rows = batch.filter(pc.is_in(batch.column("id"), value_set=requested))
            yield rows, [record for record in bad if record.key in set(ids)]
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
    """Merges rows slice by slice, also over newer rows of the lake."""
    receipts: list[WriteReceipt] = []
    pending: list[pa.RecordBatch] = []
    for batch in rows.reader():
        if pending and sum(map(len, pending)) + len(batch) > slice_rows:
            part = pa.Table.from_batches(pending)
            receipts.append(merge(lake, table, part, replace_equal=True, replace_newer=True))
            pending = []
        pending.append(batch)
    part = pa.Table.from_batches(pending, rows.schema)
    last = merge(
        lake, table, part, replace_equal=True, replace_newer=True, transactions=transactions
    )
    return [*receipts, last]


def _quoted(ids: list[str]) -> Iterator[str]:
    for start in range(0, len(ids), IDS_A_QUERY):
        yield ", ".join(f"'{record_id}'" for record_id in ids[start : start + IDS_A_QUERY])


def _only(fields: Fields, columns: Collection[str]) -> Fields:
    return replace(fields, read=tuple(field for field in fields.read if field.column in columns))
