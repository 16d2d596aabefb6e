"""The CRM objects: standard fields, and some custom ones.

Real base64 fields are on objects such as `Attachment` only; here `Order` has one, so that the
loaded objects have every type. Precisions of standard numbers are the real ones: Object Reference,
"Account", "Opportunity", "OpportunityLineItem" and "Field Types" (percent, currency).
"""

from novade_pipeline.sandbox.salesforce.field_kinds import (
    FULL_NAME,
    RECORD_FIELDS,
    address,
    fields,
    number,
    picklist,
    reference,
)
from novade_pipeline.sandbox.salesforce.fields import Field, SObject
from novade_pipeline.sandbox.salesforce.picklists import (
    COMPETITORS,
    CONVERTED,
    FORECAST_NAMES,
    LEAD_SOURCES,
    LEAD_STATUSES,
    REGIONS,
    SEGMENTS,
    STAGES,
)
from novade_pipeline.sandbox.salesforce.setup_objects import ORGANIZATION, USER, USER_ROLE

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
        *RECORD_FIELDS,
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
            number("double", f"Headquarters__{part}__s", 9, 6, "Headquarters__c")
            for part in ("Latitude", "Longitude")
        ),
        Field("Headquarters__c", "location"),
    ),
)

CONTACT = SObject(
    "Contact",
    "003",
    (
        *RECORD_FIELDS,
        reference("AccountId", "Account"),
        *FULL_NAME,
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
        *RECORD_FIELDS,
        *FULL_NAME,
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
        *RECORD_FIELDS,
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
        *RECORD_FIELDS,
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
        *RECORD_FIELDS,
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
        *RECORD_FIELDS,
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
        *RECORD_FIELDS,
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
        *RECORD_FIELDS,
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

OBJECTS = (
    *(ACCOUNT, CONTACT, LEAD, OPPORTUNITY, OPPORTUNITY_LINE_ITEM, ORDER),
    *(PRODUCT, TASK, EVENT, USER, USER_ROLE, ORGANIZATION),
)
