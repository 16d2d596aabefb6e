"""What an object of a Salesforce organisation is made of, and how its describe tells of it.

Source: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/
(sObject Describe) and the object reference.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from novade_pipeline.sandbox.salesforce.ids import case_safe

Deletes = Literal["bin", "gone", "never"]

_SOAP = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "base64": "xsd:base64Binary",
    "address": "urn:address",
    "location": "urn:location",
}
NUMBERS = ("double", "currency", "percent")
COMPOUND = ("address", "location")
TYPES = (
    *("string", "textarea", "email", "phone", "url", "picklist", "multipicklist", "combobox"),
    *_SOAP,
)
_SYSTEM = ("Id", "IsDeleted", "CreatedDate", "CreatedById", "LastModifiedDate")
SYSTEM_FIELDS = frozenset((*_SYSTEM, "LastModifiedById", "SystemModstamp"))
"""What Salesforce writes itself, and hides from nobody."""


@dataclass(frozen=True)
class Field:
    """One field.

    Attributes:
        type: as the describe names it: string, double, datetime, address, …
        length: of texts, in characters; 0 where that means nothing.
        compound: the compound field that it is a part of.
        values: of a picklist; a record may hold others.
        refers_to: the objects whose ids it holds.
        calculated: by a formula; nobody can write it.
    """

    name: str
    type: str
    length: int = 0
    compound: str = ""
    values: tuple[str, ...] = ()
    refers_to: tuple[str, ...] = ()
    calculated: bool = False

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise ValueError(f"{self.name}: {self.type!r} is no type of a Salesforce field")

    @property
    def is_custom(self) -> bool:
        """Whether the organisation has made it: `__c`, or a part of such a compound field."""
        return self.name.endswith(("__c", "__s"))

    @property
    def is_stored(self) -> bool:
        """Whether a record holds it; a compound field shows what its parts hold."""
        return self.type not in COMPOUND

    def comparable(self, value: Any) -> Any:
        """A value as queries compare it: texts without their case, ids as 18 characters."""
        if not isinstance(value, str):
            return value
        if self.type in ("id", "reference"):
            return case_safe(value) if len(value) == 15 else value
        return value.casefold()

    def described(self) -> dict[str, Any]:
        """The field in its object's describe."""
        number, system = self.type in NUMBERS, self.name in SYSTEM_FIELDS
        written = not system and not self.calculated
        plain = self.type not in (*COMPOUND, "base64")
        return {
            "aggregatable": plain and self.type not in ("boolean", "textarea"),
            "byteLength": self.length * 3,
            "calculated": self.calculated,
            "cascadeDelete": False,
            "caseSensitive": False,
            "compoundFieldName": self.compound or None,
            "createable": written and plain,
            "custom": self.is_custom,
            "defaultValue": False if self.type == "boolean" else None,
            "digits": 9 if self.type == "int" else 0,
            "externalId": False,
            "filterable": plain and self.type != "textarea",
            "groupable": plain and not number and self.type not in ("textarea", "datetime"),
            "inlineHelpText": None,
            "label": self.name.removesuffix("__c").replace("_", " "),
            "length": self.length,
            "name": self.name,
            "nillable": self.type != "boolean" and not system,
            "picklistValues": [
                {"active": True, "defaultValue": False, "label": value, "value": value}
                for value in self.values
            ],
            "precision": 18 if number else 0,
            "queryByDistance": self.type == "location",
            "referenceTo": list(self.refers_to),
            "relationshipName": self.name.removesuffix("Id") if self.refers_to else None,
            "scale": 2 if number else 0,
            "soapType": _SOAP.get(self.type, "xsd:string"),
            "sortable": plain and self.type not in ("textarea", "multipicklist"),
            "type": self.type,
            "unique": self.type == "id",
            "updateable": written and plain,
        }


@dataclass(frozen=True)
class SObject:
    """One object: what its records hold.

    Attributes:
        prefix: with which the ids of its records begin.
        deletes: whether what is deleted can come back, is gone at once, or cannot be deleted.
        full_name: its `Name` is made of `FirstName` and `LastName`.
    """

    name: str
    prefix: str
    fields: tuple[Field, ...] = field(repr=False)
    deletes: Deletes = "bin"
    full_name: bool = False

    def field(self, name: str) -> Field | None:
        """The field of that name, in any case, as SOQL finds it."""
        return next((f for f in self.fields if f.name.lower() == name.lower()), None)

    def parts_of(self, compound: str) -> tuple[Field, ...]:
        """The fields that a compound field is made of."""
        return tuple(f for f in self.fields if f.compound == compound)

    def summary(self, version: str) -> dict[str, Any]:
        """The object in the list of all objects."""
        place = f"/services/data/v{version}/sobjects/{self.name}"
        deletable = self.deletes != "never"
        return {
            "createable": True,
            "custom": self.name.endswith("__c"),
            "customSetting": False,
            "deletable": deletable,
            "deprecatedAndHidden": False,
            "keyPrefix": self.prefix,
            "label": self.name,
            "labelPlural": f"{self.name}s",
            "layoutable": True,
            "mergeable": self.name in ("Account", "Contact", "Lead"),
            "name": self.name,
            "queryable": True,
            "replicateable": True,
            "retrieveable": True,
            "searchable": True,
            "triggerable": True,
            "undeletable": self.deletes == "bin",
            "updateable": True,
            "urls": {
                "sobject": place,
                "describe": f"{place}/describe",
                "rowTemplate": f"{place}/{{ID}}",
            },
        }

    def described(self, version: str, hidden: frozenset[str]) -> dict[str, Any]:
        """The object's describe, without the fields that the user may not see."""
        return {
            **self.summary(version),
            "childRelationships": [],
            "fields": [f.described() for f in self.fields if f.name not in hidden],
            "recordTypeInfos": [],
        }
