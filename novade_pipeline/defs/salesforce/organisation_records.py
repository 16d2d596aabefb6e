"""The organisation itself, its currencies and their rates, as `records` has the others.

Source: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/
(Organization, CurrencyType, DatedConversionRate).
"""

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from novade_pipeline.defs.salesforce.records import Record
from novade_pipeline.lake.table import Digits

Rate = Annotated[Decimal | None, Digits(18, 6)]


class Organization(Record):
    """The organisation; one row."""

    name: str | None = Field(None, alias="Name", description="What it is called.")
    time_zone_sid_key: str | None = Field(
        None, alias="TimeZoneSidKey", description="The time zone of its days."
    )


class CurrencyType(Record):
    """A currency that the organisation uses; none where it has one only."""

    iso_code: str | None = Field(None, alias="IsoCode", description="Its code, EUR.")
    conversion_rate: Rate = Field(
        None,
        alias="ConversionRate",
        description="How much of it one of the corporate currency is worth.",
    )
    decimal_places: int | None = Field(
        None, alias="DecimalPlaces", description="Digits after the point, as people see it."
    )
    is_active: bool | None = Field(None, alias="IsActive", description="It can be chosen.")
    is_corporate: bool | None = Field(
        None, alias="IsCorporate", description="It is the corporate currency."
    )


class DatedConversionRate(Record):
    """What a currency is worth from a day on; none without advanced currency management."""

    iso_code: str | None = Field(None, alias="IsoCode", description="The currency, EUR.")
    start_date: date | None = Field(None, alias="StartDate", description="The first day.")
    next_start_date: date | None = Field(
        None, alias="NextStartDate", description="The first day of the next rate."
    )
    conversion_rate: Rate = Field(
        None,
        alias="ConversionRate",
        description="How much of it one of the corporate currency is worth.",
    )
