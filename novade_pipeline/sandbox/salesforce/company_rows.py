"""Accounts, and the organisation with its roles and users."""

from datetime import timedelta
from random import Random

from novade_pipeline.sandbox.business import company, staff
from novade_pipeline.sandbox.salesforce import objects, picklists, setup_objects
from novade_pipeline.sandbox.salesforce.ids import record_id
from novade_pipeline.sandbox.salesforce.rows import (
    Record,
    Scenario,
    account_id,
    moment,
    record,
    street,
    user_id,
)

LONG_VALUE = ("Strategic account of the music and media vertical, " * 6)[:299] + "."
"""A picklist value of 300 characters that the describe does not list."""

_PROFILE = record_id("00e", 1)


def organization(scenario: Scenario) -> list[Record]:
    """The organisation itself."""
    values = {
        "Name": "Novade",
        "TimeZoneSidKey": "GMT",
        "DefaultLocaleSidKey": "en_GB",
        "OrganizationType": "Enterprise Edition",
    }
    chief = user_id(staff(scenario.seed)[0])
    return [record(scenario, setup_objects.ORGANIZATION, 0, scenario.begin, chief, values)]


def roles(scenario: Scenario) -> list[Record]:
    """The chief's role, and the roles below it."""
    names = dict.fromkeys(colleague.role for colleague in staff(scenario.seed))
    chief = user_id(staff(scenario.seed)[0])
    return [
        record(
            scenario,
            setup_objects.USER_ROLE,
            number,
            scenario.begin,
            chief,
            {
                "Name": name,
                "DeveloperName": name.replace(" ", "_"),
                "RollupDescription": name,
                "ParentRoleId": record_id(setup_objects.USER_ROLE.prefix, 0) if number else None,
            },
        )
        for number, name in enumerate(names)
    ]


def users(scenario: Scenario) -> list[Record]:
    """The users: our own staff."""
    team = staff(scenario.seed)
    names = list(dict.fromkeys(colleague.role for colleague in team))
    chief = user_id(team[0])
    return [
        record(
            scenario,
            setup_objects.USER,
            colleague.index,
            scenario.begin + timedelta(days=colleague.index),
            chief,
            {
                "Username": colleague.email,
                "FirstName": colleague.first_name,
                "LastName": colleague.last_name,
                "Name": f"{colleague.first_name} {colleague.last_name}",
                "Email": colleague.email,
                "Title": colleague.role,
                "Department": "Support" if "Support" in colleague.role else "Sales",
                "UserRoleId": record_id(
                    setup_objects.USER_ROLE.prefix, names.index(colleague.role)
                ),
                "ManagerId": chief if colleague.index else None,
                "ProfileId": _PROFILE,
                "UserType": "Standard",
                "IsActive": colleague.index % 7 != 6,
                "TimeZoneSidKey": "Europe/Paris",
            },
        )
        for colleague in team
    ]


def accounts(scenario: Scenario) -> list[Record]:
    """The companies."""
    return [_account(scenario, index) for index in range(scenario.companies)]


def _account(scenario: Scenario, index: int) -> Record:
    firm, rng = company(scenario.seed, index), scenario.random("account", index)
    created = moment(rng, scenario.begin, scenario.now - timedelta(days=60))
    customer, located = rng.random() < 0.6, rng.random() < 0.5
    north, east = round(rng.uniform(-60, 70), 6), round(rng.uniform(-180, 180), 6)
    owner = scenario.owner_of(index)
    return record(
        scenario,
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
            "AccountSource": rng.choice((*picklists.LEAD_SOURCES, None)),
            "Description": f'Known as "{firm.name}",\nsince {created:%B %Y}.',
            "Segment__c": LONG_VALUE if index % 500 == 7 else rng.choice(picklists.SEGMENTS),
            "Regions__c": ";".join(rng.sample(picklists.REGIONS, rng.randint(1, 3))),
            "Health_Score__c": round(rng.uniform(0, 100), 1) if customer else None,
            "Is_Reference__c": customer and rng.random() < 0.2,
            "Contract_Start__c": created.date() if customer else None,
            "Last_Synced__c": moment(rng, created, scenario.now) if rng.random() < 0.5 else None,
            "Billing_Email__c": f"invoices@{firm.domain}" if customer else None,
            "Notes__c": rng.choice((None, "Prefers e-mail", "Décideur: comité d'achat")),
            "Headquarters__Latitude__s": north if located else None,
            "Headquarters__Longitude__s": east if located else None,
        },
    )


def _website(rng: Random, domain: str) -> str:
    """As people write it."""
    return rng.choice((f"https://www.{domain}", f"http://{domain}/", domain, f"www.{domain}"))
