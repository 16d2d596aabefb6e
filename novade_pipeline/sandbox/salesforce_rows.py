"""Whom the made-up Salesforce organisation knows at first: ourselves, companies, their people.

Companies, people and staff are those of `business`. Everything is a function of the seed, the
people and the day; all of it happened before that day, but for what is planned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import count
from random import Random
from typing import Any

from novade_pipeline.sandbox import salesforce_objects as objects
from novade_pipeline.sandbox.business import Colleague, Person, company, staff
from novade_pipeline.sandbox.salesforce_fields import SObject
from novade_pipeline.sandbox.salesforce_ids import record_id

Record = dict[str, Any]
"""A record by the API names of its fields: text, bool, int, float, date, datetime (UTC), bytes."""

HISTORY = timedelta(days=720)
LONG_VALUE = ("Strategic account of the music and media vertical, " * 6)[:299] + "."
"""A picklist value of 300 characters, which no describe lists."""

_STREETS = ("Harbour Street", "Mill Lane", "Station Road", "Rue des Lilas", "Kirchgasse")
_DEPARTMENTS = ("Product", "Engineering", "Operations", "Finance")
_PROFILE = record_id("00e", 1)


@dataclass(frozen=True)
class Setting:
    """Who is in the organisation, and when.

    Attributes:
        companies: how many accounts.
        people: those whom the CRM may know; those with a company become contacts.
        as_of: the day before which all of it happened.
    """

    seed: int
    companies: int
    people: tuple[Person, ...]
    as_of: date

    @property
    def now(self) -> datetime:
        """The beginning of the day."""
        return datetime.combine(self.as_of, time(), UTC)

    @property
    def begin(self) -> datetime:
        """Nothing is older."""
        return self.now - HISTORY

    @cached_property
    def sellers(self) -> list[Colleague]:
        """Those of our own who own accounts."""
        return [one for one in staff(self.seed) if one.role == "Account Executive"]

    def random(self, *what: str | int) -> Random:
        """A stream of random numbers of its own for each thing that is named."""
        return Random(f"{self.seed}:salesforce:{':'.join(map(str, what))}")

    def owner_of(self, company_index: int) -> str:
        """The user who looks after an account and all that belongs to it."""
        return user_id(self.sellers[company_index % len(self.sellers)])


def user_id(colleague: Colleague) -> str:
    """The id of somebody of our own."""
    return record_id(objects.USER.prefix, colleague.index)


def account_id(company_index: int) -> str:
    """The id of a company's account."""
    return record_id(objects.ACCOUNT.prefix, company_index)


def moment(rng: Random, earliest: datetime, latest: datetime) -> datetime:
    """A full second between two times, the later one left out."""
    seconds = int((latest - earliest).total_seconds())
    return earliest + timedelta(seconds=rng.randrange(max(1, seconds)))


def blank(of: SObject) -> Record:
    """A record in which nothing is said: checkboxes are not ticked."""
    return {f.name: False if f.type == "boolean" else None for f in of.fields if f.is_stored}


def record(
    setting: Setting,
    of: SObject,
    number: int,
    created: datetime,
    by: str,
    values: Record,
) -> Record:
    """One record with what the system writes into it; a few are in the recycle bin."""
    rng = setting.random("system", of.name, number)
    modified = moment(rng, created, setting.now) if rng.random() < 0.7 else created
    # Processes write too, a while after people.
    stamp = min(
        setting.now - timedelta(seconds=1), modified + timedelta(seconds=rng.choice((0, 0, 5, 90)))
    )
    system = {
        "Id": record_id(of.prefix, number),
        "IsDeleted": of.deletes == "bin" and rng.random() < 0.02,
        "CreatedDate": created,
        "CreatedById": by,
        "LastModifiedDate": modified,
        "LastModifiedById": by,
        "SystemModstamp": stamp,
    }
    made = blank(of)
    made.update({name: value for name, value in system.items() if name in made}, **values)
    return made


