"""The objects of the made-up Salesforce organisation: standard fields, and some of its own.

As in a real one, `User` and `UserRole` have no `IsDeleted` (a user is never deleted, a role is gone
at once) and `UserRole` has no `CreatedDate`. Real base64 fields stand on objects such as
`Attachment` only; here `Order` has one, so that the objects that are loaded hold every type.
Digits of standard numbers are those of the real ones: Object Reference, "Account", "Opportunity",
"OpportunityLineItem" and "Field Types" (percent, currency).
"""

from novade_pipeline.sandbox.salesforce.field_kinds import (
    address,
    fields,
    number,
    picklist,
    reference,
)
from novade_pipeline.sandbox.salesforce.fields import Field, SObject

STAGES = {
    "Prospecting": (10.0, "Pipeline"),
    "Qualification": (20.0, "Pipeline"),
    "Needs Analysis": (40.0, "Pipeline"),
    "Proposal": (60.0, "BestCase"),
    "Negotiation": (80.0, "Forecast"),
    "On Hold": (5.0, "Omitted"),
    "Closed Won": (100.0, "Closed"),
    "Closed Lost": (0.0, "Omitted"),
}
"""Stage of an opportunity -> its probability in per cent and its forecast category."""

FORECAST_NAMES = {
    "Pipeline": "Pipeline",
    "BestCase": "Best Case",
    "Forecast": "Commit",
    "Omitted": "Omitted",
    "Closed": "Closed",
}
"""Forecast category -> how people see it."""

LEAD_SOURCES = ("Web", "Trade Show", "Referral", "Product", "Cold Call")
SEGMENTS = ("Enterprise", "Mid-Market", "Small Business")
REGIONS = ("EMEA", "AMER", "APAC")
LEAD_STATUSES = ("Open - Not Contacted", "Working - Contacted", "Closed - Not Converted")
CONVERTED = "Closed - Converted"
COMPETITORS = ("Brightly", "Cadenza", "Ostinato")

_FULL_NAME = (
    Field("FirstName", "string", 40, "Name", extra="personname"),
    Field("LastName", "string", 80, "Name", extra="personname"),
    Field("Name", "string", 121, extra="personname"),
)
_ID = Field("Id", "id", 18)
_MADE = (Field("CreatedDate", "datetime"), reference("CreatedById", "User"))
_CHANGED = (
    Field("LastModifiedDate", "datetime"),
    reference("LastModifiedById", "User"),
    Field("SystemModstamp", "datetime"),
)
_BINNED = (_ID, Field("IsDeleted", "boolean"), *_MADE, *_CHANGED)
_OWNER = reference("OwnerId", "User")
_LAST_ACTIVITY = Field("LastActivityDate", "date")
_ACTIVITY = (
    *fields("boolean", "IsArchived"),
    reference("WhoId", "Contact", "Lead"),
    reference("WhatId", "Account", "Opportunity", "Order"),
    reference("AccountId", "Account"),
    _OWNER,
    Field("Subject", "combobox", 255),
    *fields("textarea", "Description"),
)

ACCOUNT = SObject(
    "Account",
    "001",
    (
        *_BINNED,
        *fields("string", "Name"),
        picklist("Type", "Prospect", "Customer", "Partner"),
        *fields("picklist", "Industry", "AccountSource"),
        *fields("int", "NumberOfEmployees"),
        number("currency", "AnnualRevenue", 18, 0),
        *fields("url", "Website"),
        *fields("phone", "Phone"),
        *address("Billing"),
        _OWNER,
        reference("ParentId", "Account"),
        reference("MasterRecordId", "Account"),
        *fields("textarea", "Description"),
        _LAST_ACTIVITY,
        picklist("Segment__c", *SEGMENTS),
        picklist("Regions__c", *REGIONS, of_type="multipicklist"),
        number("double", "Health_Score__c", 5, 1),
        *fields("boolean", "Is_Reference__c"),
        *fields("date", "Contract_Start__c"),
        *fields("datetime", "Last_Synced__c"),
        *fields("email", "Billing_Email__c"),
        *fields("string", "Notes__c"),
        *(
            number("double", f"Headquarters__{one}__s", 9, 6, "Headquarters__c")
            for one in ("Latitude", "Longitude")
        ),
        Field("Headquarters__c", "location"),
    ),
)

CONTACT = SObject(
    "Contact",
    "003",
    (
        *_BINNED,
        reference("AccountId", "Account"),
        *_FULL_NAME,
        *fields("email", "Email"),
        *fields("phone", "Phone", "MobilePhone"),
        *fields("string", "Title", "Department"),
        *address("Mailing"),
        _OWNER,
        reference("MasterRecordId", "Contact"),
        picklist("LeadSource", *LEAD_SOURCES),
        *fields("date", "Birthdate"),
        *fields("boolean", "HasOptedOutOfEmail"),
        _LAST_ACTIVITY,
        *fields("email", "Newsletter_Email__c"),
        number("double", "Engagement__c", 3, 0),
    ),
    full_name=True,
)

