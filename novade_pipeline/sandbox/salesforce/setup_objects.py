"""Objects of the organisation's setup: users, roles, the organisation, currencies.

As in a real organisation `User` and `UserRole` have no `IsDeleted` (users are never deleted, roles
permanently) and `UserRole` has no `CreatedDate`.
"""

from novade_pipeline.sandbox.salesforce.field_kinds import (
    CREATED,
    FULL_NAME,
    ID,
    MODIFIED,
    fields,
    number,
    picklist,
    reference,
)
from novade_pipeline.sandbox.salesforce.fields import SObject

USER = SObject(
    "User",
    "005",
    (
        ID,
        *CREATED,
        *MODIFIED,
        *fields("string", "Username", "Title", "Department"),
        *FULL_NAME,
        *fields("email", "Email"),
        reference("UserRoleId", "UserRole"),
        reference("ManagerId", "User"),
        reference("ProfileId", "Profile"),
        picklist("UserType", "Standard", "Guest"),
        *fields("boolean", "IsActive"),
        *fields("picklist", "TimeZoneSidKey"),
    ),
    deletes="never",
    full_name=True,
)

USER_ROLE = SObject(
    "UserRole",
    "00E",
    (
        ID,
        *MODIFIED,
        *fields("string", "Name", "DeveloperName", "RollupDescription"),
        reference("ParentRoleId", "UserRole"),
    ),
    deletes="gone",
)

ORGANIZATION = SObject(
    "Organization",
    "00D",
    (
        ID,
        *CREATED,
        *MODIFIED,
        *fields("string", "Name"),
        *fields("picklist", "TimeZoneSidKey", "DefaultLocaleSidKey", "OrganizationType"),
        *fields("boolean", "IsSandbox"),
    ),
    deletes="never",
)

CURRENCY_TYPE = SObject(
    "CurrencyType",
    "01L",
    (
        ID,
        *CREATED,
        *MODIFIED,
        *fields("picklist", "IsoCode"),
        number("double", "ConversionRate", 18, 6),
        *fields("int", "DecimalPlaces"),
        *fields("boolean", "IsActive", "IsCorporate"),
    ),
    deletes="never",
)

DATED_CONVERSION_RATE = SObject(
    "DatedConversionRate",
    "04w",
    (
        ID,
        *CREATED,
        *MODIFIED,
        *fields("picklist", "IsoCode"),
        *fields("date", "StartDate", "NextStartDate"),
        number("double", "ConversionRate", 18, 6),
    ),
    deletes="gone",
)

CURRENCY_OBJECTS = (CURRENCY_TYPE, DATED_CONVERSION_RATE)
"""Objects that only an organisation with multiple currencies has."""
