"""From an object of the organisation to its table: what changed since the watermark, by slices.

Each slice is read as a whole, onto the local disk, and then merged in one commit that also moves
the watermark. Whatever stops a load, the next one goes on after the last slice that was committed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.defs.salesforce.fields import Fields, fields_of
from novade_pipeline.defs.salesforce.organisation import LONGEST_IN_URL, Organisation, Page
from novade_pipeline.defs.salesforce.precision import exceeding, exceeding_doubles
from novade_pipeline.defs.salesforce.quarantine import keep_bad, refuse_too_many
from novade_pipeline.defs.salesforce.reconciliation import as_returned
from novade_pipeline.defs.salesforce.rows import Bad, Rows, guarded_rows, value_of
from novade_pipeline.defs.salesforce.slices import Slice, query, slices
from novade_pipeline.defs.salesforce.spool import Spool
from novade_pipeline.defs.salesforce.sweep import Swept, sweep, sweep_is_due
from novade_pipeline.defs.salesforce.tables import OBJECTS
from novade_pipeline.defs.salesforce.watermark import SWEEP, app_id, micros, moment, watermark
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.conform import conform
from novade_pipeline.lake.delta import WriteReceipt, create, open_table
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import stream
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.store import Store

MOST_HELD = 200_000
"""Rows of the overlap that are compared; where there are more, all that was read is merged."""

_SECOND, _FOR_EVER = timedelta(seconds=1), "2262-01-01T00:00:00Z"


@dataclass(frozen=True)
class Loaded:
    """What a load of one object read and wrote.

    Attributes:
        fields: what was read.
        whole: there was no watermark: everything was read.
        rows: read, those that the lake had just so included.
        bad: records that went to the quarantine.
        slices: how many slices the time was read in.
        how: `rest`, `bulk`, or both.
        receipts: of the table's commits.
        quarantine: of the quarantine's.
        watermark: up to when the lake has the object, by the organisation's clock.
        swept: what the sweep found; None: none was due.
    """

    fields: Fields
    whole: bool
    rows: int
    bad: int
    slices: int
    how: tuple[str, ...]
    receipts: tuple[WriteReceipt, ...]
    quarantine: tuple[WriteReceipt, ...]
    watermark: datetime | None
    swept: Swept | None


def load(
    org: Organisation,
    lake: Store,
    name: str,
    policy: PersonalDataPolicy,
    tell: Callable[[str], None] = lambda told: None,
) -> Loaded:
    """Bring an object's table to what the organisation has now.

    Args:
        name: Salesforce's name of the object.
        tell: told what happens, a line each.

    Raises:
        PermanentFailure: the object cannot be read, or the quota's floor is reached.
        TransientFailure: it cannot be read now. In either case the slices before are committed.
    """
    table, settings = OBJECTS[name], org.settings
    described = org.describe(name)["fields"]
    now = org.now
    found = open_table(lake, table)
    there = None if found is None else pa.schema(found.schema().to_arrow())
    fields = fields_of(name, table, described, there, settings.personal_of(name))
    _refuse_without_key(name, fields)
    done = watermark(found, fields, policy)
    since = None if done is None else moment(done) - timedelta(seconds=settings.overlap_seconds)
    read_as, more_digits = fields.as_read, exceeding_doubles(lake, fields, there)
    held = None if since is None else _held(lake, read_as, since)
    reading = _Reading(org, name, fields, tell)
    rows = bad = cut = 0
    receipts, quarantined = [], []
    app = app_id(fields, policy)
    for one in reading.slices(since, now + _SECOND):
        with Spool(read_as.schema) as spool:
            wrong: list[Bad] = []
            for batch, found_bad in reading.pages(one):
                wrong += found_bad
                refuse_too_many(name, wrong)
                rows += batch.num_rows
                guarded = guarded_rows(read_as, batch, policy)
                more_digits |= exceeding(fields, guarded)
                spool.add(guarded if held is None else _differing(guarded, held, now))
            cut, bad = cut + 1, bad + len(wrong)
            receipt = keep_bad(lake, name, wrong, lambda ids: spool.has("id", ids), policy, now)
            quarantined += [receipt] if receipt is not None else []
            if not spool.rows and done is not None:
                continue
            done = micros(min(one.until, now))
            first = {SWEEP: micros(now)} if found is None else {}
            told = merge(
                lake,
                fields.with_digits(more_digits).table,
                spool.reader(),
                # What a second load reads may differ although it was changed in the same second.
                replace_equal=found is not None,
                transactions={app: done, **first},
            )
            receipts.append(told)
            tell(f"{name}: {rows:,} rows read up to {moment(done):%Y-%m-%d %H:%M:%S}")
    fields = fields.with_digits(more_digits)
    create(lake, fields.table)
    swept = None
    if found is not None and sweep_is_due(lake, table, settings.sweep_hours, now):
        swept = sweep(org, lake, name, fields, policy, now, tell)
    return Loaded(
        fields=fields,
        whole=since is None,
        rows=rows,
        bad=bad,
        slices=cut,
        how=tuple(sorted(reading.how)),
        receipts=tuple(receipts),
        quarantine=(*quarantined, *(swept.quarantine if swept is not None else ())),
        watermark=None if done is None else moment(done),
        swept=swept,
    )


class _Reading:
    """Reads an object's records: few by queries, many by bulk jobs."""

    def __init__(
        self, org: Organisation, name: str, fields: Fields, tell: Callable[[str], None]
    ) -> None:
        self.how: set[str] = set()
        self._org, self._name, self._fields, self._tell = org, name, fields, tell
        self._begun: dict[Slice, Page] = {}

    def slices(self, since: datetime | None, until: datetime) -> Iterator[Slice]:
        """The time in slices; none where no record was changed in it."""
        soql = self._soql(since, until)
        if len(soql) <= LONGEST_IN_URL:
            page = self._org.first_page(soql)
            whole = Slice(since, until, page.total)
            self._begun = {whole: page}
        else:
            whole = Slice(since, until, self._count(Slice(since, until, 0)))
        if whole.rows:
            yield from slices(whole, self._org.settings.slice_rows, self._oldest, self._count)

    def pages(self, one: Slice) -> Iterator[Rows]:
        """The rows of a slice, page by page."""
        soql = self._soql(one.since, one.until)
        begun = self._begun.pop(one, None)
        if one.rows <= self._org.settings.bulk_from_rows and len(soql) <= LONGEST_IN_URL:
            self.how.add("rest")
            return self._org.query_pages(self._fields, begun or self._org.first_page(soql))
        self.how.add("bulk")
        return self._org.bulk_pages(self._fields, soql, self._tell)

    def _soql(self, since: datetime | None, until: datetime) -> str:
        return query(self._name, ", ".join(self._fields.names), since, until)

    def _count(self, one: Slice) -> int:
        return self._org.count(query(self._name, "COUNT()", one.since, one.until))

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


