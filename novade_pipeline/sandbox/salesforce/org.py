"""The state of the Salesforce organisation, and the changes to its records.

Deleted records stay in the recycle bin, where `queryAll` finds them, until they are restored or
purged. Each change moves the clock by less than the resolution of `SystemModstamp`, a second, so
that several changes may have the same one.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random

from novade_pipeline.sandbox.salesforce.activity_rows import archived
from novade_pipeline.sandbox.salesforce.bulk_data import GeneratedRecords
from novade_pipeline.sandbox.salesforce.deletions import Deleted, living_children
from novade_pipeline.sandbox.salesforce.fields import SYSTEM_FIELDS, SObject
from novade_pipeline.sandbox.salesforce.generation import generate
from novade_pipeline.sandbox.salesforce.ids import record_id
from novade_pipeline.sandbox.salesforce.objects import OBJECTS
from novade_pipeline.sandbox.salesforce.rows import Record, Scenario, blank_record, user_id
from novade_pipeline.sandbox.salesforce.schema import stored_value
from novade_pipeline.sandbox.salesforce.schema_changes import RecordTables

TICK = timedelta(milliseconds=400)
"""Duration of a change."""


class Organisation(RecordTables):
    """The state of an organisation.

    Attributes:
        clock: the organisation's time; in a live one, that of the last change.
        purged: object -> its purged records.
    """

    def __init__(self, scenario: Scenario, *, live: bool = False) -> None:
        """Generate the records.

        Args:
            scenario: what they are a function of.
            live: the clock is never behind this machine's.
        """
        super().__init__(OBJECTS, generate(scenario))
        self.clock = scenario.now
        self._live = live
        self._by = user_id(scenario.sellers[0])
        self._frozen = 0
        self.purged: defaultdict[str, list[Deleted]] = defaultdict(list)
        self._deleted_with: dict[str, list[tuple[str, str]]] = {}

    def now(self) -> datetime:
        """The organisation's time, in full seconds."""
        return self._now().replace(microsecond=0)

    def insert(self, sobject: str, values: Record) -> str:
        """Insert a record, by default with nulls and unticked boxes; returns the id."""
        with self.lock:
            table, definition = self.table(sobject), self.object(sobject)
            stored = self._stored_values(definition, values)
            now = self._tick()
            new = record_id(definition.prefix, table.next_number())
            created = {"Id": new, "CreatedDate": now, "CreatedById": self._by}
            made = blank_record(definition)
            system = {**created, **self._stamp(now)}
            made.update({name: value for name, value in system.items() if name in made})
            table.store(_named(definition, {**made, **stored}))
            return new

    def update(self, sobject: str, record: str, values: Record) -> None:
        """Change a record.

        Raises:
            KeyError: no record has the id, or it is in the recycle bin.
            ValueError: a field is unknown or the system's own.
        """
        with self.lock:
            row, definition = self._living(sobject, record), self.object(sobject)
            stored = self._stored_values(definition, values)
            changed = {**row, **stored, **self._stamp(self._tick())}
            self.table(sobject).store(_named(definition, changed))

    def delete(self, sobject: str, record: str) -> None:
        """Move a record and its children to the recycle bin.

        Raises:
            KeyError: no record has the id, or it is in the bin already.
            ValueError: records of the object are never deleted.
        """
        with self.lock:
            self._living(sobject, record)
            if self.object(sobject).deletes == "never":
                raise ValueError(f"a {sobject} cannot be deleted; make it inactive")
            now, children = self._tick(), list(living_children(self._tables, sobject, record))
            for child_sobject, child in ((sobject, record), *children):
                if self.object(child_sobject).deletes == "gone":
                    self._remove(child_sobject, child, now)
                else:
                    self._mark(child_sobject, child, now, deleted=True)
            self._deleted_with[record] = children

    def undelete(self, sobject: str, record: str) -> None:
        """Restore a record from the recycle bin, with the children deleted with it.

        Raises:
            KeyError: the record is not in the bin.
        """
        with self.lock:
            if not self.table(sobject).get(record).get("IsDeleted"):
                raise KeyError(record)
            now = self._tick()
            for child_sobject, child in ((sobject, record), *self._deleted_with.get(record, ())):
                row = self.table(child_sobject).find(child)
                if row is not None and row["IsDeleted"]:
                    self._mark(child_sobject, child, now, deleted=False)

    def purge(self, sobject: str, record: str) -> None:
        """Remove a record and its children permanently, in the recycle bin or not.

        Raises:
            KeyError: no record has the id.
        """
        with self.lock:
            row, now = self.table(sobject).get(record), self._tick()
            children = (
                self._deleted_with.get(record, [])
                if row.get("IsDeleted")
                else list(living_children(self._tables, sobject, record))
            )
            for child_sobject, child in ((sobject, record), *children):
                if self.table(child_sobject).find(child) is not None:
                    self._remove(child_sobject, child, now)

    def archive_activities(self) -> None:
        """Archive activities that are a year old, as happens every night."""
        with self.lock:
            for sobject in ("Task", "Event"):
                self.table(sobject).rewrite(lambda row: archived(row, self.now().date()))

    def touch(self, sobject: str, rng: Random, change: str = "") -> None:
        """Delete, insert or update a record; by default one of the latter two at random."""
        with self.lock:
            row, definition = self.table(sobject).random_living(rng), self.object(sobject)
            what = change or rng.choice(("insert", "update", "update"))
            if what == "delete":
                if row is not None and definition.deletes != "never":
                    self.delete(sobject, row["Id"])
                return
            named = ("LastName", "Name", "Subject", "OrderNumber")
            field = next(f for f in map(definition.field, named) if f is not None)
            values = {field.name: f"Touched {rng.randrange(10**6)}"}
            if what == "insert" or row is None:
                self.insert(sobject, values)
            else:
                self.update(sobject, row["Id"], values)

    def fill(self, sobject: str, rows: int, columns: int | None = None) -> None:
        """Replace an object's records by many copies, generated on demand.

        Args:
            sobject: name of the object.
            rows: number of records.
            columns: number of visible fields, the system's first.
        """
        with self.lock:
            if columns is not None:
                self.show_only(sobject, columns)
            # Plain queries return all of them.
            flags = ("IsDeleted", "IsArchived")
            pool = [
                {**row, **{flag: False for flag in flags if flag in row}}
                for row in self.table(sobject).all()
            ]
            self._tables[sobject] = GeneratedRecords(
                self.object(sobject), pool, rows, until=self.now()
            )

    @contextmanager
    def same_moment(self) -> Iterator[None]:
        """Give all changes within the context the same time."""
        with self.lock:
            self._tick()
            self._frozen += 1
            try:
                yield
            finally:
                self._frozen -= 1

    def _living(self, sobject: str, record: str) -> Record:
        row = self.table(sobject).get(record)
        if row.get("IsDeleted"):
            raise KeyError(record)
        return row

    def _mark(self, sobject: str, record: str, now: datetime, *, deleted: bool) -> None:
        row = self.table(sobject).get(record)
        self.table(sobject).store({**row, "IsDeleted": deleted, **self._stamp(now)})

    def _remove(self, sobject: str, record: str, now: datetime) -> None:
        row = self.table(sobject).get(record)
        moment = row["SystemModstamp"] if row.get("IsDeleted") else now
        self.purged[sobject].append(Deleted(record, moment))
        self.table(sobject).remove(record)

    def _stored_values(self, definition: SObject, values: Record) -> Record:
        """Values as the organisation stores them."""
        stored = {}
        for name, value in values.items():
            field = definition.field(name)
            if field is None or field.name != name or not field.is_stored:
                raise ValueError(f"{definition.name} has no field {name} that holds a value")
            if name in SYSTEM_FIELDS or field.calculated:
                raise ValueError(f"{definition.name}.{name} is the system's own field")
            stored[name] = stored_value(value, field.type)
        return stored

    def _stamp(self, now: datetime) -> Record:
        return {"LastModifiedDate": now, "LastModifiedById": self._by, "SystemModstamp": now}

    def _tick(self) -> datetime:
        if not self._frozen:
            self.clock = self._now() + TICK
        return self.clock.replace(microsecond=0)

    def _now(self) -> datetime:
        return max(self.clock, datetime.now(UTC)) if self._live else self.clock


def _named(definition: SObject, row: Record) -> Record:
    """A record with its full name composed, where the object has one."""
    if not definition.full_name:
        return row
    whole = " ".join(filter(None, (row["FirstName"], row["LastName"]))) or None
    return {**row, "Name": whole}
