"""Those whom the made-up organisation knows: contacts at accounts, and leads."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import count

from novade_pipeline.sandbox.business import Person, company
from novade_pipeline.sandbox.salesforce import objects
from novade_pipeline.sandbox.salesforce.rows import (
    Record,
    Setting,
    account_id,
    moment,
    record,
    street,
    user_id,
)

_DEPARTMENTS = ("Product", "Engineering", "Operations", "Finance")


def contacts(setting: Setting) -> list[Record]:
    """Those who work for a company."""
    employed = (one for one in setting.people if one.company is not None)
    return [_contact(setting, number, one) for number, one in enumerate(employed)]


def _contact(setting: Setting, number: int, one: Person) -> Record:
    assert one.company is not None
    rng = setting.random("contact", one.index)
    created = moment(rng, setting.begin, setting.now - timedelta(days=1))
    email: str | None = one.email
    if one.index < 0 and rng.random() < 0.1:
        email = None
    elif rng.random() < 0.05:
        # People type addresses as they like.
        email = one.email.title()
    owner = setting.owner_of(one.company.index)
    return record(
        setting,
        objects.CONTACT,
        number,
        created,
        owner,
        {
            "AccountId": account_id(one.company.index),
            "FirstName": one.first_name,
            "LastName": one.last_name,
            "Name": f"{one.first_name} {one.last_name}",
            "Email": email,
            "Phone": one.phone,
            "MobilePhone": one.phone if rng.random() < 0.4 else None,
            "Title": one.title,
            "Department": rng.choice(_DEPARTMENTS),
            "MailingStreet": street(rng),
            "MailingCity": one.company.city,
            "MailingPostalCode": f"{rng.randrange(100_000):05d}",
            "MailingCountry": one.company.country,
            "OwnerId": owner,
            "LeadSource": rng.choice((*objects.LEAD_SOURCES, None)),
            "Birthdate": date(1960 + rng.randrange(45), rng.randint(1, 12), rng.randint(1, 28))
            if rng.random() < 0.2
            else None,
            "HasOptedOutOfEmail": rng.random() < 0.1,
            "Newsletter_Email__c": email if rng.random() < 0.3 else None,
            "Engagement__c": float(rng.randrange(100)) if rng.random() < 0.6 else None,
        },
    )


def leads(setting: Setting, known: Sequence[Record]) -> list[Record]:
    """Some who work for nobody that we know, and what some contacts once were."""
    numbers = count()
    return [*_fresh_leads(setting, numbers), *_converted_leads(setting, numbers, known)]


def _fresh_leads(setting: Setting, numbers: Iterator[int]) -> Iterator[Record]:
    for one in setting.people:
        rng = setting.random("lead", one.index)
        if one.company is not None or rng.random() < 0.6:
            continue
        owner = user_id(rng.choice(setting.sellers))
        created = moment(rng, setting.begin, setting.now - timedelta(days=1))
        values: Record = {
            "FirstName": one.first_name,
            "LastName": one.last_name,
            "Name": f"{one.first_name} {one.last_name}",
            "Email": one.email,
            "Phone": one.phone,
            "Company": f"{one.last_name} & Co",
            "Title": one.title,
            "Status": rng.choice(objects.LEAD_STATUSES),
            "LeadSource": rng.choice(objects.LEAD_SOURCES),
            "NumberOfEmployees": rng.choice((None, 1, 5, 40)),
            "Country": rng.choice(("France", "Germany", "Canada")),
            "OwnerId": owner,
            "Asked_For_Demo__c": rng.random() < 0.3,
        }
        yield record(setting, objects.LEAD, next(numbers), created, owner, values)


def _converted_leads(
    setting: Setting, numbers: Iterator[int], known: Sequence[Record]
) -> Iterator[Record]:
    for contact in known:
        rng = setting.random("converted", contact["Id"])
        if rng.random() < 0.88:
            continue
        became: datetime = contact["CreatedDate"]
        copied = ("FirstName", "LastName", "Name", "Email", "Phone", "Title", "OwnerId")
        values: Record = {name: contact[name] for name in copied} | {
            "Company": company(setting.seed, rng.randrange(setting.companies)).name,
            "Status": objects.CONVERTED,
            "LeadSource": contact["LeadSource"],
            "IsConverted": True,
            "ConvertedDate": became.date(),
            "ConvertedAccountId": contact["AccountId"],
            "ConvertedContactId": contact["Id"],
        }
        created = became - timedelta(seconds=rng.randrange(30 * 86_400))
        yield record(setting, objects.LEAD, next(numbers), created, contact["OwnerId"], values)