LEAD = SObject(
    "Lead",
    "00Q",
    (
        *_BINNED,
        *_FULL_NAME,
        *fields("email", "Email"),
        *fields("phone", "Phone"),
        *fields("string", "Company", "Title"),
        *address(""),
        picklist("Status", *LEAD_STATUSES, CONVERTED),
        picklist("LeadSource", *LEAD_SOURCES),
        *fields("picklist", "Industry"),
        *fields("int", "NumberOfEmployees"),
        reference("OwnerId", "Group", "User"),
        reference("MasterRecordId", "Lead"),
        *fields("boolean", "IsConverted"),
        *fields("date", "ConvertedDate"),
        reference("ConvertedAccountId", "Account"),
        reference("ConvertedContactId", "Contact"),
        reference("ConvertedOpportunityId", "Opportunity"),
        _LAST_ACTIVITY,
        *fields("boolean", "Asked_For_Demo__c"),
    ),
    full_name=True,
)

OPPORTUNITY = SObject(
    "Opportunity",
    "006",
    (
        *_BINNED,
        reference("AccountId", "Account"),
        *fields("string", "Name", "NextStep"),
        picklist("StageName", *STAGES),
        *fields("currency", "Amount"),
        number("percent", "Probability", 3, 0),
        *fields("date", "CloseDate"),
        picklist("Type", "New Business", "Renewal", "Expansion"),
        picklist("LeadSource", *LEAD_SOURCES),
        *fields("boolean", "IsClosed", "IsWon"),
        picklist("ForecastCategory", *FORECAST_NAMES),
        picklist("ForecastCategoryName", *FORECAST_NAMES.values()),
        _OWNER,
        reference("CampaignId", "Campaign"),
        _LAST_ACTIVITY,
        number("percent", "Discount__c", 5, 2),
        picklist("Competitors__c", *COMPETITORS, of_type="multipicklist"),
    ),
)

OPPORTUNITY_LINE_ITEM = SObject(
    "OpportunityLineItem",
    "00k",
    (
        *_BINNED,
        reference("OpportunityId", "Opportunity"),
        reference("Product2Id", "Product2"),
        reference("PricebookEntryId", "PricebookEntry"),
        *fields("string", "Name", "ProductCode", "Description"),
        number("double", "Quantity", 12, 2),
        *fields("currency", "UnitPrice", "ListPrice", "TotalPrice"),
        *fields("date", "ServiceDate"),
        *fields("int", "SortOrder"),
    ),
)

ORDER = SObject(
    "Order",
    "801",
    (
        *_BINNED,
        reference("AccountId", "Account"),
        reference("OpportunityId", "Opportunity"),
        *fields("string", "OrderNumber"),
        picklist("Status", "Draft", "Activated"),
        picklist("Type", "New", "Renewal"),
        *fields("date", "EffectiveDate", "EndDate"),
        *fields("datetime", "ActivatedDate"),
        *fields("currency", "TotalAmount"),
        _OWNER,
        *fields("base64", "Signed_Copy__c"),
    ),
)

PRODUCT = SObject(
    "Product2",
    "01t",
    (
        *_BINNED,
        *fields("string", "Name", "ProductCode"),
        picklist("Family", "Subscription", "Service"),
        *fields("boolean", "IsActive"),
        *fields("textarea", "Description"),
    ),
)

TASK = SObject(
    "Task",
    "00T",
    (
        *_BINNED,
        *_ACTIVITY,
        picklist("Status", "Not Started", "In Progress", "Completed"),
        picklist("Priority", "High", "Normal", "Low"),
        picklist("Type", "Call", "Email", "Other"),
        picklist("TaskSubtype", "Task", "Email", "Call"),
        *fields("date", "ActivityDate"),
        *fields("boolean", "IsClosed"),
        *fields("datetime", "CompletedDateTime"),
        *fields("int", "CallDurationInSeconds"),
        *fields("boolean", "IsRecurrence"),
        reference("RecurrenceActivityId", "Task"),
    ),
)

EVENT = SObject(
    "Event",
    "00U",
    (
        *_BINNED,
        *_ACTIVITY,
        *fields("string", "Location"),
        picklist("Type", "Meeting", "Demo", "Other"),
        *fields("datetime", "StartDateTime", "EndDateTime"),
        *fields("date", "ActivityDate"),
        *fields("int", "DurationInMinutes"),
        *fields("boolean", "IsAllDayEvent", "IsChild", "IsGroupEvent", "IsRecurrence"),
        picklist("GroupEventType", "0", "1", "2", "3"),
        reference("RecurrenceActivityId", "Event"),
    ),
)

USER = SObject(
    "User",
    "005",
    (
        _ID,
        *_MADE,
        *_CHANGED,
        *fields("string", "Username", "Title", "Department"),
        *_FULL_NAME,
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
        _ID,
        *_CHANGED,
        *fields("string", "Name", "DeveloperName", "RollupDescription"),
        reference("ParentRoleId", "UserRole"),
    ),
    deletes="gone",
)

ORGANIZATION = SObject(
    "Organization",
    "00D",
    (
        _ID,
        *_MADE,
        *_CHANGED,
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
        _ID,
        *_MADE,
        *_CHANGED,
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
        _ID,
        *_MADE,
        *_CHANGED,
        *fields("picklist", "IsoCode"),
        *fields("date", "StartDate", "NextStartDate"),
        number("double", "ConversionRate", 18, 6),
    ),
    deletes="gone",
)

OBJECTS = (
    *(ACCOUNT, CONTACT, LEAD, OPPORTUNITY, OPPORTUNITY_LINE_ITEM, ORDER),
    *(PRODUCT, TASK, EVENT, USER, USER_ROLE, ORGANIZATION),
)
OF_CURRENCIES = (CURRENCY_TYPE, DATED_CONVERSION_RATE)
"""Objects that only an organisation with several currencies has."""
