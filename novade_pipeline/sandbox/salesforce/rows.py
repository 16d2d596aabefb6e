"""Building blocks of generated records.

Companies, people and staff are those of `business`. Records are a function of the seed, the people
and the day; everything happened before that day, except for what is planned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from random import Random
from typing import Any

from novade_pipeline.sandbox.business import Colleague, Person, staff
from novade_pipeline.sandbox.salesforce import objects, setup_objects
from novade_pipeline.sandbox.salesforce.fields import SObject
from novade_pipeline.sandbox.salesforce.ids import record_id

Record = dict[str, Any]
"""A record by the API names of its fields: text, bool, int, float, date, datetime (UTC), bytes."""
Rows = Sequence[Record]

HISTORY = timedelta(days=720)
_STREETS = ("Harbour Street", "Mill Lane", "Station Road", "Rue des Lilas", "Kirchgasse")


@dataclass(frozen=True)
class Scenario:
    """What the records are a function of.

    Attributes:
        seed: of the world.
        companies: number of accounts.
        people: candidates for leads, and for contacts if they have a company.
        as_of: the day before which everything happened.
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
        """The earliest time of a record."""
        return self.now - HISTORY

    @cached_property
    def sellers(self) -> list[Colleague]:
        """The account executives, who own accounts."""
        return [c for c in staff(self.seed) if c.role == "Account Executive"]

    def random(self, *what: str | int) -> Random:
        """An independent stream of random numbers for each name."""
        return Random(f"{self.seed}:salesforce:{':'.join(map(str, what))}")

    def owner_of(self, company_index: int) -> str:
        """The user who owns an account and its records."""
        return user_id(self.sellers[company_index % len(self.sellers)])


def user_id(colleague: Colleague) -> str:
    """The id of a colleague's user."""
    return record_id(setup_objects.USER.prefix, colleague.index)


def account_id(company_index: int) -> str:
    """The id of a company's account."""
    return record_id(objects.ACCOUNT.prefix, company_index)


def moment(rng: Random, earliest: datetime, latest: datetime) -> datetime:
    """A random full second from `earliest` up to but without `latest`."""
    seconds = int((latest - earliest).total_seconds())
    return earliest + timedelta(seconds=rng.randrange(max(1, seconds)))


def blank_record(sobject: SObject) -> Record:
    """A record with default values: null, or False for checkboxes."""
    return {f.name: False if f.type == "boolean" else None for f in sobject.fields if f.is_stored}


def record(
    scenario: Scenario,
    sobject: SObject,
    number: int,
    created: datetime,
    by: str,
    values: Record,
) -> Record:
    """A record with its system fields; a few are in the recycle bin."""
    rng = scenario.random("system", sobject.name, number)
    modified = moment(rng, created, scenario.now) if rng.random() < 0.7 else created
    # Processes write too, some time after people.
    stamp = min(
        scenario.now - timedelta(seconds=1), modified + timedelta(seconds=rng.choice((0, 0, 5, 90)))
    )
    system = {
        "Id": record_id(sobject.prefix, number),
        "IsDeleted": sobject.deletes == "bin" and rng.random() < 0.02,
        "CreatedDate": created,
        "CreatedById": by,
        "LastModifiedDate": modified,
        "LastModifiedById": by,
        "SystemModstamp": stamp,
    }
    made = blank_record(sobject)
    made.update({name: value for name, value in system.items() if name in made}, **values)
    return made


def street(rng: Random) -> str:
    """A random street address."""
    return f"{rng.randint(1, 180)} {rng.choice(_STREETS)}"
