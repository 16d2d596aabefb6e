"""The initial records of the organisation."""

from novade_pipeline.sandbox.salesforce.activity_rows import events, set_last_activity, tasks
from novade_pipeline.sandbox.salesforce.company_rows import accounts, organization, roles, users
from novade_pipeline.sandbox.salesforce.people_rows import contacts, leads
from novade_pipeline.sandbox.salesforce.rows import Record, Scenario
from novade_pipeline.sandbox.salesforce.sales_rows import opportunities, orders, products


def generate(scenario: Scenario) -> dict[str, list[Record]]:
    """All records of the organisation, by object."""
    companies, people = accounts(scenario), contacts(scenario)
    prospects = leads(scenario, people)
    catalogue = products(scenario)
    deals, items = opportunities(scenario, companies, catalogue)
    order_rows = orders(scenario, deals)
    calls = tasks(scenario, people, prospects, deals)
    meetings = events(scenario, people, deals)
    set_last_activity(scenario, (*companies, *people, *prospects, *deals), (*calls, *meetings))
    return {
        "Account": companies,
        "Contact": people,
        "Lead": prospects,
        "Opportunity": deals,
        "OpportunityLineItem": items,
        "Order": order_rows,
        "Product2": catalogue,
        "Task": calls,
        "Event": meetings,
        "User": users(scenario),
        "UserRole": roles(scenario),
        "Organization": organization(scenario),
    }
