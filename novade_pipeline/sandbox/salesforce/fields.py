"""Definitions of objects and fields, and what a query may do with a field.

Source: Object Reference, "Field Types" (field_types.htm). Long text areas and compound fields are
neither filtered, sorted nor aggregated, multi-select picklists not sorted: SOQL and SOSL Reference,
"ORDER BY" (sforce_api_calls_soql_select_orderby.htm) and "GROUP BY" (…_select_groupby.htm).
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from novade_pipeline.sandbox.salesforce.ids import case_safe

Deletes = Literal["bin", "gone", "never"]

NUMBERS = ("double", "currency", "percent")
COMPOUND = ("address", "location")
TYPES = (
    *("string", "textarea", "email", "phone", "url", "picklist", "multipicklist", "combobox"),
    *("id", "reference", "boolean", "int", *NUMBERS, "date", "datetime", "base64", *COMPOUND),
)
LONGEST_PLAIN_TEXT = 255
_SYSTEM = ("Id", "IsDeleted", "IsArchived", "CreatedDate", "CreatedById", "LastModifiedDate")
SYSTEM_FIELDS = frozenset((*_SYSTEM, "LastModifiedById", "SystemModstamp"))
"""Fields that Salesforce writes itself, and which cannot be hidden."""


@dataclass(frozen=True)
class Field:
    """A field.

    Attributes:
        type: as in the describe: string, double, datetime, address, …
        length: of texts, in characters; otherwise 0.
        compound: the compound field that it is a part of.
        values: of a picklist; records may have further values.
        refers_to: the objects that a reference points to.
        calculated: by a formula; it cannot be written.
        precision: of numbers, digits in all.
        scale: of numbers, digits after the point.
        extra: `extraTypeInfo` in the describe.
    """

    name: str
    type: str
    length: int = 0
    compound: str = ""
    values: tuple[str, ...] = ()
    refers_to: tuple[str, ...] = ()
    calculated: bool = False
    precision: int = 18
    scale: int = 2
    extra: str = ""

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise ValueError(f"{self.name}: {self.type!r} is no type of a Salesforce field")

    @property
    def is_custom(self) -> bool:
        """Whether the organisation has added it: `__c`, or a part of such a compound field."""
        return self.name.endswith(("__c", "__s"))

    @property
    def is_stored(self) -> bool:
        """Whether records store it; a compound field is computed from its parts."""
        return self.type not in COMPOUND

    @property
    def is_long_text(self) -> bool:
        """Whether it is a text area of more than 255 characters, which queries cannot filter."""
        return self.type == "textarea" and self.length > LONGEST_PLAIN_TEXT

    @property
    def is_filterable(self) -> bool:
        """Whether queries can filter by it."""
        return self.type not in (*COMPOUND, "base64") and not self.is_long_text

    @property
    def is_sortable(self) -> bool:
        """Whether queries can order by it."""
        return self.is_filterable and self.type != "multipicklist"

    @property
    def is_aggregatable(self) -> bool:
        """Whether queries can count it and compute its extremes."""
        return self.is_sortable and self.type != "boolean"

    def comparable(self, value: Any) -> Any:
        """A value as queries compare it: texts without case, ids as 18 characters."""
        if not isinstance(value, str):
            return value
        if self.type in ("id", "reference"):
            return case_safe(value) if len(value) == 15 else value
        return value.casefold()


@dataclass(frozen=True)
class SObject:
    """An object.

    Attributes:
        prefix: key prefix of its ids.
        deletes: to the recycle bin, at once and permanently, or never.
        full_name: `Name` is composed of `FirstName` and `LastName`.
    """

    name: str
    prefix: str
    fields: tuple[Field, ...] = field(repr=False)
    deletes: Deletes = "bin"
    full_name: bool = False

    def field(self, name: str) -> Field | None:
        """The field with a name in any case, as in SOQL."""
        return next((f for f in self.fields if f.name.lower() == name.lower()), None)

    @property
    def name_field(self) -> str:
        """The field with a record's display name."""
        names = ("Name", "Subject", "OrderNumber")
        return next((name for name in names if self.field(name) is not None), "")

    def parts_of(self, compound: str) -> tuple[Field, ...]:
        """The parts of a compound field."""
        return tuple(f for f in self.fields if f.compound == compound)
