"""The objects and fields of the organisation, and which of them are visible to the user."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from novade_pipeline.sandbox.salesforce.fields import NUMBERS, SYSTEM_FIELDS, Field, SObject


class Schema:
    """The objects of an organisation as they are now."""

    def __init__(self, objects: Iterable[SObject]) -> None:
        self._objects = {sobject.name: sobject for sobject in objects}
        self._hidden_objects: set[str] = set()
        self._hidden_fields: dict[str, frozenset[str]] = {}

    def object(self, name: str) -> SObject:
        """The definition of an object.

        Raises:
            KeyError: the object does not exist.
        """
        return self._objects[name]

    def visible_object(self, name: str) -> SObject | None:
        """A visible object by its name in any case."""
        for sobject in self._objects.values():
            if sobject.name.lower() == name.lower() and sobject.name not in self._hidden_objects:
                return sobject
        return None

    def visible_objects(self) -> list[SObject]:
        """All visible objects."""
        return [
            sobject
            for sobject in self._objects.values()
            if sobject.name not in self._hidden_objects
        ]

    def visible_field(self, sobject: str, name: str) -> Field | None:
        """A visible field by its name in any case."""
        field = self.object(sobject).field(name)
        return None if field is None or field.name in self.hidden_fields(sobject) else field

    def hidden_fields(self, sobject: str) -> frozenset[str]:
        """The hidden fields of an object."""
        return self._hidden_fields.get(sobject, frozenset())

    def hide_object(self, name: str, hidden: bool = True) -> None:
        """Hide an object from the user, or show it again."""
        self.object(name)
        (self._hidden_objects.add if hidden else self._hidden_objects.discard)(name)

    def hide_field(self, sobject: str, name: str, hidden: bool = True) -> None:
        """Hide a field from the user, or show it again.

        Raises:
            ValueError: the field is unknown or the system's own.
        """
        names = frozenset({self.changeable_field(sobject, name).name})
        before = self.hidden_fields(sobject)
        self._hidden_fields[sobject] = before | names if hidden else before - names

    def show_only(self, sobject: str, columns: int) -> None:
        """Show only a number of stored fields of an object, the system's first."""
        fields = self.object(sobject).fields
        stored = sorted(
            (f.name for f in fields if f.is_stored), key=lambda name: name not in SYSTEM_FIELDS
        )
        self._hidden_fields[sobject] = frozenset(f.name for f in fields) - frozenset(
            stored[:columns]
        )

    def set_object(self, added: SObject) -> None:
        """Add or replace an object."""
        self._objects[added.name] = added

    def set_fields(self, sobject: str, fields: tuple[Field, ...]) -> None:
        """Replace the fields of an object."""
        self._objects[sobject] = replace(self.object(sobject), fields=fields)

    def changeable_field(self, sobject: str, name: str) -> Field:
        """A field that is not the system's own.

        Raises:
            ValueError: the field is unknown or the system's own.
        """
        field = self.object(sobject).field(name)
        if field is None:
            raise ValueError(f"{sobject} has no field {name}")
        if field.name in SYSTEM_FIELDS:
            raise ValueError(f"{sobject}.{name} is the system's own field")
        return field


def stored_value(value: Any, of_type: str) -> Any:
    """A value as Salesforce stores it: no empty text, floats, times in full seconds of UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(microsecond=0)
    if of_type in NUMBERS and isinstance(value, int):
        return float(value)
    return None if value == "" else value


def converted(value: Any, to: str) -> Any:
    """A value converted to another type; null where that is impossible."""
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
