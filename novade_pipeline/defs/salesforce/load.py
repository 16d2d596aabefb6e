"""Loads the changes of an object since its watermark into its table, slice by slice.

Each slice is spooled to the local disk, then merged in one commit that also moves the watermark.
A load that was stopped resumes after the last slice that was committed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.defs.salesforce.fields import Fields, fields_of
from novade_pipeline.defs.salesforce.organisation import LONGEST_IN_URL, Organisation, Page
from novade_pipeline.defs.salesforce.precision import exceeding, exceeding_doubles
from novade_pipeline.defs.salesforce.quarantine import refuse_too_many, update_quarantine
from novade_pipeline.defs.salesforce.reconciliation import as_returned
from novade_pipeline.defs.salesforce.rows import BadRecord, ParsedPage, guarded_rows, value_of
from novade_pipeline.defs.salesforce.slices import Slice, query, slices
from novade_pipeline.defs.salesforce.spool import Spool
from novade_pipeline.defs.salesforce.sweep import SweepResult, sweep, sweep_is_due
from novade_pipeline.defs.salesforce.tables import OBJECTS
from novade_pipeline.defs.salesforce.watermark import SWEEP, app_id, micros, moment, watermark
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.conform import conform
from novade_pipeline.lake.delta import WriteReceipt, create, open_table
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import stream
from novade_pipeline.lake.table import Table
from novade_pipeline.plurals import counted
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.store import Store

MOST_COMPARED = 200_000
"""Rows of the overlap that are compared; of a larger one, all that was read is merged."""

_SECOND, _FOR_EVER = timedelta(seconds=1), "2262-01-01T00:00:00Z"


@dataclass(frozen=True)
class LoadResult:
    """The outcome of a load of one object.

    Attributes:
        fields: those that were read.
        is_full: all records were read, since there was no watermark.
        rows: read, unchanged ones included.
        bad: records in quarantine.
        slices: the number of slices.
        apis: `rest`, `bulk`, or both.
        receipts: of the table's commits.
        quarantine: of the quarantine's commits.
        watermark: up to when the lake has the object, by the organisation's clock, UTC.
        swept: the outcome of the sweep; None where none was due.
    """

    fields: Fields
    is_full: bool
    rows: int
    bad: int
    slices: int
    apis: tuple[str, ...]
    receipts: tuple[WriteReceipt, ...]
    quarantine: tuple[WriteReceipt, ...]
    watermark: datetime | None
    swept: SweepResult | None


def load(
    org: Organisation,
    lake: Store,
    name: str,
    policy: PersonalDataPolicy,
    on_progress: Callable[[str], None] = lambda message: None,
) -> LoadResult:
    """Updates an object's table to the organisation's present state.

    Args:
        name: Salesforce's name of the object.
        on_progress: is called with a line of text at each step.

    Raises:
        PermanentFailure: the object cannot be read, or the quota's floor is reached.
        TransientFailure: it cannot be read now. Earlier slices are committed in either case.
    """
    table, settings = OBJECTS[name], org.settings
    described = org.describe(name)["fields"]
    now = org.now
    delta_table = open_table(lake, table)
    existing = None if delta_table is None else pa.schema(delta_table.schema().to_arrow())
    fields = fields_of(name, table, described, existing, settings.personal_of(name))
    _refuse_without_key(name, fields)
    version = watermark(delta_table, fields, policy)
    overlap = timedelta(seconds=settings.overlap_seconds)
    since = None if version is None else moment(version) - overlap
    read_as, more_digits = fields.as_read, exceeding_doubles(lake, fields, existing)
    stored = None if since is None else _overlap_rows(lake, read_as, since)
    reader = _ChangeReader(org, name, fields, on_progress)
    rows = bad = slice_count = 0
    receipts: list[WriteReceipt] = []
    quarantined: list[WriteReceipt] = []
    app = app_id(fields, policy)
    for time_slice in reader.slices(since, now + _SECOND):
        with Spool(read_as.schema) as spool:
            bad_records: list[BadRecord] = []
            for batch, page_bad in reader.pages(time_slice):
                bad_records += page_bad
                refuse_too_many(name, bad_records)
                rows += batch.num_rows
                guarded = guarded_rows(read_as, batch, policy)
                more_digits |= exceeding(fields, guarded)
                spool.add(guarded if stored is None else _changed_rows(guarded, stored, now))
            slice_count, bad = slice_count + 1, bad + len(bad_records)
            quarantined += update_quarantine(
                lake, name, bad_records, lambda ids: spool.matching("id", ids), policy, now
            )
            if not spool.rows and version is not None:
                continue
            version = micros(min(time_slice.until, now))
            first_sweep = {SWEEP: micros(now)} if delta_table is None else {}
            receipt = merge(
                lake,
                fields.with_digits(more_digits).table,
                spool.reader(),
                # Two changes in the same second have the same `SystemModstamp`.
                replace_equal=delta_table is not None,
                transactions={app: version, **first_sweep},
            )
            receipts.append(receipt)
            on_progress(
                f"{name}: {counted(rows, 'row')} read up to {moment(version):%Y-%m-%d %H:%M:%S}"
            )
    fields = fields.with_digits(more_digits)
    create(lake, fields.table)
    swept = None
    if delta_table is not None and sweep_is_due(lake, table, settings.sweep_hours, now):
        swept = sweep(org, lake, name, fields, policy, now, on_progress)
    return LoadResult(
        fields=fields,
        is_full=since is None,
        rows=rows,
        bad=bad,
        slices=slice_count,
        apis=tuple(sorted(reader.apis)),
        receipts=tuple(receipts),
        quarantine=(*quarantined, *(swept.quarantine if swept is not None else ())),
        watermark=None if version is None else moment(version),
        swept=swept,
    )


class _ChangeReader:
    """Reads changed records of an object: few by queries, many by bulk jobs."""

    def __init__(
        self, org: Organisation, name: str, fields: Fields, on_progress: Callable[[str], None]
    ) -> None:
        self.apis: set[str] = set()
        self._org, self._name, self._fields, self._on_progress = org, name, fields, on_progress
        self._first_pages: dict[Slice, Page] = {}

    def slices(self, since: datetime | None, until: datetime) -> Iterator[Slice]:
        """Cuts a period into slices; there is none where no record changed."""
        soql = self._soql(since, until)
        if len(soql) <= LONGEST_IN_URL:
            page = self._org.first_page(soql)
            period = Slice(since, until, page.total)
            self._first_pages = {period: page}
        else:
            period = Slice(since, until, self._count(Slice(since, until, 0)))
        if period.rows:
            yield from slices(period, self._org.settings.slice_rows, self._oldest, self._count)

    def pages(self, time_slice: Slice) -> Iterator[ParsedPage]:
        """Reads a slice page by page."""
        soql = self._soql(time_slice.since, time_slice.until)
        first_page = self._first_pages.pop(time_slice, None)
        if time_slice.rows <= self._org.settings.bulk_from_rows and len(soql) <= LONGEST_IN_URL:
            self.apis.add("rest")
            return self._org.query_pages(self._fields, first_page or self._org.first_page(soql))
        self.apis.add("bulk")
        return self._org.bulk_pages(self._fields, soql, self._on_progress)

    def _soql(self, since: datetime | None, until: datetime) -> str:
        return query(self._name, ", ".join(self._fields.names), since, until)

    def _count(self, time_slice: Slice) -> int:
        return self._org.count(query(self._name, "COUNT()", time_slice.since, time_slice.until))

    def _oldest(self) -> datetime:
        soql = query(self._name, "SystemModstamp", None, None)
        (record,) = self._org.first_page(f"{soql} ORDER BY SystemModstamp LIMIT 1").records
        oldest: datetime = value_of("time", record["SystemModstamp"])
        return oldest


def _refuse_without_key(name: str, fields: Fields) -> None:
    missing = sorted({"Id", "SystemModstamp"} - set(fields.names))
    if missing:
        raise PermanentFailure(
            f"Salesforce: expected to see {' and '.join(missing)} of {name}, found that its "
            "describe does not name them; it cannot be read."
        )


def _overlap_rows(lake: Store, table: Table, since: datetime) -> pa.Table | None:
    """Returns the lake's rows of the overlap; None where they are too many to compare."""
    after = (since - timedelta(microseconds=1)).isoformat()
    batches, rows = [], 0
    for batch in stream(lake, table, between={"system_modstamp": (after, _FOR_EVER)}):
        batches.append(conform(table, batch))
        rows += batch.num_rows
        if rows > MOST_COMPARED:
            return None
    return pa.Table.from_batches(batches, table.schema).combine_chunks()


def _changed_rows(batch: pa.RecordBatch, stored_rows: pa.Table, now: datetime) -> pa.RecordBatch:
    """Returns the rows that differ from the stored ones."""
    gone = stored_rows.filter(pc.is_valid(stored_rows["vanished_at"]))["id"]
    batch = as_returned(batch, gone.combine_chunks(), now)
    position = pc.index_in(batch.column("id"), value_set=stored_rows["id"])
    is_same = pc.is_valid(position)
    stored_in_order = stored_rows.take(position)
    # `returned_at` is not a field of the organisation.
    for name in (name for name in batch.schema.names if name != "returned_at"):
        new, stored = batch.column(name), stored_in_order[name].combine_chunks()
        both_null = pc.and_(pc.is_null(new), pc.is_null(stored))
        is_same = pc.and_(is_same, pc.or_(pc.fill_null(pc.equal(new, stored), False), both_null))
    return batch.filter(pc.invert(is_same))
