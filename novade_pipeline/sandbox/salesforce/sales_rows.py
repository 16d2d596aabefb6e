"""Products, opportunities and orders."""

from datetime import date, datetime, timedelta
from random import Random

from novade_pipeline.sandbox.salesforce import objects, picklists
from novade_pipeline.sandbox.salesforce.ids import record_id
from novade_pipeline.sandbox.salesforce.rows import Record, Rows, Scenario, moment, record

_PRODUCTS = (
    ("Lantern Team", "LT-10", "Subscription", 1_200.0),
    ("Lantern Plus", "LP-50", "Subscription", 5_400.0),
    ("Lantern Studio", "LS-99", "Subscription", 11_000.0),
    ("Set-up", "SV-01", "Service", 2_500.0),
    ("Training day", "SV-02", "Service", 1_800.0),
    ("Lantern One", "LO-01", "Subscription", 90.0),
)
_OPEN_STAGES = tuple(s for s in picklists.STAGES if not s.startswith("Closed"))
_CLOSED_BEFORE_OPENED = 25


def products(scenario: Scenario) -> list[Record]:
    """The products."""
    return [
        record(
            scenario,
            objects.PRODUCT,
            number,
            scenario.begin,
            scenario.owner_of(0),
            {
                "Name": name,
                "ProductCode": code,
                "Family": family,
                "IsActive": name != "Lantern One",
                "Description": f"{name}, {family.lower()}.",
            },
        )
        for number, (name, code, family, _) in enumerate(_PRODUCTS)
    ]


def opportunities(
    scenario: Scenario, firms: Rows, catalogue: Rows
) -> tuple[list[Record], list[Record]]:
    """The opportunities of all accounts, and their line items."""
    deals: list[Record] = []
    items: list[Record] = []
    for firm in firms:
        rng = scenario.random("opportunities", firm["Id"])
        for _ in range(rng.randint(1, 5 if firm["Type"] == "Customer" else 2)):
            deal = _opportunity(scenario, rng, len(deals), firm)
            lines = _line_items(scenario, rng, len(items), deal, catalogue)
            if lines:
                deal["Amount"] = round(sum(line["TotalPrice"] for line in lines), 2)
            deals.append(deal)
            items += lines
    return deals, items


def _opportunity(scenario: Scenario, rng: Random, number: int, firm: Record) -> Record:
    created = moment(rng, scenario.now - timedelta(days=400), scenario.now - timedelta(days=1))
    backwards = number % _CLOSED_BEFORE_OPENED == 3
    closed = backwards or (rng.random() < 0.6 and created < scenario.now - timedelta(days=15))
    won = closed and firm["Type"] == "Customer" and rng.random() < 0.65
    stage = ("Closed Won" if won else "Closed Lost") if closed else rng.choice(_OPEN_STAGES)
    probability, forecast = picklists.STAGES[stage]
    kind = rng.choice(("New Business", "Renewal", "Expansion"))
    return record(
        scenario,
        objects.OPPORTUNITY,
        number,
        created,
        firm["OwnerId"],
        {
            "AccountId": firm["Id"],
            "Name": f"{firm['Name']} - {kind}",
            "NextStep": None if closed else rng.choice(("Send quote", "Book demo", None)),
            "StageName": stage,
            "Amount": None if rng.random() < 0.05 else float(rng.randrange(500, 90_000)),
            "Probability": probability,
            "CloseDate": _close_date(scenario, rng, created, closed, backwards),
            "Type": kind,
            "LeadSource": rng.choice((*picklists.LEAD_SOURCES, None)),
            "IsClosed": closed,
            "IsWon": won,
            "ForecastCategory": forecast,
            "ForecastCategoryName": picklists.FORECAST_NAMES[forecast],
            "OwnerId": firm["OwnerId"],
            "Discount__c": rng.choice((None, 5.0, 12.5)),
            "Competitors__c": ";".join(rng.sample(picklists.COMPETITORS, rng.randint(0, 2)))
            or None,
        },
    )


def _close_date(
    scenario: Scenario, rng: Random, created: datetime, closed: bool, backwards: bool
) -> date:
    """The day of the decision, or an expected one, which may be in the past."""
    if backwards:
        return created.date() - timedelta(days=rng.randint(1, 30))
    if closed:
        latest = (scenario.now - created).days
        return created.date() + timedelta(days=rng.randint(0, min(120, latest)))
    return scenario.as_of + timedelta(days=rng.randint(-20, 90))


def _line_items(
    scenario: Scenario, rng: Random, number: int, deal: Record, catalogue: Rows
) -> list[Record]:
    if rng.random() < 0.3:
        return []
    lines = []
    for place, chosen in enumerate(rng.sample(range(len(catalogue)), rng.randint(1, 3))):
        listed = _PRODUCTS[chosen][3]
        quantity, price = float(rng.randint(1, 20)), round(listed * rng.choice((1, 1, 0.9)), 2)
        values = {
            "OpportunityId": deal["Id"],
            "Product2Id": catalogue[chosen]["Id"],
            "PricebookEntryId": record_id("01u", chosen),
            "Name": f"{deal['Name']} {catalogue[chosen]['Name']}",
            "ProductCode": catalogue[chosen]["ProductCode"],
            "Quantity": quantity,
            "UnitPrice": price,
            "ListPrice": listed,
            "TotalPrice": round(quantity * price, 2),
            "ServiceDate": deal["CloseDate"] if rng.random() < 0.5 else None,
            "SortOrder": place + 1,
        }
        lines.append(
            record(
                scenario,
                objects.OPPORTUNITY_LINE_ITEM,
                number + place,
                deal["CreatedDate"],
                deal["OwnerId"],
                values,
            )
        )
    return lines


def orders(scenario: Scenario, deals: Rows) -> list[Record]:
    """The orders of the won opportunities."""
    orders = []
    for number, deal in enumerate(deal for deal in deals if deal["IsWon"]):
        rng = scenario.random("order", number)
        created = moment(rng, deal["CreatedDate"], scenario.now)
        activated = rng.random() < 0.8
        values = {
            "AccountId": deal["AccountId"],
            "OpportunityId": deal["Id"],
            "OrderNumber": f"{number + 100:08d}",
            "Status": "Activated" if activated else "Draft",
            "Type": "Renewal" if deal["Type"] == "Renewal" else "New",
            "EffectiveDate": deal["CloseDate"],
            "EndDate": deal["CloseDate"] + timedelta(days=365),
            "ActivatedDate": moment(rng, created, scenario.now) if activated else None,
            "TotalAmount": deal["Amount"] or 0.0,
            "OwnerId": deal["OwnerId"],
            "Signed_Copy__c": rng.randbytes(64) if activated else None,
        }
        orders.append(record(scenario, objects.ORDER, number, created, deal["OwnerId"], values))
    return orders
