"""What the describe of an object says.

Source: REST API Developer Guide, "sObject Describe" (resources_sobject_describe.htm), and SOAP API
Developer Guide, "DescribeSObjectResult" (sforce_api_calls_describesobjects_describesobjectresult
.htm): there `digits` is said to be of int fields, `precision` and `scale` of double ones, and
`extraTypeInfo` to tell plain from rich text areas and the parts of a person's name;
`polymorphicForeignKey` is true of references to several objects.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from novade_pipeline.sandbox.salesforce.deletions import CHILDREN
from novade_pipeline.sandbox.salesforce.fields import (
    COMPOUND,
    NUMBERS,
    SYSTEM_FIELDS,
    Field,
    SObject,
)

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
_INT_DIGITS = 8
_IDS = ("id", "reference")
_NEVER_IN_FIELDS: Mapping[str, Any] = {
    "aiPredictionField": False,
    "autoNumber": False,
    "calculatedFormula": None,
    "cascadeDelete": False,
    "caseSensitive": False,
    "controllerName": None,
    "defaultValueFormula": None,
    "dependentPicklist": False,
    "deprecatedAndHidden": False,
    "displayLocationInDecimal": False,
    "encrypted": False,
    "externalId": False,
    "filteredLookupInfo": None,
    "formulaTreatNullNumberAsZero": False,
    "highScaleNumber": False,
    "htmlFormatted": False,
    "inlineHelpText": None,
    "mask": None,
    "maskType": None,
    "referenceTargetField": None,
    "relationshipOrder": None,
    "restrictedDelete": False,
    "restrictedPicklist": False,
    "writeRequiresMasterRead": False,
}
_NEVER_IN_OBJECTS: Mapping[str, Any] = {
    "activateable": False,
    "associateEntityType": None,
    "associateParentEntity": None,
    "customSetting": False,
    "deepCloneable": False,
    "deprecatedAndHidden": False,
    "hasSubtypes": False,
    "isInterface": False,
    "isSubtype": False,
}
_NEVER_IN_DESCRIBES: Mapping[str, Any] = {
    "compactLayoutable": True,
    "defaultImplementation": None,
    "extendedBy": None,
    "extendsInterfaces": None,
    "implementedBy": None,
    "implementsInterfaces": None,
    "listviewable": None,
    "lookupLayoutable": None,
    "networkScopeFieldName": None,
    "searchLayoutable": True,
    "sobjectDescribeOption": "FULL",
}


def described_field(field: Field, *, names: bool = False) -> dict[str, Any]:
    """A field in its object's describe.

    Args:
        names: it is the one that names a record to people.
    """
    number, system = field.type in NUMBERS, field.name in SYSTEM_FIELDS
    plain = field.type not in (*COMPOUND, "base64")
    written = plain and not system and not field.calculated
    several = len(field.refers_to) > 1
    length = 18 if field.type in _IDS else field.length
    return {
        **_NEVER_IN_FIELDS,
        "aggregatable": field.is_aggregatable,
        "byteLength": length if field.type in _IDS else length * 3,
        "calculated": field.calculated,
        "compoundFieldName": field.compound or None,
        "createable": written,
        "custom": field.is_custom,
        "defaultValue": False if field.type == "boolean" else None,
        "defaultedOnCreate": system or field.type == "boolean",
        "digits": _INT_DIGITS if field.type == "int" else 0,
        "extraTypeInfo": field.extra or ("plaintextarea" if field.type == "textarea" else None),
        "filterable": field.is_filterable,
        "groupable": field.is_sortable and not number and field.type != "datetime",
        "idLookup": field.type == "id",
        "label": field.name.removesuffix("__c").replace("_", " "),
        "length": length,
        "name": field.name,
        "nameField": names,
        "namePointing": several,
        "nillable": field.type != "boolean" and not system,
        "permissionable": written and not names,
        "picklistValues": [
            {
                "active": True,
                "defaultValue": False,
                "label": value,
                "validFor": None,
                "value": value,
            }
            for value in field.values
        ],
        "polymorphicForeignKey": several,
        "precision": field.precision if number else 0,
        "queryByDistance": field.type == "location",
        "referenceTo": list(field.refers_to),
        "relationshipName": field.name.removesuffix("Id") if field.refers_to else None,
        "scale": field.scale if number else 0,
        "searchPrefilterable": field.type == "reference",
        "soapType": _SOAP.get(field.type, "xsd:string"),
        "sortable": field.is_sortable,
        "type": field.type,
        "unique": field.type == "id",
        "updateable": written,
    }


def summary(of: SObject, version: str) -> dict[str, Any]:
    """An object in the list of all objects."""
    place = f"/services/data/v{version}/sobjects/{of.name}"
    return {
        **_NEVER_IN_OBJECTS,
        "createable": True,
        "custom": of.name.endswith("__c"),
        "deletable": of.deletes != "never",
        "feedEnabled": of.name in ("Account", "Contact", "Lead", "Opportunity", "User"),
        "keyPrefix": of.prefix,
        "label": of.name,
        "labelPlural": f"{of.name}s",
        "layoutable": True,
        "mergeable": of.name in ("Account", "Contact", "Lead"),
        "mruEnabled": True,
        "name": of.name,
        "queryable": True,
        "replicateable": True,
        "retrieveable": True,
        "searchable": True,
        "triggerable": True,
        "undeletable": of.deletes == "bin",
        "updateable": True,
        "urls": {
            "sobject": place,
            "describe": f"{place}/describe",
            "rowTemplate": f"{place}/{{ID}}",
        },
    }


def described(
    of: SObject, version: str, hidden: frozenset[str], others: Iterable[SObject]
) -> dict[str, Any]:
    """An object's describe.

    Args:
        hidden: fields that the user may not see.
        others: all objects that the user may see.
    """
    return {
        **summary(of, version),
        **_NEVER_IN_DESCRIBES,
        "actionOverrides": [],
        "childRelationships": [
            _child(of, other, field)
            for other in others
            for field in other.fields
            if of.name in field.refers_to
        ],
        "fields": [
            described_field(field, names=field.name == of.name_field)
            for field in of.fields
            if field.name not in hidden
        ],
        "namedLayoutInfos": [],
        "recordTypeInfos": [],
        "supportedScopes": [{"label": f"All {of.name}s", "name": "everything"}],
    }


def _child(of: SObject, other: SObject, field: Field) -> dict[str, Any]:
    """One object that refers to another by a field."""
    return {
        "cascadeDelete": (other.name, field.name) in CHILDREN.get(of.name, ()),
        "childSObject": other.name,
        "deprecatedAndHidden": False,
        "field": field.name,
        "junctionIdListNames": [],
        "junctionReferenceTo": [],
        "relationshipName": f"{other.name}s" if field.name == f"{of.name}Id" else None,
        "restrictedDelete": False,
    }
