"""Row models of the organisation itself, its currencies and their rates.

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

    name: str | None = Field(None, description="Its name.")
    time_zone_sid_key: str | None = Field(None, description="The time zone of its days.")


class CurrencyType(Record):
    """A currency of an organisation with several currencies."""

    iso_code: str | None = Field(None, description="Its code, EUR.")
    conversion_rate: Rate = Field(
        None, description="Units of it for one of the corporate currency."
    )
    decimal_places: int | None = Field(None, description="Digits after the point, as shown.")
    is_active: bool | None = Field(None, description="It can be chosen.")
    is_corporate: bool | None = Field(None, description="It is the corporate currency.")


class DatedConversionRate(Record):
    """A rate of a currency from a day on, with advanced currency management."""

    iso_code: str | None = Field(None, description="The currency, EUR.")
    start_date: date | None = Field(None, description="The first day.")
    next_start_date: date | None = Field(None, description="The first day of the next rate.")
    conversion_rate: Rate = Field(
        None, description="Units of it for one of the corporate currency."
    )
