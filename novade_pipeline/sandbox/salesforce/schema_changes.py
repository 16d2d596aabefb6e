"""The records of all objects, and changes to the objects' fields."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from threading import RLock
from typing import Any

from novade_pipeline.sandbox.salesforce.fields import Field, SObject
from novade_pipeline.sandbox.salesforce.rows import Record
from novade_pipeline.sandbox.salesforce.schema import Schema, converted, stored_value
from novade_pipeline.sandbox.salesforce.tables import Records


class RecordTables(Schema):
    """The objects with their records.

    Attributes:
        lock: held during changes and queries.
    """

    def __init__(self, objects: Iterable[SObject], rows: Mapping[str, Sequence[Record]]) -> None:
        super().__init__(objects)
        self.lock = RLock()
        self._tables = {name: Records(records) for name, records in rows.items()}

    def records(self, sobject: str) -> list[Record]:
        """All records of an object, with those in the recycle bin."""
        with self.lock:
            return [dict(row) for row in self.table(sobject).all()]

    def record(self, sobject: str, record: str) -> Record:
        """A record, which may be in the recycle bin.

        Raises:
            KeyError: no record has the id.
        """
        with self.lock:
            return dict(self.table(sobject).get(record))

    def table(self, sobject: str) -> Records:
        """The table of an object.

        Raises:
            KeyError: the object does not exist.
        """
        return self._tables[sobject]

    def add_object(self, added: SObject) -> None:
        """Add an object without records."""
        with self.lock:
            self.set_object(added)
            self._tables[added.name] = Records([])

    def add_field(self, sobject: str, field: Field) -> None:
        """Add a field; it is null in all records, or False.

        Raises:
            ValueError: the object has a field of that name.
        """
        with self.lock:
            definition = self.object(sobject)
            if definition.field(field.name) is not None:
                raise ValueError(f"{sobject} has a field {field.name} already")
            self.set_fields(sobject, (*definition.fields, field))
            if field.is_stored:
                value = False if field.type == "boolean" else None
                self.table(sobject).rewrite(lambda row: {**row, field.name: value})

    def drop_field(self, sobject: str, name: str) -> None:
        """Remove a field and its values.

        Raises:
            ValueError: the field is unknown or the system's own.
        """
        with self.lock:
            field, definition = self.changeable_field(sobject, name), self.object(sobject)
            left = tuple(f for f in definition.fields if f is not field)
            self.set_fields(sobject, left)
            self.table(sobject).rewrite(
                lambda row: {key: value for key, value in row.items() if key != field.name}
            )

    def change_type(self, sobject: str, name: str, to: str) -> None:
        """Change the type of a field; values that cannot be converted become null.

        As in a real organisation this does not count as a change of the records.

        Raises:
            ValueError: the field is unknown or the system's own, or the type does not exist.
        """
        with self.lock:
            field, definition = self.changeable_field(sobject, name), self.object(sobject)
            changed = replace(field, type=to, length=255 if to == "string" else 0)
            fields = tuple(changed if f is field else f for f in definition.fields)
            self.set_fields(sobject, fields)
            self.table(sobject).rewrite(
                lambda row: {**row, field.name: converted(row[field.name], to)}
            )

    def recalculate(self, sobject: str, name: str, formula: Callable[[Record], Any]) -> None:
        """Set a formula field of all records; this does not count as a change of the records.

        Raises:
            ValueError: the object has no such formula field.
        """
        with self.lock:
            field = self.object(sobject).field(name)
            if field is None or not field.calculated:
                raise ValueError(f"{sobject} has no formula field {name}")
            self.table(sobject).rewrite(
                lambda row: {**row, field.name: stored_value(formula(row), field.type)}
            )
