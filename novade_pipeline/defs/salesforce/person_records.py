"""Row models of the records of persons: contacts, leads and users."""

from datetime import date
from typing import Annotated

from pydantic import Field

from novade_pipeline.defs.salesforce.records import PersonalText, Record
from novade_pipeline.privacy.marks import Identity
from novade_pipeline.privacy.policy import Personal

EmailAddress = Annotated[str | None, Personal(), Identity("email")]
PersonId = Annotated[str, Identity("salesforce_id")]
"""Of a contact, lead or user: no two records of an organisation share an id."""


class PersonRecord(Record):
    """The fields of every record of a person."""

    id: PersonId = Field(description="Identifies the record, 18 characters.")


class Contact(PersonRecord):
    """A person at an account."""

    account_id: str | None = Field(None, description="The account.")
    first_name: PersonalText = Field(None, description="The first name.")
    last_name: PersonalText = Field(None, description="The last name.")
    name: PersonalText = Field(None, description="The whole name.")
    email: EmailAddress = Field(None, description="The e-mail address.")
    phone: PersonalText = Field(None, description="The telephone.")
    mobile_phone: PersonalText = Field(None, description="The mobile telephone.")
    title: str | None = Field(None, description="Job title.")
    department: str | None = Field(None, description="Department.")
    mailing_street: PersonalText = Field(None, description="The street.")
    mailing_city: str | None = Field(None, description="The city.")
    mailing_postal_code: str | None = Field(None, description="The postal code.")
    mailing_country: str | None = Field(None, description="The country.")
    owner_id: str | None = Field(None, description="The user who owns it.")
    master_record_id: PersonId | None = Field(None, description="The contact it was merged into.")
    lead_source: str | None = Field(None, description="Where it came from.")
    birthdate: Annotated[date | None, Personal()] = Field(None, description="The birthday.")
    has_opted_out_of_email: bool | None = Field(None, description="Does not want e-mail.")
    last_activity_date: date | None = Field(None, description="Day of the last activity.")


class Lead(PersonRecord):
    """A person who may become a customer."""

    first_name: PersonalText = Field(None, description="The first name.")
    last_name: PersonalText = Field(None, description="The last name.")
    name: PersonalText = Field(None, description="The whole name.")
    email: EmailAddress = Field(None, description="The e-mail address.")
    phone: PersonalText = Field(None, description="The telephone.")
    company: str | None = Field(None, description="Where the person says to work.")
    title: str | None = Field(None, description="Job title.")
    status: str | None = Field(None, description="Its status.")
    lead_source: str | None = Field(None, description="Where it came from.")
    industry: str | None = Field(None, description="What the company does.")
    number_of_employees: int | None = Field(None, description="The company's number of employees.")
    country: str | None = Field(None, description="The country.")
    owner_id: str | None = Field(None, description="The user or queue that owns it.")
    master_record_id: PersonId | None = Field(None, description="The lead it was merged into.")
    is_converted: bool | None = Field(None, description="It was converted to a contact.")
    converted_date: date | None = Field(None, description="When it was converted.")
    converted_account_id: str | None = Field(None, description="The account that it became.")
    converted_contact_id: PersonId | None = Field(None, description="The contact that it became.")
    converted_opportunity_id: str | None = Field(None, description="The opportunity it became.")
    last_activity_date: date | None = Field(None, description="Day of the last activity.")


class User(PersonRecord):
    """A person or process that logs in to the organisation."""

    username: EmailAddress = Field(None, description="The log-in name.")
    first_name: PersonalText = Field(None, description="The first name.")
    last_name: PersonalText = Field(None, description="The last name.")
    name: PersonalText = Field(None, description="The whole name.")
    email: EmailAddress = Field(None, description="The e-mail address.")
    title: str | None = Field(None, description="Job title.")
    department: str | None = Field(None, description="Department.")
    user_role_id: str | None = Field(None, description="The role.")
    manager_id: str | None = Field(None, description="The user's manager.")
    profile_id: str | None = Field(None, description="The profile: the user's permissions.")
    user_type: str | None = Field(None, description="Standard, Guest, …")
    is_active: bool | None = Field(None, description="May log in.")
    time_zone_sid_key: str | None = Field(None, description="The time zone.")
