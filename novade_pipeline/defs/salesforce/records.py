"""The records of a Salesforce organisation: what the marts rely on of each object.

A row model names standard fields, by Salesforce's own name as the alias; each further field that
the organisation's describe has becomes a column as well when it is read. Source:
https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field

from novade_pipeline.lake.table import Digits
from novade_pipeline.privacy.marks import BelongsTo, Identity
from novade_pipeline.privacy.policy import Personal

Number = Annotated[Decimal | None, Digits(26, 6)]
"""As the marts read it; in the lake it has the digits that the organisation's describe says."""
Degrees = Annotated[Decimal | None, Digits(18, 15)]
CurrencyIsoCode = str | None
"""The code of a currency, EUR; null in an organisation that has one currency only."""
PersonalText = Annotated[str | None, Personal()]
EmailAddress = Annotated[str | None, Personal(), Identity("email")]
PersonId = Annotated[str, Identity("salesforce_id")]
"""Of a contact, lead or user: no two records of an organisation share an id."""
WhoId = Annotated[str | None, BelongsTo("salesforce_id")]


class Record(BaseModel):
    """What every record has."""

    id: str = Field(alias="Id", description="Names the record, 18 characters.")
    is_deleted: bool = Field(alias="IsDeleted", description="In the recycle bin, or gone for good.")
    created_date: datetime | None = Field(
        None, alias="CreatedDate", description="When it was made, UTC."
    )
    last_modified_date: datetime | None = Field(
        None, alias="LastModifiedDate", description="When a user last changed it, UTC."
    )
    system_modstamp: datetime = Field(
        alias="SystemModstamp", description="When a user or a process last changed it, UTC."
    )
    vanished_at: datetime | None = Field(
        None, description="When a sweep found it gone for good, UTC; null where it is still there."
    )
    returned_at: datetime | None = Field(
        None,
        description="When a sweep found it back, which an earlier one had found gone, UTC; null "
        "where it has changed since.",
    )


class PersonRecord(Record):
    """What every record of a person has."""

    id: PersonId = Field(alias="Id", description="Names the record, 18 characters.")


class Account(Record):
    """A company, or a branch of one."""

    name: str | None = Field(None, alias="Name", description="The company.")
    type: str | None = Field(None, alias="Type", description="Customer, prospect, partner, …")
    industry: str | None = Field(None, alias="Industry", description="What it does.")
    number_of_employees: int | None = Field(
        None, alias="NumberOfEmployees", description="How many people it has."
    )
    annual_revenue: Number = Field(
        None, alias="AnnualRevenue", description="Its revenue a year, in its currency."
    )
    currency_iso_code: CurrencyIsoCode = Field(
        None, alias="CurrencyIsoCode", description="The currency of its amounts."
    )
    website: str | None = Field(None, alias="Website", description="Its address on the web.")
    phone: str | None = Field(None, alias="Phone", description="Its switchboard.")
    billing_street: str | None = Field(None, alias="BillingStreet", description="Where bills go.")
    billing_city: str | None = Field(None, alias="BillingCity", description="Where bills go.")
    billing_state: str | None = Field(None, alias="BillingState", description="Where bills go.")
    billing_postal_code: str | None = Field(
        None, alias="BillingPostalCode", description="Where bills go."
    )
    billing_country: str | None = Field(None, alias="BillingCountry", description="Where bills go.")
    billing_latitude: Degrees = Field(None, alias="BillingLatitude", description="Degrees north.")
    billing_longitude: Degrees = Field(None, alias="BillingLongitude", description="Degrees east.")
    owner_id: str | None = Field(None, alias="OwnerId", description="The user who looks after it.")
    parent_id: str | None = Field(
        None, alias="ParentId", description="The account that it is a branch of."
    )
    master_record_id: str | None = Field(
        None, alias="MasterRecordId", description="The account that it was merged into."
    )
    account_source: str | None = Field(
        None, alias="AccountSource", description="Where it was found."
    )
    description: str | None = Field(
        None, alias="Description", description="What people wrote of it."
    )
    last_activity_date: date | None = Field(
        None, alias="LastActivityDate", description="Day of the last activity."
    )


