"""Row models of a Salesforce organisation's objects, with the fields that the marts rely on.

Each further field of the organisation's describe becomes a column when it is read. Source:
https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal

from novade_pipeline.lake.table import Digits
from novade_pipeline.privacy.marks import BelongsTo
from novade_pipeline.privacy.policy import Personal

Number = Annotated[Decimal | None, Digits(26, 6)]
"""As the marts read it; in the lake it has the digits of the organisation's describe."""
Degrees = Annotated[Decimal | None, Digits(18, 15)]
CurrencyIsoCode = str | None
"""A currency code, EUR; null in an organisation with a single currency."""
PersonalText = Annotated[str | None, Personal()]
WhoId = Annotated[str | None, BelongsTo("salesforce_id")]


class Record(BaseModel):
    """The fields of every record. Salesforce's names are the columns' in Pascal case."""

    model_config = ConfigDict(alias_generator=to_pascal)

    id: str = Field(description="Identifies the record, 18 characters.")
    is_deleted: bool = Field(description="In the recycle bin, or deleted for good.")
    created_date: datetime | None = Field(None, description="When it was made, UTC.")
    last_modified_date: datetime | None = Field(None, description="The last change by a user, UTC.")
    system_modstamp: datetime = Field(description="When a user or a process last changed it, UTC.")
    vanished_at: datetime | None = Field(
        None,
        alias="vanished_at",
        description="When a sweep found it deleted for good, UTC; null where it exists.",
    )
    returned_at: datetime | None = Field(
        None,
        alias="returned_at",
        description="When it was found again after it had vanished, UTC; null once it changes.",
    )


class Account(Record):
    """A company, or a branch of one."""

    name: str | None = Field(None, description="The company.")
    type: str | None = Field(None, description="Customer, prospect, partner, …")
    industry: str | None = Field(None, description="Its line of business.")
    number_of_employees: int | None = Field(None, description="Its number of employees.")
    annual_revenue: Number = Field(None, description="Its revenue a year, in its currency.")
    currency_iso_code: CurrencyIsoCode = Field(None, description="The currency of its amounts.")
    website: str | None = Field(None, description="Its address on the web.")
    phone: str | None = Field(None, description="Its switchboard.")
    billing_street: str | None = Field(None, description="Billing address.")
    billing_city: str | None = Field(None, description="Billing address.")
    billing_state: str | None = Field(None, description="Billing address.")
    billing_postal_code: str | None = Field(None, description="Billing address.")
    billing_country: str | None = Field(None, description="Billing address.")
    billing_latitude: Degrees = Field(None, description="Degrees north.")
    billing_longitude: Degrees = Field(None, description="Degrees east.")
    owner_id: str | None = Field(None, description="The user who owns it.")
    parent_id: str | None = Field(None, description="The account that it is a branch of.")
    master_record_id: str | None = Field(None, description="The account that it was merged into.")
    account_source: str | None = Field(None, description="Where it came from.")
    description: str | None = Field(None, description="Free text about it.")
    last_activity_date: date | None = Field(None, description="Day of the last activity.")


class Opportunity(Record):
    """A sale that may be made."""

    account_id: str | None = Field(None, description="The account.")
    name: str | None = Field(None, description="Its name.")
    stage_name: str | None = Field(None, description="Its status.")
    amount: Number = Field(None, description="What it is worth, in its currency.")
    currency_iso_code: CurrencyIsoCode = Field(None, description="The currency of its amounts.")
    probability: Number = Field(None, description="Per cent.")
    close_date: date | None = Field(None, description="The day on which it closed, or is hoped to.")
    type: str | None = Field(None, description="New business, renewal, …")
    lead_source: str | None = Field(None, description="Where it came from.")
    is_closed: bool | None = Field(None, description="It is won or lost.")
    is_won: bool | None = Field(None, description="It is won.")
    forecast_category: str | None = Field(None, description="Pipeline, BestCase, Forecast, …")
    forecast_category_name: str | None = Field(None, description="The same, as shown to users.")
    owner_id: str | None = Field(None, description="The user who owns it.")
    campaign_id: str | None = Field(None, description="The campaign that it came from.")
    next_step: str | None = Field(None, description="The next step.")
    last_activity_date: date | None = Field(None, description="Day of the last activity.")


class OpportunityLineItem(Record):
    """A product of an opportunity."""

    opportunity_id: str | None = Field(None, description="The opportunity.")
    product2_id: str | None = Field(None, description="The product.")
    pricebook_entry_id: str | None = Field(None, description="Its price.")
    name: str | None = Field(None, description="Its name.")
    product_code: str | None = Field(None, description="The product's code.")
    quantity: Number = Field(None, description="The quantity.")
    unit_price: Number = Field(None, description="Price of one.")
    list_price: Number = Field(None, description="Price of one, by the price book.")
    total_price: Number = Field(None, description="Price of all.")
    service_date: date | None = Field(None, description="When it is delivered.")
    description: str | None = Field(None, description="Free text about it.")
    sort_order: int | None = Field(None, description="Its position.")


class Order(Record):
    """An order of an account."""

    account_id: str | None = Field(None, description="The account.")
    opportunity_id: str | None = Field(None, description="The opportunity.")
    order_number: str | None = Field(None, description="Its number.")
    status: str | None = Field(None, description="Its status.")
    type: str | None = Field(None, description="Its kind.")
    effective_date: date | None = Field(None, description="When it begins.")
    end_date: date | None = Field(None, description="When it ends.")
    activated_date: datetime | None = Field(None, description="When it became valid, UTC.")
    total_amount: Number = Field(None, description="What it is worth, in its currency.")
    currency_iso_code: CurrencyIsoCode = Field(None, description="The currency of its amounts.")
    owner_id: str | None = Field(None, description="The user who owns it.")


class Product(Record):
    """Something that is sold."""

    name: str | None = Field(None, description="Its name.")
    product_code: str | None = Field(None, description="Its code.")
    family: str | None = Field(None, description="Its family.")
    is_active: bool | None = Field(None, description="It is sold now.")
    description: str | None = Field(None, description="What it is.")


class UserRole(Record):
    """A role in the hierarchy of users."""

    name: str | None = Field(None, description="Its name.")
    developer_name: str | None = Field(None, description="Its API name.")
    parent_role_id: str | None = Field(None, description="The role above.")
    rollup_description: str | None = Field(None, description="Its name in reports.")
