"""The companies and people that product, CRM and chat have in common.

A company and a person are pure functions of (seed, index), so that the product's exports, the
Salesforce organisation and the Drift workspace agree independently. A person's index is that of
the product's user; people who never used the product have negative ones. Every domain ends in
`.example`, so that no address is real.
"""

from dataclasses import dataclass
from functools import lru_cache
from random import Random

_FIRST_NAMES = (
    *("Ada", "Amara", "Björn", "Chloé", "Dmitri", "Elif", "Fatima", "Giulia", "Hana", "Ibrahim"),
    *("Inés", "Jonas", "Kaito", "Léa", "Mateo", "Nadia", "Olga", "Priya", "Quentin", "Rosa"),
    *("Søren", "Tariq", "Uma", "Viktor", "Wanda", "Ximena", "Yusuf", "Zoë", "Bao", "Carmen"),
)
_LAST_NAMES = (
    *("Abbott", "Becker", "Costa", "Dubois", "Eriksson", "Fernández", "Grünwald", "Haddad"),
    *("Ivanov", "Jansen", "Kowalski", "Laurent", "Moreau", "Nakamura", "O'Brien", "Petrov"),
    *("Quispe", "Rossi", "Schäfer", "Tanaka", "Usman", "Vargas", "Weiß", "Xu", "Yilmaz", "Zhao"),
)
_COMPANY_HEADS = (
    *("Northwind", "Bluestone", "Cedar", "Delta", "Ember", "Fjord", "Granite", "Harbour"),
    *("Indigo", "Juniper", "Keystone", "Lantern", "Meridian", "Nimbus", "Orchard", "Pioneer"),
)
_COMPANY_TAILS = (
    *("Media", "Logistics", "Foods", "Robotics", "Health", "Studios", "Energy", "Software"),
    *("Partners", "Travel", "Textiles", "Bank"),
)
_INDUSTRIES = (
    *("Media", "Transportation", "Food & Beverage", "Manufacturing", "Healthcare"),
    *("Entertainment", "Energy", "Technology", "Consulting", "Hospitality", "Apparel", "Banking"),
)
_CITIES = (
    *(("Paris", "France"), ("Berlin", "Germany"), ("Lisbon", "Portugal"), ("Oslo", "Norway")),
    *(("Milan", "Italy"), ("Austin", "United States"), ("Toronto", "Canada"), ("Osaka", "Japan")),
)
_TITLES = ("Head of Product", "Engineer", "Analyst", "Office Manager", "CTO", "Buyer", "Designer")
_LETTERS = str.maketrans(
    {"ö": "o", "é": "e", "ø": "o", "ë": "e", "á": "a", "ü": "u", "ß": "ss", "ä": "a"} | {"'": ""}
)

FREE_MAILBOX = "freemail.example"
"""A public mail provider, whose domain does not identify an employer."""

OWN_DOMAIN = "novade.example"


@dataclass(frozen=True)
class Company:
    """A customer or prospect.

    Attributes:
        domain: of its people's addresses.
        has_website: whether the CRM has its domain.
        is_group: whether the product's events have it as their group.
    """

    index: int
    name: str
    domain: str
    industry: str
    employees: int
    city: str
    country: str
    has_website: bool
    is_group: bool


@dataclass(frozen=True)
class Person:
    """A person who may use the product, be in the CRM, and chat."""

    index: int
    first_name: str
    last_name: str
    email: str
    phone: str
    title: str
    company: Company | None


@dataclass(frozen=True)
class Colleague:
    """A member of our staff who sells or answers chats."""

    index: int
    first_name: str
    last_name: str
    email: str
    role: str


def companies_for(events_per_hour: int) -> int:
    """The number of companies in a world of a size."""
    return max(12, events_per_hour // 2)


@lru_cache(maxsize=65_536)
def company(seed: int, index: int) -> Company:
    """The company with an index, from 0."""
    rng = Random(f"{seed}:company:{index}")
    round_, place = divmod(index, len(_COMPANY_HEADS) * len(_COMPANY_TAILS))
    # 5 and the number of pairs are coprime: neighbours differ, and no pair repeats.
    pair = place * 5 % (len(_COMPANY_HEADS) * len(_COMPANY_TAILS))
    head = _COMPANY_HEADS[pair % len(_COMPANY_HEADS)]
    trade = pair // len(_COMPANY_HEADS)
    number = f" {round_ + 1}" if round_ else ""
    city, country = rng.choice(_CITIES)
    return Company(
        index=index,
        name=f"{head} {_COMPANY_TAILS[trade]}{number}",
        domain=f"{head}-{_COMPANY_TAILS[trade]}{number.strip()}.example".lower(),
        industry=_INDUSTRIES[trade],
        employees=int(10 ** rng.uniform(0.7, 4.2)),
        city=city,
        country=country,
        has_website=rng.random() < 0.85,
        is_group=rng.random() < 0.4,
    )


@lru_cache(maxsize=65_536)
def person(seed: int, companies: int, index: int) -> Person:
    """The person with an index; two of three work for a company, mostly with its address."""
    rng = Random(f"{seed}:person:{index}")
    first, last = rng.choice(_FIRST_NAMES), rng.choice(_LAST_NAMES)
    # Few companies have many people.
    employer = company(seed, int(companies * rng.random() ** 1.6)) if rng.random() < 0.67 else None
    domain = employer.domain if employer and rng.random() < 0.85 else FREE_MAILBOX
    number = f"{index}" if index >= 0 else f"n{-index}"
    return Person(
        index=index,
        first_name=first,
        last_name=last,
        email=f"{_plain(first)}.{_plain(last)}.{number}@{domain}",
        phone=f"+1-202-555-{rng.randrange(10_000):04d}",
        title=rng.choice(_TITLES),
        company=employer,
    )


@lru_cache(maxsize=8)
def staff(seed: int) -> tuple[Colleague, ...]:
    """Our staff, from the chief of sales down."""
    rng = Random(f"{seed}:staff")
    roles = ("Chief of Sales", *("Account Executive",) * 6, *("Support Agent",) * 4)
    names = [(rng.choice(_FIRST_NAMES), rng.choice(_LAST_NAMES)) for _ in roles]
    return tuple(
        Colleague(n, first, last, f"{_plain(first)}.{_plain(last)}.{n}@{OWN_DOMAIN}", role)
        for n, ((first, last), role) in enumerate(zip(names, roles, strict=True))
    )


def _plain(name: str) -> str:
    return name.translate(_LETTERS).lower().encode("ascii", "ignore").decode()