class Contact(PersonRecord):
    """A person at an account."""

    account_id: str | None = Field(None, alias="AccountId", description="The account.")
    first_name: PersonalText = Field(None, alias="FirstName", description="The first name.")
    last_name: PersonalText = Field(None, alias="LastName", description="The last name.")
    name: PersonalText = Field(None, alias="Name", description="The whole name.")
    email: EmailAddress = Field(None, alias="Email", description="The e-mail address.")
    phone: PersonalText = Field(None, alias="Phone", description="The telephone.")
    mobile_phone: PersonalText = Field(
        None, alias="MobilePhone", description="The mobile telephone."
    )
    title: str | None = Field(None, alias="Title", description="What the person does.")
    department: str | None = Field(None, alias="Department", description="Where in the company.")
    mailing_street: PersonalText = Field(None, alias="MailingStreet", description="The street.")
    mailing_city: str | None = Field(None, alias="MailingCity", description="The city.")
    mailing_postal_code: str | None = Field(
        None, alias="MailingPostalCode", description="The postal code."
    )
    mailing_country: str | None = Field(None, alias="MailingCountry", description="The country.")
    owner_id: str | None = Field(None, alias="OwnerId", description="The user who looks after it.")
    master_record_id: PersonId | None = Field(
        None, alias="MasterRecordId", description="The contact that it was merged into."
    )
    lead_source: str | None = Field(None, alias="LeadSource", description="Where it was found.")
    birthdate: Annotated[date | None, Personal()] = Field(
        None, alias="Birthdate", description="The birthday."
    )
    has_opted_out_of_email: bool | None = Field(
        None, alias="HasOptedOutOfEmail", description="Wants no e-mail."
    )
    last_activity_date: date | None = Field(
        None, alias="LastActivityDate", description="Day of the last activity."
    )


class Lead(PersonRecord):
    """Somebody who may become a customer."""

    first_name: PersonalText = Field(None, alias="FirstName", description="The first name.")
    last_name: PersonalText = Field(None, alias="LastName", description="The last name.")
    name: PersonalText = Field(None, alias="Name", description="The whole name.")
    email: EmailAddress = Field(None, alias="Email", description="The e-mail address.")
    phone: PersonalText = Field(None, alias="Phone", description="The telephone.")
    company: str | None = Field(
        None, alias="Company", description="Where the person works, as told."
    )
    title: str | None = Field(None, alias="Title", description="What the person does.")
    status: str | None = Field(None, alias="Status", description="How far it has come.")
    lead_source: str | None = Field(None, alias="LeadSource", description="Where it was found.")
    industry: str | None = Field(None, alias="Industry", description="What the company does.")
    number_of_employees: int | None = Field(
        None, alias="NumberOfEmployees", description="How many people the company has."
    )
    country: str | None = Field(None, alias="Country", description="The country.")
    owner_id: str | None = Field(
        None, alias="OwnerId", description="The user or queue that looks after it."
    )
    master_record_id: PersonId | None = Field(
        None, alias="MasterRecordId", description="The lead that it was merged into."
    )
    is_converted: bool | None = Field(
        None, alias="IsConverted", description="It has become a contact."
    )
    converted_date: date | None = Field(None, alias="ConvertedDate", description="When it did.")
    converted_account_id: str | None = Field(
        None, alias="ConvertedAccountId", description="The account that it became."
    )
    converted_contact_id: PersonId | None = Field(
        None, alias="ConvertedContactId", description="The contact that it became."
    )
    converted_opportunity_id: str | None = Field(
        None, alias="ConvertedOpportunityId", description="The opportunity that it became."
    )
    last_activity_date: date | None = Field(
        None, alias="LastActivityDate", description="Day of the last activity."
    )


class Opportunity(Record):
    """A sale that may come."""

    account_id: str | None = Field(None, alias="AccountId", description="The account.")
    name: str | None = Field(None, alias="Name", description="What it is called.")
    stage_name: str | None = Field(None, alias="StageName", description="How far it has come.")
    amount: Number = Field(None, alias="Amount", description="What it is worth, in its currency.")
    currency_iso_code: CurrencyIsoCode = Field(
        None, alias="CurrencyIsoCode", description="The currency of its amounts."
    )
    probability: Number = Field(None, alias="Probability", description="Per cent.")
    close_date: date | None = Field(
        None, alias="CloseDate", description="The day on which it closed, or is hoped to."
    )
    type: str | None = Field(None, alias="Type", description="New business, renewal, …")
    lead_source: str | None = Field(None, alias="LeadSource", description="Where it was found.")
    is_closed: bool | None = Field(None, alias="IsClosed", description="It is decided.")
    is_won: bool | None = Field(None, alias="IsWon", description="It is won.")
    forecast_category: str | None = Field(
        None, alias="ForecastCategory", description="Pipeline, BestCase, Forecast, Omitted, Closed."
    )
    forecast_category_name: str | None = Field(
        None, alias="ForecastCategoryName", description="The same, as people see it."
    )
    owner_id: str | None = Field(None, alias="OwnerId", description="The user who looks after it.")
    campaign_id: str | None = Field(
        None, alias="CampaignId", description="The campaign that it came from."
    )
    next_step: str | None = Field(None, alias="NextStep", description="What is to be done.")
    last_activity_date: date | None = Field(
        None, alias="LastActivityDate", description="Day of the last activity."
    )


