"""The made-up Salesforce organisation: its records as they are now, and all that may change in it.

What is deleted stays in the recycle bin, where `queryAll` finds it, until it comes back or is gone
for good. Its clock moves with each change, by less than the second in which `SystemModstamp`
is told: several changes may share one.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from threading import RLock
from typing import Any

from novade_pipeline.sandbox.salesforce.activity_rows import archived
from novade_pipeline.sandbox.salesforce.bulk_data import ManyRecords
from novade_pipeline.sandbox.salesforce.deletions import Deletions, living_children
from novade_pipeline.sandbox.salesforce.fields import SYSTEM_FIELDS, Field, SObject
from novade_pipeline.sandbox.salesforce.generation import generate
from novade_pipeline.sandbox.salesforce.ids import record_id
from novade_pipeline.sandbox.salesforce.objects import OBJECTS
from novade_pipeline.sandbox.salesforce.rows import Record, Setting, blank, user_id
from novade_pipeline.sandbox.salesforce.schema import Schema, converted, held_value
from novade_pipeline.sandbox.salesforce.tables import Records

TICK = timedelta(milliseconds=400)
"""What each change takes."""


class Organisation(Schema):
    """The state of an organisation.

    Attributes:
        clock: the organisation's time; when it is live, that of its last change.
        lock: held while anything changes, and while a query is answered.
        deletions: what was deleted.
    """

    def __init__(self, setting: Setting, *, live: bool = False) -> None:
        """Fill it as the setting says.

        Args:
            setting: who is in it, and when.
            live: its clock is never behind this machine's.
        """
        super().__init__(OBJECTS)
        self.lock = RLock()
        self.clock = setting.now
        self._live = live
        self._by = user_id(setting.sellers[0])
        self._tables: dict[str, Records] = {
            name: Records(rows) for name, rows in generate(setting).items()
        }
        self._held = 0
        self.deletions = Deletions()

    def now(self) -> datetime:
        """The organisation's time, in full seconds."""
        return self._now().replace(microsecond=0)

    def records(self, of: str) -> list[Record]:
        """All records of an object by their ids, those in the recycle bin included."""
        with self.lock:
            return [dict(row) for row in self.table(of).all()]

    def record(self, of: str, record: str) -> Record:
        """One record, which may be in the recycle bin.

        Raises:
            KeyError: there is none.
        """
        with self.lock:
            return dict(self.table(of).get(record))

    def insert(self, of: str, values: Record) -> str:
        """Make a record; what is not said is null, or not ticked.

        Returns:
            Its id.
        """
        with self.lock:
            table, described = self.table(of), self.object(of)
            held = self._held_values(described, values)
            now = self._tick()
            new = record_id(described.prefix, table.next_number())
            created = {"Id": new, "CreatedDate": now, "CreatedById": self._by}
            made = blank(described)
            system = {**created, **self._stamp(now)}
            made.update({name: value for name, value in system.items() if name in made})
            table.put(_named(described, {**made, **held}))
            return new

    def update(self, of: str, record: str, values: Record) -> None:
        """Change a record.

        Raises:
            KeyError: there is none with that id, or it is in the recycle bin.
            ValueError: a field is unknown, or the system's own.
        """
        with self.lock:
            row, described = self._living(of, record), self.object(of)
            held = self._held_values(described, values)
            changed = {**row, **held, **self._stamp(self._tick())}
            self.table(of).put(_named(described, changed))

    def delete(self, of: str, record: str) -> None:
        """Put a record into the recycle bin, with its children.

        Raises:
            KeyError: there is none with that id, or it is in the bin already.
            ValueError: such records are never deleted.
        """
        with self.lock:
            self._living(of, record)
            if self.object(of).deletes == "never":
                raise ValueError(f"a {of} cannot be deleted; make it inactive")
            now, children = self._tick(), list(living_children(self._tables, of, record))
            for one_of, one in ((of, record), *children):
                if self.object(one_of).deletes == "gone":
                    self._remove(one_of, one, now)
                else:
                    self._mark(one_of, one, now, deleted=True)
            self.deletions.is_deleted(record, children)

    def undelete(self, of: str, record: str) -> None:
        """Bring a record back from the recycle bin, and the children that went there with it.

        Raises:
            KeyError: it is not there.
        """
        with self.lock:
            if not self.table(of).get(record).get("IsDeleted"):
                raise KeyError(record)
            now = self._tick()
            for one_of, one in ((of, record), *self.deletions.taken_with(record)):
                row = self.table(one_of).find(one)
                if row is not None and row["IsDeleted"]:
                    self._mark(one_of, one, now, deleted=False)

    def purge(self, of: str, record: str) -> None:
        """Take a record away for good, from the recycle bin or past it, with its children.

        No query finds it again.

        Raises:
            KeyError: there is none with that id.
        """
        with self.lock:
            row, now = self.table(of).get(record), self._tick()
            children = (
                self.deletions.taken_with(record)
                if row.get("IsDeleted")
                else list(living_children(self._tables, of, record))
            )
            for one_of, one in ((of, record), *children):
                if self.table(one_of).find(one) is not None:
                    self._remove(one_of, one, now)

    def archive_activities(self) -> None:
        """Do what the organisation does every night: archive activities that are a year old."""
        with self.lock:
            for of in ("Task", "Event"):
                self.table(of).rewrite(lambda row: archived(row, self.now().date()))

    def touch(self, of: str, rng: Random, change: str = "") -> None:
        """Delete, insert or update a record; which of the latter is drawn where nothing is said."""
        with self.lock:
            row, described = self.table(of).any_living(rng), self.object(of)
            what = change or rng.choice(("insert", "update", "update"))
            if what == "delete":
                if row is not None and described.deletes != "never":
                    self.delete(of, row["Id"])
                return
            named = ("LastName", "Name", "Subject", "OrderNumber")
            field = next(f for f in map(described.field, named) if f is not None)
            values = {field.name: f"Touched {rng.randrange(10**6)}"}
            if what == "insert" or row is None:
                self.insert(of, values)
            else:
                self.update(of, row["Id"], values)

    def fill(self, of: str, rows: int, columns: int | None = None) -> None:
        """Let an object have so many records, each like one that it has now; they are not held.

        Args:
            rows: how many.
            columns: how many fields of it the user sees, beginning with the system's.
        """
        with self.lock:
            if columns is not None:
                self.show_only(of, columns)
            # Each of them is found by plain queries, as those that are changed later are.
            found = dict.fromkeys(("IsDeleted", "IsArchived"), False)
            pool = [
                {**row, **{name: value for name, value in found.items() if name in row}}
                for row in self.table(of).all()
            ]
            self._tables[of] = ManyRecords(self.object(of), pool, rows, until=self.now())

    @contextmanager
    def same_moment(self) -> Iterator[None]:
        """All changes in the context share one second."""
        with self.lock:
            self._tick()
            self._held += 1
            try:
                yield
            finally:
                self._held -= 1

    def table(self, of: str) -> Records:
        """The records of an object, for queries.

        Raises:
            KeyError: there is no such object.
        """
        return self._tables[of]

    def add_object(self, added: SObject) -> None:
        """Give the organisation another object, without records."""
        with self.lock:
            self.set_object(added)
            self._tables[added.name] = Records([])

    def add_field(self, of: str, field: Field) -> None:
        """Give an object a field; it is null in all records, or not ticked.

        Raises:
            ValueError: the object has a field of that name.
        """
        with self.lock:
            described = self.object(of)
            if described.field(field.name) is not None:
                raise ValueError(f"{of} has a field {field.name} already")
            self.set_fields(of, (*described.fields, field))
            if field.is_stored:
                value = False if field.type == "boolean" else None
                self.table(of).rewrite(lambda row: {**row, field.name: value})

    def drop_field(self, of: str, name: str) -> None:
        """Take a field from an object, with its values.

        Raises:
            ValueError: the field is unknown, or the system's own.
        """
        with self.lock:
            known, described = self.changeable_field(of, name), self.object(of)
            left = tuple(f for f in described.fields if f is not known)
            self.set_fields(of, left)
            self.table(of).rewrite(
                lambda row: {key: value for key, value in row.items() if key != known.name}
            )

    def change_type(self, of: str, name: str, to: str) -> None:
        """Give a field another type; values that cannot be told in it are lost.

        As in a real organisation no record counts as changed by that.

        Raises:
            ValueError: the field is unknown, or the system's own, or there is no such type.
        """
        with self.lock:
            known, described = self.changeable_field(of, name), self.object(of)
            changed = replace(known, type=to, length=255 if to == "string" else 0)
            fields = tuple(changed if f is known else f for f in described.fields)
            self.set_fields(of, fields)
            self.table(of).rewrite(lambda row: {**row, known.name: converted(row[known.name], to)})

    def recalculate(self, of: str, name: str, formula: Callable[[Record], Any]) -> None:
        """Let a formula tell something of each record; no record counts as changed by that.

        Raises:
            ValueError: there is no such formula field.
        """
        with self.lock:
            field = self.object(of).field(name)
            if field is None or not field.calculated:
                raise ValueError(f"{of} has no formula field {name}")
            self.table(of).rewrite(
                lambda row: {**row, field.name: held_value(formula(row), field.type)}
            )

    def _living(self, of: str, record: str) -> Record:
        row = self.table(of).get(record)
        if row.get("IsDeleted"):
            raise KeyError(record)
        return row

    def _mark(self, of: str, record: str, now: datetime, *, deleted: bool) -> None:
        row = self.table(of).get(record)
        self.table(of).put({**row, "IsDeleted": deleted, **self._stamp(now)})

    def _remove(self, of: str, record: str, now: datetime) -> None:
        row = self.table(of).get(record)
        self.deletions.is_gone(of, record, row["SystemModstamp"] if row.get("IsDeleted") else now)
        self.table(of).remove(record)

    def _held_values(self, described: SObject, values: Record) -> Record:
        """Values as the organisation holds them."""
        held = {}
        for name, value in values.items():
            field = described.field(name)
            if field is None or field.name != name or not field.is_stored:
                raise ValueError(f"{described.name} has no field {name} that holds a value")
            if name in SYSTEM_FIELDS or field.calculated:
                raise ValueError(f"{described.name}.{name} is the system's own field")
            held[name] = held_value(value, field.type)
        return held

    def _stamp(self, now: datetime) -> Record:
        return {"LastModifiedDate": now, "LastModifiedById": self._by, "SystemModstamp": now}

    def _tick(self) -> datetime:
        if not self._held:
            self.clock = self._now() + TICK
        return self.clock.replace(microsecond=0)

    def _now(self) -> datetime:
        return max(self.clock, datetime.now(UTC)) if self._live else self.clock


def _named(described: SObject, row: Record) -> Record:
    """A record whose whole name is made of its parts, where the object's is."""
    if not described.full_name:
        return row
    whole = " ".join(filter(None, (row["FirstName"], row["LastName"]))) or None
    return {**row, "Name": whole}
