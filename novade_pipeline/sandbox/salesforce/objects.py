"""The objects of the made-up Salesforce organisation: standard fields, and some of its own.

As in a real one, `User` and `UserRole` have no `IsDeleted` (a user is never deleted, a role is gone
at once) and `UserRole` has no `CreatedDate`. Real base64 fields stand on objects such as
`Attachment` only; here `Order` has one, so that the objects that are loaded hold every type.
Digits of standard numbers are those of the real ones: Object Reference, "Account", "Opportunity",
"OpportunityLineItem" and "Field Types" (percent, currency).
"""

from novade_pipeline.sandbox.salesforce.fields import LONGEST_PLAIN_TEXT, Field, SObject

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

_SIZES = {
    "string": 255,
    "textarea": 32_000,
    "email": 80,
    "phone": 40,
    "url": 255,
    "picklist": 255,
    "multipicklist": 4_099,
}


def _fields(of_type: str, *names: str, compound: str = "") -> tuple[Field, ...]:
    length = _SIZES.get(of_type, 0)
    return tuple(Field(name, of_type, length, compound) for name in names)


def _number(of_type: str, name: str, precision: int, scale: int, compound: str = "") -> Field:
    return Field(name, of_type, compound=compound, precision=precision, scale=scale)


def _picklist(name: str, *values: str, of_type: str = "picklist") -> Field:
    return Field(name, of_type, _SIZES[of_type], values=values)


def _reference(name: str, *objects: str) -> Field:
    return Field(name, "reference", 18, refers_to=objects)


def _address(of: str) -> tuple[Field, ...]:
    whole = f"{of}Address"
    return (
        Field(f"{of}Street", "textarea", LONGEST_PLAIN_TEXT, whole),
        *_fields(
            "string",
            f"{of}City",
            f"{of}State",
            f"{of}PostalCode",
            f"{of}Country",
            compound=whole,
        ),
        *(_number("double", f"{of}{one}", 18, 15, whole) for one in ("Latitude", "Longitude")),
        Field(whole, "address"),
    )


_FULL_NAME = (
    Field("FirstName", "string", 40, "Name", extra="personname"),
    Field("LastName", "string", 80, "Name", extra="personname"),
    Field("Name", "string", 121, extra="personname"),
)
_ID = Field("Id", "id", 18)
_MADE = (Field("CreatedDate", "datetime"), _reference("CreatedById", "User"))
_CHANGED = (
    Field("LastModifiedDate", "datetime"),
    _reference("LastModifiedById", "User"),
    Field("SystemModstamp", "datetime"),
)
_BINNED = (_ID, Field("IsDeleted", "boolean"), *_MADE, *_CHANGED)
_OWNER = _reference("OwnerId", "User")
_LAST_ACTIVITY = Field("LastActivityDate", "date")
_ACTIVITY = (
    *_fields("boolean", "IsArchived"),
    _reference("WhoId", "Contact", "Lead"),
    _reference("WhatId", "Account", "Opportunity", "Order"),
    _reference("AccountId", "Account"),
    _OWNER,
    Field("Subject", "combobox", 255),
    *_fields("textarea", "Description"),
)

