"""All that the made-up organisation holds at first."""

from novade_pipeline.sandbox.salesforce.activity_rows import events, tasks, tell_last_activity
from novade_pipeline.sandbox.salesforce.company_rows import accounts, organization, roles, users
from novade_pipeline.sandbox.salesforce.people_rows import contacts, leads
from novade_pipeline.sandbox.salesforce.rows import Record, Setting
from novade_pipeline.sandbox.salesforce.sales_rows import opportunities, orders, products


def generate(setting: Setting) -> dict[str, list[Record]]:
    """All records of the organisation, by object."""
    firms, people = accounts(setting), contacts(setting)
    prospects = leads(setting, people)
    goods = products(setting)
    deals, items = opportunities(setting, firms, goods)
    ordered = orders(setting, deals)
    done = tasks(setting, people, prospects, deals)
    met = events(setting, people, deals)
    tell_last_activity(setting, (*firms, *people, *prospects, *deals), (*done, *met))
    return {
        "Account": firms,
        "Contact": people,
        "Lead": prospects,
        "Opportunity": deals,
        "OpportunityLineItem": items,
        "Order": ordered,
        "Product2": goods,
        "Task": done,
        "Event": met,
        "User": users(setting),
        "UserRole": roles(setting),
        "Organization": organization(setting),
    }
