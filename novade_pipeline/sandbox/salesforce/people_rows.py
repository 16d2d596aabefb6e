"""Contacts at accounts, and leads."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import count

from novade_pipeline.sandbox.business import Person, company
from novade_pipeline.sandbox.salesforce import objects, picklists
from novade_pipeline.sandbox.salesforce.rows import (
    Record,
    Rows,
    Scenario,
    account_id,
    moment,
    record,
    street,
    user_id,
)

_DEPARTMENTS = ("Product", "Engineering", "Operations", "Finance")


def contacts(scenario: Scenario) -> list[Record]:
    """The people who work for a company."""
    employed = (person for person in scenario.people if person.company is not None)
    return [_contact(scenario, number, person) for number, person in enumerate(employed)]


def _contact(scenario: Scenario, number: int, person: Person) -> Record:
    assert person.company is not None
    rng = scenario.random("contact", person.index)
    created = moment(rng, scenario.begin, scenario.now - timedelta(days=1))
    email: str | None = person.email
    if person.index < 0 and rng.random() < 0.1:
        email = None
    elif rng.random() < 0.05:
        email = person.email.title()
    owner = scenario.owner_of(person.company.index)
    return record(
        scenario,
        objects.CONTACT,
        number,
        created,
        owner,
        {
            "AccountId": account_id(person.company.index),
            "FirstName": person.first_name,
            "LastName": person.last_name,
            "Name": f"{person.first_name} {person.last_name}",
            "Email": email,
            "Phone": person.phone,
            "MobilePhone": person.phone if rng.random() < 0.4 else None,
            "Title": person.title,
            "Department": rng.choice(_DEPARTMENTS),
            "MailingStreet": street(rng),
            "MailingCity": person.company.city,
            "MailingPostalCode": f"{rng.randrange(100_000):05d}",
            "MailingCountry": person.company.country,
            "OwnerId": owner,
            "LeadSource": rng.choice((*picklists.LEAD_SOURCES, None)),
            "Birthdate": date(1960 + rng.randrange(45), rng.randint(1, 12), rng.randint(1, 28))
            if rng.random() < 0.2
            else None,
            "HasOptedOutOfEmail": rng.random() < 0.1,
            "Newsletter_Email__c": email if rng.random() < 0.3 else None,
            "Engagement__c": float(rng.randrange(100)) if rng.random() < 0.6 else None,
        },
    )


def leads(scenario: Scenario, known: Rows) -> list[Record]:
    """Some people without a company, and the converted leads of some contacts."""
    numbers = count()
    return [*_fresh_leads(scenario, numbers), *_converted_leads(scenario, numbers, known)]


def _fresh_leads(scenario: Scenario, numbers: Iterator[int]) -> Iterator[Record]:
    for person in scenario.people:
        rng = scenario.random("lead", person.index)
        if person.company is not None or rng.random() < 0.6:
            continue
        owner = user_id(rng.choice(scenario.sellers))
        created = moment(rng, scenario.begin, scenario.now - timedelta(days=1))
        values: Record = {
            "FirstName": person.first_name,
            "LastName": person.last_name,
            "Name": f"{person.first_name} {person.last_name}",
            "Email": person.email,
            "Phone": person.phone,
            "Company": f"{person.last_name} & Co",
            "Title": person.title,
            "Status": rng.choice(picklists.LEAD_STATUSES),
            "LeadSource": rng.choice(picklists.LEAD_SOURCES),
            "NumberOfEmployees": rng.choice((None, 1, 5, 40)),
            "Country": rng.choice(("France", "Germany", "Canada")),
            "OwnerId": owner,
            "Asked_For_Demo__c": rng.random() < 0.3,
        }
        yield record(scenario, objects.LEAD, next(numbers), created, owner, values)


def _converted_leads(scenario: Scenario, numbers: Iterator[int], known: Rows) -> Iterator[Record]:
    for contact in known:
        rng = scenario.random("converted", contact["Id"])
        if rng.random() < 0.88:
            continue
        became: datetime = contact["CreatedDate"]
        copied = ("FirstName", "LastName", "Name", "Email", "Phone", "Title", "OwnerId")
        values: Record = {name: contact[name] for name in copied} | {
            "Company": company(scenario.seed, rng.randrange(scenario.companies)).name,
            "Status": picklists.CONVERTED,
            "LeadSource": contact["LeadSource"],
            "IsConverted": True,
            "ConvertedDate": became.date(),
            "ConvertedAccountId": contact["AccountId"],
            "ConvertedContactId": contact["Id"],
        }
        created = became - timedelta(seconds=rng.randrange(30 * 86_400))
        yield record(scenario, objects.LEAD, next(numbers), created, contact["OwnerId"], values)
