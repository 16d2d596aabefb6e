"""What the Salesforce sandbox's describe tells of objects and fields."""

from typing import Any

import pytest

from novade_pipeline.sandbox.salesforce.objects import OBJECTS
from novade_pipeline_tests.sandbox.salesforce_client import Client


def described(client: Client, name: str) -> dict[str, dict[str, Any]]:
    described_field = client.get(f"/sobjects/{name}/describe").json()
    return {field["name"]: field for field in described_field["fields"]}


@pytest.mark.parametrize(
    ("name", "field", "precision", "scale"),
    [
        ("Account", "AnnualRevenue", 18, 0),
        ("Account", "BillingLatitude", 18, 15),
        ("Account", "Headquarters__Longitude__s", 9, 6),
        ("Account", "Health_Score__c", 5, 1),
        ("Account", "NumberOfEmployees", 0, 0),
        ("Account", "Name", 0, 0),
        ("Opportunity", "Amount", 18, 2),
        ("Opportunity", "Probability", 3, 0),
        ("OpportunityLineItem", "Quantity", 12, 2),
    ],
)
def test_numbers_have_their_own_digits(
    name: str, field: str, precision: int, scale: int, client: Client
) -> None:
    described_field = described(client, name)[field]
    assert (described_field["precision"], described_field["scale"]) == (precision, scale)
    assert described_field["digits"] == (8 if described_field["type"] == "int" else 0)


@pytest.mark.parametrize("of", OBJECTS, ids=lambda of: of.name)
def test_no_number_has_more_digits_than_its_field(of: Any, client: Client) -> None:
    for name, described_field in described(client, of.name).items():
        for row in client.api.org.records(of.name) if described_field["precision"] else ():
            value = row[name] or 0.0
            assert abs(value) < 10 ** (described_field["precision"] - described_field["scale"])
            assert round(value, described_field["scale"]) == value


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("Account", "Name"),
        ("Contact", "Name"),
        ("Task", "Subject"),
        ("Event", "Subject"),
        ("Order", "OrderNumber"),
        ("UserRole", "Name"),
    ],
)
def test_one_field_is_the_name_field(name: str, field: str, client: Client) -> None:
    names = [
        key
        for key, described_field in described(client, name).items()
        if described_field["nameField"]
    ]
    assert names == [field]


@pytest.mark.parametrize(
    ("name", "field", "several"),
    [
        ("Task", "WhoId", True),
        ("Event", "WhatId", True),
        ("Lead", "OwnerId", True),
        ("Account", "OwnerId", False),
        ("Account", "Name", False),
    ],
)
def test_a_reference_to_several_objects_is_polymorphic(
    name: str, field: str, several: bool, client: Client
) -> None:
    described_field = described(client, name)[field]
    assert (described_field["polymorphicForeignKey"], described_field["namePointing"]) == (
        several,
        several,
    )
    assert (len(described_field["referenceTo"]) > 1) == several


@pytest.mark.parametrize(
    ("name", "field", "extra"),
    [
        ("Account", "Description", "plaintextarea"),
        ("Account", "BillingStreet", "plaintextarea"),
        ("Contact", "Name", "personname"),
        ("User", "LastName", "personname"),
        ("Account", "Name", None),
        ("Account", "OwnerId", None),
    ],
)
def test_extra_type_info_tells_texts_and_names_apart(
    name: str, field: str, extra: str | None, client: Client
) -> None:
    assert described(client, name)[field]["extraTypeInfo"] == extra


@pytest.mark.parametrize(
    ("name", "field", "expected"),
    [
        ("Account", "Description", (False, False, False, False)),
        ("Account", "BillingStreet", (True, True, True, True)),
        ("Account", "BillingAddress", (False, False, False, False)),
        ("Account", "Headquarters__c", (False, False, False, False)),
        ("Account", "Regions__c", (True, False, False, False)),
        ("Account", "Is_Reference__c", (True, True, False, True)),
        ("Account", "AnnualRevenue", (True, True, True, False)),
        ("Account", "CreatedDate", (True, True, True, False)),
        ("Order", "Signed_Copy__c", (False, False, False, False)),
    ],
)
def test_a_field_says_what_queries_may_do_with_it_and_they_may(
    name: str, field: str, expected: tuple[bool, ...], client: Client
) -> None:
    described_field = described(client, name)[field]
    uses = ("filterable", "sortable", "aggregatable", "groupable")
    assert tuple(described_field[use] for use in uses) == expected
    queries = (
        f"SELECT Id FROM {name} WHERE {field} != null",
        f"SELECT Id FROM {name} ORDER BY {field}",
        f"SELECT COUNT({field}) FROM {name}",
    )
    statuses = [client.get("/query", q=soql).status_code for soql in queries]
    assert statuses == [200 if may else 400 for may in expected[:3]]


def test_every_field_and_object_has_all_that_a_real_describe_has(client: Client) -> None:
    described_field = client.get("/sobjects/Account/describe").json()
    assert {"actionOverrides", "childRelationships", "recordTypeInfos", "supportedScopes"} <= set(
        described_field
    )
    keys = {frozenset(field) for field in described_field["fields"]}
    assert len(keys) == 1
    assert {
        *("autoNumber", "calculatedFormula", "defaultedOnCreate", "encrypted", "htmlFormatted"),
        *("mask", "permissionable", "restrictedPicklist", "searchPrefilterable", "soapType"),
    } <= keys.pop()
    children = {
        (child["childSObject"], child["field"]): child["cascadeDelete"]
        for child in described_field["childRelationships"]
    }
    assert children["Contact", "AccountId"]
    assert not children["Account", "ParentId"]