def _held(lake: Store, table: Table, since: datetime) -> pa.Table | None:
    """The lake's rows of the overlap, which will be told again; None: too many to compare."""
    after = (since - timedelta(microseconds=1)).isoformat()
    batches, rows = [], 0
    for batch in stream(lake, table, between={"system_modstamp": (after, _FOR_EVER)}):
        batches.append(conform(table, batch))
        rows += batch.num_rows
        if rows > MOST_HELD:
            return None
    return pa.Table.from_batches(batches, table.schema).combine_chunks()


def _differing(batch: pa.RecordBatch, held: pa.Table, now: datetime) -> pa.RecordBatch:
    """The rows that the lake does not have just so."""
    gone = held.filter(pc.is_valid(held["vanished_at"]))["id"]
    batch = as_returned(batch, gone.combine_chunks(), now)
    place = pc.index_in(batch.column("id"), value_set=held["id"])
    same = pc.is_valid(place)
    before = held.take(place)
    # When it was back is no query's to tell.
    for name in (name for name in batch.schema.names if name != "returned_at"):
        one, other = batch.column(name), before[name].combine_chunks()
        both_null = pc.and_(pc.is_null(one), pc.is_null(other))
        same = pc.and_(same, pc.or_(pc.fill_null(pc.equal(one, other), False), both_null))
    return batch.filter(pc.invert(same))
