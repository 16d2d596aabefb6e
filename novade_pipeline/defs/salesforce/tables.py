"""The tables of a Salesforce organisation, one for each object."""

from novade_pipeline.defs.salesforce.activity_records import Event, Task
from novade_pipeline.defs.salesforce.organisation_records import (
    CurrencyType,
    DatedConversionRate,
    Organization,
)
from novade_pipeline.defs.salesforce.person_records import Contact, Lead, User
from novade_pipeline.defs.salesforce.records import (
    Account,
    Opportunity,
    OpportunityLineItem,
    Order,
    Product,
    Record,
    UserRole,
)
from novade_pipeline.defs.salesforce.rejected import Rejected
from novade_pipeline.lake.table import Table


def _table(name: str, row: type[Record], *, changes_daily: bool = False) -> Table:
    """Returns an object's table; only one that changes daily is checked for freshness."""
    return Table(
        name=f"salesforce/{name}",
        row=row,
        key=("id",),
        write_mode="merge",
        version="system_modstamp",
        data_time="system_modstamp" if changes_daily else None,
    )


ACCOUNT = _table("account", Account)
CONTACT = _table("contact", Contact)
LEAD = _table("lead", Lead)
OPPORTUNITY = _table("opportunity", Opportunity)
OPPORTUNITY_LINE_ITEM = _table("opportunity_line_item", OpportunityLineItem)
ORDER = _table("order", Order)
PRODUCT = _table("product", Product)
TASK = _table("task", Task, changes_daily=True)
EVENT = _table("event", Event)
USER = _table("user", User)
USER_ROLE = _table("user_role", UserRole)
ORGANIZATION = _table("organization", Organization)
CURRENCY_TYPE = _table("currency_type", CurrencyType)
DATED_CONVERSION_RATE = _table("dated_conversion_rate", DatedConversionRate)

OBJECTS = {
    "Organization": ORGANIZATION,
    "CurrencyType": CURRENCY_TYPE,
    "DatedConversionRate": DATED_CONVERSION_RATE,
    "Account": ACCOUNT,
    "Contact": CONTACT,
    "Lead": LEAD,
    "Opportunity": OPPORTUNITY,
    "OpportunityLineItem": OPPORTUNITY_LINE_ITEM,
    "Order": ORDER,
    "Product2": PRODUCT,
    "Task": TASK,
    "Event": EVENT,
    "User": USER,
    "UserRole": USER_ROLE,
}
"""Salesforce's name of an object -> its table."""
OPTIONAL_OBJECTS = frozenset({"Organization", "CurrencyType", "DatedConversionRate"})
"""Objects that an organisation may lack, or hide; the marts work without them."""

READ = tuple(OBJECTS.values())
QUARANTINE = Table(
    name="salesforce/quarantine",
    row=Rejected,
    key=("source", "record"),
    write_mode="replace_window",
    partition_by=("source",),
    window="read_at",
    lines_of=READ,
)
TABLES = (*READ, QUARANTINE)
MART_SOURCES = READ
