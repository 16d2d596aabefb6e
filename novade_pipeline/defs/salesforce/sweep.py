"""What no query of changes ever tells: hard deletes, and formulas that have another value.

So all ids are read now and then, with what formula fields tell, and compared with the lake's. A
record that is gone is marked; one that is back is read again, as is one that the lake has missed.
Where a formula tells something else the row takes it in, and stays what it was otherwise.
"""

import string
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.defs.salesforce.fields import Fields
from novade_pipeline.defs.salesforce.organisation import LONGEST_IN_URL, Organisation
from novade_pipeline.defs.salesforce.spool import Spool
from novade_pipeline.defs.salesforce.watermark import SWEEP, micros, moment
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.conform import conform
from novade_pipeline.lake.delta import WriteReceipt, transaction_version
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.query import identifier, scratch
from novade_pipeline.lake.read import stream
from novade_pipeline.lake.table import Table
from novade_pipeline.personal_data import PersonalDataPolicy, protect
from novade_pipeline.storage import Store

IDS_A_QUERY = 200
"""So that the query fits into a URL, its fields as well."""
MOST_READ_AGAIN = 20_000
"""What more is missing is read by a later sweep."""
PARTS = 8
_DIGITS = string.digits + string.ascii_letters
FEW = 100
"""An object with fewer rows may lose all of them without a question."""


@dataclass(frozen=True)
class Swept:
    """What a sweep found.

    Attributes:
        ids: the organisation has, those in the recycle bin among them.
        vanished: rows that were marked as gone for good.
        returned: rows that were read again, since the lake had none of them that lives.
        recalculated: rows whose formula fields had another value.
        receipts: of the commits.
    """

    ids: int
    vanished: int
    returned: int
    recalculated: int
    receipts: tuple[WriteReceipt, ...]


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
    """Compare all ids and formulas, and merge what differs; the last commit also says when.

    Raises:
        PermanentFailure: more than half of the rows seem to be gone, which is rather a right that
            was lost.
        TransientFailure: it cannot be read now; the next load sweeps again.
    """
    table = fields.table
    with Spool(pa.schema([table.schema.field(one) for one in ("id", *fields.calculated)])) as told:
        theirs = _ids_there(org, name, fields, policy, told, tell)
        ours = _ids_here(lake, table)
        absent = _not_among(ours, theirs)
        _refuse_a_lost_right(org, name, len(ours), len(absent))
        receipts = _recalculate(lake, fields, told, org.settings.slice_rows)
    gone = pa.array(_confirmed(org, name, absent), pa.string())
    missing = _not_among(theirs, ours)
    batches = list(_marked(lake, table, gone, now)) if len(gone) else []
    returned = 0
    for batch in _read_again(org, name, fields, missing[:MOST_READ_AGAIN]):
        rows = protect(pa.Table.from_batches([batch]), table.personal, policy)
        batches += [conform(table, one) for one in rows.to_batches()]
        returned += batch.num_rows
    recalculated = sum(receipt.rows for receipt in receipts)
    tell(
        f"{name}: swept {len(theirs):,} ids, {len(gone):,} vanished, {returned:,} came back, "
        f"{recalculated:,} with another value of a formula"
    )
    receipt = merge(
        lake,
        table,
        pa.Table.from_batches(batches, table.schema),
        ties=True,
        transactions={SWEEP: micros(now)},
    )
    return Swept(len(theirs), len(gone), returned, recalculated, (*receipts, receipt))


def _ids_there(
    org: Organisation,
    name: str,
    fields: Fields,
    policy: PersonalDataPolicy,
    told: Spool,
    tell: Callable[[str], None],
) -> pa.ChunkedArray:
    """The ids of all records; where there are formula fields, what they tell goes to `told`."""
    swept = _only(fields, told.schema.names)
    soql = f"SELECT {', '.join(swept.names)} FROM {name}"
    page = org.first_page(soql) if len(soql) <= LONGEST_IN_URL else None
    if page is not None and page.total <= org.settings.bulk_from_rows:
        pages = org.query_pages(swept, page)
    else:
        pages = org.bulk_pages(swept, soql, tell)
    chunks: list[pa.Array] = []
    for batch, bad in pages:
        chunks += [batch.column("id"), pa.array([one.key for one in bad if one.key], pa.string())]
        if fields.calculated:
            rows = protect(pa.Table.from_batches([batch]), fields.table.personal, policy)
            for one in rows.select(told.schema.names).to_batches():
                told.add(pa.record_batch(one.columns, schema=told.schema))
    return pa.chunked_array(chunks, pa.string())


def _recalculate(lake: Store, fields: Fields, told: Spool, slice_rows: int) -> list[WriteReceipt]:
    """Let rows tell what their formula fields tell now, where that differs."""
    table, formulas = fields.table, [identifier(one) for one in fields.calculated]
    if not formulas:
        return []
    now = ", ".join(f"told.{one} as {one}" for one in formulas)
    differs = " or ".join(f"told.{one} is distinct from ours.{one}" for one in formulas)
    with closing(scratch()) as connection:
        connection.register("told", told.reader())
        connection.register("ours", stream(lake, table))
        found = connection.execute(
            f"select ours.* replace ({now}) from ours join told using (id) where {differs}"
        ).to_arrow_reader(slice_rows)
        return [
            merge(lake, table, pa.Table.from_batches([conform(table, batch)]), ties=True)
            for batch in found
            if batch.num_rows
        ]


def _ids_here(lake: Store, table: Table) -> pa.ChunkedArray:
    """The ids of rows that are not marked as gone."""
    chunks = [
        batch.filter(pc.is_null(batch.column("vanished_at"))).column("id")
        for batch in stream(lake, table, columns=["id", "vanished_at"])
    ]
    return pa.chunked_array(chunks, pa.string())


def _not_among(ids: pa.ChunkedArray, others: pa.ChunkedArray) -> list[str]:
    """The ids that do not stand among others; compared in parts, each with a small hash table."""
    part, other_part = _part(ids), _part(others)
    found: list[str] = []
    for number in range(PARTS):
        mine = ids.filter(pc.equal(part, number))
        there = others.filter(pc.equal(other_part, number))
        found += mine.filter(pc.invert(pc.is_in(mine, value_set=there))).to_pylist()
    return found


def _part(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which part an id belongs to, by the last of the characters that count up."""
    last = pc.utf8_slice_codeunits(ids, 14, 15)
    digit = pc.fill_null(pc.index_in(last, value_set=pa.array(list(_DIGITS))), 0)
    return pc.bit_wise_and(digit, PARTS - 1)


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
    org: Organisation, name: str, fields: Fields, ids: list[str]
) -> Iterator[pa.RecordBatch]:
    what = ", ".join(fields.names)
    for quoted in _quoted(ids):
        soql = f"SELECT {what} FROM {name} WHERE Id IN ({quoted})"
        if len(what) <= LONGEST_IN_URL:
            pages = org.query_pages(fields, org.first_page(soql))
        else:
            pages = org.bulk_pages(fields, soql)
        yield from (batch for batch, _ in pages)


def _quoted(ids: list[str]) -> Iterator[str]:
    for at in range(0, len(ids), IDS_A_QUERY):
        yield ", ".join(f"'{one}'" for one in ids[at : at + IDS_A_QUERY])


def _only(fields: Fields, columns: Collection[str]) -> Fields:
    return replace(fields, read=tuple(one for one in fields.read if one.column in columns))