def roles(setting: Setting) -> list[Record]:
    """The chief's role, and those of the others below it."""
    names = dict.fromkeys(one.role for one in staff(setting.seed))
    chief = user_id(staff(setting.seed)[0])
    return [
        record(
            setting,
            objects.USER_ROLE,
            number,
            setting.begin,
            chief,
            {
                "Name": name,
                "DeveloperName": name.replace(" ", "_"),
                "RollupDescription": name,
                "ParentRoleId": record_id(objects.USER_ROLE.prefix, 0) if number else None,
            },
        )
        for number, name in enumerate(names)
    ]


def users(setting: Setting) -> list[Record]:
    """Our own people."""
    team = staff(setting.seed)
    names = list(dict.fromkeys(one.role for one in team))
    chief = user_id(team[0])
    return [
        record(
            setting,
            objects.USER,
            one.index,
            setting.begin + timedelta(days=one.index),
            chief,
            {
                "Username": one.email,
                "FirstName": one.first_name,
                "LastName": one.last_name,
                "Name": f"{one.first_name} {one.last_name}",
                "Email": one.email,
                "Title": one.role,
                "Department": "Support" if "Support" in one.role else "Sales",
                "UserRoleId": record_id(objects.USER_ROLE.prefix, names.index(one.role)),
                "ManagerId": chief if one.index else None,
                "ProfileId": _PROFILE,
                "UserType": "Standard",
                "IsActive": one.index % 7 != 6,
                "TimeZoneSidKey": "Europe/Paris",
            },
        )
        for one in team
    ]


def accounts(setting: Setting) -> list[Record]:
    """The companies."""
    return [_account(setting, index) for index in range(setting.companies)]


def _account(setting: Setting, index: int) -> Record:
    firm, rng = company(setting.seed, index), setting.random("account", index)
    created = moment(rng, setting.begin, setting.now - timedelta(days=60))
    customer, located = rng.random() < 0.6, rng.random() < 0.5
    north, east = round(rng.uniform(-60, 70), 6), round(rng.uniform(-180, 180), 6)
    owner = setting.owner_of(index)
    return record(
        setting,
        objects.ACCOUNT,
        index,
        created,
        owner,
        {
            "Name": firm.name,
            "Type": "Customer" if customer else "Prospect",
            "Industry": firm.industry,
            "NumberOfEmployees": firm.employees,
            "AnnualRevenue": float(firm.employees * rng.randrange(80_000, 240_000)),
            "Website": _website(rng, firm.domain) if firm.has_website else None,
            "Phone": f"+1-202-555-{rng.randrange(10_000):04d}",
            "BillingStreet": _street(rng),
            "BillingCity": firm.city,
            "BillingPostalCode": f"{rng.randrange(100_000):05d}",
            "BillingCountry": firm.country,
            "BillingLatitude": north if located else None,
            "BillingLongitude": east if located else None,
            "OwnerId": owner,
            "ParentId": account_id(rng.randrange(index)) if index and rng.random() < 0.1 else None,
            "AccountSource": rng.choice((*objects.LEAD_SOURCES, None)),
            "Description": f'Known as "{firm.name}",\nsince {created:%B %Y}.',
            "Segment__c": LONG_VALUE if index % 500 == 7 else rng.choice(objects.SEGMENTS),
            "Regions__c": ";".join(rng.sample(objects.REGIONS, rng.randint(1, 3))),
            "Health_Score__c": round(rng.uniform(0, 100), 1) if customer else None,
            "Is_Reference__c": customer and rng.random() < 0.2,
            "Contract_Start__c": created.date() if customer else None,
            "Last_Synced__c": moment(rng, created, setting.now) if rng.random() < 0.5 else None,
            "Billing_Email__c": f"invoices@{firm.domain}" if customer else None,
            "Notes__c": rng.choice((None, "Prefers e-mail", "Décideur: comité d'achat")),
            "Headquarters__Latitude__s": north if located else None,
            "Headquarters__Longitude__s": east if located else None,
        },
    )


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
            "MailingStreet": _street(rng),
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


def _street(rng: Random) -> str:
    return f"{rng.randint(1, 180)} {rng.choice(_STREETS)}"


def _website(rng: Random, domain: str) -> str:
    """As people write it."""
    return rng.choice((f"https://www.{domain}", f"http://{domain}/", domain, f"www.{domain}"))