ACCOUNT = SObject(
    "Account",
    "001",
    (
        *_BINNED,
        *_fields("string", "Name"),
        _picklist("Type", "Prospect", "Customer", "Partner"),
        *_fields("picklist", "Industry", "AccountSource"),
        *_fields("int", "NumberOfEmployees"),
        _number("currency", "AnnualRevenue", 18, 0),
        *_fields("url", "Website"),
        *_fields("phone", "Phone"),
        *_address("Billing"),
        _OWNER,
        _reference("ParentId", "Account"),
        _reference("MasterRecordId", "Account"),
        *_fields("textarea", "Description"),
        _LAST_ACTIVITY,
        _picklist("Segment__c", *SEGMENTS),
        _picklist("Regions__c", *REGIONS, of_type="multipicklist"),
        _number("double", "Health_Score__c", 5, 1),
        *_fields("boolean", "Is_Reference__c"),
        *_fields("date", "Contract_Start__c"),
        *_fields("datetime", "Last_Synced__c"),
        *_fields("email", "Billing_Email__c"),
        *_fields("string", "Notes__c"),
        *(
            _number("double", f"Headquarters__{one}__s", 9, 6, "Headquarters__c")
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
        _reference("AccountId", "Account"),
        *_FULL_NAME,
        *_fields("email", "Email"),
        *_fields("phone", "Phone", "MobilePhone"),
        *_fields("string", "Title", "Department"),
        *_address("Mailing"),
        _OWNER,
        _reference("MasterRecordId", "Contact"),
        _picklist("LeadSource", *LEAD_SOURCES),
        *_fields("date", "Birthdate"),
        *_fields("boolean", "HasOptedOutOfEmail"),
        _LAST_ACTIVITY,
        *_fields("email", "Newsletter_Email__c"),
        _number("double", "Engagement__c", 3, 0),
    ),
    full_name=True,
)

LEAD = SObject(
    "Lead",
    "00Q",
    (
        *_BINNED,
        *_FULL_NAME,
        *_fields("email", "Email"),
        *_fields("phone", "Phone"),
        *_fields("string", "Company", "Title"),
        *_address(""),
        _picklist("Status", *LEAD_STATUSES, CONVERTED),
        _picklist("LeadSource", *LEAD_SOURCES),
        *_fields("picklist", "Industry"),
        *_fields("int", "NumberOfEmployees"),
        _reference("OwnerId", "Group", "User"),
        _reference("MasterRecordId", "Lead"),
        *_fields("boolean", "IsConverted"),
        *_fields("date", "ConvertedDate"),
        _reference("ConvertedAccountId", "Account"),
        _reference("ConvertedContactId", "Contact"),
        _reference("ConvertedOpportunityId", "Opportunity"),
        _LAST_ACTIVITY,
        *_fields("boolean", "Asked_For_Demo__c"),
    ),
    full_name=True,
)

OPPORTUNITY = SObject(
    "Opportunity",
    "006",
    (
        *_BINNED,
        _reference("AccountId", "Account"),
        *_fields("string", "Name", "NextStep"),
        _picklist("StageName", *STAGES),
        *_fields("currency", "Amount"),
        _number("percent", "Probability", 3, 0),
        *_fields("date", "CloseDate"),
        _picklist("Type", "New Business", "Renewal", "Expansion"),
        _picklist("LeadSource", *LEAD_SOURCES),
        *_fields("boolean", "IsClosed", "IsWon"),
        _picklist("ForecastCategory", *FORECAST_NAMES),
        _picklist("ForecastCategoryName", *FORECAST_NAMES.values()),
        _OWNER,
        _reference("CampaignId", "Campaign"),
        _LAST_ACTIVITY,
        _number("percent", "Discount__c", 5, 2),
        _picklist("Competitors__c", *COMPETITORS, of_type="multipicklist"),
    ),
)

OPPORTUNITY_LINE_ITEM = SObject(
    "OpportunityLineItem",
    "00k",
    (
        *_BINNED,
        _reference("OpportunityId", "Opportunity"),
        _reference("Product2Id", "Product2"),
        _reference("PricebookEntryId", "PricebookEntry"),
        *_fields("string", "Name", "ProductCode", "Description"),
        _number("double", "Quantity", 12, 2),
        *_fields("currency", "UnitPrice", "ListPrice", "TotalPrice"),
        *_fields("date", "ServiceDate"),
        *_fields("int", "SortOrder"),
    ),
)

ORDER = SObject(
    "Order",
    "801",
    (
        *_BINNED,
        _reference("AccountId", "Account"),
        _reference("OpportunityId", "Opportunity"),
        *_fields("string", "OrderNumber"),
        _picklist("Status", "Draft", "Activated"),
        _picklist("Type", "New", "Renewal"),
        *_fields("date", "EffectiveDate", "EndDate"),
        *_fields("datetime", "ActivatedDate"),
        *_fields("currency", "TotalAmount"),
        _OWNER,
        *_fields("base64", "Signed_Copy__c"),
    ),
)

PRODUCT = SObject(
    "Product2",
    "01t",
    (
        *_BINNED,
        *_fields("string", "Name", "ProductCode"),
        _picklist("Family", "Subscription", "Service"),
        *_fields("boolean", "IsActive"),
        *_fields("textarea", "Description"),
    ),
)

TASK = SObject(
    "Task",
    "00T",
    (
        *_BINNED,
        *_ACTIVITY,
        _picklist("Status", "Not Started", "In Progress", "Completed"),
        _picklist("Priority", "High", "Normal", "Low"),
        _picklist("Type", "Call", "Email", "Other"),
        _picklist("TaskSubtype", "Task", "Email", "Call"),
        *_fields("date", "ActivityDate"),
        *_fields("boolean", "IsClosed"),
        *_fields("datetime", "CompletedDateTime"),
        *_fields("int", "CallDurationInSeconds"),
        *_fields("boolean", "IsRecurrence"),
        _reference("RecurrenceActivityId", "Task"),
    ),
)

EVENT = SObject(
    "Event",
    "00U",
    (
        *_BINNED,
        *_ACTIVITY,
        *_fields("string", "Location"),
        _picklist("Type", "Meeting", "Demo", "Other"),
        *_fields("datetime", "StartDateTime", "EndDateTime"),
        *_fields("date", "ActivityDate"),
        *_fields("int", "DurationInMinutes"),
        *_fields("boolean", "IsAllDayEvent", "IsChild", "IsGroupEvent", "IsRecurrence"),
        _picklist("GroupEventType", "0", "1", "2", "3"),
        _reference("RecurrenceActivityId", "Event"),
    ),
)

USER = SObject(
    "User",
    "005",
    (
        _ID,
        *_MADE,
        *_CHANGED,
        *_fields("string", "Username", "Title", "Department"),
        *_FULL_NAME,
        *_fields("email", "Email"),
        _reference("UserRoleId", "UserRole"),
        _reference("ManagerId", "User"),
        _reference("ProfileId", "Profile"),
        _picklist("UserType", "Standard", "Guest"),
        *_fields("boolean", "IsActive"),
        *_fields("picklist", "TimeZoneSidKey"),
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
        *_fields("string", "Name", "DeveloperName", "RollupDescription"),
        _reference("ParentRoleId", "UserRole"),
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
        *_fields("string", "Name"),
        *_fields("picklist", "TimeZoneSidKey", "DefaultLocaleSidKey", "OrganizationType"),
        *_fields("boolean", "IsSandbox"),
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
        *_fields("picklist", "IsoCode"),
        _number("double", "ConversionRate", 18, 6),
        *_fields("int", "DecimalPlaces"),
        *_fields("boolean", "IsActive", "IsCorporate"),
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
        *_fields("picklist", "IsoCode"),
        *_fields("date", "StartDate", "NextStartDate"),
        _number("double", "ConversionRate", 18, 6),
    ),
    deletes="gone",
)

OBJECTS = (
    *(ACCOUNT, CONTACT, LEAD, OPPORTUNITY, OPPORTUNITY_LINE_ITEM, ORDER),
    *(PRODUCT, TASK, EVENT, USER, USER_ROLE, ORGANIZATION),
)
OF_CURRENCIES = (CURRENCY_TYPE, DATED_CONVERSION_RATE)
"""Objects that only an organisation with several currencies has."""
