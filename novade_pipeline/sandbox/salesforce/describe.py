"""The describe of an object.

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


def describe_field(field: Field, *, is_name_field: bool = False) -> dict[str, Any]:
    """A field in its object's describe."""
    is_number, is_system = field.type in NUMBERS, field.name in SYSTEM_FIELDS
    plain = field.type not in (*COMPOUND, "base64")
    is_writable = plain and not is_system and not field.calculated
    is_polymorphic = len(field.refers_to) > 1
    length = 18 if field.type in _IDS else field.length
    return {
        **_NEVER_IN_FIELDS,
        "aggregatable": field.is_aggregatable,
        "byteLength": length if field.type in _IDS else length * 3,
        "calculated": field.calculated,
        "compoundFieldName": field.compound or None,
        "createable": is_writable,
        "custom": field.is_custom,
        "defaultValue": False if field.type == "boolean" else None,
        "defaultedOnCreate": is_system or field.type == "boolean",
        "digits": _INT_DIGITS if field.type == "int" else 0,
        "extraTypeInfo": field.extra or ("plaintextarea" if field.type == "textarea" else None),
        "filterable": field.is_filterable,
        "groupable": field.is_sortable and not is_number and field.type != "datetime",
        "idLookup": field.type == "id",
        "label": field.name.removesuffix("__c").replace("_", " "),
        "length": length,
        "name": field.name,
        "nameField": is_name_field,
        "namePointing": is_polymorphic,
        "nillable": field.type != "boolean" and not is_system,
        "permissionable": is_writable and not is_name_field,
        "picklistValues": [
            {"active": True, "defaultValue": False, "label": v, "validFor": None, "value": v}
            for v in field.values
        ],
        "polymorphicForeignKey": is_polymorphic,
        "precision": field.precision if is_number else 0,
        "queryByDistance": field.type == "location",
        "referenceTo": list(field.refers_to),
        "relationshipName": field.name.removesuffix("Id") if field.refers_to else None,
        "scale": field.scale if is_number else 0,
        "searchPrefilterable": field.type == "reference",
        "soapType": _SOAP.get(field.type, "xsd:string"),
        "sortable": field.is_sortable,
        "type": field.type,
        "unique": field.type == "id",
        "updateable": is_writable,
    }


def summarize(sobject: SObject, version: str) -> dict[str, Any]:
    """An object in the list of all objects."""
    place = f"/services/data/v{version}/sobjects/{sobject.name}"
    return {
        **_NEVER_IN_OBJECTS,
        "createable": True,
        "custom": sobject.name.endswith("__c"),
        "deletable": sobject.deletes != "never",
        "feedEnabled": sobject.name in ("Account", "Contact", "Lead", "Opportunity", "User"),
        "keyPrefix": sobject.prefix,
        "label": sobject.name,
        "labelPlural": f"{sobject.name}s",
        "layoutable": True,
        "mergeable": sobject.name in ("Account", "Contact", "Lead"),
        "mruEnabled": True,
        "name": sobject.name,
        "queryable": True,
        "replicateable": True,
        "retrieveable": True,
        "searchable": True,
        "triggerable": True,
        "undeletable": sobject.deletes == "bin",
        "updateable": True,
        "urls": {
            "sobject": place,
            "describe": f"{place}/describe",
            "rowTemplate": f"{place}/{{ID}}",
        },
    }


def describe(
    sobject: SObject, version: str, hidden: frozenset[str], sobjects: Iterable[SObject]
) -> dict[str, Any]:
    """An object's describe.

    Args:
        sobject: the object.
        version: of the API.
        hidden: names of hidden fields.
        sobjects: all visible objects.
    """
    return {
        **summarize(sobject, version),
        **_NEVER_IN_DESCRIBES,
        "actionOverrides": [],
        "childRelationships": [
            _child(sobject, child, field)
            for child in sobjects
            for field in child.fields
            if sobject.name in field.refers_to
        ],
        "fields": [
            describe_field(field, is_name_field=field.name == sobject.name_field)
            for field in sobject.fields
            if field.name not in hidden
        ],
        "namedLayoutInfos": [],
        "recordTypeInfos": [],
        "supportedScopes": [{"label": f"All {sobject.name}s", "name": "everything"}],
    }


def _child(sobject: SObject, child: SObject, field: Field) -> dict[str, Any]:
    """A child relationship: an object that refers to another by a field."""
    return {
        "cascadeDelete": (child.name, field.name) in CHILDREN.get(sobject.name, ()),
        "childSObject": child.name,
        "deprecatedAndHidden": False,
        "field": field.name,
        "junctionIdListNames": [],
        "junctionReferenceTo": [],
        "relationshipName": f"{child.name}s" if field.name == f"{sobject.name}Id" else None,
        "restrictedDelete": False,
    }