class OpportunityLineItem(Record):
    """A product of an opportunity."""

    opportunity_id: str | None = Field(None, alias="OpportunityId", description="The opportunity.")
    product2_id: str | None = Field(None, alias="Product2Id", description="The product.")
    pricebook_entry_id: str | None = Field(None, alias="PricebookEntryId", description="Its price.")
    name: str | None = Field(None, alias="Name", description="What it is called.")
    product_code: str | None = Field(None, alias="ProductCode", description="The product's code.")
    quantity: Number = Field(None, alias="Quantity", description="How many.")
    unit_price: Number = Field(None, alias="UnitPrice", description="For one.")
    list_price: Number = Field(None, alias="ListPrice", description="For one, as listed.")
    total_price: Number = Field(None, alias="TotalPrice", description="For all.")
    service_date: date | None = Field(
        None, alias="ServiceDate", description="When it is delivered."
    )
    description: str | None = Field(
        None, alias="Description", description="What people wrote of it."
    )
    sort_order: int | None = Field(None, alias="SortOrder", description="Its place.")


class Order(Record):
    """What an account has ordered."""

    account_id: str | None = Field(None, alias="AccountId", description="The account.")
    opportunity_id: str | None = Field(None, alias="OpportunityId", description="The opportunity.")
    order_number: str | None = Field(None, alias="OrderNumber", description="Its number.")
    status: str | None = Field(None, alias="Status", description="How far it has come.")
    type: str | None = Field(None, alias="Type", description="Its kind.")
    effective_date: date | None = Field(None, alias="EffectiveDate", description="When it begins.")
    end_date: date | None = Field(None, alias="EndDate", description="When it ends.")
    activated_date: datetime | None = Field(
        None, alias="ActivatedDate", description="When it became valid, UTC."
    )
    total_amount: Number = Field(
        None, alias="TotalAmount", description="What it is worth, in its currency."
    )
    currency_iso_code: CurrencyIsoCode = Field(
        None, alias="CurrencyIsoCode", description="The currency of its amounts."
    )
    owner_id: str | None = Field(None, alias="OwnerId", description="The user who looks after it.")


class Product(Record):
    """Something that is sold."""

    name: str | None = Field(None, alias="Name", description="What it is called.")
    product_code: str | None = Field(None, alias="ProductCode", description="Its code.")
    family: str | None = Field(None, alias="Family", description="Its family.")
    is_active: bool | None = Field(None, alias="IsActive", description="It is sold now.")
    description: str | None = Field(None, alias="Description", description="What it is.")


class User(PersonRecord):
    """Somebody who works with the organisation."""

    username: EmailAddress = Field(None, alias="Username", description="What the user logs in as.")
    first_name: PersonalText = Field(None, alias="FirstName", description="The first name.")
    last_name: PersonalText = Field(None, alias="LastName", description="The last name.")
    name: PersonalText = Field(None, alias="Name", description="The whole name.")
    email: EmailAddress = Field(None, alias="Email", description="The e-mail address.")
    title: str | None = Field(None, alias="Title", description="What the person does.")
    department: str | None = Field(None, alias="Department", description="Where in the company.")
    user_role_id: str | None = Field(None, alias="UserRoleId", description="The role.")
    manager_id: str | None = Field(
        None, alias="ManagerId", description="The user who leads this one."
    )
    profile_id: str | None = Field(None, alias="ProfileId", description="What the user may do.")
    user_type: str | None = Field(None, alias="UserType", description="Standard, Guest, …")
    is_active: bool | None = Field(None, alias="IsActive", description="May log in.")
    time_zone_sid_key: str | None = Field(
        None, alias="TimeZoneSidKey", description="The time zone."
    )


class UserRole(Record):
    """A place in the hierarchy of users."""

    name: str | None = Field(None, alias="Name", description="What it is called.")
    developer_name: str | None = Field(
        None, alias="DeveloperName", description="Its name for programs."
    )
    parent_role_id: str | None = Field(None, alias="ParentRoleId", description="The role above.")
    rollup_description: str | None = Field(
        None, alias="RollupDescription", description="How reports name it."
    )
