"""Multiple currencies, as an administrator enables them.

From then on each record with amounts has a currency; existing records get the corporate currency.
Source: Object Reference, "CurrencyType" (sforce_api_objects_currencytype.htm) and
"DatedConversionRate" (sforce_api_objects_datedconversionrate.htm); Salesforce Help, "Manage
Multiple Currencies" and "About Advanced Currency Management".
"""

from collections.abc import Mapping
from datetime import date

from novade_pipeline.sandbox.salesforce.fields import Field
from novade_pipeline.sandbox.salesforce.org import Organisation
from novade_pipeline.sandbox.salesforce.setup_objects import CURRENCY_OBJECTS

WITH_AMOUNTS = ("Account", "Contact", "Lead", "Opportunity", "OpportunityLineItem", "Order")
ISO_CODE = "CurrencyIsoCode"


def enable(org: Organisation, corporate: str, rates: Mapping[str, float]) -> None:
    """Enable multiple currencies, irrevocably.

    Args:
        org: the organisation.
        corporate: code of the corporate currency.
        rates: code of another currency -> units of it per unit of the corporate currency.
    """
    for added in CURRENCY_OBJECTS:
        org.add_object(added)
    for code, rate in {corporate: 1.0, **rates}.items():
        values = {"IsoCode": code, "ConversionRate": rate, "IsCorporate": code == corporate}
        org.insert("CurrencyType", {**values, "IsActive": True, "DecimalPlaces": 2})
    for name in WITH_AMOUNTS:
        org.add_field(name, Field(ISO_CODE, "picklist", 3, values=(corporate, *rates)))
        org.table(name).rewrite(lambda row: {**row, ISO_CODE: corporate})


def rate_from(org: Organisation, code: str, start: date, until: date | None, rate: float) -> str:
    """Add a currency's rate from a day on, up to but without another day; returns the id."""
    values = {"IsoCode": code, "StartDate": start, "NextStartDate": until}
    return org.insert("DatedConversionRate", {**values, "ConversionRate": rate})
