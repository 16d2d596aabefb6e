"""The accounts of the made-up organisation, and its own people who look after them."""

from datetime import timedelta
from random import Random

from novade_pipeline.sandbox.business import company, staff
from novade_pipeline.sandbox.salesforce import objects
from novade_pipeline.sandbox.salesforce.ids import record_id
from novade_pipeline.sandbox.salesforce.rows import (
    Record,
    Setting,
    account_id,
    moment,
    record,
    street,
    user_id,
)

LONG_VALUE = ("Strategic account of the music and media vertical, " * 6)[:299] + "."
"""A picklist value of 300 characters, which no describe lists."""

_PROFILE = record_id("00e", 1)


def organization(setting: Setting) -> list[Record]:
    """The organisation itself."""
    values = {
        "Name": "Novade",
        "TimeZoneSidKey": "GMT",
        "DefaultLocaleSidKey": "en_GB",
        "OrganizationType": "Enterprise Edition",
    }
    chief = user_id(staff(setting.seed)[0])
    return [record(setting, objects.ORGANIZATION, 0, setting.begin, chief, values)]


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
            "BillingStreet": street(rng),
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


def _website(rng: Random, domain: str) -> str:
    """As people write it."""
    return rng.choice((f"https://www.{domain}", f"http://{domain}/", domain, f"www.{domain}"))
