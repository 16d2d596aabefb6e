"""Which objects and fields the made-up organisation has, and which of them the user may see."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from novade_pipeline.sandbox.salesforce.fields import NUMBERS, SYSTEM_FIELDS, Field, SObject


class Schema:
    """The objects of an organisation as they are now."""

    def __init__(self, objects: Iterable[SObject]) -> None:
        self._objects = {one.name: one for one in objects}
        self._hidden_objects: set[str] = set()
        self._hidden_fields: dict[str, frozenset[str]] = {}

    def object(self, name: str) -> SObject:
        """What an object is made of.

        Raises:
            KeyError: there is no such object.
        """
        return self._objects[name]

    def visible_object(self, name: str) -> SObject | None:
        """An object that the user may see, by its name in any case."""
        for one in self._objects.values():
            if one.name.lower() == name.lower() and one.name not in self._hidden_objects:
                return one
        return None

    def visible_objects(self) -> list[SObject]:
        """All objects that the user may see."""
        return [one for one in self._objects.values() if one.name not in self._hidden_objects]

    def visible_field(self, of: str, name: str) -> Field | None:
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
        known = self.changeable_field(of, name)
        one = frozenset({known.name})
        before = self.hidden_fields(of)
        self._hidden_fields[of] = before | one if hidden else before - one

    def show_only(self, of: str, columns: int) -> None:
        """Let the user see so many stored fields of an object: the system's, then others."""
        fields = self.object(of).fields
        stored = sorted(
            (f.name for f in fields if f.is_stored), key=lambda name: name not in SYSTEM_FIELDS
        )
        self._hidden_fields[of] = frozenset(f.name for f in fields) - frozenset(stored[:columns])

    def set_object(self, added: SObject) -> None:
        """Have an object, whether there was one of its name or not."""
        self._objects[added.name] = added

    def set_fields(self, of: str, fields: tuple[Field, ...]) -> None:
        """Give an object other fields."""
        self._objects[of] = replace(self.object(of), fields=fields)

    def changeable_field(self, of: str, name: str) -> Field:
        """A field that people, and not the system, have made or may change.

        Raises:
            ValueError: it is unknown, or the system's own.
        """
        known = self.object(of).field(name)
        if known is None:
            raise ValueError(f"{of} has no field {name}")
        if known.name in SYSTEM_FIELDS:
            raise ValueError(f"{of}.{name} is the system's own field")
        return known


def held_value(value: Any, of_type: str) -> Any:
    """A value as Salesforce holds it: no empty text, floats, times in full seconds of UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(microsecond=0)
    if of_type in NUMBERS and isinstance(value, int):
        return float(value)
    return None if value == "" else value


def converted(value: Any, to: str) -> Any:
    """A value as a field of another type holds it; null where that cannot be."""
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
