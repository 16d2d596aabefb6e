"""What the made-up organisation sells, to whom, and what its people do for it."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import count
from random import Random

from novade_pipeline.sandbox import salesforce_objects as objects
from novade_pipeline.sandbox.salesforce_ids import record_id
from novade_pipeline.sandbox.salesforce_rows import (
    Record,
    Setting,
    accounts,
    contacts,
    leads,
    moment,
    record,
    roles,
    users,
)

_PRODUCTS = (
    *(
        ("Lantern Team", "LT-10", "Subscription", 1_200.0),
        ("Lantern Plus", "LP-50", "Subscription", 5_400.0),
    ),
    *(
        ("Lantern Studio", "LS-99", "Subscription", 11_000.0),
        ("Set-up", "SV-01", "Service", 2_500.0),
    ),
    *(
        ("Training day", "SV-02", "Service", 1_800.0),
        ("Lantern One", "LO-01", "Subscription", 90.0),
    ),
)
_OPEN_STAGES = tuple(s for s in objects.STAGES if not s.startswith("Closed"))
_CLOSED_BEFORE_OPENED = 25
_TALKS = ("Kick-off", "Quarterly review", "Pricing", "Onboarding", "Renewal", "Question on invoice")
_CHANNELS = ("Call", "Call", "Email", "Email", "Email", "Other")


def generate(setting: Setting) -> dict[str, list[Record]]:
    """All records of the organisation, by object."""
    firms, people = accounts(setting), contacts(setting)
    prospects = leads(setting, people)
    goods = _products(setting)
    deals, items = _opportunities(setting, firms, goods)
    orders = _orders(setting, deals)
    tasks = _tasks(setting, people, prospects, deals)
    events = _events(setting, people, deals)
    _tell_last_activity(setting, (*firms, *people, *prospects, *deals), (*tasks, *events))
    return {
        "Account": firms,
        "Contact": people,
        "Lead": prospects,
        "Opportunity": deals,
        "OpportunityLineItem": items,
        "Order": orders,
        "Product2": goods,
        "Task": tasks,
        "Event": events,
        "User": users(setting),
        "UserRole": roles(setting),
    }


def _products(setting: Setting) -> list[Record]:
    return [
        record(
            setting,
            objects.PRODUCT,
            number,
            setting.begin,
            setting.owner_of(0),
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


def _opportunities(
    setting: Setting, firms: Sequence[Record], goods: Sequence[Record]
) -> tuple[list[Record], list[Record]]:
    deals: list[Record] = []
    items: list[Record] = []
    for firm in firms:
        rng = setting.random("opportunities", firm["Id"])
        for _ in range(rng.randint(1, 5 if firm["Type"] == "Customer" else 2)):
            deal = _opportunity(setting, rng, len(deals), firm)
            lines = _line_items(setting, rng, len(items), deal, goods)
            if lines:
                deal["Amount"] = round(sum(line["TotalPrice"] for line in lines), 2)
            deals.append(deal)
            items += lines
    return deals, items


def _opportunity(setting: Setting, rng: Random, number: int, firm: Record) -> Record:
    created = moment(rng, setting.now - timedelta(days=400), setting.now - timedelta(days=1))
    backwards = number % _CLOSED_BEFORE_OPENED == 3
    closed = backwards or (rng.random() < 0.6 and created < setting.now - timedelta(days=15))
    won = closed and firm["Type"] == "Customer" and rng.random() < 0.65
    stage = ("Closed Won" if won else "Closed Lost") if closed else rng.choice(_OPEN_STAGES)
    probability, forecast = objects.STAGES[stage]
    kind = rng.choice(("New Business", "Renewal", "Expansion"))
    return record(
        setting,
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
            "CloseDate": _close_date(setting, rng, created, closed, backwards),
            "Type": kind,
            "LeadSource": rng.choice((*objects.LEAD_SOURCES, None)),
            "IsClosed": closed,
            "IsWon": won,
            "ForecastCategory": forecast,
            "ForecastCategoryName": objects.FORECAST_NAMES[forecast],
            "OwnerId": firm["OwnerId"],
            "Discount__c": rng.choice((None, 5.0, 12.5)),
            "Competitors__c": ";".join(rng.sample(objects.COMPETITORS, rng.randint(0, 2))) or None,
        },
    )


def _close_date(
    setting: Setting, rng: Random, created: datetime, closed: bool, backwards: bool
) -> date:
    """When it was decided, or is hoped to be; some hopes are in the past."""
    if backwards:
        return created.date() - timedelta(days=rng.randint(1, 30))
    if closed:
        latest = (setting.now - created).days
        return created.date() + timedelta(days=rng.randint(0, min(120, latest)))
    return setting.as_of + timedelta(days=rng.randint(-20, 90))


def _line_items(
    setting: Setting, rng: Random, number: int, deal: Record, goods: Sequence[Record]
) -> list[Record]:
    if rng.random() < 0.3:
        return []
    lines = []
    for place, chosen in enumerate(rng.sample(range(len(goods)), rng.randint(1, 3))):
        listed = _PRODUCTS[chosen][3]
        quantity, price = float(rng.randint(1, 20)), round(listed * rng.choice((1, 1, 0.9)), 2)
        values = {
            "OpportunityId": deal["Id"],
            "Product2Id": goods[chosen]["Id"],
            "PricebookEntryId": record_id("01u", chosen),
            "Name": f"{deal['Name']} {goods[chosen]['Name']}",
            "ProductCode": goods[chosen]["ProductCode"],
            "Quantity": quantity,
            "UnitPrice": price,
            "ListPrice": listed,
            "TotalPrice": round(quantity * price, 2),
            "ServiceDate": deal["CloseDate"] if rng.random() < 0.5 else None,
            "SortOrder": place + 1,
        }
        lines.append(
            record(
                setting,
                objects.OPPORTUNITY_LINE_ITEM,
                number + place,
                deal["CreatedDate"],
                deal["OwnerId"],
                values,
            )
        )
    return lines


def _orders(setting: Setting, deals: Sequence[Record]) -> list[Record]:
    orders = []
    for number, deal in enumerate(deal for deal in deals if deal["IsWon"]):
        rng = setting.random("order", number)
        created = moment(rng, deal["CreatedDate"], setting.now)
        activated = rng.random() < 0.8
        values = {
            "AccountId": deal["AccountId"],
            "OpportunityId": deal["Id"],
            "OrderNumber": f"{number + 100:08d}",
            "Status": "Activated" if activated else "Draft",
            "Type": "Renewal" if deal["Type"] == "Renewal" else "New",
            "EffectiveDate": deal["CloseDate"],
            "EndDate": deal["CloseDate"] + timedelta(days=365),
            "ActivatedDate": moment(rng, created, setting.now) if activated else None,
            "TotalAmount": deal["Amount"] or 0.0,
            "OwnerId": deal["OwnerId"],
            "Signed_Copy__c": rng.randbytes(64) if activated else None,
        }
        orders.append(record(setting, objects.ORDER, number, created, deal["OwnerId"], values))
    return orders


def _tasks(
    setting: Setting, people: Sequence[Record], prospects: Sequence[Record], deals: Sequence[Record]
) -> list[Record]:
    of_account = _by_account(deals)
    numbers = count()
    tasks = []
    for who in (*people, *prospects):
        rng = setting.random("tasks", who["Id"])
        for _ in range(rng.choice((0, 0, 1, 1, 2, 4))):
            values = _task(setting, rng, who)
            deal = rng.choice(of_account.get(who.get("AccountId"), [None]))
            values["WhatId"] = deal["Id"] if deal and rng.random() < 0.6 else who.get("AccountId")
            created = values["CompletedDateTime"] or setting.now
            created = max(setting.begin, created - timedelta(days=rng.randint(1, 9)))
            tasks.append(
                record(setting, objects.TASK, next(numbers), created, who["OwnerId"], values)
            )
    return tasks


def _task(setting: Setting, rng: Random, who: Record) -> Record:
    channel, talk = rng.choice(_CHANNELS), rng.choice(_TALKS)
    done = rng.random() < 0.8
    when = moment(rng, setting.now - timedelta(days=180), setting.now)
    due = when.date() if done else setting.as_of + timedelta(days=rng.randint(-5, 30))
    call = channel == "Call" and done
    return {
        "WhoId": who["Id"],
        "AccountId": who.get("AccountId"),
        "OwnerId": who["OwnerId"],
        "Subject": f"{channel if channel != 'Other' else 'Task'}: {talk} with {who['Name']}",
        "Description": f"To: {who['Email']}\n\nDear {who['FirstName']},\n{talk.lower()}, as agreed."
        if channel == "Email"
        else None,
        "Status": "Completed" if done else rng.choice(("Not Started", "In Progress")),
        "Priority": rng.choice(("Normal", "Normal", "High")),
        "Type": channel,
        "TaskSubtype": channel if channel != "Other" else "Task",
        "ActivityDate": due,
        "IsClosed": done,
        "CompletedDateTime": when if done else None,
        "CallDurationInSeconds": rng.randrange(20, 2_400) if call else None,
    }


def _events(setting: Setting, people: Sequence[Record], deals: Sequence[Record]) -> list[Record]:
    of_account = _by_account(deals)
    events: list[Record] = []
    for who in people:
        rng = setting.random("events", who["Id"])
        if rng.random() < 0.7:
            continue
        day = setting.now + timedelta(days=rng.randint(-150, 30))
        begin, minutes = day + timedelta(minutes=30 * rng.randint(14, 34)), rng.choice((30, 60, 90))
        deal = rng.choice(of_account.get(who["AccountId"], [None]))
        values = {
            "WhoId": who["Id"],
            "WhatId": deal["Id"] if deal else who["AccountId"],
            "AccountId": who["AccountId"],
            "OwnerId": who["OwnerId"],
            "Subject": f"{rng.choice(_TALKS)} with {who['Name']}",
            "Location": rng.choice((None, "Video call", who["MailingStreet"])),
            "Type": rng.choice(("Meeting", "Demo", "Other")),
            "StartDateTime": begin,
            "EndDateTime": begin + timedelta(minutes=minutes),
            "ActivityDate": begin.date(),
            "DurationInMinutes": minutes,
        }
        created = min(begin, setting.now) - timedelta(days=rng.randint(1, 20))
        events.append(record(setting, objects.EVENT, len(events), created, who["OwnerId"], values))
    return events


def _by_account(deals: Sequence[Record]) -> dict[str | None, list[Record | None]]:
    found: defaultdict[str | None, list[Record | None]] = defaultdict(list)
    for deal in deals:
        found[deal["AccountId"]].append(deal)
    return found


def _tell_last_activity(
    setting: Setting, rows: Sequence[Record], activities: Sequence[Record]
) -> None:
    """The last completed task or past event of each record."""
    last: dict[str, date] = {}
    for one in activities:
        past = one["IsClosed"] if "IsClosed" in one else one["ActivityDate"] < setting.as_of
        for name in ("WhoId", "WhatId", "AccountId"):
            if past and one[name] and not one["IsDeleted"]:
                last[one[name]] = max(last.get(one[name], date.min), one["ActivityDate"])
    for row in rows:
        row["LastActivityDate"] = last.get(row["Id"])
