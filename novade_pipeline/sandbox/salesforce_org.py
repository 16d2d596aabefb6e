"""The made-up Salesforce organisation: its records as they are now, and all that may change in it.

What is deleted stays in the recycle bin, where `queryAll` finds it, until it comes back or is gone
for good. Its clock moves with each change, by less than the second in which `SystemModstamp`
is told: several changes may share one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from threading import RLock
from typing import Any

from novade_pipeline.sandbox.salesforce_fields import NUMBERS, SYSTEM_FIELDS, Field, SObject
from novade_pipeline.sandbox.salesforce_ids import record_id
from novade_pipeline.sandbox.salesforce_many import ManyRecords
from novade_pipeline.sandbox.salesforce_objects import OBJECTS
from novade_pipeline.sandbox.salesforce_rows import Record, Setting, blank, user_id
from novade_pipeline.sandbox.salesforce_sales_rows import generate
from novade_pipeline.sandbox.salesforce_tables import Records

TICK = timedelta(milliseconds=400)
"""What each change takes."""


class Organisation:
    """The state of an organisation.

    Attributes:
        clock: the organisation's time.
        lock: held while anything changes, and while a query is answered.
    """

    def __init__(self, setting: Setting, *, live: bool = False) -> None:
        """Fill it as the setting says.

        Args:
            setting: who is in it, and when.
            live: its clock is never behind this machine's.
        """
        self.lock = RLock()
        self.clock = setting.now
        self._live = live
        self._by = user_id(setting.sellers[0])
        self._objects = {one.name: one for one in OBJECTS}
        self._tables: dict[str, Records] = {
            name: Records(rows) for name, rows in generate(setting).items()
        }
        self._hidden_objects: set[str] = set()
        self._hidden_fields: dict[str, frozenset[str]] = {}
        self._held = 0

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
            now = self._tick()
            new = record_id(described.prefix, table.next_number())
            made = blank(described)
            system = {
                "Id": new,
                "CreatedDate": now,
                "CreatedById": self._by,
                **self._stamp(now),
            }
            made.update({name: value for name, value in system.items() if name in made})
            table.put(self._changed(described, made, values))
            return new

    def update(self, of: str, record: str, values: Record) -> None:
        """Change a record.

        Raises:
            KeyError: there is none with that id, or it is in the recycle bin.
            ValueError: a field is unknown, or the system's own.
        """
        with self.lock:
            row = self._living(of, record)
            now = self._tick()
            changed = self._changed(self.object(of), {**row, **self._stamp(now)}, values)
            self.table(of).put(changed)

    def delete(self, of: str, record: str) -> None:
        """Put a record into the recycle bin; its children stay, unlike in a real organisation.

        Raises:
            KeyError: there is none with that id, or it is in the bin already.
            ValueError: such records are never deleted.
        """
        with self.lock:
            row, described = self._living(of, record), self.object(of)
            if described.deletes == "never":
                raise ValueError(f"a {of} cannot be deleted; make it inactive")
            now = self._tick()
            if described.deletes == "gone":
                self.table(of).remove(record)
            else:
                self.table(of).put({**row, "IsDeleted": True, **self._stamp(now)})

    def undelete(self, of: str, record: str) -> None:
        """Bring a record back from the recycle bin.

        Raises:
            KeyError: it is not there.
        """
        with self.lock:
            row = self.table(of).get(record)
            if not row.get("IsDeleted"):
                raise KeyError(record)
            self.table(of).put({**row, "IsDeleted": False, **self._stamp(self._tick())})

    def purge(self, of: str, record: str) -> None:
        """Take a record away for good, from the recycle bin or past it: no query finds it again.

        Raises:
            KeyError: there is none with that id.
        """
        with self.lock:
            self.table(of).get(record)
            self._tick()
            self.table(of).remove(record)

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
                stored = [f.name for f in self.object(of).fields if f.is_stored]
                stored.sort(key=lambda name: name not in SYSTEM_FIELDS)
                self._hidden_fields[of] = frozenset(
                    f.name for f in self.object(of).fields if f.name not in stored[:columns]
                )
            pool = [dict(row, IsDeleted=False) for row in self.table(of).all()]
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

    def object(self, name: str) -> SObject:
        """What an object is made of.

        Raises:
            KeyError: there is no such object.
        """
        return self._objects[name]

    def seen_object(self, name: str) -> SObject | None:
        """An object that the user may see, by its name in any case."""
        for one in self._objects.values():
            if one.name.lower() == name.lower() and one.name not in self._hidden_objects:
                return one
        return None

    def seen_objects(self) -> list[SObject]:
        """All objects that the user may see."""
        return [one for one in self._objects.values() if one.name not in self._hidden_objects]

    def seen_field(self, of: str, name: str) -> Field | None:
        """A field that the user may see, by its name in any case."""
        found = self.object(of).field(name)
        return None if found is None or found.name in self.hidden_fields(of) else found

    def hidden_fields(self, of: str) -> frozenset[str]:
        """The fields of an object that the user may not see."""
        return self._hidden_fields.get(of, frozenset())

    def hide_object(self, name: str, hidden: bool = True) -> None:
        """Take an object from the user's sight, or give it back."""
        self.object(name)
        (self._hidden_objects.add if hidden else self._hidden_objects.discard)(name)

    def hide_field(self, of: str, name: str, hidden: bool = True) -> None:
        """Take a field from the user's sight, or give it back.

        Raises:
            ValueError: the field is unknown, or nobody can hide it.
        """
        known = self._known_field(of, name)
        one = frozenset({known.name})
        before = self.hidden_fields(of)
        self._hidden_fields[of] = before | one if hidden else before - one

    def add_field(self, of: str, field: Field) -> None:
        """Give an object a field; it is null in all records, or not ticked.

        Raises:
            ValueError: the object has a field of that name.
        """
        with self.lock:
            described = self.object(of)
            if described.field(field.name) is not None:
                raise ValueError(f"{of} has a field {field.name} already")
            self._objects[of] = described.with_fields((*described.fields, field))
            if field.is_stored:
                value = False if field.type == "boolean" else None
                self.table(of).rewrite(lambda row: {**row, field.name: value})

    def drop_field(self, of: str, name: str) -> None:
        """Take a field from an object, with its values.

        Raises:
            ValueError: the field is unknown, or the system's own.
        """
        with self.lock:
            known, described = self._known_field(of, name), self.object(of)
            left = tuple(f for f in described.fields if f is not known)
            self._objects[of] = described.with_fields(left)
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
            known, described = self._known_field(of, name), self.object(of)
            changed = replace(known, type=to, length=255 if to == "string" else 0)
            fields = tuple(changed if f is known else f for f in described.fields)
            self._objects[of] = described.with_fields(fields)
            self.table(of).rewrite(lambda row: {**row, known.name: _converted(row[known.name], to)})

    def _living(self, of: str, record: str) -> Record:
        row = self.table(of).get(record)
        if row.get("IsDeleted"):
            raise KeyError(record)
        return row

    def _known_field(self, of: str, name: str) -> Field:
        known = self.object(of).field(name)
        if known is None:
            raise ValueError(f"{of} has no field {name}")
        if known.name in SYSTEM_FIELDS:
            raise ValueError(f"{of}.{name} is the system's own field")
        return known

    def _changed(self, described: SObject, row: Record, values: Record) -> Record:
        for name in values:
            field = described.field(name)
            if field is None or field.name != name or not field.is_stored:
                raise ValueError(f"{described.name} has no field {name} that holds a value")
            if name in SYSTEM_FIELDS:
                raise ValueError(f"{described.name}.{name} is the system's own field")
        row = {**row, **values}
        if described.full_name:
            row["Name"] = " ".join(filter(None, (row["FirstName"], row["LastName"]))) or None
        return row

    def _stamp(self, now: datetime) -> Record:
        return {"LastModifiedDate": now, "LastModifiedById": self._by, "SystemModstamp": now}

    def _tick(self) -> datetime:
        if not self._held:
            self.clock = self._now() + TICK
        return self.clock.replace(microsecond=0)

    def _now(self) -> datetime:
        return max(self.clock, datetime.now(UTC)) if self._live else self.clock


def _converted(value: Any, to: str) -> Any:
    if value is None:
        return False if to == "boolean" else None
    if to in NUMBERS or to == "int":
        try:
            return int(float(value)) if to == "int" else float(value)
        except (TypeError, ValueError):
            return None
    if to == "boolean":
        return bool(value)
    if to in ("date", "datetime", "base64"):
        return None
    return str(value)
