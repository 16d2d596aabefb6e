"""Several currencies in the made-up organisation, as an administrator turns them on.

From then on each record with amounts says its currency; what was made before says the corporate
one. Source: Object Reference, "CurrencyType" (sforce_api_objects_currencytype.htm) and
"DatedConversionRate" (sforce_api_objects_datedconversionrate.htm); Salesforce Help, "Manage
Multiple Currencies" and "About Advanced Currency Management".
"""

from collections.abc import Mapping
from datetime import date

from novade_pipeline.sandbox.salesforce.fields import Field
from novade_pipeline.sandbox.salesforce.objects import OF_CURRENCIES
from novade_pipeline.sandbox.salesforce.org import Organisation

WITH_AMOUNTS = ("Account", "Contact", "Lead", "Opportunity", "OpportunityLineItem", "Order")
ISO_CODE = "CurrencyIsoCode"


def enable(org: Organisation, corporate: str, rates: Mapping[str, float]) -> None:
    """Turn several currencies on, for ever.

    Args:
        org: the organisation.
        corporate: the code of the corporate currency.
        rates: code of another currency -> how much of it one of the corporate currency is worth.
    """
    for added in OF_CURRENCIES:
        org.add_object(added)
    for code, rate in {corporate: 1.0, **rates}.items():
        values = {"IsoCode": code, "ConversionRate": rate, "IsCorporate": code == corporate}
        org.insert("CurrencyType", {**values, "IsActive": True, "DecimalPlaces": 2})
    for name in WITH_AMOUNTS:
        org.add_field(name, Field(ISO_CODE, "picklist", 3, values=(corporate, *rates)))
        org.table(name).rewrite(lambda row: {**row, ISO_CODE: corporate})


def rate_from(org: Organisation, code: str, start: date, until: date | None, rate: float) -> str:
    """Say what a currency is worth from a day on, until before another one; returns the id."""
    values = {"IsoCode": code, "StartDate": start, "NextStartDate": until}
    return org.insert("DatedConversionRate", {**values, "ConversionRate": rate})
